import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleInstance, ip } from "./example.ts";
import { type RouterSettings, step } from "./instance.ts";
import { initialState, type RouterEffect, type RouterInput, type RouterState } from "./state.ts";
import { downIntervalMs, skewMs } from "./timing.ts";

const settings = exampleInstance();
const rival = ip("192.168.50.134");

function advert(
  priority: number,
  atMs: number,
  more: Partial<Extract<RouterInput, { kind: "advert" }>> = {},
): RouterInput {
  return { kind: "advert", atMs, source: rival, isHigher: true, priority, intervalMs: 1000, ...more };
}

/** Feeds inputs one behind the other; returns the last state and all effects. */
function run(from: RouterState, inputs: readonly RouterInput[], using: RouterSettings = settings) {
  let state = from;
  const effects: RouterEffect[] = [];
  for (const input of inputs) {
    const next = step(using, state, input);
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
}

function started(using = settings): RouterState {
  return run(initialState(using.priority, using.advertIntervalMs), [{ kind: "start", atMs: 0, delayMs: 0 }], using)
    .state;
}

function active(using = settings): RouterState {
  const backup = started(using);
  return run(backup, [{ kind: "alarm", atMs: backup.deadlineMs as number }], using).state;
}

/** Effects without log lines, as short words. */
function words(effects: readonly RouterEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.kind === "log" || effect.kind === "count") return [];
    if (effect.kind === "send") return [`send ${effect.priority}`];
    if (effect.kind === "announce") return [`announce ${effect.cause}`];
    if (effect.kind === "role") return [`${effect.from}>${effect.to}`];
    if (effect.kind === "event") return [effect.event];
    return [effect.kind];
  });
}

test("the intervals are those of the RFCs", () => {
  assert.equal(skewMs(2, 90, 1000), 648.4375);
  assert.equal(skewMs(3, 90, 100), 64.84375);
  assert.equal(downIntervalMs(settings, 100, 1000), 3609.375);
});

test("a router starts as backup, whatever it wishes, and waits the whole down timer", () => {
  const { state, effects } = run(initialState(100, 1000), [{ kind: "start", atMs: 5, delayMs: 0 }]);
  assert.deepEqual(words(effects), ["release", "init>backup"]);
  assert.equal(state.deadlineMs, 3614.375);
});

test("the owner of the addresses is active at once", () => {
  const owner = exampleInstance({ priority: 255 });
  const { state, effects } = run(initialState(255, 1000), [{ kind: "start", atMs: 0, delayMs: 0 }], owner);
  assert.equal(state.role, "active");
  assert.deepEqual(words(effects), ["release", "init>active", "send 255", "claim", "announce takeover"]);
});

test("a start-up delay comes first, and adverts do not shorten it", () => {
  const { state } = run(initialState(100, 1000), [{ kind: "start", atMs: 0, delayMs: 10_000 }, advert(90, 100)]);
  assert.equal(state.role, "init");
  assert.equal(state.deadlineMs, 10_000);
  assert.equal(run(state, [{ kind: "alarm", atMs: 10_000 }]).state.role, "backup");
});

test("silence makes a backup active: the advert is out before the addresses are in", () => {
  const backup = started();
  assert.deepEqual(words(run(backup, [{ kind: "alarm", atMs: 3609 }]).effects), []);
  const { state, effects } = run(backup, [{ kind: "alarm", atMs: 3609.375 }]);
  assert.deepEqual(words(effects), ["backup>active", "send 100", "claim", "announce takeover"]);
  assert.equal(state.deadlineMs, 4609.375);
});

test("an active router's adverts keep an absolute schedule", () => {
  const first = active();
  const { state } = run(first, [{ kind: "alarm", atMs: (first.deadlineMs as number) + 7 }]);
  assert.equal(state.deadlineMs, (first.deadlineMs as number) + 1000);
});

test("a backup waits on for an equal or better router, and lets its timer run out on a worse one", () => {
  const backup = started();
  assert.equal(run(backup, [advert(100, 1000)]).state.deadlineMs, 4609.375);
  assert.equal(run(backup, [advert(200, 1000)]).state.deadlineMs, 4609.375);
  assert.equal(run(backup, [advert(90, 1000)]).state.deadlineMs, 3609.375);
});

