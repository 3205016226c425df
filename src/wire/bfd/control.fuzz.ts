import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BFD_STATES, decodeControl, encodeControl } from "./control.ts";

const word = fc.nat({ max: 0xffff_ffff });
const packet = fc.record(
  {
    diagnostic: fc.nat({ max: 31 }),
    state: fc.constantFrom(...BFD_STATES),
    poll: fc.boolean(),
    final: fc.constant(false),
    controlPlaneIndependent: fc.boolean(),
    authenticated: fc.constant(false),
    demand: fc.boolean(),
    multiplier: fc.integer({ min: 1, max: 255 }),
    myDiscriminator: fc.integer({ min: 1, max: 0xffff_ffff }),
    yourDiscriminator: fc.integer({ min: 1, max: 0xffff_ffff }),
    minTxUs: word,
    minRxUs: word,
    minEchoRxUs: word,
  },
  { noNullPrototype: true },
);

test("every packet is read back as it was encoded", () => {
  fc.assert(
    fc.property(packet, (one) => assert.deepEqual(decodeControl(encodeControl(one)), { ok: true, value: one })),
  );
});

test("no datagram makes the reader throw, and what it accepts has what a session needs", () => {
  const near = fc.tuple(packet, fc.array(fc.tuple(fc.nat({ max: 23 }), fc.nat({ max: 255 })), { maxLength: 3 }));
  const bent = near.map(([one, changes]) => {
    const bytes = encodeControl(one);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), bent), (datagram) => {
      const read = decodeControl(datagram);
      if (!read.ok) return assert.notEqual(read.reason, "");
      const { multiplier, myDiscriminator, yourDiscriminator, state, poll, final } = read.value;
      assert.ok(multiplier > 0 && myDiscriminator > 0 && !(poll && final));
      assert.ok(yourDiscriminator > 0 || state === "down" || state === "adminDown");
    }),
  );
});
