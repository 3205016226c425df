import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("the same interval is fine, also where it comes from rounding", () => {
  assert.deepEqual(found("advert-interval-differs", {}), []);
  assert.deepEqual(found("advert-interval-differs", { b: replace("advert_int 1", "advert_int 1.2") }), []);
});

test("different intervals are an error in version 2 and a warning in version 3", () => {
  const change = { b: replace("advert_int 1", "advert_int 2") };
  assert.equal(found("advert-interval-differs", change)[0]?.severity, "error");
  assert.equal(
    found("advert-interval-differs", { ...change, both: replace("state", "version 3\nstate") })[0]?.severity,
    "warning",
  );
});
