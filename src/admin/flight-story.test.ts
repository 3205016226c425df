import assert from "node:assert/strict";
import { test } from "node:test";
import type { AdvertRun, FlightEntry } from "../wire/flight/entry.ts";
import type { FlightRecord } from "../wire/flight/record.ts";
import { printClock, printStory, tellStories } from "./flight-story.ts";

const T = 1_700_000_000_000;
const router = { name: "VI_1", vrid: 33, family: 4 as const, interface: "eth0" };

function record(node: string, entries: readonly FlightEntry[], changes: Partial<FlightRecord> = {}): FlightRecord {
  const routers = [router, { ...router, name: "VI_2", vrid: 34 }];
  return { version: "1", node, savedMs: T + 60_000, why: "test", routers, entries, ...changes };
}
const role = (atMs: number, from: string, to: string, reason: string, instance = "VI_1"): FlightEntry => ({
  kind: "role",
  atMs: T + atMs,
  instance,
  from,
  to,
  reason,
  priority: 100,
});
const adverts = (atMs: number, changes: Partial<AdvertRun>): FlightEntry => ({
  kind: "adverts",
  atMs: T + atMs,
  direction: "sent",
  interface: "eth0",
  source: "192.168.50.133",
  vrid: 33,
  family: 4,
  priority: 100,
  count: 10,
  untilMs: T + atMs + 9000,
  longestGapMs: 1000,
  ...changes,
});

const a = record("lb-a", [
  role(0, "BACKUP", "MASTER", "no advert heard"),
  adverts(0, { count: 31, untilMs: T + 30_000 }),
  { kind: "check", atMs: T + 29_000, name: "script chk", text: "failed" },
  role(30_500, "MASTER", "FAULT", "script chk failed"),
  adverts(30_500, { count: 1, priority: 0, untilMs: T + 30_500 }),
  { kind: "log", atMs: T + 30_500, level: "notice", text: "(VI_2) something of another instance" },
  { kind: "log", atMs: T + 30_500, level: "notice", text: "(VI_1) Entering FAULT STATE" },
]);
/** Its clock is 5 s ahead. */
const b = record("lb-b", [
  adverts(5000, { direction: "heard", count: 31, untilMs: T + 35_000 }),
  role(36_100, "BACKUP", "MASTER", "192.168.50.133 has stopped"),
  { kind: "late", atMs: T + 36_000, lateMs: 12.5, count: 3 },
]);

test("both nodes tell one story, in the time of the node that was asked", () => {
  const [story, ...others] = tellStories(
    [
      { record: a, offsetMs: 0 },
      { record: b, offsetMs: 5000 },
    ],
    "VI_1",
    false,
  );
  assert.deepEqual(others, []);
  assert.deepEqual(story?.summary, [
    `VI_1 is FAULT on lb-a since ${printClock(T + 30_500)}: script chk failed.`,
    `lb-b is MASTER since ${printClock(T + 31_100)}: 192.168.50.133 has stopped.`,
    "Nobody was active for 600 ms of it.",
  ]);
  assert.deepEqual(
    story?.lines.map(({ atMs, node, text }) => [atMs - T, node, text]),
    [
      [29_000, "lb-a", "check: script chk failed"],
      [30_000, "lb-a", "sends the last of 31 adverts, priority 100"],
      [30_000, "lb-b", "hears the last of 31 adverts from 192.168.50.133, priority 100"],
      [30_500, "lb-a", "MASTER → FAULT, priority 100: script chk failed"],
      [30_500, "lb-a", "sends priority 0: the active router stops"],
      [31_000, "lb-b", "late: the timer rang up to 12.5 ms too late, 3 times"],
      [31_100, "lb-b", "BACKUP → MASTER, priority 100: 192.168.50.133 has stopped"],
    ],
  );
});

test("two owners at once are said", () => {
  const first = record("lb-a", [role(0, "BACKUP", "MASTER", "x"), role(9000, "MASTER", "BACKUP", "y")]);
  const second = record("lb-b", [role(4000, "BACKUP", "MASTER", "z")]);
  const [story] = tellStories(
    [
      { record: first, offsetMs: 0 },
      { record: second, offsetMs: 0 },
    ],
    "VI_1",
    false,
  );
  assert.equal(story?.summary.at(-1), "More than one node was active for 5000 ms of it.");
});

test("every instance has its story, and one without changes says so", () => {
  const stories = tellStories([{ record: a, offsetMs: 0 }], undefined, true);
  assert.deepEqual(
    stories.map(({ instance }) => instance),
    ["VI_1", "VI_2"],
  );
  assert.deepEqual(stories[1]?.summary, ["VI_2 has kept its role on lb-a for the time that is recorded."]);
  assert.match(printStory(stories[1] ?? assert.fail()), /something of another instance/);
});

test("adverts that are still coming have a beginning only", () => {
  const running = record("lb-a", [adverts(51_000, {})]);
  const [story] = tellStories([{ record: running, offsetMs: 0 }], "VI_1", true);
  assert.deepEqual(
    story?.lines.map(({ text }) => text),
    ["sends the first of adverts, priority 100"],
  );
});

test("a story that is too long leaves out its middle", () => {
  const entries = Array.from({ length: 1000 }, (_, i) => ({ kind: "network" as const, atMs: T + i, text: `${i}` }));
  const [story] = tellStories([{ record: record("lb-a", entries), offsetMs: 0 }], "VI_1", true);
  assert.equal(story?.lines.length, 401);
  assert.equal(story?.lines[200]?.text, "… 600 lines more …");
  assert.equal(story?.lines.at(-1)?.text, "network: 999");
});
