import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "../base/log.ts";
import type { Command, KeepalivedConfig } from "../conf/keepalived/config.ts";
import type { NotifyEvent } from "../vrrp/ports.ts";
import { FileTracker, parseTrackFile } from "./file-tracker.ts";
import { Notifier, printFifoLine } from "./notifier.ts";
import { matchesProcess, ProcessTracker } from "./process-tracker.ts";
import { CommandRunner } from "./run-command.ts";

const folder = mkdtempSync(path.join(tmpdir(), "tandem-notify-"));
after(() => rmSync(folder, { recursive: true }));
const at = { file: "x", line: 1 };
const root = process.getuid?.() === 0 ? { user: "root", group: undefined } : undefined;
const runner = new CommandRunner(silentLog, root);
const event: NotifyEvent = {
  type: "INSTANCE",
  name: "VI_1",
  state: "MASTER",
  priority: 100,
  commands: { specific: undefined, any: undefined },
};

async function eventually(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isTrue(); i++) await sleep(10);
  assert.ok(isTrue(), "in time");
}

test("the line of a pipe is keepalived's", () => {
  assert.equal(printFifoLine(event), 'INSTANCE "VI_1" MASTER 100\n');
  assert.equal(
    printFifoLine({ ...event, type: "GROUP", name: "G", state: "FAULT", priority: 0 }),
    'GROUP "G" FAULT 0\n',
  );
});

test("a pipe is made, written without a reader, and removed", () => {
  const file = path.join(folder, "fifo");
  const notifier = new Notifier(runner, silentLog);
  const fifo = { path: file, user: undefined, script: undefined, at };
  notifier.configure({ notifyFifo: fifo, vrrpNotifyFifo: undefined } as KeepalivedConfig["globals"]);
  notifier.notify(event);
  notifier.notify({ ...event, state: "STOP" });
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const bytes = Buffer.alloc(200);
  const length = readSync(fd, bytes);
  closeSync(fd);
  assert.equal(bytes.toString("latin1", 0, length), 'INSTANCE "VI_1" MASTER 100\nINSTANCE "VI_1" STOP 100\n');
  notifier.close();
  assert.equal(existsSync(file), false);
});

test("notify gets four words behind its own, the script of a state none", async () => {
  const out = path.join(folder, "out");
  const script = path.join(folder, "notify.sh");
  writeFileSync(script, `#!/bin/sh\necho "$@" >> ${out}.$1\n`, { mode: 0o755 });
  const command = (...argv: string[]): Command => ({ text: argv.join(" "), argv, user: undefined, at });
  const commands = { specific: command(script, "specific"), any: command(script, "any") };
  new Notifier(runner, silentLog).notify({ ...event, commands });
  await eventually(() => existsSync(`${out}.any`) && existsSync(`${out}.specific`));
  await eventually(
    () => readFileSync(`${out}.any`, "latin1") !== "" && readFileSync(`${out}.specific`, "latin1") !== "",
  );
  assert.equal(readFileSync(`${out}.any`, "latin1"), "any INSTANCE VI_1 MASTER 100\n");
  assert.equal(readFileSync(`${out}.specific`, "latin1"), "specific\n");
});

const rule = {
  name: "web",
  process: "nginx",
  parameters: [],
  parameterMatch: "any",
  weight: 0,
  weightReverse: false,
  quorum: 1,
  quorumMax: 65535,
  forkDelayMs: 0,
  terminateDelayMs: 0,
  fullCommand: false,
  at,
  where: new Map(),
} as const;

test("a process is meant by its name, its path or its title", () => {
  for (const [comm, argv, expected] of [
    ["nginx", ["nginx: worker process"], true],
    ["node", ["nginx: worker process"], true],
    ["nginx", ["/usr/sbin/nginx", "-g", "x"], true],
    ["nginxx", ["nginxx"], false],
    ["sh", ["sh", "nginx"], false],
  ] as const)
    assert.equal(matchesProcess(rule, { comm, argv }), expected, argv.join(" "));
  const exact = { ...rule, process: "sleep", parameters: ["60"], parameterMatch: "exact" } as const;
  assert.equal(matchesProcess(exact, { comm: "sleep", argv: ["sleep", "60"] }), true);
  assert.equal(matchesProcess(exact, { comm: "sleep", argv: ["sleep", "60", "1"] }), false);
  assert.equal(
    matchesProcess({ ...exact, parameterMatch: "initial" }, { comm: "sleep", argv: ["sleep", "60", "1"] }),
    true,
  );
  assert.equal(
    matchesProcess({ ...exact, parameterMatch: "partial" }, { comm: "sleep", argv: ["sleep", "600"] }),
    true,
  );
});

const seconds = String(600 + (process.pid % 1000) / 1000);
const sleeper = { ...rule, process: "sleep", parameters: [seconds], parameterMatch: "exact" } as const;
const sleep600 = { text: "sleep", argv: ["/bin/sleep", seconds], user: undefined, at };

test("processes are counted as they come", async () => {
  const counts: number[] = [];
  const tracker = new ProcessTracker([sleeper], (_, running) => counts.push(running), 20);
  const child = runner.start(sleep600);
  await eventually(() => counts.at(-1) === 1);
  child?.kill("SIGKILL");
  await eventually(() => counts.at(-1) === 0);
  tracker.close();
  assert.deepEqual(counts, [0, 1, 0]);
});

test("the end of a process is heard from the kernel, without another look at /proc", async () => {
  const child = runner.start(sleep600);
  await eventually(
    () => existsSync(`/proc/${child?.pid}/comm`) && readFileSync(`/proc/${child?.pid}/comm`, "latin1") === "sleep\n",
  );
  const counts: number[] = [];
  const tracker = new ProcessTracker([sleeper], (_, running) => counts.push(running), 3_600_000);
  assert.deepEqual(counts, [1]);
  child?.kill("SIGKILL");
  await eventually(() => counts.at(-1) === 0);
  tracker.close();
});

test("a process that becomes another program late is counted", async (t) => {
  const script = `read word; exec /bin/sleep ${seconds}`;
  const child = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"] });
  const counts: number[] = [];
  const tracker = new ProcessTracker([sleeper], (_, running) => counts.push(running), 2, 1);
  t.after(() => {
    tracker.close();
    child.kill("SIGKILL");
  });
  assert.deepEqual(counts, [0]);
  child.stdin.write("go\n");
  await eventually(() => counts.at(-1) === 1);
});

test("track files hold a number", async () => {
  for (const [text, value] of [
    ["7\n", 7],
    [" -12 x", -12],
    ["", 0],
    ["x", undefined],
  ] as const)
    assert.equal(parseTrackFile(text), value);
  const file = path.join(folder, "load");
  const values: (number | undefined)[] = [];
  const settings = { name: "load", path: file, weight: 1, weightReverse: false, at, where: new Map() };
  const tracker = new FileTracker(
    [{ ...settings, initialise: { value: 3, overwrite: false } }],
    silentLog,
    (_, value) => values.push(value),
  );
  assert.deepEqual(values, [3]);
  writeFileSync(file, "9\n");
  await eventually(() => values.at(-1) === 9);
  rmSync(file);
  await eventually(() => values.at(-1) === undefined);
  tracker.close();
});
