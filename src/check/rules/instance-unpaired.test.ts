import assert from "node:assert/strict";
import { test } from "node:test";
import { found, nodeText } from "../subject.cases.ts";

test("partners are found by id, by name, or because there is no other", () => {
  assert.deepEqual(found("instance-unpaired", {}), []);
  assert.deepEqual(found("instance-unpaired", { b: (text) => text.replace("VI_1", "OTHER") }), []);
  assert.deepEqual(
    found("instance-unpaired", { b: (text) => text.replace("VI_1", "OTHER").replace("id 33", "id 34") }),
    [],
  );
});

test("an instance that only one node has is an error", () => {
  const second = nodeText("a")
    .slice(nodeText("a").indexOf("vrrp_instance"))
    .replace("VI_1", "VI_2")
    .replace("id 33", "id 44");
  const [finding] = found("instance-unpaired", { a: (text) => text + second });
  assert.match(finding?.title ?? "", /^VI_2 \(virtual_router_id 44\) is on a only$/);
});
