import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { machineOf, readerOf } from "./example.ts";
import { loadKeepalived } from "./load.ts";

const option = fc.constantFrom(
  ..."inet inet6 src via gw from tos dsfield table protocol scope metric dev oif onlink encap expires mtu lock".split(
    " ",
  ),
  ..."hoplimit advmss rtt rttvar reordering window cwnd ssthresh realms rto_min initcwnd features quickack".split(" "),
  ..."congctl pref ttl-propagate add prepend append or nexthop weight no_track track_group vrf to as blackhole".split(
    " ",
  ),
  ..."lookup not order priority fwmark suppress_prefixlength suppress_ifgroup iif tunnel-id uidrange l3mdev".split(" "),
  ..."ipproto sport dport type goto nop unreachable prohibit default all G".split(" "),
);
const value = fc.oneof(
  fc.constantFrom(
    "10.0.0.0/8",
    "10.0.0.1",
    "fe80::1/64",
    "::",
    "eth0",
    "main",
    "0x10",
    "5/6",
    "1-2",
    "1.5s",
    "low",
    "VI",
  ),
  fc.integer({ min: -2, max: 5_000_000_000 }).map(String),
  fc.string({ maxLength: 6 }),
);
const line = fc.array(fc.oneof(option, value), { minLength: 1, maxLength: 14 }).map((words) => words.join(" "));

test("no line of routes or rules makes the loader throw, and every number fits the message that it goes into", () => {
  const machine = machineOf(["eth0"]);
  const isByte = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const body = lines.join("\n");
      const text = `track_group G {\n group {\n VI\n }\n}\nstatic_routes {\n${body}\n}\nstatic_rules {\n${body}\n}
static_ipaddress {\n${body}\n}\nvrrp_instance VI {\n virtual_routes {\n${body}\n}\n virtual_rules {\n${body}\n}\n}\n`;
      const { statics, instances } = loadKeepalived("/a", {
        reader: readerOf({ "/a": text }),
        configId: "a",
        machine,
      }).config;
      for (const route of [...statics.routes, ...instances.flatMap(({ routes }) => routes)]) {
        const size = route.family === 4 ? 4 : 16;
        for (const address of [route.destination.address, route.preferredSource, route.source?.address])
          assert.ok(address === undefined || address.length === size);
        assert.ok(isByte(route.type) && isByte(route.protocol) && isByte(route.typeOfService));
        for (const { weight } of route.nextHops) assert.ok(weight >= 1 && weight <= 256);
        for (const [, number] of route.metrics) assert.ok(number >= 0 && number <= 0xffff_ffff);
      }
      for (const rule of [...statics.rules, ...instances.flatMap(({ rules }) => rules)]) {
        assert.ok(isByte(rule.action) && isByte(rule.typeOfService) && isByte(rule.protocol ?? 0));
        for (const network of [rule.source, rule.destination])
          assert.ok(network?.address === undefined || network.address.length === (rule.family === 4 ? 4 : 16));
      }
    }),
    { numRuns: 600 },
  );
});
