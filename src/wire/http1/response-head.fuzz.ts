import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "../../base/bytes.ts";
import { HEAD_COMPLETE, HEAD_INCOMPLETE, ResponseHead } from "./response-head.ts";

const piece = fc.constantFrom(
  "HTTP/1.1",
  " ",
  "200",
  "OK",
  "\r\n",
  "\n",
  "\r",
  ":",
  "a",
  "Content-Length",
  "1",
  "\0",
  ".",
);
const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));

test("any bytes in any pieces give the same result, and every line lies inside the head", () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(8), { maxLength: 30 }), (input, sizes) => {
      const bytes = fromLatin1(input);
      const whole = new ResponseHead();
      whole.begin(bytes, 0);
      const result = whole.parse(bytes.length);
      const pieces = new ResponseHead();
      pieces.begin(bytes, 0);
      let end = 0;
      let last = HEAD_INCOMPLETE;
      for (const size of [...sizes, bytes.length]) {
        end = Math.min(bytes.length, end + size);
        last = pieces.parse(end);
        if (last !== HEAD_INCOMPLETE) break;
      }
      assert.equal(last, result);
      assert.equal(pieces.fieldCount, whole.fieldCount);
      for (let i = 0; i < whole.fieldCount; i++) {
        assert.ok(whole.valueEnd(i) <= whole.scanned && whole.nameStart(i) < whole.nameEnd(i));
        assert.equal(pieces.value(i), whole.value(i));
      }
      if (result === HEAD_COMPLETE) assert.ok(whole.status >= 0 && whole.status <= 999);
    }),
  );
});
