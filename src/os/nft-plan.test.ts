import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ServiceDestination, ServiceSettings } from "../io/virtual-services.ts";
import { MAX_WRR_SLOTS, type NumberedServer, nftRefusal, slotsOf } from "./nft-plan.ts";

function servers(...weights: number[]): NumberedServer[] {
  return weights.map((weight, i) => ({ id: i + 1, ip: Uint8Array.of(10, 0, 0, i + 1), port: 80, weight }));
}

function order(scheduler: string, ...weights: number[]): string {
  return slotsOf(scheduler, servers(...weights))
    .map(({ id }) => id)
    .join("");
}

test("rr is everybody in turn, wrr is IPVS' order, and weight 0 is nobody", () => {
  assert.equal(order("rr", 1, 5, 1), "123");
  assert.equal(order("wrr", 4, 2, 2), "1123", "the common divisor does not count");
  assert.equal(order("wrr", 3, 1, 2), "113123");
  assert.equal(order("wrr", 0, 1), "2");
  assert.equal(order("rr", 0, 0), "");
});

test("sh has 256 places, shared by weight", () => {
  const table = slotsOf("sh", servers(3, 1));
  assert.equal(table.length, 256);
  assert.equal(table.filter(({ id }) => id === 1).length, 192);
});

test("mh moves few clients when a server goes", () => {
  const all = servers(1, 1, 1, 1);
  const before = slotsOf("mh", all);
  const after = slotsOf("mh", all.slice(0, 3));
  assert.equal(before.length, 4093);
  const moved = before.filter(({ id }, i) => id !== 4 && after[i]?.id !== id).length;
  assert.ok(moved < before.length / 10, `${moved} of ${before.length}`);
  for (const { id } of all) {
    const share = before.filter((one) => one.id === id).length / before.length;
    assert.ok(Math.abs(share - 0.25) < 0.02, `${id}: ${share}`);
  }
});

test("mh goes by weight", () => {
  const share = slotsOf("mh", servers(3, 1)).filter(({ id }) => id === 1).length / 4093;
  assert.ok(Math.abs(share - 0.75) < 0.02, String(share));
});

test("everybody with a weight has a place, and there are never too many places", () => {
  const weights = fc.array(fc.oneof(fc.nat(10), fc.nat(0x7fffffff)), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.constantFrom("rr", "wrr", "mh"), weights, (scheduler, list) => {
      // A weight that is less than a place has none in a hash.
      const even = scheduler === "mh" ? list.map((weight) => weight % 5) : list;
      const slots = slotsOf(scheduler, servers(...even));
      assert.ok(slots.length <= 2 * MAX_WRR_SLOTS);
      const present = new Set(slots.map(({ id }) => id));
      for (const { id, weight } of servers(...even)) assert.equal(present.has(id), weight > 0);
    }),
    { numRuns: 60 },
  );
});

const service: ServiceSettings = {
  name: "s",
  ranges: [{ ip: Uint8Array.of(10, 0, 0, 1), end: Uint8Array.of(10, 0, 0, 1), port: 80 }],
  marks: [],
  protocol: "tcp",
  scheduler: "rr",
  flags: { onePacket: false, first: false, second: false, third: false },
  persistence: undefined,
};
const destination: ServiceDestination = {
  ip: Uint8Array.of(10, 0, 0, 2),
  port: 80,
  method: "NAT",
  tunnel: { type: "ipip", port: 0, checksum: "nocsum" },
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
};

test("what nf_tables can't do has a name", () => {
  const one = [destination];
  assert.equal(nftRefusal(service, one), undefined);
  for (const [settings, destinations, name] of [
    [{ ...service, scheduler: "wlc" }, one, "lvs_sched wlc"],
    [{ ...service, flags: { ...service.flags, onePacket: true } }, one, "ops"],
    [{ ...service, persistence: { timeoutS: 1, granularity: 1, engine: "sip" } }, one, "persistence_engine sip"],
    [service, [{ ...destination, method: "TUN" }], "lvs_method TUN"],
    [service, [destination, { ...destination, method: "DR" }], "lvs_method NAT and DR together"],
    [service, [{ ...destination, upperThreshold: 1 }], "uthreshold"],
    [service, [{ ...destination, lowerThreshold: 1 }], "lthreshold"],
    [service, [destination, { ...destination, port: 0 }], "real servers with and without ports together"],
    [{ ...service, marks: [{ mark: 1, family: 6 }] }, one, "IPv4 and IPv6 in one group"],
  ] as [ServiceSettings, ServiceDestination[], string][])
    assert.equal(nftRefusal(settings, destinations), name);
});
