/** How a process appears to its surroundings: what `ps` shows, and whether a terminal controls it. The command name stays the original program's, so that `ps -C nginx`, `pidof nginx` and `killall nginx` work. */
import { readFileSync } from "node:fs";
import { PR_SET_NAME, prctl } from "./ffi/process.ts";
import { allocateMemory } from "./memory.ts";

/** Longest command name that Linux keeps. */
const NAME_BYTES = 15;

/** Sets the whole title, `nginx: worker process`, and the command name, `nginx`. */
export function setProcessTitle(title: string, name: string): void {
  process.title = title;
  // Node's title changes the name of the main thread as well: put the short one back.
  const memory = allocateMemory(NAME_BYTES + 1);
  memory.bytes.set(Buffer.from(name, "latin1").subarray(0, NAME_BYTES));
  prctl(PR_SET_NAME, memory.address, 0, 0, 0);
}

/** Place of the controlling terminal's device number in /proc/self/stat, counted behind the command name. */
const TERMINAL_FIELD = 4;

/** True when a terminal controls this process: its Ctrl-C and changes of its size come as signals, to all processes alike. */
export function hasTerminal(): boolean {
  const fields = readFileSync("/proc/self/stat", "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");
  return fields[TERMINAL_FIELD] !== "0";
}
