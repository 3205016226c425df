import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "../../base/bytes.ts";
import { COMPLETE, type HeadLimits, INCOMPLETE } from "./head-results.ts";
import { FIELD_STRIDE, RequestHead } from "./request-head.ts";

const LIMITS: HeadLimits = {
  bufferSize: 64,
  largeBuffers: 2,
  largeBufferSize: 128,
  maxHeaders: 10,
  underscores: false,
  ignoreInvalid: false,
  onIgnored: undefined,
  choose: undefined,
};

const piece = fc.constantFrom(
  ..."GET POST CONNECT / // /. /.. %2e ? # http:// [::1] a.b :80 HTTP/1.1 HTTP/1.0 HTTP/ \r\n \n \r : Host: x_y Content-Length:".split(
    " ",
  ),
  " ",
  "\0",
  "a",
  "\x7f",
  "ü",
  "\r\n\r\n",
  "x".repeat(70),
);
const request = fc.oneof(
  fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join("")),
  fc.array(piece, { maxLength: 30 }).map((pieces) => `GET / HTTP/1.1\r\n${pieces.join("")}\r\n\r\n`),
  fc.string({ maxLength: 200 }),
);

function summary(head: RequestHead, result: number): unknown {
  if (result !== COMPLETE) return result;
  return [
    result,
    head.scanned,
    head.method,
    head.version,
    head.text(head.uriStart, head.uriEnd),
    head.argsStart,
    head.hostEnd,
    head.complexUri,
    head.quotedUri,
    [...head.fields.subarray(0, head.fieldCount * FIELD_STRIDE)],
  ];
}

test("a head means the same however it is split, and offsets stay inside", () => {
  fc.assert(
    fc.property(request, fc.array(fc.nat(40), { maxLength: 20 }), (text, cuts) => {
      const bytes = fromLatin1(text);
      const whole = new RequestHead();
      whole.begin(bytes, 0);
      const expected = whole.parse(bytes.length, LIMITS);

      const parts = new RequestHead();
      let memory = Uint8Array.from(bytes);
      parts.begin(memory, 0);
      let end = 0;
      let result = INCOMPLETE;
      for (const cut of [...cuts, bytes.length]) {
        end = Math.min(bytes.length, end + cut);
        // What lies behind the data must not be looked at.
        memory = Uint8Array.from(bytes);
        memory.fill(0, end);
        parts.bytes = memory;
        result = parts.parse(end, LIMITS);
        if (result !== INCOMPLETE) break;
      }
      assert.deepEqual(summary(parts, result), summary(whole, expected));
      if (expected === COMPLETE) {
        assert.ok(whole.base + whole.scanned <= bytes.length);
        for (let i = 0; i < whole.fieldCount * FIELD_STRIDE; i++) {
          if (i % FIELD_STRIDE === 4) continue;
          assert.ok((whole.fields[i] as number) >= 0 && (whole.fields[i] as number) <= whole.scanned);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
