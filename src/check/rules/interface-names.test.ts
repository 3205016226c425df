import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("the same name needs no word, different names a reassuring one", () => {
  assert.deepEqual(found("interface-names", {}), []);
  const [finding] = found("interface-names", { b: replace("interface eth0", "interface eth1") });
  assert.equal(finding?.severity, "info");
  assert.match(finding?.why ?? "", /^That is fine when/);
});
