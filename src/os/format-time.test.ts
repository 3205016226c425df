import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTime } from "./format-time.ts";

/** Sunday, 6 November 1994, 08:49:37 GMT */
const INSTANT_S = 784_111_777;

test("times are written as strftime does", () => {
  const gmt = (format: string): string | undefined => formatTime(format, INSTANT_S, false);
  assert.equal(gmt("%A, %d-%b-%Y %H:%M:%S %Z"), "Sunday, 06-Nov-1994 08:49:37 GMT");
  assert.equal(gmt("%a %e %j %y %p %% \xe9"), "Sun  6 310 94 AM % \xe9");
  assert.equal(gmt("%-d|%5Y"), "6|01994");
});

test("local time is that of the machine", () => {
  const local = new Date(INSTANT_S * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  assert.equal(formatTime("%H:%M", INSTANT_S, true), `${two(local.getHours())}:${two(local.getMinutes())}`);
});

test("nothing, too much, and what follows a NUL, is no time", () => {
  assert.equal(formatTime("", INSTANT_S, false), undefined);
  assert.equal(formatTime("x".repeat(2048), INSTANT_S, false), undefined);
  assert.equal(formatTime("x".repeat(2047), INSTANT_S, false)?.length, 2047);
  assert.equal(formatTime("%Y\0%m", INSTANT_S, false), "1994");
});
