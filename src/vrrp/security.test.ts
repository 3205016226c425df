/** Authentication headers and signed trailers, from one router's advert to another one's judgement. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthHmac, VrrpInstance } from "../conf/keepalived/config.ts";
import { FakeSwitch } from "../io/segment-fake.ts";
import { AH_PROTOCOL } from "../wire/vrrp/ah.ts";
import { judge, type ReceivedAdvert, type Verdict } from "./accept.ts";
import { type AdvertPacket, advertPackets, renew } from "./advert-packets.ts";
import { exampleAddress, exampleInstance, examplePassword, ip } from "./example.ts";
import { AdvertSecurity } from "./security.ts";
import { SegmentPool } from "./segment-pool.ts";

const keyOf = (id: number, seed: number) => ({ id, bytes: new Uint8Array(32).fill(seed) });

function hmacOf(changes: Partial<AuthHmac> = {}): AuthHmac {
  const [first, second] = [keyOf(1, 11), keyOf(2, 22)];
  const keys = [first, second];
  return { keys, activeKey: first, antiReplay: "time", windowS: 5, mode: "enforce", ...changes };
}

/** A router that speaks and listens; its wall clock is set by hand. */
class Peer {
  readonly settings: VrrpInstance;
  readonly security: AdvertSecurity;
  readonly source: Uint8Array;
  wallMs = 1_000_000_000;

  constructor(last: number, changes: Partial<VrrpInstance>) {
    this.settings = exampleInstance({ version: 3, advertIntervalMs: 1000, ...changes });
    this.security = new AdvertSecurity(this.settings);
    this.source = this.settings.family === 4 ? ip(`192.168.50.${last}`) : ip(`fe80::${last}`);
  }

  say(priority = 100): AdvertPacket {
    const { source, settings } = this;
    const packets = advertPackets(settings, {
      priority,
      source,
      ahSequence: settings.authentication?.type === "AH" ? this.security.nextAhSequence() : 0,
      trailer: (message) => this.security.trailer(message, source, this.wallMs),
      nextId: () => 1,
    });
    return packets[0] as AdvertPacket;
  }

  hear({ bytes, destination }: AdvertPacket, from: Peer): Verdict {
    const fabric = new FakeSwitch({ travel: () => [0], schedule: (_, task) => task() });
    const { family, unicast, multicastGroup: group, authentication } = this.settings;
    let received: ReceivedAdvert | undefined;
    const pool = new SegmentPool(
      fabric.port("own"),
      () => {},
      () => {},
    );
    const socket = { link: undefined, family, source: this.source, hopLimit: 255, receiveBufferBytes: undefined };
    const protocol = authentication?.type === "AH" ? { protocol: AH_PROTOCOL } : {};
    pool.join({ ...socket, ...protocol, group: unicast ? undefined : group }, 33, (packet) => {
      received = packet;
    });
    const delivery = family === 4 ? undefined : { source: from.source, destination, hopLimit: 255 };
    fabric.port("other").inject(bytes, destination, delivery);
    assert.ok(received !== undefined, "the packet has arrived");
    return judge(this.settings, received, { lastSource: undefined, security: this.security, wallMs: this.wallMs });
  }
}

/** `advert`, or why it was dropped. */
function outcome(verdict: Verdict): string {
  return verdict.kind === "advert" ? "advert" : verdict.reason;
}

const SIX: Partial<VrrpInstance> = {
  family: 6,
  addresses: [exampleAddress("fe80::130")],
  multicastGroup: ip("ff02::12"),
};
const UNICAST: Partial<VrrpInstance> = {
  unicast: true,
  unicastPeers: [133, 134].map((last) => ({
    address: ip(`192.168.50.${last}`),
    minTtl: undefined,
    maxTtl: undefined,
    at: { file: "x", line: 1 },
  })),
};

for (const [name, changes] of [
  ["version 2", { version: 2 }],
  ["version 3, IPv4", {}],
  ["version 3, IPv6", SIX],
  ["version 3, IPv4, unicast", UNICAST],
] as const)
  test(`a signed advert counts once: ${name}`, () => {
    const using = { authHmac: hmacOf(), ...changes };
    const [a, b] = [new Peer(133, using), new Peer(134, using)];
    const say = (): AdvertPacket => (a.settings.unicast ? { bytes: toPeer(a, b), destination: b.source } : a.say());
    const packet = say();
    assert.equal(outcome(b.hear(packet, a)), "advert");
    assert.equal(outcome(b.hear(packet, a)), "authReplay");
    for (let i = 0; i < 5; i++)
      assert.equal(outcome(b.hear(say(), a)), "advert", "several in one instant are in order");
    const bent = packet.bytes.slice();
    bent[bent.length - 1] = (bent[bent.length - 1] as number) ^ 1;
    assert.equal(outcome(b.hear({ ...packet, bytes: bent }, a)), "authInvalidHmac");
  });