test("nopreempt obeys a worse router too", () => {
  const meek = exampleInstance({ nopreempt: true });
  assert.equal(run(started(meek), [advert(90, 1000)], meek).state.deadlineMs, 4609.375);
});

test("preempt_delay obeys a worse router for a while", () => {
  const slow = exampleInstance({ preemptDelayMs: 5000 });
  const waiting = run(started(slow), [advert(90, 1000), advert(90, 2000)], slow).state;
  assert.equal(waiting.deadlineMs, 5609.375);
  assert.equal(waiting.preemptAtMs, 6000);
  const over = run(waiting, [advert(90, 5000), advert(90, 6000), advert(90, 7000)], slow).state;
  assert.equal(over.deadlineMs, 8609.375, "from 6000 on its adverts no longer count");
  assert.equal(run(waiting, [advert(110, 3000)], slow).state.preemptAtMs, undefined);
});

test("priority 0 leaves a backup only the skew time", () => {
  const { state } = run(started(), [advert(0, 1000)]);
  assert.equal(state.deadlineMs, 1609.375);
});

test("version 3 learns the interval of the active router", () => {
  const v3 = exampleInstance({ version: 3 });
  const { state } = run(started(v3), [advert(200, 1000, { intervalMs: 100 })], v3);
  assert.equal(state.intervalMs, 100);
  assert.equal(state.deadlineMs, 1000 + 300 + (156 * 100) / 256);
  const v2 = run(started(), [advert(200, 1000, { intervalMs: 100 })]).state;
  assert.equal(v2.intervalMs, 1000);
});

test("a backup that outranks an active router whose priority has sunk waits only the skew time", () => {
  const heard = run(started(), [advert(120, 1000)]).state;
  assert.equal(run(heard, [advert(80, 2000)]).state.deadlineMs, 2609.375);
  assert.equal(run(heard, [advert(80, 2000), advert(80, 3000)]).state.deadlineMs, 2609.375, "once, not again");
  const other = advert(80, 2000, { source: ip("192.168.50.135") });
  assert.equal(
    run(heard, [other]).state.deadlineMs,
    4609.375,
    "another router's advert says nothing about the active one",
  );
});

test("a backup whose timer fires an interval late listens once more", () => {
  const { state, effects } = run(started(), [{ kind: "alarm", atMs: 9000 }]);
  assert.deepEqual(words(effects), []);
  assert.equal(state.deadlineMs, 9000 + 1000 + 609.375);
  assert.equal(run(state, [{ kind: "alarm", atMs: state.deadlineMs as number }]).state.role, "active");
});

test("an active router answers worse adverts, priority 0 and equal ones from below with an advert and announcements", () => {
  for (const heard of [advert(90, 4000), advert(100, 4000, { isHigher: false })]) {
    const { state, effects } = run(active(), [heard]);
    assert.equal(state.role, "active");
    assert.deepEqual(words(effects), ["send 100", "announce rival", "lowerPriorityHeard"]);
    assert.equal(state.deadlineMs, 5000);
  }
  assert.deepEqual(words(run(active(), [advert(0, 4000)]).effects), ["send 100", "announce rival"]);
});

test("lower_prio_no_advert leaves the advert out, not the announcement", () => {
  const quiet = exampleInstance({ lowerPriorityNoAdvert: true });
  assert.deepEqual(words(run(active(quiet), [advert(90, 4000)], quiet).effects), [
    "announce rival",
    "lowerPriorityHeard",
  ]);
});

test("an active router yields to better adverts and says goodbye when its addresses are gone", () => {
  for (const heard of [advert(200, 4000), advert(255, 4000), advert(100, 4000)]) {
    const { state, effects } = run(active(), [heard]);
    assert.equal(state.role, "backup");
    assert.deepEqual(words(effects), ["active>backup", "release", "send 1"]);
    assert.equal(state.deadlineMs, 7609.375);
  }
});

