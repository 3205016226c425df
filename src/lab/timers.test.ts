import assert from "node:assert/strict";
import { test } from "node:test";
import { activeDownMs, skewMs } from "./timers.ts";

test("the tutorial's backup takes over 648 ms after a goodbye and 3648 ms after silence", () => {
  const backup = { version: 2, priority: 90, advertIntervalMs: 1000 } as const;
  assert.equal(Math.round(skewMs(backup)), 648);
  assert.equal(Math.round(activeDownMs(backup)), 3648);
});

test("the skew of version 3 shrinks with the interval", () => {
  const backup = { version: 3, priority: 90, advertIntervalMs: 10 } as const;
  assert.equal(skewMs(backup).toFixed(2), "6.48");
  assert.equal(activeDownMs(backup).toFixed(2), "36.48");
});
