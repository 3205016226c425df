/** Whom each algorithm chooses. Sequences marked "nginx" are what nginx 1.31.5 answered for the same upstream and keys. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, fromLatin1 } from "../base/bytes.ts";
import { parseIp } from "../base/ip.ts";
import { ConsistentHash, Hash } from "./hash.ts";
import { IpHash } from "./ip_hash.ts";
import { LeastConn } from "./least_conn.ts";
import { LeastTime } from "./least_time.ts";
import { type Group, localGroup, PEER_DEFAULTS, type PeerSettings } from "./peers.ts";
import { Pick } from "./pick.ts";
import { Random, RandomTwo } from "./random.ts";
import { type Balancer, FAILURE, RoundRobin, SUCCESS } from "./round_robin.ts";

const NO_KEY = new Uint8Array(0);

/** A peer at 127.0.0.1:1863`digit`, known by that digit below. */
function peer(digit: number, settings: Partial<PeerSettings> = {}): PeerSettings {
  const name = `127.0.0.1:1863${digit}`;
  return { ...PEER_DEFAULTS, name, server: name, ...settings };
}

/** One request: the digits of the peers it was given, failing with those in `dead` until one serves or tries run out. */
function request(balancer: Balancer, dead = "", nowMs = 1000, key: Bytes = NO_KEY): string {
  const pick = new Pick(balancer.group);
  balancer.begin(pick, key);
  let way = "";
  while (pick.tries > 0 && balancer.next(pick, nowMs)) {
    const digit = pick.name.slice(-1);
    way += digit;
    const failed = dead.includes(digit);
    balancer.finish(pick, failed ? FAILURE : SUCCESS, 5, 5, nowMs);
    if (!failed) break;
  }
  return way;
}

function requests(count: number, one: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => one(i)).join(" ");
}

/** Begins a request and leaves it with its peer. */
function hold(balancer: Balancer, nowMs = 1000): { pick: Pick; digit: string } {
  const pick = new Pick(balancer.group);
  balancer.begin(pick, NO_KEY);
  return { pick, digit: balancer.next(pick, nowMs) ? pick.name.slice(-1) : "-" };
}

test("weights 5, 1, 1 are interleaved smoothly (nginx)", () => {
  const balancer = new RoundRobin(localGroup("u", [peer(1, { weight: 5 }), peer(2), peer(3)]));
  assert.equal(
    requests(14, () => request(balancer)),
    "1 1 2 1 3 1 1 1 1 2 1 3 1 1",
  );
});

test("a peer that fails twice is left out, and the others keep their shares (nginx)", () => {
  const group = localGroup("u", [
    peer(1, { weight: 3 }),
    peer(5, { weight: 4, maxFails: 2, failTimeoutS: 100 }),
    peer(3, { weight: 2 }),
  ]);
  const balancer = new RoundRobin(group);
  assert.equal(
    requests(40, () => request(balancer, "5")),
    "51 3 1 51 3 1 3 1 1 3 1 3 1 1 3 1 3 1 1 3 1 3 1 1 3 1 3 1 1 3 1 3 1 1 3 1 3 1 1 3",
  );
});

test("ip_hash goes by the network of the client (nginx)", () => {
  const group = localGroup("u", [peer(1), peer(2, { weight: 2 }), peer(3), peer(4, { down: true })]);
  const balancer = new IpHash(group);
  const clients = [
    "192.0.2.1 192.0.2.77 10.0.0.1 10.1.2.3 172.16.254.9 203.0.113.200 8.8.8.8 100.64.3.2",
    "2001:db8::1 2001:db8::2 fe80::1234 2a00:1450:4001:81b::200e",
  ]
    .join(" ")
    .split(" ")
    .map((text) => parseIp(text) as Uint8Array);
  assert.equal(clients.map((client) => request(balancer, "", 1000, client)).join(" "), "1 1 1 1 1 2 3 2 1 2 2 2");
});

test("ip_hash without an address goes by 0.0.0", () => {
  const balancer = new IpHash(localGroup("u", [peer(1), peer(2), peer(3)]));
  const zero = request(balancer, "", 1000, Uint8Array.of(0, 0, 0, 9));
  assert.equal(request(balancer, "", 1000, NO_KEY), zero);
});

