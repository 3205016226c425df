import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeArpFrame } from "../arp.ts";
import { decodeIpv4 } from "../ipv4.ts";
import { decodeNeighborAdvertFrame } from "../ndp.ts";
import { type Advert, decodeAdvert, encodeAdvert } from "./advert.ts";

const address = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const envelope = (size: number) =>
  fc.record({ source: address(size), destination: address(size) }, { noNullPrototype: true });

test("every advert is read back as it was encoded", () => {
  fc.assert(
    fc.property(
      fc.constantFrom([2, 4], [3, 4], [3, 16]),
      fc.nat(255),
      fc.nat(255),
      fc.nat(255),
      fc.nat(4095),
      fc.context(),
      fc.gen(),
      ([version, size], vrid, priority, count, interval, _context, gen) => {
        const advert: Advert = {
          version: version as 2 | 3,
          vrid,
          priority,
          intervalCs: version === 2 ? (interval % 256) * 100 : interval,
          authType: version === 2 ? 1 : 0,
          password: version === 2 ? gen(address, 8) : new Uint8Array(0),
          addresses: Array.from({ length: Math.max(1, count) }, () => gen(address, size as number)),
        };
        const covered = gen(envelope, size as number);
        const message = encodeAdvert(advert, version === 2 ? undefined : covered);
        assert.deepEqual(decodeAdvert(message, covered), { ok: true, value: advert });
      },
    ),
    { numRuns: 60 },
  );
});

test("no bytes make a decoder throw, and one flipped bit never passes the checksum", () => {
  const covered = { source: Uint8Array.of(10, 0, 0, 1), destination: Uint8Array.of(224, 0, 0, 18) };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      for (const decode of [decodeIpv4, decodeArpFrame, decodeNeighborAdvertFrame]) decode(bytes);
      const read = decodeAdvert(bytes, covered);
      if (!read.ok) assert.notEqual(read.reason, "");
    }),
    { numRuns: 300 },
  );
  const good = encodeAdvert(
    {
      version: 3,
      vrid: 1,
      priority: 100,
      intervalCs: 100,
      authType: 0,
      password: new Uint8Array(0),
      addresses: [Uint8Array.of(10, 0, 0, 9)],
    },
    covered,
  );
  for (let bit = 0; bit < good.length * 8; bit++) {
    const copy = good.slice();
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.equal(decodeAdvert(copy, covered).ok, false, `bit ${bit}`);
  }
});
