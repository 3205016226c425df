/** What keepalived 2.2.7 was measured to do with crafted adverts, row by row, done to a router of ours on a switch without a kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../base/bytes.ts";
import { FakeRouting } from "../io/routing-fake.ts";
import { FakeSwitch } from "../io/segment-fake.ts";
import { encodeIpv4 } from "../wire/ipv4.ts";
import { type Advert, advertChecksum, decodeAdvert, encodeAdvert, VRRP_GROUP_4 } from "../wire/vrrp/advert.ts";
import { alone, exampleInstance, exampleNode, examplePassword, ip } from "./example.ts";
import { VrrpNode } from "./node.ts";

const OWN = ip("192.168.50.133");
const RIVAL = ip("192.168.50.134");
const password = (text: string) => examplePassword(text)?.password ?? new Uint8Array(8);
const rival: Advert = {
  version: 2,
  vrid: 33,
  priority: 200,
  intervalCs: 100,
  authType: 1,
  password: password("1111"),
  addresses: [ip("192.168.50.130")],
};

/** A router of priority 100 with the password 1111 that has been active for a while. */
function activeRouter(changes: Parameters<typeof exampleInstance>[0] = {}) {
  let now = 0;
  let next: { atMs: number; ring: () => void } | undefined;
  const routing = new FakeRouting([{ name: "eth0" }]);
  routing.addAddress({ linkIndex: 1, ip: OWN, prefixLength: 24 });
  const logs: string[] = [];
  const sent: number[] = [];
  let announcements = 0;
  const fabric = new FakeSwitch({
    travel: () => [0],
    schedule: (_, task) => task(),
    onFrame: () => announcements++,
  });
  const listener = { link: { index: 1, name: "eth0" }, family: 4, group: VRRP_GROUP_4, source: RIVAL } as const;
  const attacker = fabric.port("attacker");
  attacker.openAdverts({ ...listener, hopLimit: 255, receiveBufferBytes: undefined }, (packet) => {
    const read = decodeAdvert(packet.subarray(20), { source: OWN, destination: VRRP_GROUP_4 });
    if (read.ok) sent.push(read.value.priority);
  });
  const instance = exampleInstance({ authentication: examplePassword("1111"), ...changes });
  const node = new VrrpNode(
    {
      clock: { now: () => now, wall: () => now },
      log: { enabled: () => true, write: (_, text) => logs.push(text) },
      routing,
      segments: fabric.port("router"),
      alarm: (ring) => ({
        arm: (atMs) => {
          next = { atMs, ring };
        },
        disarm: () => {
          next = undefined;
        },
      }),
      guard: () => {},
      notify: () => {},
      changed: () => {},
      ...alone(),
    },
    exampleNode({ instances: [instance] }),
  );
  const run = (untilMs: number): void => {
    while (next !== undefined && next.atMs <= untilMs) {
      now = next.atMs;
      const { ring } = next;
      next = undefined;
      ring();
    }
    now = untilMs;
  };
  node.start();
  run(12_300);
  logs.length = 0;
  sent.length = 0;
  announcements = 0;
  const inject = (message: Uint8Array, { ttl = 255, source = RIVAL, padding = 0, id = 9 } = {}): void => {
    const fields = { source, destination: VRRP_GROUP_4, protocol: 112, ttl, tos: 0xc0, id };
    attacker.inject(concatBytes([encodeIpv4(fields, message), new Uint8Array(padding)]), VRRP_GROUP_4);
  };
  const router = node.routers[0];
  assert.equal(router?.state.role, "active");
  return { inject, run, logs, sent, router, announced: () => announcements };
}

/** The message with its checksum put right again. */
function mend(message: Uint8Array): Uint8Array {
  const copy = message.slice();
  copy[6] = 0;
  copy[7] = 0;
  const checksum = advertChecksum(copy, undefined);
  copy[6] = checksum >> 8;
  copy[7] = checksum & 0xff;
  return copy;
}

function changed(at: number, value: number): Uint8Array {
  const copy = encodeAdvert(rival, undefined);
  copy[at] = value;
  return copy;
}

