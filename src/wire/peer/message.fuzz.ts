import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodePeer, encodePeer, PART_BYTES, type PeerMessage, ROLES } from "./message.ts";

/** No secret, so that a fuzzer's bytes can pass it. */
const seal = (bytes: Uint8Array): Uint8Array => new Uint8Array(32).fill(bytes.length & 0xff);
const nonce = fc.uint8Array({ minLength: 8, maxLength: 8 });
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });
const envelopes = record({
  session: nonce,
  sequence: fc.maxSafeNat(),
  to: nonce,
  challenge: nonce,
  echo: nonce,
});
const text = fc.string({ maxLength: 30 });
const instant = fc.double({ noNaN: true, noDefaultInfinity: true });
const family = fc.constantFrom(4 as const, 6 as const);
const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);
const messages: fc.Arbitrary<PeerMessage> = fc.oneof(
  record({
    kind: fc.constant("hello" as const),
    name: text,
    version: text,
    detours4: fc.boolean(),
    detours6: fc.boolean(),
    isDrained: fc.boolean(),
    addresses: fc.array(address, { maxLength: 8 }),
    routers: fc.array(
      record({
        vrid: fc.nat(255),
        family,
        role: fc.constantFrom(...ROLES),
        priority: fc.nat(255),
        keeps: fc.boolean(),
        left: fc.nat(),
      }),
      { maxLength: 100 },
    ),
    time: record({ sentMs: instant, echoMs: instant, heldMs: instant }),
  }),
  record({
    kind: fc.constant("order" as const),
    step: fc.constantFrom("request", "offer", "ready", "refuse", "take", "taken", "done", "closed" as const),
    id: fc.nat(),
    vrid: fc.nat(255),
    family,
    value: fc.nat(),
    reason: text,
  }),
  record({
    kind: fc.constant("ask" as const),
    what: fc.constantFrom("flight" as const, "configuration" as const),
    id: fc.nat(),
    part: fc.nat(65_535),
  }),
  record({
    kind: fc.constant("part" as const),
    id: fc.nat(),
    part: fc.nat(65_535),
    parts: fc.nat(65_535),
    bytes: fc.uint8Array({ maxLength: PART_BYTES }),
  }),
);

test("every message is read back as it was sent", () => {
  fc.assert(
    fc.property(envelopes, messages, (envelope, message) => {
      const read = decodePeer(encodePeer(envelope, message, seal), seal);
      assert.deepEqual(read, { ok: true, value: { envelope, message } });
    }),
    { numRuns: 200 },
  );
});

test("no bytes behind a right seal make the decoder throw, and what is cut or longer is refused", () => {
  fc.assert(
    fc.property(envelopes, messages, fc.nat(255), fc.uint8Array({ maxLength: 60 }), (envelope, message, kind, body) => {
      const good = encodePeer(envelope, message, seal);
      const length = 48 + body.length;
      const crafted = new Uint8Array(length + 32);
      crafted.set(good.subarray(0, 48));
      crafted[5] = kind;
      crafted.set([body.length >> 8, body.length & 0xff], 6);
      crafted.set(body, 48);
      crafted.set(seal(crafted.subarray(0, length)), length);
      const read = decodePeer(crafted, seal);
      if (!read.ok) assert.notEqual(read.reason, "");
      assert.equal(decodePeer(good.subarray(0, -1), seal).ok, false);
    }),
    { numRuns: 500 },
  );
});

test("no bytes at all make the decoder throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => assert.equal(decodePeer(bytes, seal).ok, false)),
    { numRuns: 300 },
  );
});
