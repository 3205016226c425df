import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("the same list is fine, in whatever order", () => {
  assert.deepEqual(found("addresses-differ", {}), []);
  const a = replace("192.168.50.130/24", "192.168.50.130/24\n192.168.50.131");
  const b = replace("192.168.50.130/24", "192.168.50.131\n192.168.50.130/24");
  assert.deepEqual(found("addresses-differ", { a, b }), []);
});

test("an address that only one node has makes both active", () => {
  const [finding] = found("addresses-differ", { a: replace("192.168.50.130/24", "192.168.50.130/24\n192.168.50.131") });
  assert.equal(finding?.severity, "error");
  assert.match(finding?.title ?? "", /only a has 192\.168\.50\.131/);
});

test("another prefix, or other excluded addresses, are warnings", () => {
  const prefix = found("addresses-differ", { b: replace("192.168.50.130/24", "192.168.50.130") });
  assert.deepEqual([prefix[0]?.severity, prefix[0]?.title], ["warning", "192.168.50.130 is /24 on a and /32 on b"]);
  const excluded = found("addresses-differ", {
    b: replace("virtual_ipaddress {", "virtual_ipaddress_excluded {\n10.0.0.1\n}\nvirtual_ipaddress {"),
  });
  assert.match(excluded[0]?.title ?? "", /10\.0\.0\.1 \(only on b\)/);
});
