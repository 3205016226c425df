import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../../base/bytes.ts";
import { decodeHealthResponse, encodeHealthRequest, MESSAGE_PREFIX_BYTES } from "./health.ts";

test("any bytes are a status or malformed", () => {
  const part = fc.oneof(
    fc.constantFrom([8, 1], [0x12, 1, 0], [0x80], [0xff, 1]),
    fc.array(fc.nat(255), { maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.uint8Array({ maxLength: 10 }), (parts, bytes) => {
      const message = parts.flat();
      decodeHealthResponse(bytes);
      const result = decodeHealthResponse(Uint8Array.of(0, 0, 0, 0, message.length, ...message));
      if (result.ok) assert.ok(Number.isInteger(result.value) && result.value >= 0 && result.value < 2 ** 31);
      else assert.notEqual(result.reason, "");
    }),
    { numRuns: 2000 },
  );
});

test("a request holds its service's name", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300, unit: "grapheme" }), (service) => {
      const request = encodeHealthRequest(service);
      const size = new DataView(request.buffer).getUint32(1);
      assert.equal(size, request.length - MESSAGE_PREFIX_BYTES);
      assert.ok(utf8(request).endsWith(service));
    }),
  );
});
