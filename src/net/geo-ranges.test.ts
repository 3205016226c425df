import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIpv4 } from "../base/ip.ts";
import { GeoRanges } from "./geo-ranges.ts";

function number(text: string): number {
  return (parseIpv4(text) as Uint8Array).reduce((value, byte) => value * 256 + byte, 0);
}

function add(ranges: GeoRanges, range: string, value: string) {
  const [first, last] = range.split("-") as [string, string];
  return ranges.add(number(first), number(last), value);
}

function show(ranges: GeoRanges): string[] {
  const address = (high: number, low: number): string => [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
  return [...ranges.byUpper].flatMap(([high, list]) =>
    list.map(({ first, last, value }) => `${address(high, first)}-${address(high, last)} ${value}`),
  );
}

test("a range inside another one cuts it", () => {
  const ranges = new GeoRanges();
  add(ranges, "10.0.0.0-10.0.0.99", "a");
  add(ranges, "10.0.0.10-10.0.0.20", "b");
  add(ranges, "10.0.0.0-10.0.0.5", "c");
  add(ranges, "10.0.0.90-10.0.0.99", "d");
  assert.deepEqual(show(ranges), [
    "10.0.0.0-10.0.0.5 c",
    "10.0.0.6-10.0.0.9 a",
    "10.0.0.10-10.0.0.20 b",
    "10.0.0.21-10.0.0.89 a",
    "10.0.0.90-10.0.0.99 d",
  ]);
});

test("ranges may come in any order, and reach over many pieces", () => {
  const ranges = new GeoRanges();
  add(ranges, "10.2.0.0-10.2.0.1", "b");
  add(ranges, "9.255.0.7-10.1.0.9", "a");
  add(ranges, "10.1.0.100-10.1.0.200", "c");
  add(ranges, "10.1.0.50-10.1.0.60", "d");
  const table = ranges.table();
  const find = (text: string): string | undefined => table.find(parseIpv4(text) as Uint8Array);
  assert.equal(find("9.255.0.6"), undefined);
  assert.equal(find("10.0.77.1"), "a");
  assert.equal(find("10.1.0.9"), "a");
  assert.equal(find("10.1.0.10"), undefined);
  assert.equal(find("10.1.0.55"), "d");
  assert.equal(find("10.1.0.150"), "c");
  assert.equal(find("10.2.0.1"), "b");
});

test("a range that is there already gets the new value; one that crosses another's end is refused", () => {
  const ranges = new GeoRanges();
  add(ranges, "10.0.0.0-10.0.0.9", "a");
  assert.deepEqual(add(ranges, "10.0.0.0-10.0.0.9", "b"), { kind: "replaced", oldValue: "a" });
  assert.deepEqual(add(ranges, "10.0.0.5-10.0.0.15", "c"), { kind: "overlaps", range: "10.0.0.0-10.0.0.9" });
  assert.deepEqual(show(ranges), ["10.0.0.0-10.0.0.9 b"]);
});

test("a range can be taken back with the ends that it was added with", () => {
  const ranges = new GeoRanges();
  add(ranges, "10.0.0.0-10.1.0.9", "a");
  assert.equal(ranges.delete(number("10.0.0.0"), number("10.0.0.9")), false);
  assert.equal(ranges.delete(number("10.0.0.0"), number("10.1.0.9")), true);
  assert.deepEqual(show(ranges), []);
});

test("the table ends with the last address, and values that touch are one", () => {
  const ranges = new GeoRanges();
  add(ranges, "255.255.255.0-255.255.255.255", "last");
  add(ranges, "0.0.0.0-0.0.0.0", "first");
  add(ranges, "0.0.0.1-0.1.0.0", "next");
  const table = ranges.table();
  const find = (text: string): string | undefined => table.find(parseIpv4(text) as Uint8Array);
  assert.deepEqual(
    ["0.0.0.0", "0.0.0.1", "0.1.0.0", "0.1.0.1", "255.255.254.255", "255.255.255.0", "255.255.255.255"].map(find),
    ["first", "next", "next", undefined, undefined, "last", "last"],
  );
});
