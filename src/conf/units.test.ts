import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFixedPoint, parseMsec, parseNumber, parseOffset, parseSec, parseSize } from "./units.ts";

test("numbers are decimal digits without a sign, at most 63 bits", () => {
  assert.equal(parseNumber("0"), 0);
  assert.equal(parseNumber("0123"), 123);
  for (const text of ["", "-1", "+1", "1.5", " 1", "0x1", "1k", "9223372036854775808"])
    assert.equal(parseNumber(text), undefined, text);
  assert.equal(parseNumber("9223372036854775807"), 2 ** 63);
});

test("fixed point numbers are integers of the last decimal", () => {
  for (const [text, value] of [
    ["1.5", 150],
    ["1", 100],
    [".25", 25],
    ["1.", 100],
    ["1.255", undefined],
    [".", undefined],
    ["", undefined],
    ["a", undefined],
  ] as const)
    assert.equal(parseFixedPoint(text, 2), value, text);
});

test("sizes know k and m, offsets also g", () => {
  assert.equal(parseSize("8k"), 8192);
  assert.equal(parseSize("1M"), 1048576);
  assert.equal(parseSize("512"), 512);
  assert.equal(parseOffset("2G"), 2147483648);
  for (const text of ["", "k", "1g", "1kb", "-1", "8 k", "99999999999999999m"])
    assert.equal(parseSize(text), undefined, text);
});

test("times add up from long units to short ones, each at most once", () => {
  for (const [text, msec, sec] of [
    ["60", 60_000, 60],
    ["60s", 60_000, 60],
    ["1h30m", 5_400_000, 5400],
    ["1h 30m 5", 5_405_000, 5405],
    ["1w2d", 777_600_000, 777_600],
    ["1y", undefined, 31_536_000],
    ["1M", undefined, 2_592_000],
    ["500ms", 500, undefined],
    ["1s500ms", 1500, undefined],
    ["5 ", 5000, 5],
    ["1m5", 65_000, 65],
    ["30m1h", undefined, undefined],
    ["1h1h", undefined, undefined],
    ["1s1m", undefined, undefined],
    ["5 5s", undefined, undefined],
    ["", undefined, undefined],
    ["s", undefined, undefined],
    [" ", undefined, undefined],
    ["-1", undefined, undefined],
    ["1x", undefined, undefined],
    ["1.5s", undefined, undefined],
    ["99999999999999999999", undefined, undefined],
  ] as const) {
    assert.equal(parseMsec(text), msec, `msec ${text}`);
    assert.equal(parseSec(text), sec, `sec ${text}`);
  }
});