test("who has handed over says goodbye, too: it may have announced its addresses behind the new owner", () => {
  const { state, effects } = run(active(), [
    { kind: "yield", atMs: 4000, source: rival, priority: 110, reason: "handed over" },
  ]);
  assert.deepEqual(words(effects), ["active>backup", "release", "send 1"]);
  assert.deepEqual(words(run(state, [advert(110, 4003), advert(110, 5000)]).effects), [], "the answer came at once");
  assert.deepEqual(words(run(state, [advert(110, 5000)]).effects), ["send 1"]);
});

test("the advert behind a late one keeps half an interval away from it, lest it be taken for an answer to a goodbye", () => {
  const was = active();
  const dueMs = was.deadlineMs as number;
  const nextBehind = (lateMs: number): number =>
    run(was, [{ kind: "alarm", atMs: dueMs + lateMs }]).state.deadlineMs as number;
  assert.equal(nextBehind(0), dueMs + 1000);
  assert.equal(nextBehind(500), dueMs + 1000, "lateness does not add up");
  assert.equal(nextBehind(501), dueMs + 1501);
  assert.equal(nextBehind(2500), dueMs + 3500);
});

test("the goodbye is repeated until the winner has answered it", () => {
  const yielded = run(active(), [advert(200, 4000)]).state;
  const answered = run(yielded, [advert(200, 4003), advert(200, 5000)]);
  assert.deepEqual(words(answered.effects), [], "the answer came at once");
  const unheard = run(yielded, [advert(200, 5000), advert(200, 5002), advert(200, 6000)]);
  assert.deepEqual(words(unheard.effects), ["send 1"], "an advert on schedule is no answer; the one behind it is");
  const saidAt: number[] = [];
  let state = yielded;
  for (let atS = 5; atS < 3000; atS++) {
    const next = run(state, [advert(200, atS * 1000)]);
    if (next.effects.length > 0) saidAt.push(atS);
    state = next.state;
  }
  assert.deepEqual(saidAt, [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 20, 28, 44, 76, 140, 268, 524, 1036]);
});

test("what only looks like an answer ends no goodbyes: copies, a fallen priority, another router", () => {
  const yielded = run(active(), [advert(200, 4000)]).state;
  const others: readonly [string, RouterInput][] = [
    ["a copy of the advert that the goodbye followed", advert(200, 4003, { isCopy: true })],
    ["one that has waited in the socket behind that", advert(200, 4003, { hasWaited: true })],
    ["the winner's priority has fallen", advert(190, 4003)],
    ["another router", advert(210, 4003, { source: ip("192.168.50.135") })],
    ["a late one, and the next on schedule", advert(200, 4400)],
  ];
  for (const [what, heard] of others)
    assert.deepEqual(words(run(yielded, [heard, advert(200, 5010)]).effects), ["send 1"], what);
});

test("an active router that has been suspended says nothing to worse adverts before it has read them all", () => {
  const was = active();
  const dueMs = was.deadlineMs as number;
  const worse = run(was, [advert(90, dueMs + 5000), advert(0, dueMs + 5000)]);
  assert.deepEqual(words(worse.effects), ["announce gap", "lowerPriorityHeard", "announce gap"]);
  assert.deepEqual(words(run(worse.state, [{ kind: "alarm", atMs: dueMs + 5000 }]).effects), [
    "send 100",
    "announce gap",
  ]);
  const meek = { ...settings, highestOtherPriority: 250 };
  assert.equal(run(worse.state, [{ kind: "alarm", atMs: dueMs + 5000 }], meek).state.role, "backup");
  const quiet = { ...settings, lowerPriorityNoAdvert: true };
  assert.deepEqual(words(run(was, [advert(90, dueMs)], quiet).effects), ["announce gap", "lowerPriorityHeard"]);
});

test("an active router that has been suspended takes nothing for the answer to its first goodbye", () => {
  const was = active();
  const lateMs = (was.deadlineMs as number) + 5000;
  const yielded = run(was, [advert(90, lateMs), advert(200, lateMs)]);
  assert.deepEqual(words(yielded.effects).slice(-3), ["active>backup", "release", "send 1"]);
  const later = run(yielded.state, [advert(200, lateMs + 100), advert(200, lateMs + 1100), advert(200, lateMs + 1102)]);
  assert.deepEqual(words(later.effects), ["send 1"]);
  assert.equal(later.state.goodbyesLeft, 0);
});

