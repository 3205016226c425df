import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1, latin1 } from "../../base/bytes.ts";
import { CHUNK_DATA, CHUNK_MORE, ChunkedDecoder } from "./chunked.ts";
import { parseHttpDate, printHttpDate } from "./date.ts";
import { etagListed } from "./etag.ts";
import { parseHost } from "./host.ts";
import { parseRanges, UNLIMITED_RANGES } from "./range.ts";
import { escapeUri, normalisePath, unescapeUri } from "./uri.ts";

const octets = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 60 }).map((codes) => Uint8Array.from(codes));

test("a normal path never climbs, and is its own normal form", () => {
  const path = fc
    .array(fc.constantFrom("/", ".", "..", "a", "%2e", "%2F", "//", "%25", "?", "#", "+", "b"), { maxLength: 12 })
    .map((parts) => `/${parts.join("")}`);
  fc.assert(
    fc.property(path, (target) => {
      const bytes = fromLatin1(target);
      const result = normalisePath(bytes, 0, bytes.length, true, false);
      if (result === undefined) return;
      assert.ok(result.path.startsWith("/"));
      assert.ok(!/\/\.\.?(\/|$)/.test(result.path), result.path);
      const again = fromLatin1(escapeUri(result.path, "uri"));
      assert.equal(normalisePath(again, 0, again.length, true, false)?.path, result.path);
    }),
    { numRuns: 2000 },
  );
});

test("any bytes are a path, a host, a date, ranges and tags, or are refused without an exception", () => {
  fc.assert(
    fc.property(octets, fc.nat(1000), (bytes, size) => {
      const text = latin1(bytes);
      normalisePath(bytes, 0, bytes.length, true, true);
      parseHost(bytes, 0, bytes.length);
      parseHttpDate(text);
      etagListed(text, '"a"', true);
      assert.equal(unescapeUri(escapeUri(text, "uriComponent")), text);
      const ranges = parseRanges(text, size, UNLIMITED_RANGES);
      if (typeof ranges === "string") return;
      for (const { start, end } of ranges) assert.ok(start >= 0 && start < end && end <= size);
    }),
  );
});

test("a written date is read back", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 253402300799 }),
      (instant) => parseHttpDate(printHttpDate(instant)) === instant,
    ),
  );
});

test("chunked bodies mean the same however they are split", () => {
  const body = fc
    .array(fc.constantFrom("0", "3", "a", "\r\n", "\n", "abc", ";x", "1\r\nz\r\n", "0\r\n\r\n", " "), { maxLength: 20 })
    .map((parts) => fromLatin1(`3\r\nabc\r\n${parts.join("")}`));
  const decode = (bytes: Uint8Array, cuts: readonly number[]): unknown => {
    const decoder = new ChunkedDecoder();
    let text = "";
    let start = 0;
    let end = 0;
    for (const cut of [...cuts, bytes.length]) {
      end = Math.min(bytes.length, end + cut);
      for (;;) {
        const result = decoder.next(bytes, start, end);
        assert.ok(decoder.position <= end);
        start = decoder.position;
        if (result === CHUNK_DATA) text += latin1(bytes, decoder.dataStart, decoder.position);
        else if (result === CHUNK_MORE) break;
        else return [text, result, start];
      }
    }
    return [text, CHUNK_MORE];
  };
  fc.assert(
    fc.property(body, fc.array(fc.nat(5), { maxLength: 30 }), (bytes, cuts) => {
      assert.deepEqual(decode(bytes, cuts), decode(bytes, []));
    }),
    { numRuns: 2000 },
  );
});
