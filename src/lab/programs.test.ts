import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Programs } from "./programs.ts";
import type { AgentEvent } from "./protocol.ts";

test("a program that has ended counts as running until its end is told", async () => {
  const told: AgentEvent[] = [];
  const programs = new Programs((event) => told.push(event));
  const { pid } = await programs.start({ name: "short", argv: ["/bin/sleep", "60"], env: {} });
  const isListed = (): boolean => programs.list().some((line) => line.startsWith(`${pid} `));
  assert.ok(isListed());
  programs.signal("short", "SIGKILL");
  // Nobody reaps it while this waits.
  while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1")));
  assert.deepEqual(told, []);
  assert.ok(isListed());
  while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(isListed(), false);
});
