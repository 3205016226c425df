import assert from "node:assert/strict";
import { test } from "node:test";
import type { Level, Log } from "../base/log.ts";
import type { BfdInstance } from "../conf/keepalived/config.ts";
import { FakeUdpNetwork } from "../io/udp-fake.ts";
import { encodeControl } from "../wire/bfd/control.ts";
import { exampleBfd, ip } from "./example.ts";
import { BfdSessions } from "./sessions.ts";

/** Two hosts, or more, and a clock that runs as far as it is told. */
class Bench {
  atMs = 0;
  #tasks: { atMs: number; run: () => void }[] = [];
  #seed = 1;
  blocked = false;
  hops = 0;
  readonly network: FakeUdpNetwork;
  readonly log: string[] = [];
  readonly events: string[] = [];

  constructor(hops = 0) {
    this.network = new FakeUdpNetwork({
      travel: () => (this.blocked ? [] : [0.2]),
      schedule: (delayMs, run) => this.at(this.atMs + delayMs, run),
      hops,
    });
  }

  at(atMs: number, run: () => void): void {
    this.#tasks.push({ atMs, run });
  }

  run(ms: number): void {
    const end = this.atMs + ms;
    for (;;) {
      const next = this.#tasks.reduce((best, task) => Math.min(best, task.atMs), Number.POSITIVE_INFINITY);
      if (next > end) break;
      const task = this.#tasks.find(({ atMs }) => atMs === next) as { atMs: number; run: () => void };
      this.#tasks.splice(this.#tasks.indexOf(task), 1);
      this.atMs = Math.max(this.atMs, next);
      task.run();
    }
    this.atMs = end;
  }

  node(name: string, addresses: readonly string[], sessions: readonly BfdInstance[]) {
    const udp = this.network.host(name, addresses.map(ip));
    const log: Log = {
      enabled: () => true,
      write: (level: Level, text: string) => this.log.push(`${name} ${level} ${text}`),
    };
    const bfd = new BfdSessions(
      {
        clock: { now: () => this.atMs, wall: () => this.atMs },
        log,
        udp,
        random: () => {
          this.#seed = (this.#seed * 48271) % 0x7fff_ffff;
          return this.#seed / 0x7fff_ffff;
        },
        alarm: (ring) => {
          let armed = Number.POSITIVE_INFINITY;
          return {
            arm: (atMs) => {
              armed = atMs;
              this.at(atMs, () => {
                if (armed !== atMs) return;
                armed = Number.POSITIVE_INFINITY;
                ring();
              });
            },
            disarm: () => {
              armed = Number.POSITIVE_INFINITY;
            },
          };
        },
        event: ({ name: session, isUp, expired, detectionMs }) =>
          this.events.push(`${name} ${session} ${isUp ? "up" : expired ? "expired" : "down"} ${detectionMs}`),
      },
      sessions,
    );
    return { bfd, udp };
  }

  saying(text: string): number {
    return this.log.filter((line) => line.includes(text)).length;
  }
}

const A = "192.168.50.133";
const B = "192.168.50.134";

function pair(bench: Bench, changesA: Partial<BfdInstance> = {}, changesB: Partial<BfdInstance> = {}) {
  const a = bench.node("a", [A, "fd00::1"], [exampleBfd({ neighbor: ip(B), ...changesA })]);
  const b = bench.node("b", [B, "fd00::2"], [exampleBfd({ neighbor: ip(A), ...changesB })]);
  a.bfd.start();
  b.bfd.start();
  return { a, b };
}

test("two nodes find each other in milliseconds, stay up, and notice a silence within the detection time", () => {
  for (const family of [4, 6]) {
    const bench = new Bench();
    const [forA, forB] = family === 4 ? [{}, {}] : [{ neighbor: ip("fd00::2") }, { neighbor: ip("fd00::1") }];
    pair(bench, forA, forB);
    bench.run(5);
    assert.deepEqual(bench.events.map((event) => event.replace(/ \d+$/, "")).sort(), ["a peer up", "b peer up"]);
    bench.run(60_000);
    assert.equal(bench.events.length, 2);
    const before = bench.network.datagrams;
    bench.run(1000);
    const perSecond = (bench.network.datagrams - before) / 2;
    assert.ok(perSecond > 100 && perSecond < 134, `${perSecond} packets a second each`);
    bench.blocked = true;
    bench.run(51);
    assert.deepEqual(bench.events.slice(2).sort(), ["a peer expired 50", "b peer expired 50"]);
    bench.blocked = false;
    bench.run(1000);
    assert.equal(bench.events.length, 6, "and up again");
  }
});

