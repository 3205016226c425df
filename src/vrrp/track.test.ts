import assert from "node:assert/strict";
import { test } from "node:test";
import type { Track, Tracks } from "../conf/keepalived/config.ts";
import { exampleInstance, exampleScript } from "./example.ts";
import { faultsOfOthers, groupRole, type Member, mayTakeOver } from "./group.ts";
import { assess, initialScript, type Observations, stepScript } from "./track.ts";

const at = { file: "x", line: 1 };
const track = (name: string, weight: number, weightReverse = false): Track => ({ name, weight, weightReverse, at });
const none: Tracks = { scripts: [], interfaces: [], processes: [], files: [], bfds: [], upstreams: [] };
const where = new Map();
const watched = {
  trackProcesses: [
    {
      name: "web",
      process: "nginx",
      parameters: [],
      parameterMatch: "any",
      weight: 0,
      weightReverse: false,
      quorum: 2,
      quorumMax: 4,
      forkDelayMs: 0,
      terminateDelayMs: 0,
      fullCommand: false,
      at,
      where,
    },
  ],
  trackFiles: [{ name: "load", path: "/x", weight: 1, weightReverse: false, initialise: undefined, at, where }],
} as const;
const blank: Observations = {
  scripts: new Map(),
  upInterfaces: new Set(),
  processCounts: new Map(),
  fileValues: new Map(),
  upSessions: new Set(),
  upstreams: new Map(),
};

function judge(
  tracks: Partial<Tracks>,
  seen: Partial<Observations>,
  priority = 100,
  group?: { trackingWeight: boolean },
) {
  const instance = exampleInstance({ priority, tracks: { ...none, ...tracks } });
  const groupSettings = group === undefined ? undefined : { tracks: none, ...group };
  return assess(instance, groupSettings, watched, { ...blank, ...seen }, []);
}
const health = (state: "up" | "down" | "unknown") => ({ scripts: new Map([["chk", { health: state, streak: 0 }]]) });

test("a script turns after rise successes or fall failures in a row", () => {
  const script = exampleScript({ rise: 2, fall: 3 });
  let state = initialScript(script);
  const feed = (...results: boolean[]) => {
    for (const result of results) state = stepScript(script, state, result);
    return state.health;
  };
  assert.equal(state.health, "unknown");
  assert.equal(feed(true), "up", "the first result decides alone");
  assert.equal(feed(false, false), "up");
  assert.equal(feed(true, false, false), "up", "a success starts the count again");
  assert.equal(feed(false), "down");
  assert.equal(feed(true), "down");
  assert.equal(feed(true), "up");
  assert.equal(initialScript({ initFail: true }).health, "down");
  assert.equal(
    stepScript(script, initialScript({ initFail: true }), true).health,
    "down",
    "init_fail needs rise successes",
  );
});

test("weights are added while good, subtracted while bad, and reverse turns their sign, as measured with keepalived", () => {
  for (const [weight, reverse, state, priority] of [
    [-20, false, "down", 80],
    [-20, false, "up", 100],
    [20, false, "up", 120],
    [20, false, "down", 100],
    [-20, true, "up", 100],
    [-20, true, "down", 120],
    [20, true, "down", 100],
    [20, true, "up", 80],
    [-20, false, "unknown", 100],
  ] as const)
    assert.equal(judge({ scripts: [track("chk", weight, reverse)] }, health(state)).priority, priority);
});

test("weight 0 makes a failure a fault, and no result yet a reason to wait", () => {
  const tracks = { scripts: [track("chk", 0)] };
  assert.deepEqual(judge(tracks, health("down")).faults, ["script chk failed"]);
  assert.deepEqual(judge(tracks, health("up")), { priority: 100, faults: [], isPending: false });
  assert.equal(judge(tracks, {}).isPending, true);
  assert.deepEqual(judge({ scripts: [track("chk", 0, true)] }, health("up")).faults, ["script chk failed"]);
});

test("effective priorities stay between 1 and 254, and an owner's stays 255", () => {
  assert.equal(judge({ scripts: [track("chk", -253)] }, health("down")).priority, 1);
  assert.equal(judge({ scripts: [track("chk", 253)] }, health("up")).priority, 254);
  assert.equal(judge({ scripts: [track("chk", -20)] }, health("down"), 255).priority, 255);
});

