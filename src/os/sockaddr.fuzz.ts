import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { latin1 } from "../base/bytes.ts";
import type { Endpoint } from "../io/stream.ts";
import { decodeEndpoint, encodeEndpoint, SOCKADDR_BYTES, UNIX_PATH_BYTES } from "./sockaddr.ts";

const endpoint: fc.Arbitrary<Endpoint> = fc.oneof(
  fc.record({ ip: fc.uint8Array({ minLength: 4, maxLength: 4 }), port: fc.nat(65535) }, { noNullPrototype: true }),
  fc.record({ ip: fc.uint8Array({ minLength: 16, maxLength: 16 }), port: fc.nat(65535) }, { noNullPrototype: true }),
  fc
    .uint8Array({ minLength: 1, maxLength: UNIX_PATH_BYTES })
    .map((bytes) => ({ path: latin1(bytes).replaceAll("\0", "x") })),
);

test("an endpoint survives encoding, whatever lay in the memory before", () => {
  fc.assert(
    fc.property(endpoint, fc.nat(255), fc.nat(16), (expected, before, offset) => {
      const memory = new Uint8Array(SOCKADDR_BYTES + 16).fill(before);
      const length = encodeEndpoint(memory, offset, expected);
      assert.ok(length <= SOCKADDR_BYTES);
      assert.deepEqual(decodeEndpoint(memory, offset, length), expected);
    }),
  );
});

test("whatever the kernel writes is decoded to some endpoint", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: SOCKADDR_BYTES, maxLength: SOCKADDR_BYTES }),
      fc.nat(SOCKADDR_BYTES),
      (bytes, length) => {
        const found = decodeEndpoint(bytes, 0, length);
        assert.ok(
          "path" in found ? found.path.length <= SOCKADDR_BYTES : found.ip.length === 4 || found.ip.length === 16,
        );
      },
    ),
  );
});