const key = (i: number): Uint8Array => fromLatin1(`key${i}`);
const FOUR = [peer(1), peer(2, { weight: 2 }), peer(3)];

test("hash goes by the CRC-32 of the key (nginx)", () => {
  const balancer = new Hash(localGroup("u", [...FOUR, peer(4, { down: true })]));
  assert.equal(
    requests(40, (i) => request(balancer, "", 1000, key(i))),
    "2 2 3 3 2 2 2 2 3 3 2 2 2 1 1 2 3 3 3 2 1 2 2 2 2 2 3 1 3 2 1 3 2 1 2 1 3 2 3 2",
  );
});

test("hash looks further with the number of the round when a peer fails (nginx)", () => {
  const balancer = new Hash(localGroup("u", [...FOUR, peer(5, { maxFails: 0 })]));
  assert.equal(
    requests(40, (i) => request(balancer, "5", 1000, key(i))),
    "2 2 3 3 2 2 2 2 3 53 2 52 52 1 1 2 3 53 3 2 51 52 2 52 2 2 3 1 53 2 1 3 2 1 2 1 53 2 3 2",
  );
});

test("a consistent hash goes by ketama's circle (nginx)", () => {
  const balancer = new ConsistentHash(localGroup("u", [...FOUR, peer(4, { down: true })]));
  assert.equal(
    requests(40, (i) => request(balancer, "", 1000, key(i))),
    "2 2 2 2 3 3 3 1 1 1 2 1 2 2 1 3 2 2 3 2 2 2 2 3 2 2 2 3 2 3 2 2 2 2 2 1 2 2 2 2",
  );
});

test("a consistent hash goes on along the circle when a peer fails (nginx)", () => {
  const balancer = new ConsistentHash(localGroup("u", [...FOUR, peer(5, { maxFails: 0 })]));
  assert.equal(
    requests(40, (i) => request(balancer, "5", 1000, key(i))),
    "2 52 2 2 3 3 53 1 1 1 2 1 2 2 1 3 52 2 3 2 2 2 52 3 2 2 2 3 52 3 2 2 2 2 2 1 2 2 2 2",
  );
});

test("an empty key leaves it to round robin", () => {
  for (const balancer of [new Hash(localGroup("u", FOUR)), new ConsistentHash(localGroup("u", FOUR))]) {
    assert.equal(
      requests(4, () => request(balancer)),
      "2 1 3 2",
    );
  }
});

test("addresses of one server share its points by round robin", () => {
  const twins = [peer(1, { server: "web:80" }), peer(2, { server: "web:80" }), peer(3, { server: "other:80" })];
  const balancer = new ConsistentHash(localGroup("u", twins));
  const seen = requests(40, (i) => request(balancer, "", 1000, key(i)))
    .split(" ")
    .filter((digit) => digit !== "3");
  assert.equal(Math.abs(seen.filter((digit) => digit === "1").length - seen.length / 2) <= 1, true);
  assert.equal(seen.length > 0, true);
});

test("least_conn takes the one with the fewest for its weight, and takes turns among equals", () => {
  const balancer = new LeastConn(localGroup("u", [peer(1), peer(2, { weight: 2 }), peer(3)]));
  const held = Array.from({ length: 8 }, () => hold(balancer));
  assert.deepEqual(
    held
      .map(({ digit }) => digit)
      .sort()
      .join(""),
    "11222233",
  );
  const third = held.find(({ digit }) => digit === "3") as { pick: Pick };
  balancer.finish(third.pick, SUCCESS, 1, 1, 1000);
  assert.equal(hold(balancer).digit, "3");
});

