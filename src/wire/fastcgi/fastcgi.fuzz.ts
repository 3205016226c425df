import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, latin1 } from "../../base/bytes.ts";
import { fastcgiPair } from "./pair.ts";
import {
  END_REQUEST,
  HEADER_BYTES,
  paddingOf,
  RECORD_BEGIN,
  RECORD_CONTENT,
  RECORD_END,
  RECORD_INVALID,
  RECORD_MORE,
  RecordDecoder,
  STDERR,
  STDOUT,
  writeRecordHeader,
} from "./record.ts";

/** What a decoder makes of bytes that come in pieces: one text for each record, and the reason why it has stopped. */
function decode(pieces: readonly Uint8Array[]): { readonly records: string[]; readonly reason: string } {
  const decoder = new RecordDecoder();
  const records: string[] = [];
  for (const piece of pieces) {
    let at = 0;
    for (let turns = 0; ; turns++) {
      assert.ok(turns <= 4 * piece.length + 4, "every result but one consumes something");
      const result = decoder.next(piece, at, piece.length);
      assert.ok(decoder.position >= at && decoder.position <= piece.length);
      at = decoder.position;
      if (result === RECORD_INVALID) return { records, reason: decoder.reason };
      if (result === RECORD_BEGIN) records.push(`${decoder.type}:`);
      else if (result === RECORD_CONTENT) records[records.length - 1] += latin1(piece, decoder.dataStart, at);
      else if (result === RECORD_END) records[records.length - 1] += "!";
      else {
        assert.equal(result, RECORD_MORE);
        assert.equal(at, piece.length);
        break;
      }
    }
  }
  return { records, reason: "" };
}

function cut(bytes: Uint8Array, marks: readonly number[]): Uint8Array[] {
  const ends = [...marks.map((mark) => mark % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

const record = fc.tuple(fc.constantFrom(STDOUT, STDERR, END_REQUEST), fc.uint8Array({ maxLength: 40 }), fc.nat(9));

test("records come out as they went in, wherever they are cut", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), fc.array(fc.nat(400), { maxLength: 6 }), (records, marks) => {
      const bytes = concatBytes(
        records.flatMap(([type, content, padding]) => {
          const header = new Uint8Array(HEADER_BYTES);
          writeRecordHeader(header, 0, type, content.length, padding);
          return [header, content, new Uint8Array(padding)];
        }),
      );
      const wanted = records.map(([type, content]) => `${type}:${latin1(content)}!`);
      const { records: found, reason } = decode(cut(bytes, marks));
      assert.equal(reason, "");
      assert.deepEqual(found, wanted);
    }),
    { numRuns: 2000 },
  );
});

test("any bytes end in a reason or in no record, the same wherever they are cut", () => {
  const byte = fc.oneof(fc.constantFrom(0, 1, 3, 6, 7), fc.nat(255));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 60 }), fc.array(fc.nat(60), { maxLength: 5 }), (list, marks) => {
      const bytes = Uint8Array.from(list);
      assert.deepEqual(decode(cut(bytes, marks)), decode([bytes]));
    }),
    { numRuns: 2000 },
  );
});

test("padding makes eights, and pairs have the size that was said", () => {
  fc.assert(
    fc.property(fc.nat(70_000), fc.nat(300), fc.nat(300), (size, nameLength, valueLength) => {
      assert.equal((size + paddingOf(size)) % 8, 0);
      const bytes = new Uint8Array(1000);
      const end = fastcgiPair.write(bytes, 5, "n".repeat(nameLength), "v".repeat(valueLength));
      assert.equal(end - 5, fastcgiPair.sizeOf(nameLength, valueLength));
    }),
  );
});