test("a stop is told to the neighbour, for whom it is no failure; a death is one", () => {
  const bench = new Bench();
  const { a, b } = pair(bench);
  bench.run(100);
  a.bfd.stop();
  bench.run(1);
  assert.equal(b.bfd.state("peer")?.state, "down");
  bench.run(10_000);
  assert.equal(bench.events.length, 2);
  const again = bench.node("a", [A], [exampleBfd({ neighbor: ip(B) })]);
  bench.network.unplug(a.udp);
  again.bfd.start();
  bench.run(2000);
  assert.equal(b.bfd.state("peer")?.state, "up");
  bench.network.unplug(again.udp);
  bench.run(60);
  assert.equal(bench.events.at(-1), "b peer expired 50");
});

test("a packet from further away than allowed is not the neighbour's", () => {
  const far = new Bench(1);
  pair(far);
  far.run(5000);
  assert.deepEqual(far.events, []);
  assert.equal(far.saying("a info Packet ttl(254) < 255 - discarding"), 1);
  for (const changes of [{ maxHops: 1 }, { maxHops: 255 }]) {
    const allowed = new Bench(1);
    pair(allowed, changes, changes);
    allowed.run(100);
    assert.equal(allowed.events.length, 2, JSON.stringify(changes));
  }
});

test("sessions over several hops have a port of their own", () => {
  const bench = new Bench();
  pair(bench, { multihop: true }, { multihop: true });
  bench.run(100);
  assert.equal(bench.events.length, 2);
  const mixed = new Bench();
  pair(mixed, { multihop: true });
  mixed.run(5000);
  assert.deepEqual(mixed.events, []);
});

test("what belongs to no session is dropped, and said once in a while", () => {
  const bench = new Bench();
  const { b } = pair(bench);
  bench.run(100);
  const sourcePorts = { min: 50_000, max: 50_000, first: 50_000 };
  const stranger = bench.network.host("c", [ip("192.168.50.135")]);
  const sender = stranger.sender({ destination: ip(A), port: 3784, source: undefined, sourcePorts, hopLimit: 255 });
  const packet = {
    diagnostic: 0,
    state: "down",
    poll: false,
    final: false,
    controlPlaneIndependent: false,
    demand: false,
    multiplier: 3,
    myDiscriminator: 1,
    yourDiscriminator: 0,
    minTxUs: 1000,
    minRxUs: 1000,
    minEchoRxUs: 0,
  } as const;
  for (let i = 0; i < 50; i++) {
    sender.send(encodeControl(packet));
    sender.send(new Uint8Array(10));
    sender.send(encodeControl({ ...packet, yourDiscriminator: 0xdead, state: "up" }));
  }
  bench.run(100);
  assert.equal(bench.saying("Discarding packet from [192.168.50.135]:50000 (session is not found"), 1);
  assert.equal(bench.saying("Discarding bogus packet from [192.168.50.135]:50000"), 1);
  assert.equal(bench.saying("Packet is too small: 10 bytes"), 1);
  const authenticated = encodeControl({ ...packet, yourDiscriminator: b.bfd.state("peer")?.remote.discriminator ?? 0 });
  const longer = new Uint8Array(26);
  longer.set(authenticated);
  longer[1] = (longer[1] as number) | 0x04;
  longer[3] = 26;
  sender.send(longer);
  bench.run(10);
  assert.equal(bench.saying("auth bit is set, but no authentication is in use"), 1);
  assert.equal(bench.events.length, 2);
});

test("two sessions with one neighbour are told apart by our address", () => {
  const bench = new Bench();
  const second = "192.168.50.143";
  const a = bench.node(
    "a",
    [A, second],
    [
      exampleBfd({ name: "one", neighbor: ip(B), source: ip(A) }),
      exampleBfd({ name: "two", neighbor: ip(B), source: ip(second) }),
    ],
  );
  const b = bench.node(
    "b",
    [B],
    [exampleBfd({ name: "one", neighbor: ip(A) }), exampleBfd({ name: "two", neighbor: ip(second) })],
  );
  a.bfd.start();
  b.bfd.start();
  bench.run(100);
  assert.equal(bench.events.length, 4);
});