test("a node that starts, or comes back from a fault, says goodbye for an earlier life", () => {
  assert.deepEqual(
    words(run(started(), [advert(200, 1000), advert(200, 2000), advert(200, 2001), advert(200, 3000)]).effects),
    ["send 1"],
  );
  const back = run(active(), [
    { kind: "tracking", atMs: 5000, priority: 100, faults: ["x"] },
    { kind: "tracking", atMs: 6000, priority: 100, faults: [] },
  ]).state;
  assert.deepEqual(words(run(back, [advert(200, 7000), advert(200, 8000)]).effects), ["send 1"]);
});

test("a goodbye never wins: it ranks below everybody, also when we outrank the active router with nopreempt", () => {
  const meek = exampleInstance({ nopreempt: true });
  assert.deepEqual(words(run(started(meek), [advert(90, 1000), advert(90, 2000)], meek).effects), ["send 1"]);
});

test("adverts that have waited while the node was suspended get no goodbye", () => {
  assert.deepEqual(words(run(started(), [advert(200, 1000), advert(200, 1000), advert(200, 1001)]).effects), []);
});

test("an advert that is late by more than half an interval gets no goodbye: the next one would look like its answer", () => {
  const yielded = run(active(), [advert(200, 4000)]).state;
  assert.deepEqual(words(run(yielded, [advert(200, 5500)]).effects), ["send 1"]);
  const late = run(yielded, [advert(200, 5501)]);
  assert.deepEqual(words(late.effects), []);
  assert.deepEqual(words(run(late.state, [advert(200, 6000), advert(200, 7000)]).effects), ["send 1"]);
});

test("two that have stepped down before each other do not keep each other waiting with their goodbyes", () => {
  const meek = exampleInstance({ nopreempt: true });
  const yielded = run(active(meek), [advert(200, 4000)], meek).state;
  const parted = run(yielded, [advert(1, 5000)], meek);
  assert.deepEqual(words(parted.effects), []);
  assert.equal(parted.state.deadlineMs, 7609.375, "as long as it would have waited for an advert");
  const lowest = run(parted.state, [advert(1, 6000)], meek).state;
  assert.equal(lowest.deadlineMs, 9609.375, "whoever goes on is active at the lowest priority");
});

test("another router's goodbye does not make a backup wait longer for the active router that it knows", () => {
  for (const using of [exampleInstance({ nopreempt: true }), exampleInstance({ preemptDelayMs: 5000 })]) {
    const heard = run(started(using), [advert(120, 1000), advert(120, 1001)], using).state;
    const bystander = advert(1, 3000, { source: ip("192.168.50.135") });
    assert.equal(run(heard, [bystander], using).state.deadlineMs, heard.deadlineMs);
  }
});

test("a goodbye to somebody else makes a backup that knows of no active router listen for one more advert, not for three", () => {
  for (const using of [exampleInstance({ nopreempt: true }), exampleInstance({ preemptDelayMs: 5000 })]) {
    const fresh = started(using);
    assert.equal(run(fresh, [advert(1, 1000)], using).state.deadlineMs, 3609.375);
    const late = run(fresh, [advert(1, 3500)], using).state;
    assert.equal(late.deadlineMs, 3500 + 1000 + 609.375);
    assert.equal(late.preemptAtMs, undefined);
    assert.equal(run(late, [advert(1, 4500)], using).state.deadlineMs, 4500 + 3609.375, "it is active");
    const left = run(fresh, [advert(90, 1000), advert(0, 2000), advert(1, 2100)], using).state;
    assert.equal(left.deadlineMs, 2100 + 1609.375);
  }
  assert.equal(run(started(), [advert(1, 3500)]).state.deadlineMs, 3609.375, "preempting, nobody waits for it");
  const lowest = exampleInstance({ priority: 1 });
  assert.equal(run(started(lowest), [advert(1, 3500)], lowest).state.deadlineMs, 3500 + 1000 + (255 * 1000) / 256);
});