/** The second packet of a unicast advert, which is the one for the peer. */
function toPeer(a: Peer, b: Peer): Uint8Array {
  const packets = advertPackets(a.settings, {
    priority: 100,
    source: a.source,
    ahSequence: 0,
    trailer: (message) => a.security.trailer(message, a.source, a.wallMs),
    nextId: () => 1,
  });
  const [first, second] = packets as [AdvertPacket, AdvertPacket];
  assert.deepEqual(first.bytes.slice(-28), second.bytes.slice(-28), "one signature for all copies");
  assert.deepEqual(second.destination, b.source);
  return second.bytes;
}

test("an advert without a trailer counts only while the others are being upgraded", () => {
  const plain = new Peer(133, {});
  for (const [mode, expected] of [
    ["enforce", "authMissing"],
    ["permissive", "advert"],
    ["receive-only", "advert"],
  ] as const) {
    const careful = new Peer(134, { authHmac: hmacOf({ mode }) });
    assert.equal(outcome(careful.hear(plain.say(), plain)), expected, mode);
    assert.equal(careful.say().bytes.length - plain.say().bytes.length, mode === "receive-only" ? 0 : 28);
    const wrong = new Peer(135, { authHmac: hmacOf({ keys: [keyOf(1, 99)], activeKey: keyOf(1, 99) }) });
    assert.equal(outcome(careful.hear(wrong.say(), wrong)), "authInvalidHmac", "but a bad one never does");
  }
  const signed = new Peer(134, { authHmac: hmacOf() });
  const verdict = plain.hear(signed.say(), signed);
  assert.ok(verdict.kind === "drop" && /vrrp packet too long, length 60 and expect 32/.test(verdict.text));
});

test("keys are changed without a gap: whoever knows both accepts either", () => {
  const old = new Peer(133, { authHmac: hmacOf() });
  const fresh = new Peer(134, { authHmac: hmacOf({ activeKey: keyOf(2, 22) }) });
  assert.equal(outcome(fresh.hear(old.say(), old)), "advert");
  assert.equal(outcome(old.hear(fresh.say(), fresh)), "advert");
  const behind = new Peer(135, { authHmac: hmacOf({ keys: [keyOf(1, 11)] }) });
  assert.equal(outcome(behind.hear(fresh.say(), fresh)), "authUnknownKey");
});

test("old adverts are stale, and clocks that drift apart are mentioned in time", () => {
  const [a, b] = [new Peer(133, { authHmac: hmacOf() }), new Peer(134, { authHmac: hmacOf() })];
  const packet = a.say();
  b.wallMs += 6000;
  assert.equal(outcome(b.hear(packet, a)), "authStale");
  b.wallMs -= 3000;
  const late = b.hear(packet, a);
  assert.ok(
    late.kind === "advert" &&
      late.note === "authentication clock skew 3 sec from 192.168.50.133 approaching window 5 sec",
  );
  b.wallMs -= 9000;
  const early = b.hear(a.say(), a);
  assert.ok(
    early.kind === "drop" && early.text === "stale authentication trailer, clock skew -6 sec exceeds window 5 sec",
  );
});

test("without a common clock only the order counts", () => {
  const using = { authHmac: hmacOf({ antiReplay: "monotonic" }) };
  const [a, b] = [new Peer(133, using), new Peer(134, using)];
  const first = a.say();
  a.wallMs += 1000;
  const second = a.say();
  b.wallMs += 86_400_000;
  assert.equal(outcome(b.hear(second, a)), "advert");
  assert.equal(outcome(b.hear(first, a)), "authReplay");
  a.wallMs -= 3_600_000;
  assert.equal(outcome(b.hear(a.say(), a)), "advert", "a clock that was put back does not stop the count");
});

test("a clock that was put back by more than the window starts anew, and is believed when the window has passed", () => {
  const [a, b] = [new Peer(133, { authHmac: hmacOf() }), new Peer(134, { authHmac: hmacOf() })];
  a.wallMs += 4000;
  assert.equal(outcome(b.hear(a.say(), a)), "advert");
  a.wallMs -= 4000;
  assert.equal(outcome(b.hear(a.say(), a)), "advert", "within the window it counts on");
  a.wallMs -= 10_000;
  b.wallMs -= 10_000;
  assert.equal(outcome(b.hear(a.say(), a)), "advert", "beyond it the clock counts, for both");
});

