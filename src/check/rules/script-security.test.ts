import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("with enable_script_security, or as another user, scripts are fine", () => {
  assert.deepEqual(found("script-security", {}), []);
  assert.deepEqual(found("script-security", { both: replace("enable_script_security", "") }), []);
});

test("root scripts without the check are a warning for both nodes", () => {
  const without = (text: string): string =>
    text.replace("enable_script_security", "").replace("script_user nobody", "");
  const [finding] = found("script-security", { both: without });
  assert.equal(finding?.severity, "warning");
  assert.deepEqual(finding?.nodes, ["a", "b"]);
  assert.match(finding?.title ?? "", /unless there is a user keepalived_script/);
});