test("a gap in its own adverts makes an active router announce again", () => {
  const was = active();
  const { effects } = run(was, [{ kind: "alarm", atMs: was.sentMs + 3000 }]);
  assert.deepEqual(words(effects), ["send 100", "announce gap"]);
  assert.deepEqual(words(run(was, [{ kind: "alarm", atMs: was.sentMs + 2999 }]).effects), ["send 100"]);
});

test("timer_expired_backup: an active router that was late long enough for another one becomes backup", () => {
  const late = exampleInstance({ nopreempt: true, highestOtherPriority: 250 });
  const before = active(late);
  const dueMs = before.deadlineMs as number;
  const after = (gapMs: number) => run(before, [{ kind: "alarm", atMs: before.sentMs + gapMs }], late);
  const limitMs = 3000 + 6000 / 256;
  assert.ok(dueMs - before.sentMs <= 1000);
  assert.equal(after(limitMs - 1).state.role, "active");
  const { state, effects } = after(limitMs);
  assert.deepEqual([state.role, words(effects)], ["backup", ["active>backup", "release"]]);
  assert.equal(run(before, [{ kind: "alarm", atMs: before.sentMs + 60_000 }], exampleInstance()).state.role, "active");
});

test("of two owners the lower address backs off, and the other stops owning when that does not help", () => {
  const owner = exampleInstance({ priority: 255 });
  const own = run(initialState(255, 1000), [{ kind: "start", atMs: 0, delayMs: 0 }], owner).state;
  assert.equal(run(own, [advert(255, 100)], owner).state.role, "backup");
  const lower = (atMs: number) => advert(255, atMs, { isHigher: false });
  const twice = run(own, [lower(100), lower(1100)], owner);
  assert.equal(twice.state.role, "active");
  const thrice = run(twice.state, [lower(2100)], owner).state;
  assert.equal(thrice.role, "backup");
  assert.equal(thrice.priority, 254);
});

test("a fault costs the addresses at once, with priority 0; its end means backup and a full timer", () => {
  const broken = run(active(), [{ kind: "tracking", atMs: 5000, priority: 100, faults: ["interface eth0 is down"] }]);
  assert.deepEqual(words(broken.effects), ["active>fault", "send 0", "release"]);
  assert.equal(broken.state.reason, "interface eth0 is down");
  assert.deepEqual(words(run(broken.state, [advert(90, 5001), { kind: "alarm", atMs: 99_000 }]).effects), []);
  const mended = run(broken.state, [{ kind: "tracking", atMs: 6000, priority: 100, faults: [] }]);
  assert.deepEqual(words(mended.effects), ["fault>backup"]);
  assert.equal(mended.state.deadlineMs, 9609.375);
});

test("a router that starts broken is in fault", () => {
  const broken = run(initialState(100, 1000), [
    { kind: "tracking", atMs: 0, priority: 100, faults: ["x"] },
    { kind: "start", atMs: 0, delayMs: 0 },
  ]);
  assert.equal(broken.state.role, "fault");
});

test("an active router whose priority falls says so at once", () => {
  const sunk = run(active(), [{ kind: "tracking", atMs: 4000, priority: 80, faults: [] }]);
  assert.deepEqual(words(sunk.effects), ["priorityChanged", "send 80"]);
  assert.equal(sunk.state.deadlineMs, 5000);
  const risen = run(active(), [{ kind: "tracking", atMs: 4000, priority: 120, faults: [] }]);
  assert.deepEqual(words(risen.effects), ["priorityChanged"]);
  const late = run(active(), [{ kind: "tracking", atMs: 9000, priority: 80, faults: [] }]);
  assert.deepEqual(words(late.effects), ["priorityChanged"], "an overdue advert will say it, and that there was a gap");
  assert.deepEqual(words(run(late.state, [{ kind: "alarm", atMs: 9000 }]).effects), ["send 80", "announce gap"]);
});

test("a graceful stop sends priority 0 and removes the addresses", () => {
  assert.deepEqual(words(run(active(), [{ kind: "stop", atMs: 5000 }]).effects), ["active>init", "send 0", "release"]);
  assert.deepEqual(words(run(started(), [{ kind: "stop", atMs: 5000 }]).effects), ["backup>init", "release"]);
});