test("four senders of a group are remembered, and unicast ones must be peers", () => {
  const b = new Peer(134, { authHmac: hmacOf() });
  const peers = [10, 11, 12, 13, 14].map((last) => new Peer(last, { authHmac: hmacOf() }));
  const packets = peers.map((peer) => peer.say());
  const hear = (i: number): string => outcome(b.hear(packets[i] as AdvertPacket, peers[i] as Peer));
  for (const i of [0, 1, 2, 3]) assert.equal(hear(i), "advert");
  assert.equal(hear(0), "authReplay");
  assert.equal(hear(4), "advert");
  assert.equal(hear(4), "authReplay");
  assert.equal(hear(1), "authReplay");
  assert.equal(hear(0), "advert", "the one that was silent longest is forgotten");
  const strict = new Peer(134, { ...UNICAST, authHmac: hmacOf() });
  const stranger = new Peer(140, { ...UNICAST, authHmac: hmacOf() });
  assert.equal(
    outcome(strict.hear({ bytes: toPeer(stranger, strict), destination: strict.source }, stranger)),
    "unicastSource",
  );
});

test("the crash guard's goodbye is signed when it is sent", () => {
  for (const changes of [{}, SIX]) {
    const [a, b] = [
      new Peer(133, { authHmac: hmacOf(), ...changes }),
      new Peer(134, { authHmac: hmacOf(), ...changes }),
    ];
    const kept = a.say(0);
    a.wallMs += 60_000;
    b.wallMs += 60_000;
    assert.equal(outcome(b.hear(a.say(), a)), "advert");
    assert.equal(outcome(b.hear(kept, a)), "authStale");
    const renewal = { version: 3, vrid: 33, source: a.source, key: keyOf(1, 11) } as const;
    const verdict = b.hear(renew(kept, renewal, a.wallMs + 20), a);
    assert.ok(verdict.kind === "advert" && verdict.priority === 0);
  }
});

function ahPair(changes: Partial<VrrpInstance> = {}): [Peer, Peer] {
  const password = examplePassword("1111")?.password as Uint8Array;
  const using = { version: 2, authentication: { type: "AH", password }, ...changes } as const;
  return [new Peer(133, using), new Peer(134, using)];
}

test("an advert in an authentication header counts once, and everybody counts together", () => {
  const [a, b] = ahPair();
  const first = a.say();
  assert.equal(outcome(b.hear(first, a)), "advert");
  const again = b.hear(first, a);
  assert.ok(
    again.kind === "drop" &&
      again.reason === "authFailure" &&
      again.text === "IPSEC-AH : sequence number 1 already processed. Packet dropped. Local(1)",
  );
  for (let i = 0; i < 10; i++) a.say();
  const late = a.say();
  assert.equal(outcome(b.hear(late, a)), "advert");
  assert.equal(outcome(a.hear(b.say(), b)), "advert", "the answer is numbered behind what was heard");
});

test("an authentication header with another key, address or length is refused", () => {
  const [a, b] = ahPair();
  const other = new Peer(133, {
    version: 2,
    authentication: { type: "AH", password: new Uint8Array(8).fill(7) },
  });
  const wrong = b.hear(other.say(), other);
  assert.ok(wrong.kind === "drop" && /invalid IPSEC HMAC-MD5 value/.test(wrong.text));
  const bent = a.say();
  bent.bytes[bent.bytes.length - 9] = 9;
  assert.equal(outcome(b.hear(bent, a)), "authFailure");
});

test("the goodbye that is kept for a crash is numbered ahead, and made again before it is old", () => {
  const [a, b] = ahPair();
  const sequence = a.security.guardedAhSequence();
  const kept = advertPackets(a.settings, {
    priority: 0,
    source: a.source,
    ahSequence: sequence,
    trailer: () => new Uint8Array(0),
    nextId: () => 1,
  })[0] as AdvertPacket;
  assert.equal(a.security.isGuardOld, false);
  let last = a.say();
  for (let i = 0; i < 0x8000; i++) a.security.nextAhSequence();
  assert.equal(a.security.isGuardOld, true);
  last = a.say();
  assert.equal(outcome(b.hear(last, a)), "advert");
  assert.equal(outcome(b.hear(kept, a)), "advert");
});