for (const [name, advert, source, says] of [
  ["lower priority 90", { priority: 90 }, RIVAL, "with lower priority 90, ours 100, forcing new election"],
  ["equal priority from a lower address", { priority: 100 }, ip("192.168.50.132"), "forcing new election"],
  ["priority 0", { priority: 0 }, RIVAL, "Master received priority 0 message"],
] as const)
  test(`an active router stays and answers: ${name}`, () => {
    const { inject, logs, sent, router, announced } = activeRouter();
    inject(encodeAdvert({ ...rival, ...advert }, undefined), { source });
    assert.equal(router.state.role, "active");
    assert.deepEqual(sent, [100]);
    assert.equal(announced(), 5);
    assert.ok(
      logs.some((line) => line.includes(says)),
      logs.join("\n"),
    );
  });

for (const [name, priority, says] of [
  ["equal priority from a higher address", 100, "same priority 100 but higher IP address than ours"],
  ["priority 200", 200, "higher priority 200"],
  ["priority 255", 255, "higher priority 255"],
] as const)
  test(`an active router steps down and is back when nothing follows: ${name}`, () => {
    const { inject, logs, router, run } = activeRouter();
    inject(encodeAdvert({ ...rival, priority }, undefined));
    assert.equal(router.state.role, "backup");
    assert.ok(logs.some((line) => line.includes(says)));
    run(12_300 + 3609);
    assert.equal(router.state.role, "backup");
    run(12_300 + 3610);
    assert.equal(router.state.role, "active");
  });

test("a copy of an advert is not the winner's answer to our goodbye, and whoever numbers no packets sends no copies", () => {
  const better = encodeAdvert({ ...rival, priority: 200 }, undefined);
  const { inject, sent, run } = activeRouter();
  inject(better, { id: 9 });
  run(12_303);
  inject(better, { id: 9 });
  run(13_303);
  inject(better, { id: 10 });
  run(13_306);
  inject(better, { id: 11 });
  run(14_306);
  inject(better, { id: 12 });
  assert.deepEqual(sent, [1, 1]);
  const unnumbered = activeRouter();
  unnumbered.inject(better, { id: 0 });
  unnumbered.run(12_303);
  unnumbered.inject(better, { id: 0 });
  unnumbered.run(13_303);
  unnumbered.inject(better, { id: 0 });
  assert.deepEqual(unnumbered.sent, [1]);
});

const short = mend(encodeAdvert(rival, undefined).subarray(0, 12));
for (const [name, message, reason, says, ttl] of [
  [
    "a wrong password",
    encodeAdvert({ ...rival, password: password("2222") }, undefined),
    "authFailure",
    "received an invalid passwd!",
  ],
  [
    "no authentication",
    encodeAdvert({ ...rival, authType: 0 }, undefined),
    "authMismatch",
    "received a 0 auth, expecting 1!",
  ],
  ["an unknown kind of authentication", mend(changed(4, 7)), "authUnknown", "received an unknown auth type 7"],
  ["a bad checksum", changed(7, 0), "checksum", "Invalid VRRPv2 checksum"],
  ["TTL 64", encodeAdvert(rival, undefined), "hopLimit", "invalid TTL/HL. Received 64 and expect 255", 64],
  [
    "another address",
    encodeAdvert({ ...rival, addresses: [ip("192.168.50.131")] }, undefined),
    "addressList",
    "ip address associated with VRID 33 not present in MASTER advert : 192.168.50.130",
  ],
  [
    "two addresses",
    encodeAdvert({ ...rival, addresses: [ip("192.168.50.130"), ip("192.168.50.131")] }, undefined),
    "addressList",
    "unexpected ip number count 2, expected 1!",
  ],
  [
    "another interval",
    encodeAdvert({ ...rival, intervalCs: 200 }, undefined),
    "interval",
    "advertisement interval mismatch mine=1 sec rcv'd=2 sec",
  ],
  [
    "version 3",
    encodeAdvert({ ...rival, version: 3, authType: 0, password: new Uint8Array(0) }, undefined),
    "version",
    "wrong version. Received 3 and expect 2",
  ],
  ["a cut message", short, "length", "vrrp packet too short, length 32 and expect 40"],
  ["an address count that lies", mend(changed(3, 5)), "length", "vrrp packet too short, length 40 and expect 56"],
  ["type 2", mend(changed(0, 0x22)), "type", "Invalid packet type. 2 and expect 1"],
] as const)
  test(`an active router drops ${name}, counts it and says why`, () => {
    const { inject, logs, sent, router } = activeRouter();
    inject(message, ttl === undefined ? {} : { ttl });
    assert.equal(router.state.role, "active");
    assert.deepEqual(sent, []);
    assert.deepEqual([...router.drops], [[reason, 1]]);
    assert.ok(
      logs.some((line) => line.includes(says)),
      logs.join("\n"),
    );
  });

