import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, fromLatin1, latin1 } from "../base/bytes.ts";
import { readGetLine, VALUE_BAD_TRAILER, VALUE_DATA, VALUE_DONE, ValueDecoder } from "./memcached.ts";
import { SCGI_OVERHEAD_BYTES, scgiPair, writeScgiEnd, writeScgiStart } from "./scgi.ts";
import { UWSGI_HEADER_BYTES, uwsgiPair, writeUwsgiHeader } from "./uwsgi.ts";

const text = fc.string({ maxLength: 30 }).map((value) => value.replace(/[^\x01-\xff]/g, ""));
const pairs = fc.array(fc.tuple(text, text), { maxLength: 5 });

test("SCGI: a netstring of pairs that a reader finds again", () => {
  fc.assert(
    fc.property(pairs, fc.nat(2 ** 40), (list, bodyBytes) => {
      const size = list.reduce((sum, [name, value]) => sum + scgiPair.sizeOf(name.length, value.length), 0);
      const bytes = new Uint8Array(size + SCGI_OVERHEAD_BYTES);
      let at = writeScgiStart(bytes, 0, bodyBytes, size);
      for (const [name, value] of list) at = scgiPair.write(bytes, at, name, value);
      const written = latin1(bytes, 0, writeScgiEnd(bytes, at));
      const colon = written.indexOf(":");
      assert.equal(Number(written.slice(0, colon)), written.length - colon - 2);
      const words = written.slice(colon + 1, -2).split("\0");
      assert.deepEqual(words, ["CONTENT_LENGTH", String(bodyBytes), ...list.flat()]);
    }),
  );
});

test("uwsgi: a packet of pairs that a reader finds again", () => {
  fc.assert(
    fc.property(pairs, fc.nat(255), fc.nat(255), (list, modifier1, modifier2) => {
      const size = list.reduce((sum, [name, value]) => sum + uwsgiPair.sizeOf(name.length, value.length), 0);
      const bytes = new Uint8Array(size + UWSGI_HEADER_BYTES);
      let at = writeUwsgiHeader(bytes, 0, modifier1, modifier2, size);
      for (const [name, value] of list) at = uwsgiPair.write(bytes, at, name, value);
      assert.equal(at, bytes.length);
      const view = new DataView(bytes.buffer);
      assert.deepEqual([view.getUint8(0), view.getUint16(1, true), view.getUint8(3)], [modifier1, size, modifier2]);
      const found: string[] = [];
      for (at = UWSGI_HEADER_BYTES; at < bytes.length; ) {
        const start = at + 2;
        at = start + view.getUint16(at, true);
        found.push(latin1(bytes, start, at));
      }
      assert.deepEqual(found, list.flat());
    }),
  );
});

test("memcached: any line is read, and a value comes out wherever it is cut", () => {
  const word = fc.constantFrom("VALUE", "END", " ", "key", "0", "12", "x", "\0");
  fc.assert(
    fc.property(fc.array(word, { maxLength: 9 }), (words) => {
      const read = readGetLine(words.join(""), "key");
      if (read.kind === "value") assert.ok(read.lengthBytes === undefined || Number.isSafeInteger(read.lengthBytes));
    }),
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 50 }),
      fc.array(fc.nat(60), { maxLength: 5 }),
      fc.boolean(),
      (data, marks, bad) => {
        const bytes = concatBytes([data, fromLatin1(bad ? "\r\nENX\r\n" : "\r\nEND\r\n")]);
        const ends = [...marks.map((mark) => mark % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const decoder = new ValueDecoder();
        decoder.begin(data.length);
        let found = "";
        let last = -1;
        ends.forEach((end, index) => {
          for (let at = index === 0 ? 0 : (ends[index - 1] as number); at < end; at = decoder.position) {
            last = decoder.next(bytes, at, end);
            if (last === VALUE_DATA) found += latin1(bytes, decoder.dataStart, decoder.position);
            if (last === VALUE_BAD_TRAILER) return;
          }
        });
        assert.equal(found, latin1(data));
        assert.ok(last === (bad ? VALUE_BAD_TRAILER : VALUE_DONE) || bad);
      },
    ),
  );
});
