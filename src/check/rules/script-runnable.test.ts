import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf, found, GOOD_SCRIPT } from "../subject.cases.ts";

test("a script that is there, executable and readable is fine", () => {
  assert.deepEqual(found("script-runnable", {}), []);
  assert.deepEqual(found("script-runnable", { facts: factsOf({}) }), []);
});

test("on the node itself a missing script and one that can't be executed are errors", () => {
  const missing = factsOf({ files: { "/etc/keepalived/check.sh": undefined } });
  assert.match(found("script-runnable", { facts: missing })[0]?.title ?? "", /does not exist on this node/);
  const plain = factsOf({ files: { "/etc/keepalived/check.sh": { isFile: true } } });
  assert.match(found("script-runnable", { facts: plain })[0]?.fix ?? "", /chmod 755/);
});

test("a script without #! line is an error", () => {
  const [finding] = found("script-runnable", { script: GOOD_SCRIPT.replace("#!/bin/sh\n", "") });
  assert.match(finding?.title ?? "", /no #! line/);
});

test("a script that is not here is only mentioned", () => {
  const [finding] = found("script-runnable", { script: "" });
  assert.equal(finding?.severity, "info");
  assert.match(finding?.title ?? "", /was not read/);
});

test("what can't be told is said honestly, with what was in the way", () => {
  const [finding] = found("script-runnable", { script: "#!/bin/sh\nmy_probe\n" });
  assert.equal(finding?.severity, "info");
  assert.match(finding?.why ?? "", /"my_probe"/);
});
