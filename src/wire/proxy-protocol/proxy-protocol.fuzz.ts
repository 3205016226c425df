import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, fromLatin1, latin1 } from "../../base/bytes.ts";
import { crc32c } from "../../base/hash-crc32c.ts";
import { parseIp, printIp } from "../../base/ip.ts";
import { decodeProxyHeader } from "./decode.ts";
import { encodeProxyV1, encodeProxyV2 } from "./encode.ts";
import { findTlv } from "./tlv.ts";

const ip = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }));
const end = fc.record({ ip, port: fc.nat(65535) }, { noNullPrototype: true });
const field = fc.record({ type: fc.nat(255), value: fc.uint8Array({ maxLength: 40 }) }, { noNullPrototype: true });

test("what is written in either version is read again", () => {
  fc.assert(
    fc.property(
      end,
      end,
      fc.array(field, { maxLength: 5 }),
      fc.uint8Array({ maxLength: 20 }),
      (source, destination, fields, rest) => {
        const sameFamily = { ...destination, ip: source.ip.map((byte) => byte ^ 0x5a) };
        const v1 = encodeProxyV1(source, sameFamily);
        const first = decodeProxyHeader(concatBytes([v1, rest]));
        assert.ok(first.kind === "header" && first.header.sizeBytes === v1.length);
        assert.equal(first.header.ends?.source.address, printIp(source.ip));
        assert.equal(first.header.ends?.destination.port, destination.port);

        const v2 = encodeProxyV2(source, destination, "stream", { fields, ssl: undefined });
        const second = decodeProxyHeader(concatBytes([v2, rest]));
        assert.ok(second.kind === "header" && second.header.sizeBytes === v2.length);
        assert.equal(second.header.ends?.source.port, source.port);
        const { type, value } = fields[0] ?? { type: -1, value: rest };
        if (type >= 0) assert.deepEqual(findTlv(second.header.tlvs, `0x${type.toString(16)}`), { ok: true, value });

        const zeroed = Uint8Array.from(v2).fill(0, v2.length - 4);
        assert.equal(new DataView(v2.buffer, v2.byteOffset).getUint32(v2.length - 4), crc32c(zeroed));
      },
    ),
  );
});

test("any bytes are a header, the beginning of one, or have a reason; all before a header was its beginning", () => {
  const piece = fc.constantFrom(
    "PROXY ",
    "TCP4 ",
    "TCP6 ",
    "UNKNOWN",
    "1.2.3.4 ",
    "::1 ",
    "80 ",
    "443",
    "\r",
    "\n",
    " ",
    "\0",
    "QUIT",
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => fromLatin1(pieces.join("")));
  const mutated = fc.tuple(end, end, fc.nat(60), fc.nat(255)).map(([source, destination, at, value]) => {
    const bytes = encodeProxyV2(source, destination);
    bytes[at % bytes.length] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(text, mutated, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      const result = decodeProxyHeader(bytes);
      if (result.kind !== "header") {
        assert.notEqual(result.reason, "");
        return;
      }
      const { header } = result;
      assert.ok(header.sizeBytes > 0 && header.sizeBytes <= bytes.length);
      for (const part of header.ends === undefined ? [] : [header.ends.source, header.ends.destination]) {
        assert.ok(part.port >= 0 && part.port <= 65535);
        if (bytes[0] !== 0x50) assert.notEqual(parseIp(part.address), undefined);
      }
      for (let i = 0; i < header.sizeBytes; i++) {
        assert.equal(decodeProxyHeader(bytes.subarray(0, i)).kind, "incomplete", latin1(bytes));
      }
    }),
    { numRuns: 500 },
  );
});