test("a BFD session is down until it has come up; with weight 0 that is a fault from the start, as in keepalived", () => {
  const up = { upSessions: new Set(["peer"]) };
  const tracked = (weight: number, reverse: boolean, seen: Partial<Observations>) =>
    judge({ bfds: [track("peer", weight, reverse)] }, seen);
  assert.deepEqual(tracked(0, false, {}), { priority: 100, faults: ["BFD session peer is down"], isPending: false });
  assert.deepEqual(tracked(0, false, up).faults, []);
  assert.deepEqual(tracked(0, true, up).faults, ["BFD session peer is up"]);
  assert.deepEqual(tracked(0, true, {}).faults, []);
  for (const [weight, reverse, isUp, priority] of [
    [5, false, true, 105],
    [5, false, false, 100],
    [-5, false, true, 100],
    [-5, false, false, 95],
    [5, true, true, 95],
    [5, true, false, 100],
    [-5, true, true, 100],
    [-5, true, false, 105],
  ] as const)
    assert.equal(tracked(weight, reverse, isUp ? up : {}).priority, priority, `${weight} ${reverse} ${isUp}`);
});

test("interfaces, process counts and numbers in files count too", () => {
  assert.deepEqual(judge({ interfaces: [track("eth1", 0)] }, {}).faults, ["interface eth1 is down"]);
  assert.deepEqual(judge({ interfaces: [track("eth1", 0)] }, { upInterfaces: new Set(["eth1"]) }).faults, []);
  const running = (count: number) =>
    judge({ processes: [track("web", 0)] }, { processCounts: new Map([["web", count]]) });
  assert.deepEqual(
    [1, 2, 4, 5].map((count) => running(count).faults.length),
    [1, 0, 0, 1],
  );
  const holding = (value: number, weight: number) =>
    judge({ files: [track("load", weight)] }, { fileValues: new Map([["load", value]]) });
  assert.equal(holding(7, 2).priority, 114);
  assert.equal(holding(0, 0).faults.length, 0);
  assert.equal(holding(3, 0).faults.length, 1);
  assert.equal(holding(-254, 1).faults.length, 1);
});

test("an upstream counts by the share of its healthy peers, rounded, and with weight 0 only when none is left", () => {
  const priority = (weight: number, healthy: number, total: number, reverse = false): number =>
    judge({ upstreams: [track("app", weight, reverse)] }, { upstreams: new Map([["app", { healthy, total }]]) })
      .priority;
  assert.deepEqual(
    [4, 3, 2, 1, 0].map((healthy) => priority(-30, healthy, 4)),
    [100, 92, 85, 77, 70],
  );
  assert.deepEqual(
    [3, 2, 1, 0].map((healthy) => priority(30, healthy, 3)),
    [130, 120, 110, 100],
  );
  assert.equal(priority(-30, 0, 0), 70, "no peers at all are no healthy ones");
  assert.equal(priority(-30, 1, 4, true), 92, "reverse exchanges the shares");
  assert.equal(judge({ upstreams: [track("app", -30)] }, {}).priority, 100, "nothing is known yet");
  const faults = (healthy: number) =>
    judge({ upstreams: [track("app", 0)] }, { upstreams: new Map([["app", { healthy, total: 2 }]]) }).faults;
  assert.deepEqual(faults(1), []);
  assert.deepEqual(faults(0), ["upstream app: 0 of 2 peers are healthy"]);
  assert.ok(judge({ upstreams: [track("app", 0)] }, {}).isPending);
});

test("in a sync group a member's own weights do not count unless sync_group_tracking_weight", () => {
  const tracks = { scripts: [track("chk", -20)] };
  assert.equal(judge(tracks, health("down"), 100, { trackingWeight: false }).priority, 100);
  assert.equal(judge(tracks, health("down"), 100, { trackingWeight: true }).priority, 80);
});

test("a sync group takes over when all of it has heard nobody, and shares faults", () => {
  const member = (name: string, more: Partial<Member> = {}): Member => ({
    name,
    role: "backup",
    isAsking: true,
    faults: [],
    ...more,
  });
  assert.ok(mayTakeOver([member("a"), member("b")]));
  assert.ok(mayTakeOver([member("a"), member("b", { role: "active", isAsking: false })]));
  assert.ok(!mayTakeOver([member("a"), member("b", { isAsking: false })]));
  assert.ok(!mayTakeOver([member("a"), member("b", { role: "fault" })]));
  const broken = [member("a", { faults: ["x"] }), member("b")];
  assert.deepEqual(faultsOfOthers(broken, "b", "G"), ["sync group G: a is in fault"]);
  assert.deepEqual(faultsOfOthers(broken, "a", "G"), []);
  assert.equal(groupRole([member("a", { role: "active" }), member("b", { role: "active" })]), "active");
  assert.equal(groupRole([member("a", { role: "active" }), member("b")]), "backup");
  assert.equal(groupRole([member("a", { role: "fault" }), member("b")]), "fault");
});
