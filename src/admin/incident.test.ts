import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlightEntry } from "../wire/flight/entry.ts";
import type { StorySource } from "./flight-story.ts";
import { findIncident, printIncident } from "./incident.ts";

const T = 1_700_000_000_000;
const role = (atMs: number, from: string, to: string): FlightEntry => ({
  kind: "role",
  atMs: T + atMs,
  instance: "VI_1",
  from,
  to,
  reason: "",
  priority: 1,
});
const source = (node: string, entries: readonly FlightEntry[], offsetMs = 0): StorySource => ({
  record: {
    version: "1",
    node,
    savedMs: T + 100_000,
    why: "",
    routers: [{ name: "VI_1", vrid: 33, family: 4, interface: "eth0" }],
    entries,
  },
  offsetMs,
});

test("two owners are found, with the winner and the clients of the loser, in one time", () => {
  const cut = {
    kind: "network",
    atMs: T + 35_100,
    text: "3 connections to the addresses of VI_1 are cut off, of 10.0.0.1",
  } as const;
  const a = source("a", [role(0, "BACKUP", "MASTER")]);
  const b = source("b", [role(15_000, "BACKUP", "MASTER"), role(35_000, "MASTER", "BACKUP"), cut], 5000);
  const incident = findIncident([a, b], "VI_1") ?? assert.fail();
  assert.deepEqual(incident, {
    instance: "VI_1",
    fromMs: T + 10_000,
    untilMs: T + 30_000,
    isAtLeast: false,
    winner: "a",
    losers: ["b"],
    clients: [cut.text],
  });
  assert.match(
    printIncident(incident),
    /^VI_1 had two owners for 20\.0 s, from .*: b and a; a has it now; 3 connections/,
  );
});

test("hand-overs are no incidents, and who was active before the record begins was so for at least that long", () => {
  const a = source("a", [role(0, "BACKUP", "MASTER"), role(9000, "MASTER", "BACKUP")]);
  assert.equal(findIncident([a, source("b", [role(8990, "BACKUP", "MASTER")])], "VI_1"), undefined);
  assert.equal(findIncident([a], "VI_1"), undefined);
  const older = source("b", [{ kind: "network", atMs: T + 1000, text: "" }, role(5000, "MASTER", "BACKUP")]);
  const incident = findIncident([a, older], "VI_1");
  assert.deepEqual([incident?.isAtLeast, (incident?.fromMs ?? 0) - T], [true, 1000]);
});
