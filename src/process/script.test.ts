import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "../base/log.ts";
import type { VrrpScript } from "../conf/keepalived/config.ts";
import { exampleScript } from "../vrrp/example.ts";
import { CommandRunner } from "./run-command.ts";
import { ScriptChecker } from "./script.ts";

const me = { user: process.env["USER"] ?? "root", group: undefined };
const runner = new CommandRunner(silentLog, process.getuid?.() === 0 ? { user: "root", group: undefined } : me);

function check(argv: string[], changes: Partial<VrrpScript> = {}): { checker: ScriptChecker; first: Promise<boolean> } {
  const command = { text: argv.join(" "), argv, user: undefined, at: { file: "x", line: 1 } };
  let told: (ok: boolean) => void = () => {};
  const first = new Promise<boolean>((resolve) => {
    told = resolve;
  });
  const checker = new ScriptChecker(exampleScript({ command, ...changes }), runner, silentLog, told);
  return { checker, first };
}

test("the exit status of a script is its result", async () => {
  for (const [argv, ok, words] of [
    [["/bin/true"], true, "exited with status 0"],
    [["/bin/false"], false, "exited with status 1"],
    [["/bin/sh", "-c", "kill -9 $$"], false, "killed by SIGKILL"],
  ] as const) {
    const { checker, first } = check([...argv]);
    assert.equal(await first, ok);
    assert.equal(checker.last?.result, words);
    checker.close();
  }
});

test("a program that does not exist has failed", async () => {
  const { checker, first } = check(["/does/not/exist"]);
  assert.equal(await first, false);
  assert.match(checker.last?.result ?? "", /ENOENT/);
  checker.close();
});

test("arguments are words, not shell text", async () => {
  const { checker, first } = check(["/usr/bin/test", "a b;false", "=", "a b;false"]);
  assert.equal(await first, true);
  checker.close();
});

test("a script that takes too long has failed, and is ended with everything it has started", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-script-"));
  try {
    const pidFile = path.join(folder, "pid");
    const { checker, first } = check(["/bin/sh", "-c", `sleep 600 & echo $! > ${pidFile}; wait`], { timeoutMs: 300 });
    assert.equal(await first, false);
    assert.match(checker.last?.result ?? "", /timed out/);
    checker.close();
    const sleeper = Number(readFileSync(pidFile, "utf8"));
    for (let i = 0; i < 100 && isRunning(sleeper); i++) await sleep(20);
    assert.equal(isRunning(sleeper), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a script is never started twice at a time", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-script-"));
  try {
    const file = path.join(folder, "runs");
    writeFileSync(file, "");
    const { checker } = check(["/bin/sh", "-c", `echo run >> ${file}; sleep 5`], { intervalMs: 20, timeoutMs: 10_000 });
    await sleep(300);
    checker.close();
    assert.equal(readFileSync(file, "utf8"), "run\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function isRunning(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}
