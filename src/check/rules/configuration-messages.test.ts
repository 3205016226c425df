import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("a good pair has no messages, and what other rules explain is not said twice", () => {
  assert.deepEqual(found("configuration-messages", {}), []);
  const a = (text: string): string =>
    text.replace("state BACKUP", "state MASTER\nnopreempt").replace("enable_script_security", "");
  assert.deepEqual(found("configuration-messages", { a }), []);
});

test("an unknown keyword is a warning, one that is not implemented an error, one without effect a note", () => {
  const severity = (line: string) => found("configuration-messages", { a: replace("advert_int 1", line) })[0]?.severity;
  assert.equal(severity("advert_intt 1"), "warning");
  assert.equal(severity("vrf red"), "error");
  const [note] = found("configuration-messages", { a: replace("router_id a", "router_id a\n\trandom_seed 1") });
  assert.equal(note?.severity, "info");
});
