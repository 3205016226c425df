import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { startProcess } from "./start-process.ts";

test("a failure that Node throws comes as an event, and the process can be killed, asked for and forgotten like any other", async () => {
  for (const [program, code] of [
    ["/bin/true/below-a-file", "ENOTDIR"],
    ["/nowhere", "ENOENT"],
  ] as const) {
    const child = startProcess(() => spawn(program));
    assert.equal(child.pid, undefined);
    child.unref();
    const told = once(child, "error");
    assert.equal(child.kill("SIGKILL"), false);
    assert.equal((await told)[0].code, code);
  }
});
