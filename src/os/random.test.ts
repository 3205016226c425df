import assert from "node:assert/strict";
import { test } from "node:test";
import { fillRandom } from "./random.ts";

test("every byte is filled, each time anew", () => {
  const [first, second] = [new Uint8Array(1000), new Uint8Array(1000)];
  fillRandom(first);
  fillRandom(second);
  assert.notDeepEqual(first, second);
  for (let at = 0; at < 1000; at += 100) assert.ok(first.subarray(at, at + 100).some((byte) => byte !== 0));
  // 1000 bytes of 256 values: a source that leaves some out is none.
  assert.ok(new Set(first).size > 200);
});