test("a member of a sync group asks before it takes over, and leaves with priority 0 when the group does", () => {
  const grouped = exampleInstance({ syncGroup: "G" });
  const asking = run(started(grouped), [{ kind: "alarm", atMs: 3609.375 }], grouped);
  assert.deepEqual(words(asking.effects), ["ask"]);
  assert.equal(asking.state.role, "backup");
  assert.equal(run(asking.state, [advert(100, 4000)], grouped).state.isAsking, false);
  const taken = run(asking.state, [{ kind: "group", atMs: 4000, to: "active", group: "G" }], grouped);
  assert.equal(taken.state.role, "active");
  const left = run(taken.state, [{ kind: "group", atMs: 5000, to: "backup", group: "G" }], grouped);
  assert.deepEqual(words(left.effects), ["active>backup", "send 0", "release"]);
});

test("an address that somebody removed comes back while active", () => {
  const lost: RouterInput = { kind: "addressLost", atMs: 5000, address: ip("192.168.50.130") };
  assert.deepEqual(words(run(active(), [lost]).effects), ["claim", "announce restore"]);
  assert.deepEqual(words(run(started(), [lost]).effects), []);
});

test("a reload keeps role and schedule, and a shorter interval counts at once", () => {
  const was = active();
  const quick = exampleInstance({ advertIntervalMs: 100 });
  assert.equal(step(settings, was, { kind: "reload", atMs: 4000 }).state.deadlineMs, was.deadlineMs);
  assert.equal(step(quick, was, { kind: "reload", atMs: 4000 }).state.deadlineMs, 4100);
});

test("a backup whose active router BFD has lost waits for the skew of the detection time only", () => {
  const backup = run(started(), [advert(200, 1000)]).state;
  assert.equal(backup.deadlineMs, 1000 + downIntervalMs(settings, 100, 1000));
  const lost = (neighbor: Uint8Array, detectionMs = 50): RouterInput => {
    return { kind: "neighborLost", atMs: 1500, neighbor, detectionMs };
  };
  const { state, effects } = run(backup, [lost(rival)]);
  assert.equal(state.deadlineMs, 1500 + (156 / 256) * 50);
  assert.match(JSON.stringify(effects), /192\.168\.50\.134 is not heard by BFD any more, taking over/);
  assert.equal(run(state, [{ kind: "alarm", atMs: 1531 }]).state.role, "active");
  assert.equal(
    run(state, [advert(200, 1510)]).state.deadlineMs,
    1510 + downIntervalMs(settings, 100, 1000),
    "it lives",
  );
  assert.equal(
    run(backup, [lost(rival, 60_000)]).state.deadlineMs,
    1500 + skewMs(2, 100, 1000),
    "never more than VRRP's own",
  );
  for (const other of [backup, started(), active(), run(backup, [advert(0, 1200)]).state]) {
    const neighbor = other === backup ? ip("192.168.50.1") : rival;
    const after = run(other, [lost(neighbor)]);
    assert.deepEqual([after.state, after.effects], [other, []], "another neighbour, or nobody to be lost");
  }
});

test("adverts of before a hand-over are overlooked for an interval, and for 200 ms at most", () => {
  for (const [advertIntervalMs, untilMs] of [
    [100, 1100],
    [1000, 1200],
  ] as const) {
    const using = exampleInstance({ version: 3, advertIntervalMs });
    const taken = run(
      started(using),
      [{ kind: "take", atMs: 1000, source: rival, reason: "handed over" }],
      using,
    ).state;
    assert.equal(run(taken, [advert(110, untilMs - 1)], using).state.role, "active");
    assert.equal(run(taken, [advert(110, untilMs)], using).state.role, "backup");
  }
});

test("higher_prio_send_advert: a last advert goes out before the addresses go", () => {
  const polite = exampleInstance({ higherPrioritySendAdvert: true });
  for (const priority of [200, 100]) {
    const { effects } = run(active(polite), [advert(priority, 5000)], polite);
    assert.deepEqual(words(effects), ["active>backup", "send 100", "release", "send 1"]);
  }
});
