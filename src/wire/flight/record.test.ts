import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeIpv4 } from "../ipv4.ts";
import { AUTH_NONE, encodeAdvert, VRRP_GROUP_4, VRRP_PROTOCOL } from "../vrrp/advert.ts";
import type { RecordedAdvert } from "./entry.ts";
import { advertRuns, type FlightRecord, printFlightRecord, readFlightRecord } from "./record.ts";

const SOURCE = Uint8Array.of(192, 168, 50, 133);

function advert(atMs: number, priority = 100, direction: "sent" | "heard" = "heard"): RecordedAdvert {
  const message = encodeAdvert(
    {
      version: 2,
      vrid: 33,
      priority,
      intervalCs: 100,
      authType: AUTH_NONE,
      password: new Uint8Array(8),
      addresses: [Uint8Array.of(192, 168, 50, 130)],
    },
    undefined,
  );
  const fields = { source: SOURCE, destination: VRRP_GROUP_4, protocol: VRRP_PROTOCOL, ttl: 255, tos: 0, id: 1 };
  return { atMs, direction, interface: "eth0", packet: encodeIpv4(fields, message) };
}

test("adverts on schedule are one run, with their longest gap", () => {
  const [run, ...others] = advertRuns([0, 1000, 2010, 3000].map((atMs) => advert(atMs)));
  assert.deepEqual(others, []);
  assert.deepEqual(run, {
    atMs: 0,
    kind: "adverts",
    direction: "heard",
    interface: "eth0",
    source: "192.168.50.133",
    vrid: 33,
    family: 4,
    priority: 100,
    count: 4,
    untilMs: 3000,
    longestGapMs: 1010,
  });
});

test("a gap, another priority and the other direction begin runs of their own", () => {
  const runs = advertRuns([
    advert(0),
    advert(1000),
    advert(4000),
    advert(5000, 80),
    advert(5000, 80, "sent"),
    advert(5100, 0),
  ]);
  assert.deepEqual(
    runs.map(({ atMs, count, priority, direction }) => [atMs, count, priority, direction]),
    [
      [0, 2, 100, "heard"],
      [4000, 1, 100, "heard"],
      [5000, 1, 80, "heard"],
      [5000, 1, 80, "sent"],
      [5100, 1, 0, "heard"],
    ],
  );
});

test("a record that is too long loses its oldest entries", () => {
  const record: FlightRecord = {
    version: "1",
    node: "a",
    savedMs: 0,
    why: "test",
    routers: [{ name: "VI_1", vrid: 33, family: 4, interface: "eth0" }],
    entries: Array.from({ length: 100 }, (_, atMs) => ({ kind: "network" as const, atMs, text: `entry ${atMs} ü` })),
  };
  assert.deepEqual(readFlightRecord(printFlightRecord(record, 1 << 20)), record);
  const text = printFlightRecord(record, 2000);
  assert.ok(Buffer.byteLength(text) <= 2000 && Buffer.byteLength(text) > 1900);
  const read = readFlightRecord(text);
  assert.ok(typeof read === "object");
  assert.deepEqual(read.entries.at(-1), record.entries.at(-1));
  assert.ok(read.entries.length < 100);
});
