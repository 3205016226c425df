import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("the same id is fine", () => assert.deepEqual(found("router-id-differs", {}), []));

test("different ids are an error with both places", () => {
  const [finding] = found("router-id-differs", { b: replace("virtual_router_id 33", "virtual_router_id 34") });
  assert.equal(finding?.severity, "error");
  assert.deepEqual(
    finding?.places.map(({ file }) => file),
    ["/a/keepalived.conf", "/b/keepalived.conf"],
  );
});
