import assert from "node:assert/strict";
import { test } from "node:test";
import { HOST_LITTLE_ENDIAN } from "./message.ts";
import {
  addBaseChain,
  addOwnedTable,
  countUp,
  duplicate,
  goTo,
  HOOK_LOCAL_OUT,
  hash,
  keepBits,
  loadFields,
  transaction,
  translate,
  writeField,
} from "./nftables.ts";
import { addElements, addMap, decide, ELEMENTS_PER_MESSAGE, remember } from "./nftables-maps.ts";

const onLittleEndian = { skip: HOST_LITTLE_ENDIAN ? false : "the expected bytes are those of a little-endian machine" };

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

test("a table of its socket's own is made exclusively, with the owner's flag", onLittleEndian, () => {
  const { type, flags, body } = addOwnedTable("ip", "t");
  assert.deepEqual([type, flags], [0x0a00, 0x601]);
  assert.deepEqual(body, hex("02 00 0000  0600 0100 74000000  0800 0200 00000002"));
});

test("a transaction is acknowledged once, at its end", () => {
  const table = addOwnedTable("ip", "t");
  const flags = transaction([table, table, table]).map((message) => message.flags);
  assert.deepEqual(flags, [0x001, 0x601, 0x601, 0x605, 0x001]);
});

test("a chain at a hook says where it is called and what for", onLittleEndian, () => {
  assert.deepEqual(
    addBaseChain("ip6", "t", "c", { type: "nat", hook: HOOK_LOCAL_OUT, priority: -99 }).body,
    hex(`0a 00 0000  0600 0100 74000000  0600 0300 63000000
      1400 0480 0800 0100 00000003 0800 0200 ffffff9d  0800 0700 6e617400`),
  );
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
  assert.deepEqual(
    keepBits(1, Uint8Array.of(0x12)),
    hex(`0c00 0100 6269747769736500  3400 0280 0800 0100 00000001 0800 0200 00000001 0800 0300 00000001
      0c00 0480 0500 0100 12000000  0c00 0580 0500 0100 00000000`),
  );
  assert.deepEqual(duplicate(1), hex("0800 0100 64757000  0c00 0280 0800 0100 00000001"));
  assert.deepEqual(duplicate(1, 2), hex("0800 0100 64757000  1400 0280 0800 0100 00000001 0800 0200 00000002"));
  assert.deepEqual(
    writeField(1, { base: "network", offset: 14, length: 4 }),
    hex(`0c00 0100 7061796c6f616400  3c00 0280 0800 0500 00000001 0800 0200 00000001 0800 0300 0000000e
      0800 0400 00000004 0800 0600 00000000 0800 0700 00000000 0800 0800 00000000`),
  );
  assert.deepEqual(
    goTo("c"),
    hex(`0e00 0100 696d6d656469617465000000  2400 0280 0800 0100 00000000
      1800 0280 1400 0280 0800 0100 fffffffc 0600 0200 63000000`),
  );
});

test("fields of a key stand at words of registers, whatever their length", () => {
  const fields = [
    { base: "network", offset: 12, length: 4 },
    { base: "transport", offset: 0, length: 2 },
    { base: "transport", offset: 2, length: 2 },
  ] as const;
  const { expressions, length } = loadFields(8, fields);
  assert.equal(length, 12);
  // The register is the first number behind the name.
  assert.deepEqual(
    expressions.map((one) => one[23]),
    [8, 9, 10],
  );
});
