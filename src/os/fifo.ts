/** Named pipes (fifo(7)) for ordered event streams: made if missing, written without ever waiting for a reader. */
import { chownSync, closeSync, constants, openSync, statSync, unlinkSync, writeSync } from "node:fs";
import { EEXIST, systemError } from "./errno.ts";
import { errno } from "./ffi/native.ts";
import { mkfifo } from "./ffi/pidfd.ts";

export class Fifo {
  readonly path: string;
  readonly #fd: number;
  readonly #isOurs: boolean;

  /** Makes the pipe for its owner alone unless there is one. Throws when the path is something else or can't be opened. */
  constructor(path: string, owner: { readonly uid: number; readonly gid: number } | undefined) {
    this.path = path;
    const made = mkfifo(path, 0o600);
    const failure = made < 0 ? errno() : 0;
    if (failure !== 0 && failure !== EEXIST) throw systemError("mkfifo", failure, path);
    this.#isOurs = failure === 0;
    if (!statSync(path).isFIFO()) throw new Error(`${path} is not a named pipe`);
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    // For reading too: then opening and writing need no reader.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  /** Writes a line whole, or not at all when the pipe is full: false. */
  write(line: string): boolean {
    try {
      writeSync(this.#fd, line);
      return true;
    } catch {
      return false;
    }
  }

  /** Removes the pipe if this object made it. */
  close(): void {
    closeSync(this.#fd);
    if (!this.#isOurs) return;
    try {
      unlinkSync(this.path);
    } catch {
      // Somebody else has removed it.
    }
  }
}