test("another VRID and our own source address are nobody's business", () => {
  const { inject, logs, router } = activeRouter();
  inject(encodeAdvert({ ...rival, vrid: 34 }, undefined));
  inject(encodeAdvert(rival, undefined), { source: OWN });
  assert.equal(router.state.role, "active");
  assert.deepEqual(logs, []);
  assert.equal(router.drops.size, 0);
});

test("link-layer padding behind a packet is not part of it; what is too long by the packet's own word is dropped", () => {
  const { inject, router, logs } = activeRouter();
  const longer = new Uint8Array(26);
  longer.set(encodeAdvert(rival, undefined));
  inject(longer);
  assert.equal(router.state.role, "active");
  assert.match(logs.join("\n"), /vrrp packet too long, length 46 and expect 40/);
  inject(encodeAdvert(rival, undefined), { padding: 6 });
  assert.equal(router.state.role, "backup");
});

test("the same complaint is not repeated with every advert", () => {
  const { inject, logs } = activeRouter();
  for (let i = 0; i < 50; i++) inject(changed(7, 0));
  assert.equal(logs.length, 1);
});

test("version 3: another interval is only mentioned, and the checksum covers the addresses of the packet", () => {
  const v3 = { version: 3, authType: 0, password: new Uint8Array(0) } as const;
  const { inject, logs, router } = activeRouter({ version: 3, authentication: undefined });
  inject(encodeAdvert({ ...rival, ...v3 }, { source: OWN, destination: VRRP_GROUP_4 }));
  assert.deepEqual([...router.drops], [["checksum", 1]]);
  inject(encodeAdvert({ ...rival, ...v3, intervalCs: 10 }, { source: RIVAL, destination: VRRP_GROUP_4 }));
  assert.equal(router.state.role, "backup");
  assert.equal(router.state.intervalMs, 100);
  assert.ok(logs.some((line) => line.includes("interval mismatch")));
});

test("v3_checksum_as_v2 leaves the pseudo-header out", () => {
  const v3 = { version: 3, authType: 0, password: new Uint8Array(0) } as const;
  const { inject, router } = activeRouter({ version: 3, authentication: undefined, v3ChecksumAsV2: true });
  inject(encodeAdvert({ ...rival, ...v3 }, undefined));
  assert.equal(router.state.role, "backup");
});

test("skip_check_adv_addr skips the address list of the sender that was accepted last", () => {
  const { inject, router } = activeRouter({ skipCheckAdvertAddresses: true });
  const other = encodeAdvert({ ...rival, addresses: [ip("192.168.50.131")] }, undefined);
  inject(other);
  assert.equal(router.drops.get("addressList"), 1);
  inject(encodeAdvert({ ...rival, priority: 90 }, undefined));
  inject(other);
  assert.equal(router.state.role, "backup");
});

test("owner_ignore_adverts: an owner listens to nobody", () => {
  for (const ownerIgnoresAdverts of [true, false]) {
    const { inject, router } = activeRouter({ priority: 255, ownerIgnoresAdverts });
    inject(encodeAdvert({ ...rival, priority: 255 }, undefined));
    assert.equal(router.state.role, ownerIgnoresAdverts ? "active" : "backup");
    assert.equal(router.drops.get("owner") ?? 0, ownerIgnoresAdverts ? 1 : 0);
  }
});
