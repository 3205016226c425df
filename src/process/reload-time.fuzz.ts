import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseReloadTime } from "./reload-time.ts";

const digit = fc.constantFrom(..."0123456789-: Zz\n");
const text = fc.oneof(
  fc.string(),
  fc.array(digit, { maxLength: 24 }).map((parts) => parts.join("")),
);

test("whatever is in the file, it is a time to come, a complaint or nothing", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 4e12 }), (line, nowMs) => {
      const time = parseReloadTime(line, nowMs);
      if (time.kind === "at") assert.ok(time.atMs > nowMs && (!time.isDaily || time.atMs - nowMs <= 25 * 3_600_000));
      if (time.kind === "bad") assert.equal(time.messages.length, 2);
    }),
  );
});
