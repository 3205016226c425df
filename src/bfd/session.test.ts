import assert from "node:assert/strict";
import { test } from "node:test";
import type { ControlPacket } from "../wire/bfd/control.ts";
import { exampleBfd } from "./example.ts";
import { step } from "./session.ts";
import {
  detectionUs,
  initialSession,
  type SessionInput,
  type SessionSettings,
  type SessionState,
  transmitUs,
} from "./state.ts";

/** One session with a clock that stands still between inputs. */
class Bench {
  settings: SessionSettings;
  state: SessionState;
  atMs = 0;
  random = 0;
  sent: Omit<ControlPacket, "authenticated">[] = [];
  events: string[] = [];
  log: string[] = [];

  constructor(changes: Partial<SessionSettings> = {}) {
    this.settings = exampleBfd(changes);
    this.state = initialSession(this.settings, 7);
  }

  feed(input: SessionInput): void {
    const { state, effects } = step(this.settings, this.state, input);
    this.state = state;
    for (const effect of effects)
      if (effect.kind === "send") this.sent.push(effect.packet);
      else if (effect.kind === "event")
        this.events.push(`${effect.isUp ? "up" : "down"}${effect.expired ? " expired" : ""}`);
      else this.log.push(`${effect.level} ${effect.text}`);
  }

  do(kind: "start" | "reload" | "stop"): this {
    this.feed({ kind, atMs: this.atMs, random: this.random });
    return this;
  }

  hear(changes: Partial<ControlPacket>): this {
    const packet: ControlPacket = {
      diagnostic: 0,
      state: "down",
      poll: false,
      final: false,
      controlPlaneIndependent: false,
      authenticated: false,
      demand: false,
      multiplier: 3,
      myDiscriminator: 99,
      yourDiscriminator: 7,
      minTxUs: 20_000,
      minRxUs: 20_000,
      minEchoRxUs: 0,
      ...changes,
    };
    this.feed({ kind: "packet", atMs: this.atMs, random: this.random, packet });
    return this;
  }

  /** Lets time pass; the alarm rings whenever it is due. */
  pass(ms: number): this {
    const end = this.atMs + ms;
    for (;;) {
      const { sendAtMs = Number.POSITIVE_INFINITY, expiresAtMs = Number.POSITIVE_INFINITY } = this.state;
      const next = Math.min(sendAtMs, expiresAtMs);
      if (next > end) break;
      this.atMs = Math.max(this.atMs, next);
      this.feed({ kind: "alarm", atMs: this.atMs, random: this.random });
    }
    this.atMs = end;
    return this;
  }

  take(): Omit<ControlPacket, "authenticated">[] {
    return this.sent.splice(0);
  }
}

/** Up with a neighbour that sends every 20 ms, multiplier 3, and has answered the poll. */
function up(changes: Partial<SessionSettings> = {}): Bench {
  const bench = new Bench(changes).do("start").hear({}).hear({ state: "init" }).hear({ state: "up", final: true });
  bench.take();
  bench.events = [];
  bench.log = [];
  return bench;
}

test("the states follow RFC 5880 §6.2", () => {
  const from = { down: [] as const, init: [{}] as const, up: [{}, { state: "init" }] as const };
  const table = {
    down: { adminDown: "down", down: "init", init: "up", up: "down" },
    init: { adminDown: "down", down: "init", init: "up", up: "up" },
    up: { adminDown: "down", down: "down", init: "up", up: "up" },
  } as const;
  for (const own of ["down", "init", "up"] as const)
    for (const remote of ["adminDown", "down", "init", "up"] as const) {
      const bench = new Bench().do("start");
      for (const packet of from[own]) bench.hear(packet as Partial<ControlPacket>);
      assert.equal(bench.state.state, own);
      assert.equal(bench.hear({ state: remote }).state.state, table[own][remote], `${own}, neighbour ${remote}`);
    }
});

test("a session begins with a packet, and one second, less up to a quarter, to the next", () => {
  const bench = new Bench().do("start");
  assert.deepEqual(bench.take(), [
    {
      diagnostic: 0,
      state: "down",
      poll: false,
      final: false,
      controlPlaneIndependent: false,
      demand: false,
      multiplier: 5,
      myDiscriminator: 7,
      yourDiscriminator: 0,
      minTxUs: 1_000_000,
      minRxUs: 10_000,
      minEchoRxUs: 0,
    },
  ]);
  assert.equal(bench.state.sendAtMs, 1000);
  bench.random = 0.999999;
  assert.ok(Math.abs((bench.pass(1000).state.sendAtMs as number) - 1750) < 0.01);
  for (const [random, sendAtMs] of [
    [0, 900],
    [0.999999, 750],
  ] as const) {
    const single = new Bench({ multiplier: 1 });
    single.random = random;
    assert.ok(Math.abs((single.do("start").state.sendAtMs as number) - sendAtMs) < 0.01);
  }
});

test("every change of state is said at once: two sessions are up after one round trip", () => {
  const bench = new Bench().do("start");
  bench.take();
  bench.hear({});
  assert.deepEqual(
    bench.take().map(({ state, yourDiscriminator }) => [state, yourDiscriminator]),
    [["init", 99]],
  );
  bench.hear({ state: "up" });
  assert.deepEqual(
    bench.take().map(({ state, poll, minTxUs }) => [state, poll, minTxUs]),
    [["up", true, 10_000]],
  );
  assert.deepEqual(bench.events, ["up"]);
  bench.hear({ state: "up" });
  assert.deepEqual(bench.take(), []);
});

