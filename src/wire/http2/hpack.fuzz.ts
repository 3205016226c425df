import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1, latin1 } from "../../base/bytes.ts";
import { ENTRY_OVERHEAD_BYTES } from "./dynamic-table.ts";
import { HPACK_END, HPACK_FAULT, HPACK_FIELD, HPACK_NO_ROOM, HpackDecoder } from "./hpack-decoder.ts";
import { BEGIN_ROOM, fieldRoom, HpackEncoder, PASS, REMEMBER, SECRET } from "./hpack-encoder.ts";
import { IntegerReader, integerBytes, LARGEST_INTEGER, writeInteger } from "./hpack-integer.ts";
import { decodeHuffman, encodeHuffman, HUFFMAN_MALFORMED, huffmanBytes } from "./huffman.ts";
import { STATIC_FIELDS } from "./static-table.ts";

const octets = fc.uint8Array({ maxLength: 60 });
const text = octets.map((bytes) => latin1(bytes));

test("a number is read as it was written, in exactly the bytes that were foretold", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.nat(300), fc.nat(LARGEST_INTEGER)),
      fc.integer({ min: 1, max: 8 }),
      fc.nat(255),
      (value, bits, above) => {
        const target = new Uint8Array(10);
        const first = (above << bits) & 255;
        const end = writeInteger(target, 1, value, bits, first);
        assert.equal(end - 1, integerBytes(value, bits));
        assert.equal((target[1] as number) >> bits, first >> bits);
        const reader = new IntegerReader();
        assert.ok(reader.read(target, 1, end, bits));
        assert.deepEqual([reader.value, reader.position], [value, end]);
      },
    ),
    { numRuns: 1000 },
  );
});

test("Huffman gives a text back, and whatever it accepts has one spelling only", () => {
  fc.assert(
    fc.property(text, octets, (plain, bytes) => {
      const coded = new Uint8Array(huffmanBytes(plain));
      assert.equal(encodeHuffman(coded, 0, plain), coded.length);
      const back = new Uint8Array(plain.length);
      assert.equal(decodeHuffman(coded, 0, coded.length, back, 0, back.length), plain.length);
      assert.equal(latin1(back), plain);

      const target = new Uint8Array(bytes.length * 2);
      const end = decodeHuffman(bytes, 0, bytes.length, target, 0, target.length);
      assert.ok(end === HUFFMAN_MALFORMED || end >= 0, "a byte never becomes more than two");
      if (end < 0) return;
      const again = new Uint8Array(bytes.length);
      encodeHuffman(again, 0, latin1(target, 0, end));
      assert.deepEqual(again, bytes);
    }),
    { numRuns: 2000 },
  );
});

const field = fc.record(
  {
    name: fc.oneof(fc.constantFrom("a", "b", "x-long-name", ...STATIC_FIELDS.map(([name]) => name)), text),
    value: fc.oneof(fc.constantFrom("", "1", "GET", "200", "z".repeat(90)), text),
    indexing: fc.constantFrom(REMEMBER, REMEMBER, PASS, SECRET),
  },
  { noNullPrototype: true },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.array(field, { maxLength: 12 }) },
  { weight: 1, arbitrary: fc.nat(5000) },
);

test("lists pass unchanged through any sequence of blocks and table sizes, whatever had no room", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.nat(5000), fc.boolean(), (steps, wanted, isNarrow) => {
      const encoder = new HpackEncoder(wanted);
      const decoder = new HpackDecoder();
      const roomBytes = isNarrow ? 40 : 100;
      for (const one of steps) {
        if (typeof one === "number") {
          encoder.setAllowed(one);
          decoder.setAllowed(one);
          continue;
        }
        const block = new Uint8Array(
          BEGIN_ROOM + one.reduce((sum, { name, value }) => sum + fieldRoom(name, value), 0),
        );
        let end = encoder.begin(block, 0);
        for (const { name, value, indexing } of one) end = encoder.field(block, end, name, value, indexing);
        decoder.begin(block, 0, end);
        const target = new Uint8Array(roomBytes);
        for (const { name, value, indexing } of one) {
          const result = decoder.next(target, 0);
          assert.equal(result, name.length + value.length > roomBytes ? HPACK_NO_ROOM : HPACK_FIELD, decoder.reason);
          if (result === HPACK_NO_ROOM) continue;
          assert.equal(latin1(target, decoder.nameStart, decoder.nameEnd), name);
          assert.equal(latin1(target, decoder.valueStart, decoder.valueEnd), value);
          assert.equal(decoder.isNeverIndexed, indexing === SECRET);
          if (decoder.staticName > 0) assert.equal(STATIC_FIELDS[decoder.staticName - 1]?.[0], name);
        }
        assert.equal(decoder.next(target, 0), HPACK_END, decoder.reason);
        checkTable(decoder);
      }
    }),
    { numRuns: 500 },
  );
});

test("any bytes are fields or a fault, and the table keeps its bounds", () => {
  const pieces = fc.oneof(
    fc.constantFrom(
      [0x82],
      [0xbe],
      [0xbf],
      [0x40, 1, 0x61, 1, 0x62],
      [0x41, 0x81, 0x1f],
      [0x7e, 0],
      [0x20],
      [0x3f, 0x45],
      [0x7f, 0x80, 0],
    ),
    fc.array(fc.nat(255), { maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(fc.array(pieces, { maxLength: 12 }), { maxLength: 6 }), fc.nat(200), (blocks, roomBytes) => {
      const decoder = new HpackDecoder(128);
      for (const parts of blocks) {
        const block = Uint8Array.from(parts.flat());
        const target = new Uint8Array(roomBytes);
        decoder.begin(block, 0, block.length);
        for (let count = 0; ; count++) {
          assert.ok(count <= block.length, "every field takes a byte");
          const result = decoder.next(target, 0);
          checkTable(decoder);
          if (result === HPACK_FAULT) return;
          if (result === HPACK_END) break;
          if (result === HPACK_FIELD) assert.ok(decoder.valueEnd <= roomBytes);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

/** Its sizes add up, and it is not larger than it may be. */
function checkTable({ table }: HpackDecoder): void {
  let sum = 0;
  for (let i = 0; i < table.count; i++) sum += table.nameBytes(i) + table.valueBytes(i) + ENTRY_OVERHEAD_BYTES;
  assert.equal(sum, table.sizeBytes);
  assert.ok(table.sizeBytes <= table.limitBytes);
}

const longText = fc.uint8Array({ maxLength: 40, size: "max" }).map((bytes) => latin1(bytes));
const limits = fc.oneof({ weight: 20, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(600) });

test("a table says every entry as it was added, however often its ring goes round and grows", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(longText, longText, limits), { maxLength: 60, size: "max" }), (adds) => {
      const { table } = new HpackDecoder(64);
      let model: [string, string][] = [];
      const cut = (limit: number): void => {
        const size = (): number => model.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
        while (size() > limit) model.pop();
      };
      for (const [name, value, limit] of adds) {
        if (limit !== null) {
          table.setLimit(limit);
          cut(limit);
        }
        const bytes = fromLatin1(name + value);
        table.add(bytes, 0, name.length, name.length, bytes.length);
        model = [[name, value], ...model];
        cut(table.limitBytes);
        const target = new Uint8Array(200);
        const got = model.map((_, i) => {
          const nameEnd = table.copyName(i, target, 0);
          return [latin1(target, 0, nameEnd), latin1(target, nameEnd, table.copyValue(i, target, nameEnd))];
        });
        assert.equal(table.count, model.length);
        assert.deepEqual(got, model);
      }
    }),
    { numRuns: 300 },
  );
});
