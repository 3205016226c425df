import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("nopreempt with state BACKUP is fine, and one that is taken back by preempt", () => {
  assert.deepEqual(found("nopreempt-void", { a: replace("advert_int 1", "nopreempt") }), []);
  assert.deepEqual(
    found("nopreempt-void", { a: (text) => text.replace("state BACKUP", "state MASTER\nnopreempt\npreempt") }),
    [],
  );
});

test("nopreempt with state MASTER is void: the address moves back", () => {
  const [finding] = found("nopreempt-void", { a: (text) => text.replace("state BACKUP", "state MASTER\n\tnopreempt") });
  assert.equal(finding?.severity, "warning");
  assert.equal(finding?.detail, "a takes it back 3.61 s after its start");
  assert.deepEqual(
    finding?.places.map(({ text }) => text?.trim()),
    ["nopreempt", "state MASTER"],
  );
});

test("priority 255 voids it, too", () => {
  const [finding] = found("nopreempt-void", { a: (text) => text.replace("priority 100", "priority 255\nnopreempt") });
  assert.match(finding?.title ?? "", /because of priority 255/);
});
