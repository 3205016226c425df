import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeIpv4 } from "../ipv4.ts";
import { AH_BYTES, ahCheck, decodeAh, encodeAh } from "./ah.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

test("every packet is read back as it was made, and its check value holds for its own key only", () => {
  fc.assert(
    fc.property(
      bytes(4),
      bytes(4),
      fc.nat({ max: 0xffff_ffff }),
      fc.uint8Array({ maxLength: 200 }),
      bytes(8),
      fc.boolean(),
      (source, destination, sequence, message, password, isUnicast) => {
        const fields = { source, destination, ttl: 255, tos: 0, id: 1 };
        const packet = encodeAh(fields, sequence, message, { password, isUnicast });
        const outer = decodeIpv4(packet);
        assert.ok(outer.ok);
        const header = decodeAh(outer.value.payload);
        assert.ok(header.ok);
        assert.deepEqual([header.value.sequence, header.value.spi], [sequence, source]);
        assert.deepEqual(outer.value.payload.slice(AH_BYTES), message);
        assert.deepEqual(ahCheck(packet, 20, { password, isUnicast }), header.value.check);
        const other = password.slice();
        other[0] = (other[0] as number) ^ 1;
        assert.notDeepEqual(ahCheck(packet, 20, { password: other, isUnicast }), header.value.check);
      },
    ),
  );
});

test("no payload makes the reader throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (payload) =>
      assert.equal(decodeAh(payload).ok, payload.length >= AH_BYTES),
    ),
  );
});
