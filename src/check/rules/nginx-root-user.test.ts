import assert from "node:assert/strict";
import { test } from "node:test";
import { found, GOOD_NGINX } from "../subject.cases.ts";

test("workers of another user are fine", () => assert.deepEqual(found("nginx-root-user", {}), []));

test("user root is a warning with its line", () => {
  const [finding] = found("nginx-root-user", { nginx: GOOD_NGINX.replace("www-data", "root") });
  assert.deepEqual([finding?.severity, finding?.places[0]?.text], ["warning", "user root;"]);
});
