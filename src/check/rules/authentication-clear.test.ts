import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("without a password there is nothing to say", () => assert.deepEqual(found("authentication-clear", {}), []));

test("a password travels in clear, and a long one is cut", () => {
  const both = replace("advert_int 1", "authentication {\nauth_type PASS\nauth_pass 123456789\n}");
  const severities = found("authentication-clear", { both }).map(({ severity }) => severity);
  assert.deepEqual(severities, ["warning", "info"]);
});