test("least_time asks the faster one, and the slower one again when it has been left alone", () => {
  const group = localGroup("u", [peer(1), peer(2)]);
  const balancer = new LeastTime(group, "last_byte", false);
  const serve = (nowMs: number): string => {
    const { pick, digit } = hold(balancer, nowMs);
    balancer.finish(pick, SUCCESS, 5, digit === "1" ? 900 : 30, nowMs);
    return digit;
  };
  assert.deepEqual(new Set([serve(1_000_000), serve(1_000_100)]), new Set(["1", "2"]));
  assert.equal(
    requests(5, () => serve(1_000_200)),
    "2 2 2 2 2",
  );
  let late = 1_000_200;
  while (serve(late) === "2" && late < 1_200_000) late += 1000;
  assert.equal(late > 1_020_000 && late < 1_100_000, true, `asked again after ${late - 1_000_200} ms`);
});

test("with inflight, a peer that keeps its requests waiting is left out", () => {
  const balancer = new LeastTime(localGroup("u", [peer(1), peer(2)]), "header", true);
  const waiting = hold(balancer, 1000);
  const others = waiting.digit === "1" ? "2" : "1";
  for (let nowMs = 2000; nowMs < 2100; nowMs += 10) {
    const { pick, digit } = hold(balancer, nowMs);
    assert.equal(digit, others);
    balancer.gotHeader(pick, 4, nowMs + 4);
    balancer.finish(pick, SUCCESS, 4, 5, nowMs + 5);
  }
  balancer.finish(waiting.pick, FAILURE, -1, 2000, 3000);
});

test("random draws by weight, two draws take the one with fewer connections", () => {
  const draws = [0, 4, 5, 6, 2];
  const fixed = (): number => draws.shift() as number;
  const balancer = new Random(localGroup("u", [peer(1, { weight: 5 }), peer(2), peer(3)]), fixed);
  assert.equal(
    requests(5, () => request(balancer)),
    "1 1 2 3 1",
  );
  const twice = [0, 1, 0, 1, 1, 1, 2];
  const two = new RandomTwo(localGroup("u", [peer(1), peer(2), peer(3)]), () => twice.shift() as number, undefined);
  assert.equal(hold(two).digit, "2");
  assert.equal(hold(two).digit, "1", "2 has one already");
  assert.equal(hold(two).digit, "3", "the same peer drawn twice is drawn again");
});

test("random two least_time takes the faster one", () => {
  const draws = Array.from({ length: 20 }, (_, i) => i % 2);
  const two = new RandomTwo(localGroup("u", [peer(1), peer(2)]), () => draws.shift() as number, "header");
  const first = hold(two);
  two.finish(first.pick, SUCCESS, 700, 700, 1000);
  const second = hold(two);
  assert.notEqual(second.digit, first.digit);
  two.finish(second.pick, SUCCESS, 50, 50, 1000);
  assert.equal(hold(two).digit, second.digit);
});

test("backup peers serve when every primary one is tried, and tries count both", () => {
  const group: Group = localGroup("u", [peer(1), peer(2)], [peer(3), peer(4)]);
  const balancer = new RoundRobin(group);
  assert.equal(request(balancer), "1");
  assert.equal(request(balancer, "1234"), "2134");
  assert.equal(request(balancer, "", 5000), "-".repeat(0), "all are out of rotation for ten seconds");
  assert.equal(request(balancer, "", 20_000).length, 1);
});

test("a single peer is asked however often it failed, but not when it is down or full", () => {
  const balancer = new RoundRobin(localGroup("u", [peer(1, { maxConns: 1 })]));
  for (let i = 0; i < 5; i++) assert.equal(request(balancer, "1"), "1");
  assert.equal(hold(balancer).digit, "1");
  assert.equal(hold(balancer).digit, "-");
  assert.equal(hold(new RoundRobin(localGroup("u", [peer(1, { down: true })]))).digit, "-");
});

test("more than 32 peers are all tried", () => {
  const many = Array.from({ length: 70 }, (_, i) => peer(i % 10, { name: `n${i}` }));
  const balancer = new RoundRobin(localGroup("u", many));
  const pick = new Pick(balancer.group);
  balancer.begin(pick, NO_KEY);
  const seen = new Set<string>();
  while (balancer.next(pick, 1000)) {
    seen.add(pick.name);
    balancer.finish(pick, FAILURE, -1, 1, 1000);
  }
  assert.equal(seen.size, 70);
  assert.equal(pick.tries, 0);
});