test("a socket that can't be opened yet is tried again, and its session waits in AdminDown", () => {
  const bench = new Bench();
  const wanted = exampleBfd({ neighbor: ip(B), source: ip("192.168.50.150") });
  const a = bench.node("a", [A], [wanted]);
  a.bfd.start();
  bench.run(5000);
  assert.equal(a.bfd.state("peer")?.state, "adminDown");
  assert.equal(bench.saying("Unable to open output socket, disabling instance"), 1);
  (a.udp.addresses as Uint8Array[]).push(ip("192.168.50.150"));
  bench.run(1100);
  assert.equal(a.bfd.state("peer")?.state, "down");
  const rival = bench.node("c", ["192.168.50.135"], [exampleBfd({ neighbor: ip(B) })]);
  const taken = rival.udp.receive(4, 3784, () => {});
  rival.bfd.start();
  bench.run(3000);
  assert.equal(bench.saying("c error Unable to open listening socket"), 1);
  taken.close();
  bench.run(1100);
  rival.bfd.stop();
});

test("a reload keeps sessions, takes over their intervals after a poll, and ends those that are gone", () => {
  const bench = new Bench();
  const { a, b } = pair(bench);
  bench.run(100);
  const slow = exampleBfd({ neighbor: ip(B), minTxUs: 100_000, minRxUs: 100_000, multiplier: 3 });
  a.bfd.reload([slow]);
  bench.run(100);
  assert.equal(a.bfd.state("peer")?.usedMinTxUs, 100_000);
  assert.equal(bench.events.length, 2);
  a.bfd.reload([{ ...slow, ttl: 254 }]);
  bench.run(1000);
  const told = bench.events.slice(2).map((event) => event.replace(/ \d+$/, ""));
  assert.deepEqual(told.sort(), ["a peer down", "b peer expired"], "a hop too many");
  a.bfd.reload([slow]);
  bench.run(2000);
  assert.equal(b.bfd.state("peer")?.state, "up");
  const events = bench.events.length;
  a.bfd.reload([exampleBfd({ neighbor: ip("192.168.50.140") })]);
  bench.run(2000);
  assert.deepEqual(bench.events.slice(events), ["a peer down 0"]);
  assert.equal(b.bfd.state("peer")?.state, "down");
  a.bfd.reload([]);
  bench.run(2000);
  assert.deepEqual(a.bfd.report(bench.atMs, bench.atMs), []);
});

test("a suspended process hears what has waited before it judges", () => {
  const bench = new Bench();
  const { a } = pair(bench);
  bench.run(100);
  a.udp.isPaused = true;
  bench.run(45);
  a.udp.isPaused = false;
  bench.run(45);
  assert.equal(bench.events.length, 2);
  assert.equal(a.bfd.state("peer")?.state, "up");
});

test("the report says everything that a dump needs", () => {
  const bench = new Bench();
  const { a } = pair(bench);
  bench.run(1000);
  const [report] = a.bfd.report(bench.atMs, 5_000_000);
  assert.ok(report !== undefined && (report.lastSeenMs ?? 0) > 4_999_900);
  const { lastSeenMs: _, localDiscriminator, remoteDiscriminator, sent, received, ...rest } = report;
  assert.ok(localDiscriminator !== remoteDiscriminator && sent > 90 && received > 90);
  assert.deepEqual(rest, {
    name: "peer",
    state: "Up",
    remoteState: "Up",
    localDiagnostic: "No Diagnostic",
    remoteDiagnostic: "No Diagnostic",
    remoteMinTxUs: 10_000,
    remoteMinRxUs: 10_000,
    remoteDemand: false,
    remoteMultiplier: 5,
    isPolling: false,
    localTxUs: 10_000,
    remoteTxUs: 10_000,
    localDetectionUs: 50_000,
    remoteDetectionUs: 50_000,
    hasSendError: false,
    changes: 1,
  });
});
