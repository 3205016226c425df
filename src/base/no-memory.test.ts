import assert from "node:assert/strict";
import { test } from "node:test";
import { NoMemory, noMemoryText } from "./no-memory.ts";

test("want of memory is told from defects, in nginx's words", () => {
  assert.equal(noMemoryText(new NoMemory(100)), "malloc(100) failed");
  assert.equal(noMemoryText(Object.assign(new Error("mmap() failed"), { errno: 12 })), "malloc() failed");
  // What V8 throws when it has not found the bytes of an array.
  assert.equal(noMemoryText(new RangeError("Array buffer allocation failed")), "malloc() failed");
  for (const defect of [
    new RangeError("Invalid typed array length: -1"),
    new TypeError("x is not a function"),
    Object.assign(new Error("open() failed"), { errno: 2 }),
    12,
    undefined,
  ])
    assert.equal(noMemoryText(defect), undefined);
});

test("V8 says it so", () => {
  assert.throws(
    () => new ArrayBuffer(2 ** 52),
    (error) => noMemoryText(error) === "malloc() failed",
  );
});
