import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePcapHeader, encodePcapRecord } from "./pcap.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("a capture file begins with magic, version 2.4, snapshot length and Ethernet", () => {
  assert.equal(hex(encodePcapHeader()), "a1b2c3d4" + "00020004" + "00000000" + "00000000" + "00040000" + "00000001");
});

test("a file of bare IP packets says so", () => {
  assert.equal(hex(encodePcapHeader("ip")).slice(-8), "00000065");
});

test("a frame carries its second, its microsecond and twice its length", () => {
  const record = encodePcapRecord(1_700_000_000_123.456, Uint8Array.of(1, 2, 3));
  assert.equal(hex(record), "6553f100" + "0001e240" + "00000003" + "00000003" + "010203");
});