test("intervals are the slower of both sides' wishes, and the detection time is the neighbour's multiple of its own", () => {
  const bench = up();
  assert.equal(transmitUs(bench.state), 20_000);
  assert.equal(detectionUs(bench.state), 60_000);
  bench.hear({ state: "up", minRxUs: 5000, minTxUs: 2000, multiplier: 10 });
  assert.equal(transmitUs(bench.state), 10_000);
  assert.equal(detectionUs(bench.state), 100_000);
});

test("a neighbour that is silent for the detection time is gone, and the session says so once", () => {
  const bench = up();
  bench.pass(59.9);
  assert.equal(bench.state.state, "up");
  bench.take();
  bench.pass(0.1);
  assert.equal(bench.state.state, "down");
  assert.deepEqual(bench.events, ["down expired"]);
  assert.deepEqual(bench.log, [
    "warn (peer) Expired after 60 ms (0 usec overdue)",
    "warn (peer) Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)",
  ]);
  const [first] = bench.take();
  assert.deepEqual([first?.state, first?.diagnostic, first?.yourDiscriminator], ["down", 1, 0]);
  assert.equal(bench.state.desiredMinTxUs, 1_000_000);
  bench.pass(2500);
  assert.equal(bench.take().length, 2, "one packet a second from then on");
  assert.equal(bench.log.length, 2);
});

test("a neighbour that goes down because it does not hear us is not silent", () => {
  const bench = up().hear({ state: "down", diagnostic: 1 });
  assert.deepEqual(bench.events, ["down"]);
  assert.match(
    bench.log[0] as string,
    /Neighbor Signaled Session Down, Remote diagnostic - Control Detection Time Expired/,
  );
  assert.equal(bench.take()[0]?.diagnostic, 3);
  bench.pass(60);
  assert.equal(bench.state.remote.discriminator, 0, "who speaks after that is somebody new");
});

test("a neighbour that is administratively down has not failed", () => {
  const bench = up().hear({ state: "adminDown", diagnostic: 7 });
  assert.equal(bench.state.state, "down");
  assert.deepEqual(bench.events, []);
});

test("a poll is answered at once with a final, also while a poll of ours is going on", () => {
  const bench = up().hear({ state: "up", poll: true });
  assert.deepEqual(
    bench.take().map(({ poll, final }) => [poll, final]),
    [[false, true]],
  );
  bench.settings = { ...bench.settings, minTxUs: 50_000 };
  bench.do("reload").hear({ state: "up", poll: true });
  assert.deepEqual(
    bench.take().map(({ poll, final, minTxUs }) => [poll, final, minTxUs]),
    [[false, true, 50_000]],
  );
  assert.ok(bench.state.isPolling);
});

test("slower intervals wait for the final, quicker ones do not (RFC 5880 §6.8.3)", () => {
  const bench = up();
  bench.settings = { ...bench.settings, minTxUs: 300_000, minRxUs: 1000 };
  bench.do("reload").pass(19);
  assert.equal(transmitUs(bench.state), 20_000);
  assert.equal(detectionUs(bench.state), 60_000);
  bench.hear({ state: "up", minTxUs: 1000 });
  assert.equal(detectionUs(bench.state), 30_000, "the old 10 ms count until the neighbour knows the new ones");
  bench.hear({ state: "up", minTxUs: 1000, final: true });
  assert.equal(transmitUs(bench.state), 300_000);
  assert.equal(detectionUs(bench.state), 3000);
  bench.settings = { ...bench.settings, minTxUs: 30_000 };
  bench.do("reload");
  assert.equal(transmitUs(bench.state), 30_000, "sooner is no harm");
  assert.ok((bench.state.sendAtMs as number) <= bench.atMs + 30);
});

test("a passive session is silent until it is spoken to", () => {
  const bench = new Bench({ passive: true }).do("start").pass(10_000);
  assert.deepEqual(bench.take(), []);
  bench.hear({});
  assert.equal(bench.take()[0]?.state, "init");
  bench.pass(60_000);
  assert.equal(bench.state.state, "down");
  bench.take();
  bench.pass(60_000);
  assert.deepEqual(bench.take(), []);
});

test("a neighbour may forbid periodic packets, by its interval or by demand", () => {
  for (const wish of [{ minRxUs: 0 }, { demand: true }]) {
    const bench = up();
    for (let i = 0; i < 10; i++) bench.hear({ state: "up", ...wish }).pass(20);
    assert.deepEqual(bench.take(), [], JSON.stringify(wish));
    bench.hear({ state: "up", poll: true, ...wish });
    assert.equal(bench.take().length, 1, "but its polls are answered");
    bench.hear({ state: "up" }).pass(21);
    assert.ok(bench.take().length > 0);
  }
});

test("a stop says goodbye to a neighbour that is known, and hears nothing afterwards", () => {
  const bench = up().do("stop");
  assert.deepEqual(
    bench.take().map(({ state, diagnostic }) => [state, diagnostic]),
    [["adminDown", 7]],
  );
  assert.equal(bench.hear({ state: "init" }).pass(10_000).state.state, "adminDown");
  assert.deepEqual([bench.take(), bench.events], [[], []]);
  const lonely = new Bench().do("start");
  lonely.take();
  lonely.do("stop");
  assert.deepEqual(lonely.take(), []);
});

test("what the two sides have agreed upon is in the log, as keepalived prints it", () => {
  const bench = new Bench().do("start").hear({});
  assert.deepEqual(bench.log, [
    "info (peer) ---------------< Session parameters >--------------",
    "info                 min_tx  min_rx  tx_intv  mult  detect_time",
    "info        local   1000000   10000  1000000     5        60000",
    "info        remote    20000   20000    20000     3      5000000",
    "notice        Detection time is 60000 us (was 0 us)",
  ]);
});
