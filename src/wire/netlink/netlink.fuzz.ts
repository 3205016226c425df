import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, equalBytes } from "../../base/bytes.ts";
import { decodeAddress, encodeAddress } from "./address.ts";
import { attribute, decodeAttributes } from "./attributes.ts";
import { decodeConnection } from "./conntrack.ts";
import { decodeAck } from "./error.ts";
import { decodeFamily } from "./generic.ts";
import { decodeLink } from "./link.ts";
import { decodeMessages, encodeMessage } from "./message.ts";
import { decodeNeighbour, encodeNeighbour } from "./neighbour.ts";
import { decodeRoute, encodeRoute } from "./route.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
const u8 = fc.integer({ min: 0, max: 255 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const ip = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }));
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });

test("no bytes make a decoder throw", () => {
  fc.assert(
    fc.property(bytes, u32, (input, flags) => {
      decodeMessages(input);
      decodeAttributes(input);
      decodeAddress(input);
      decodeLink(input);
      decodeRoute(input);
      decodeNeighbour(input);
      decodeAck(input, flags);
      decodeConnection(input);
      decodeFamily(input);
    }),
    { numRuns: 2000 },
  );
});

test("messages and attributes survive the way to bytes and back", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 0x3fff }), bytes), { maxLength: 8 }), (parts) => {
      const result = decodeAttributes(concatBytes(parts.map(([type, value]) => attribute(type, value))));
      assert.ok(result.ok);
      for (const [type, value] of new Map(parts))
        assert.ok(equalBytes(result.value.get(type) ?? new Uint8Array(1), value));
    }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 65535 }),
      fc.integer({ min: 0, max: 65535 }),
      u32,
      bytes,
      (type, flags, sequence, body) => {
        const result = decodeMessages(encodeMessage({ type, flags, sequence, body }));
        assert.ok(result.ok);
        assert.deepEqual(result.value, [{ type, flags, sequence, port: 0, body }]);
      },
    ),
  );
});

test("addresses, routes and neighbours survive the way to bytes and back", () => {
  fc.assert(
    fc.property(ip, u8, u32, u8, u32, maybe(u32), (address, prefixLength, linkIndex, scope, flags, preferredS) => {
      const message = {
        linkIndex,
        ip: address,
        prefixLength,
        peer: undefined,
        broadcast: undefined,
        label: undefined,
        scope,
        flags,
        preferredS,
        validS: preferredS,
      };
      assert.deepEqual(decodeAddress(encodeAddress(message)), { ok: true, value: message });
    }),
  );
  fc.assert(
    fc.property(
      ip,
      u8,
      maybe(u32),
      u32,
      u8,
      maybe(u32),
      (destination, prefixLength, outputIndex, table, type, priority) => {
        const message = {
          family: destination.length === 4 ? 2 : 10,
          destination,
          prefixLength,
          source: undefined,
          sourcePrefixLength: 0,
          gateway: destination,
          preferredSource: undefined,
          inputIndex: undefined,
          outputIndex,
          priority,
          table,
          protocol: 112,
          scope: 0,
          type,
          typeOfService: 0,
          flags: 0,
        };
        assert.deepEqual(decodeRoute(encodeRoute(message)), { ok: true, value: message });
      },
    ),
  );
  fc.assert(
    fc.property(ip, fc.uint8Array({ minLength: 6, maxLength: 6 }), u32, u8, (address, mac, linkIndex, flags) => {
      const message = { linkIndex: linkIndex >>> 1, ip: address, mac, state: 0x80, flags, type: 1 };
      assert.deepEqual(decodeNeighbour(encodeNeighbour(message)), { ok: true, value: message });
    }),
  );
});
