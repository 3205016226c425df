import assert from "node:assert/strict";
import { test } from "node:test";
import { HOST_LITTLE_ENDIAN } from "./message.ts";
import {
  addElements,
  addMap,
  addOwnedTable,
  countUp,
  decide,
  ELEMENTS_PER_MESSAGE,
  hash,
  remember,
  translate,
} from "./nftables-maps.ts";

const onLittleEndian = { skip: HOST_LITTLE_ENDIAN ? false : "the expected bytes are those of a little-endian machine" };

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

test("a table of its socket's own is made exclusively, with the owner's flag", onLittleEndian, () => {
  const { type, flags, body } = addOwnedTable("ip", "t");
  assert.deepEqual([type, flags], [0x0a00, 0x605]);
  assert.deepEqual(body, hex("02 00 0000  0600 0100 74000000  0800 0200 00000002"));
});

test("a map of verdicts, and a set that forgets", onLittleEndian, () => {
  assert.deepEqual(
    addMap("ip", "t", "m", { key: ["mark"], data: "verdict" }).body,
    hex(`02 00 0000  0600 0100 74000000  0600 0200 6d000000  0800 0300 00000008
      0800 0400 00000013  0800 0500 00000004  0800 0600 ffffff00  0800 0a00 00000001`),
  );
  const set = addMap("ip6", "t", "s", {
    key: ["ip6", "port"],
    data: undefined,
    dynamic: { size: 10, timeoutMs: 60_000 },
  });
  assert.deepEqual(
    set.body,
    hex(`0a 00 0000  0600 0100 74000000  0600 0200 73000000  0800 0300 00000030
      0800 0400 0000020d  0800 0500 00000014  0800 0a00 00000001  0c00 0980 0800 0100 0000000a  0c00 0b00 000000000000ea60`),
  );
});

test("an element leads to a chain; many elements are many messages", onLittleEndian, () => {
  const [one] = addElements("ip", "t", "m", [[Uint8Array.of(1, 0, 0, 0), "c"]]);
  assert.deepEqual(
    one?.body,
    hex(`02 00 0000  0600 0100 74000000  0600 0200 6d000000
      2c00 0380  2800 0180  0c00 0180 0800 0100 01000000  1800 0280 1400 0280 0800 0100 fffffffc 0600 0200 63000000`),
  );
  const many = Array.from({ length: ELEMENTS_PER_MESSAGE * 2 + 1 }, () => [new Uint8Array(4), "c"] as const);
  assert.equal(addElements("ip", "t", "m", many).length, 3);
});

test("expressions are those that nft writes", onLittleEndian, () => {
  assert.deepEqual(
    countUp(2, 3),
    hex(
      "0b00 0100 6e756d67656e0000  2400 0280 0800 0100 00000002 0800 0200 00000003 0800 0300 00000000 0800 0400 00000000",
    ),
  );
  assert.deepEqual(
    hash(1, 8, 2, { modulus: 256, seed: 1 }),
    hex(`0900 0100 6861736800000000  3400 0280 0800 0100 00000001 0800 0200 00000002 0800 0300 00000008
      0800 0400 00000100 0800 0500 00000001 0800 0700 00000000`),
  );
  assert.deepEqual(
    decide("m", 2),
    hex("0b00 0100 6c6f6f6b75700000  1c00 0280 0600 0100 6d000000 0800 0200 00000002 0800 0300 00000000"),
  );
  assert.deepEqual(
    remember("s", 1, 1000),
    hex(`0b00 0100 64796e7365740000  2800 0280 0600 0100 73000000 0800 0300 00000001 0800 0400 00000001
      0c00 0600 00000000000003e8`),
  );
  assert.deepEqual(
    translate("ip", 3, 4),
    hex(`0800 0100 6e617400  2400 0280 0800 0100 00000001 0800 0200 00000002 0800 0300 00000003 0800 0500 00000004`),
  );
});
