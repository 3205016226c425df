import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { FakeRouting } from "../io/routing-fake.ts";
import { FakeSwitch } from "../io/segment-fake.ts";
import { decodeRecord, type FlightEntry } from "../wire/flight/entry.ts";
import { readFlight } from "../wire/flight/record.ts";
import { readRing, ringMemoryBytes } from "../wire/flight/ring.ts";
import { alone, exampleInstance, exampleNode, ip } from "./example.ts";
import { FlightRecorder } from "./flight-recorder.ts";
import { VrrpNode } from "./node.ts";

function recorder() {
  const memory = {
    adverts: new Uint8Array(ringMemoryBytes(1 << 16)),
    events: new Uint8Array(ringMemoryBytes(1 << 16)),
  };
  const clock = { nowMs: 0, now: () => clock.nowMs, wall: () => 1_700_000_000_000 + clock.nowMs };
  const entries = (): FlightEntry[] => [
    ...readFlight([...readRing(memory.events), ...readRing(memory.adverts)], clock.nowMs, clock.nowMs).entries,
  ];
  return { memory, clock, entries, recorder: new FlightRecorder(memory, clock) };
}

test("a node's life is written down: adverts of both directions, roles with reasons, changes of the configuration, log lines", () => {
  const { clock, entries, recorder: flight, memory } = recorder();
  const tasks: { readonly atMs: number; readonly run: () => void }[] = [];
  const at = (atMs: number, run: () => void): void => void tasks.push({ atMs, run });
  const fabric = new FakeSwitch({ travel: () => [0.1], schedule: (delayMs, run) => at(clock.nowMs + delayMs, run) });
  const routing = new FakeRouting([{ name: "eth0", mac: Uint8Array.of(2, 0, 0, 0, 0, 1) }]);
  routing.addAddress({ linkIndex: 1, ip: ip("192.168.50.133"), prefixLength: 24 });
  const config = exampleNode({ instances: [exampleInstance({ priority: 100 })] });
  const node = new VrrpNode(
    {
      ...alone(),
      clock,
      log: flight.log(silentLog),
      routing,
      segments: flight.segments(fabric.port("A")),
      alarm: (ring) =>
        flight.alarm(
          (fire) => ({ arm: (atMs) => at(atMs + 20, fire), disarm: () => {} }), // every timer is 20 ms late
          ring,
        ),
      guard: () => {},
      notify: () => {},
      changed: () => {},
      record: (event) => flight.record(event),
    },
    config,
  );
  flight.watch(routing);
  node.start();
  const runUntil = (untilMs: number): void => {
    for (;;) {
      tasks.sort((a, b) => a.atMs - b.atMs);
      const [next] = tasks;
      if (next === undefined || next.atMs > untilMs) break;
      tasks.shift();
      clock.nowMs = next.atMs;
      next.run();
    }
    clock.nowMs = untilMs;
  };
  runUntil(6000);
  const [sent] = readRing(memory.adverts);
  const advert = sent === undefined ? undefined : decodeRecord(sent);
  assert.ok(advert !== undefined && "packet" in advert);
  fabric.port("B").inject(advert.packet, ip("224.0.0.18"));
  runUntil(6100);
  routing.setCarrier(1, false);
  routing.deliver();
  node.reload(exampleNode({ instances: [exampleInstance({ priority: 90 })] }));
  const told = entries();
  const of = <K extends FlightEntry["kind"]>(kind: K) =>
    told.filter((entry): entry is Extract<FlightEntry, { kind: K }> => entry.kind === kind);
  assert.deepEqual(
    of("role").map(({ instance, from, to, reason, priority }) => [instance, from, to, reason, priority]),
    [
      ["VI_1", "INIT", "BACKUP", "start", 100],
      ["VI_1", "BACKUP", "MASTER", "no advert heard", 100],
      ["VI_1", "MASTER", "FAULT", "interface eth0 is down", 100],
    ],
  );
  assert.deepEqual(
    of("adverts").map(({ direction, priority, source }) => [direction, priority, source]),
    [
      ["sent", 100, "192.168.50.133"],
      ["heard", 100, "192.168.50.133"],
      ["sent", 0, "192.168.50.133"],
    ],
  );
  assert.match(JSON.stringify(of("network")), /address 192\.168\.50\.130\/\d+ on eth0 is there/);
  assert.match(JSON.stringify(of("network")), /eth0 is up, without carrier/);
  assert.deepEqual(
    of("config").map(({ text }) => text),
    ["instances VI_1 priority: 100 → 90"],
  );
  assert.match(JSON.stringify(of("log")), /Entering MASTER STATE/);
  const [late, ...more] = of("late");
  assert.equal(late?.lateMs, 20);
  assert.ok(more.length <= 6, "one note a second");
});

test("a check is written down when its result is another one", () => {
  const { entries, recorder: flight } = recorder();
  for (const text of ["succeeded", "succeeded", "failed", "failed", "succeeded"]) flight.check("script chk", text);
  flight.forgetChecks();
  flight.check("script chk", "succeeded");
  assert.deepEqual(
    entries().map((entry) => entry.kind === "check" && entry.text),
    ["succeeded", "failed", "succeeded", "succeeded"],
  );
});

test("an IPv6 advert is kept with the header that the kernel has kept for itself", () => {
  const { memory, clock, recorder: flight } = recorder();
  const fabric = new FakeSwitch({ travel: () => [0], schedule: (_, run) => run() });
  const settings = {
    link: { index: 1, name: "eth0" },
    family: 6 as const,
    group: ip("ff02::12"),
    hopLimit: 255,
    receiveBufferBytes: undefined,
  };
  flight.segments(fabric.port("A")).openAdverts({ ...settings, source: ip("fe80::1") }, () => {});
  const b = fabric.port("B").openAdverts({ ...settings, source: ip("fe80::2") }, () => {});
  b.send(Uint8Array.of(0x31, 33, 100, 0, 0, 100, 0, 0), ip("ff02::12"));
  const [run] = readFlight(readRing(memory.adverts), clock.nowMs, 0).entries;
  assert.ok(run?.kind === "adverts");
  assert.deepEqual([run.source, run.vrid, run.family, run.priority], ["fe80::2", 33, 6, 100]);
});
