import assert from "node:assert/strict";
import { test } from "node:test";
import type { Span } from "../failover.ts";
import { type Change, GOOD_SCRIPT, replace, subjectOf } from "../subject.cases.ts";
import { type Explanation, explainUnit, type Outcome } from "./explain.ts";
import type { FaultKind } from "./faults.ts";
import { explanationsJson, printExplanations } from "./report.ts";
import { type Program, unitsOf } from "./world.ts";

function explain(change: Change, program: Program = "tandem"): Explanation {
  const { node, peer } = subjectOf(change);
  const [unit] = unitsOf(peer === undefined ? [node] : [node, peer], program, false);
  assert.ok(unit);
  return explainUnit(unit);
}

/** The outcome of one fault of node a (0) or b (1). */
function single({ singles }: Explanation, kind: FaultKind, node = 0): Outcome {
  const found = singles.find(({ faults: [fault] }) => fault?.kind === kind && fault.node === node);
  assert.ok(found, `${kind} of ${node}`);
  return found;
}

function double({ doubles }: Explanation, ...kinds: readonly (readonly [FaultKind, number])[]): Outcome {
  const found = doubles.find(({ faults }) =>
    faults.every(({ kind, node }, i) => kind === kinds[i]?.[0] && node === kinds[i]?.[1]),
  );
  assert.ok(found, kinds.join(", then "));
  return found;
}

/** A gap that has been measured lies in the span, with the noise of its measurement. */
function holds(gap: Span | "for ever", ...measured: readonly number[]): void {
  assert.ok(gap !== "for ever");
  for (const ms of measured)
    assert.ok(ms >= gap.minMs - 20 && ms <= gap.maxMs + 60, `${ms} in ${gap.minMs} … ${gap.maxMs}`);
}

const SKEW_B = { minMs: 648.4375, maxMs: 648.4375 };
const SILENCE_B = { minMs: 2648.4375, maxMs: 3648.4375 };
const NONE = { minMs: 0, maxMs: 0 };

test("a pair: who has the addresses after each fault, and what clients miss", () => {
  const pair = explain({});
  assert.deepEqual(pair.holders, ["a"]);
  const table: readonly (readonly [FaultKind, number, string, Span | "for ever"])[] = [
    ["node-dies", 0, "b", SILENCE_B],
    ["link-down", 0, "b", SILENCE_B],
    ["cut-off", 0, "a,b", SILENCE_B],
    ["apart", 0, "a,b", NONE],
    ["stop", 0, "b", SKEW_B],
    ["service-dies", 0, "b", { minMs: 648.4375, maxMs: 2648.4375 }],
    ["reload-lower", 0, "b", NONE],
    ["vrrp-dies", 0, "a", SKEW_B],
    ["node-dies", 1, "a", NONE],
    ["stop", 1, "a", NONE],
    ["service-dies", 1, "a", NONE],
    ["vrrp-dies", 1, "a", NONE],
    ["reload-lower", 1, "a", NONE],
    ["link-down", 1, "a", NONE],
    ["cut-off", 1, "a,b", NONE],
  ];
  for (const [kind, node, holders, gap] of table) {
    const outcome = single(pair, kind, node);
    assert.deepEqual([outcome.holders.join(), outcome.gap], [holders, gap], `${kind} of ${node}`);
    assert.equal(outcome.isTrap, false);
  }
  assert.equal(pair.singles.length, table.length);
  const killed = single(pair, "vrrp-dies");
  assert.deepEqual(killed.taken, { by: "b", span: SKEW_B });
  assert.equal(killed.returns?.to, "a");
  assert.deepEqual(single(pair, "reload-lower").taken, { by: "b", span: SKEW_B });
});

test("with keepalived the waits are those that were measured", () => {
  const pair = explain({}, "keepalived");
  holds(single(pair, "stop").gap, 666, 671, 674);
  holds(single(pair, "node-dies").gap, 2740, 3144, 3591);
  holds(single(pair, "link-down").gap, 2740, 3144, 3591);
  holds(single(pair, "cut-off").gap, 2740, 3074, 3420);
  holds(single(pair, "vrrp-dies").gap, 2831, 3280, 3524);
  assert.deepEqual(single(pair, "vrrp-dies").holders, ["a"]);
  holds(single(pair, "service-dies").gap, 4189, 4900, 5180);
  const fast = explain({ both: replace("advert_int 1", "version 3\nadvert_int 0.1") }, "keepalived");
  holds(single(fast, "stop").gap, 80, 90, 106);
  holds(single(fast, "node-dies").gap, 287, 328, 387);
});

test("two faults: the second one strikes what the first has left", () => {
  const pair = explain({});
  const gone = double(pair, ["node-dies", 0], ["node-dies", 1]);
  assert.deepEqual([gone.holders, gone.gap, gone.isTrap], [[], "for ever", false]);
  const back = double(pair, ["service-dies", 0], ["node-dies", 1]);
  assert.deepEqual([back.holders, back.gap, back.isTrap], [["a"], "for ever", false]);
  // Both checks fail: 80 against 70 is the old order, and nobody serves; but nobody could.
  const both = double(pair, ["service-dies", 0], ["service-dies", 1]);
  assert.deepEqual([both.holders, both.gap, both.isTrap], [["a"], "for ever", false]);
  // The better node is reloaded to be the weaker one; then the other one's service dies, and 70 is still more than 1.
  const stuck = double(pair, ["reload-lower", 0], ["service-dies", 1]);
  assert.deepEqual([stuck.holders, stuck.gap, stuck.isTrap], [["b"], "for ever", true]);
  assert.match(stuck.why.join("; "), /a waits: its priority 1 is not above b's 70/);
  const helped = double(pair, ["stop", 0], ["vrrp-dies", 1]);
  assert.deepEqual([helped.holders, helped.taken?.by], [["b"], "b"]);
});

test("a partition leaves clients at the node that took over last, until another one announces itself", () => {
  const pair = explain({});
  assert.deepEqual(double(pair, ["apart", 0], ["node-dies", 1]).gap, { minMs: 0, maxMs: 10_000 });
  assert.deepEqual(double(pair, ["apart", 0], ["node-dies", 0]).gap, NONE);
  assert.equal(double(explain({}, "keepalived"), ["apart", 0], ["node-dies", 1]).gap, "for ever");
  const refreshed = explain({ both: replace("advert_int 1", "advert_int 1\ngarp_master_refresh 3") }, "keepalived");
  assert.deepEqual(double(refreshed, ["apart", 0], ["node-dies", 1]).gap, { minMs: 0, maxMs: 3000 });
});

test("why a dead service keeps the addresses is told", () => {
  const reason = (change: Change, program: Program = "tandem"): string => {
    const outcome = single(explain(change, program), "service-dies");
    assert.deepEqual([outcome.holders, outcome.gap, outcome.isTrap], [["a"], "for ever", true]);
    return outcome.why.join("; ");
  };
  assert.match(reason({ script: "#!/bin/sh\nexit 1\n" }), /check chk of a fails all the time/);
  assert.match(reason({ script: "#!/bin/sh\nexit 0\n" }), /check chk of a succeeds although nginx is dead/);
  assert.match(
    reason({ both: replace("weight -20", "weight -2") }),
    /priority of a is 98.*priority 90 is not above a's 98/,
  );
  assert.match(reason({ both: replace("weight -20", "weight -10") }), /priority 90 is not above a's 90/);
  assert.match(reason({ b: replace("advert_int 1", "nopreempt") }), /b has nopreempt/);
  // No weight counts there, so that nobody has been ranked: Tandem's supervisor misses the web server.
  const owner = { a: replace("priority 100", "priority 255") };
  assert.match(reason(owner, "keepalived"), /priority 255 owns the addresses of a/);
  assert.deepEqual(single(explain(owner), "service-dies").holders, ["b"]);
  const grouped = (text: string): string => `${text}vrrp_sync_group G {\ngroup {\nVI_1\n}\n}\n`;
  assert.match(
    reason({ both: grouped }, "keepalived"),
    /sync group G, where the weights of single members do not count/,
  );
  assert.deepEqual(single(explain({ both: grouped }), "service-dies").holders, ["b"]);
});

test("a web server that nothing looks at is missed by the supervisor, unless it is keepalived's", () => {
  const blind = { both: replace("track_script {\n\t\tchk\n\t}", "") };
  const pair = explain(blind);
  const dead = single(pair, "service-dies");
  assert.deepEqual([dead.holders, dead.gap], [["b"], { minMs: 2648.4375, maxMs: 2648.4375 }]);
  assert.match(
    dead.why[0] ?? "",
    /a lets go and says goodbye after at most 2 s \(no worker process of the web server acc/,
  );
  const both = double(pair, ["service-dies", 0], ["service-dies", 1]);
  assert.deepEqual([both.holders, both.gap], [[], "for ever"]);
  const kept = single(explain(blind, "keepalived"), "service-dies");
  assert.deepEqual([kept.holders, kept.gap, kept.isTrap], [["a"], "for ever", true]);
  assert.match(kept.why.join("; "), /nothing in the configuration of a looks at nginx/);
});

test("a check that asks may wait for a dead web server until its time-out, because tandem up keeps the sockets", () => {
  const asks = { script: "#!/bin/sh\ncurl -fs http://127.0.0.1/ >/dev/null || exit 1\n" };
  assert.deepEqual(single(explain(asks), "service-dies").gap, { minMs: 648.4375, maxMs: 4648.4375 });
  // With weight 0 the check may be the first to notice, or the supervisor, after 2 s.
  const either = single(explain({ ...asks, both: replace("weight -20", "weight 0") }), "service-dies");
  assert.deepEqual(either.gap, { minMs: 648.4375, maxMs: 2648.4375 });
  const [asking, counting] = [asks, {}].map((change) => single(explain(change, "keepalived"), "service-dies").gap);
  assert.deepEqual(asking, counting);
});

test("a check that can't be read is taken for one that works, and that is said", () => {
  const pair = explain({ script: `${GOOD_SCRIPT}my_probe\n` });
  assert.deepEqual(single(pair, "service-dies").holders, ["b"]);
  assert.match(pair.traps.join("; "), /what chk of a does can't be read/);
});

test("weight 0 makes a failed check a fault, with a goodbye; a script that stops keepalived says one, too", () => {
  const fault = single(explain({ both: replace("weight -20", "weight 0") }), "service-dies");
  assert.deepEqual([fault.holders, fault.gap], [["b"], { minMs: 648.4375, maxMs: 2648.4375 }]);
  assert.match(fault.why[0] ?? "", /a lets go and says goodbye after at most 2 s \(script chk failed\)/);
  const script =
    "#!/bin/sh\npidof nginx && exit 0\nsystemctl start nginx\nsleep 2\npidof nginx || killall keepalived\n";
  const stops = single(
    explain({ script, both: replace("interval 2", "interval 2\ntimeout 10") }, "keepalived"),
    "service-dies",
  );
  holds(stops.gap, 2923, 4330);
});

test("preempt_delay and nopreempt: what comes back, and when", () => {
  const delayed = explain({ both: replace("advert_int 1", "preempt_delay 5") });
  const { returns } = single(delayed, "vrrp-dies");
  assert.ok(
    returns !== undefined && returns.span.minMs >= 8600 && returns.span.maxMs <= 11_000,
    JSON.stringify(returns),
  );
  holds(single(delayed, "service-dies").gap, 7700, 11_600);
  const stays = explain({ a: replace("advert_int 1", "nopreempt") });
  assert.deepEqual([single(stays, "vrrp-dies").holders, single(stays, "vrrp-dies").returns], [["b"], undefined]);
});

const BFD = (neighbor: string, weight: string) => (text: string) =>
  `bfd_instance other {\nneighbor_ip ${neighbor}\nmin_rx 20\nmin_tx 20\nmultiplier 5\n}\n${text.replace("advert_int 1", `advert_int 1\ntrack_bfd {\nother weight ${weight}\n}`)}`;

test("BFD makes a silent death short; with weight 0 it makes the other node fault", () => {
  const watched = (weight: string) => ({ a: BFD("192.168.50.134", weight), b: BFD("192.168.50.133", weight) });
  const pair = explain(watched("1"));
  const dead = single(pair, "node-dies");
  // 100 ms detection; (256 - 91) / 256 of that as skew.
  assert.deepEqual(dead.holders, ["b"]);
  // The session that went down has taken its weight from the priority of b, so that its skew is that of 90.
  assert.deepEqual(dead.gap, { minMs: 80 + 64.84375, maxMs: 100 + 64.84375 });
  // keepalived goes on waiting for adverts, with the skew that it had when the last one came.
  assert.deepEqual(single(explain(watched("1"), "keepalived"), "node-dies").gap, {
    minMs: 2644.53125,
    maxMs: 3644.53125,
  });
  assert.deepEqual(single(pair, "stop").gap, { minMs: 648.4375, maxMs: 648.4375 });
  const trap = single(explain(watched("0")), "node-dies");
  assert.deepEqual([trap.holders, trap.gap, trap.isTrap], [[], "for ever", true]);
  assert.match(trap.why.join("; "), /b is in fault: BFD session other is down/);
  const other = single(explain(watched("0")), "node-dies", 1);
  assert.deepEqual([other.holders, other.isTrap], [[], true]);
});

test("with a peer channel a stop is a hand-over", () => {
  const keyed = explain({
    both: replace("enable_script_security", "enable_script_security\npeer_key a-secret-of-this-test"),
  });
  assert.deepEqual([single(keyed, "stop").holders, single(keyed, "stop").gap], [["b"], NONE]);
  assert.match(single(keyed, "stop").why.join(), /takes the addresses first/);
  const half = explain({
    a: replace("enable_script_security", "enable_script_security\npeer_key a-secret-of-this-test"),
  });
  assert.deepEqual(single(half, "stop").gap, SKEW_B);
});

test("a sync group waits for the slowest of its members, and one member's fault is everybody's", () => {
  const second = (text: string): string =>
    `${text}${text
      .slice(text.indexOf("vrrp_instance"))
      .replace("VI_1", "VI_2")
      .replace("eth0", "eth1")
      .replace("virtual_router_id 33", "virtual_router_id 34")
      .replace("advert_int 1", "advert_int 2")
      .replace("50.130", "51.130")}vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\n}\n`;
  const pair = explain({ both: second });
  assert.equal(pair.unit.name, "G");
  assert.deepEqual(single(pair, "node-dies").gap, { minMs: 4648.4375, maxMs: 6648.4375 });
  const links = pair.singles.filter(({ faults: [fault] }) => fault?.kind === "link-down" && fault.node === 0);
  assert.deepEqual(
    links.map(({ faults: [fault], holders }) => [fault?.what, holders.join()]),
    [
      ["eth0", "b"],
      ["eth1", "b"],
    ],
  );
});

test("equal priorities, owners, and nodes that are alone", () => {
  const equal = explain({ b: replace("priority 90", "priority 100") });
  assert.deepEqual(equal.holders, ["b"]);
  const owner = explain({ a: replace("priority 100", "priority 255") });
  assert.deepEqual(single(owner, "node-dies").holders, ["b"]);
  const alone = explain({ isAlone: true });
  assert.match(alone.traps.join(), /there is no other node/);
  assert.deepEqual([single(alone, "node-dies").gap, single(alone, "node-dies").isTrap], ["for ever", false]);
});

test("three nodes: the next one follows, and two may die", () => {
  const { node, peer } = subjectOf({});
  const third = subjectOf({ b: (text) => text.replace("priority 90", "priority 80").replace("50.134", "50.135") }).peer;
  assert.ok(peer !== undefined && third !== undefined);
  const [unit] = unitsOf([node, peer, { ...third, label: "c" }], "tandem", false);
  assert.ok(unit);
  const three = explainUnit(unit);
  assert.deepEqual(single(three, "node-dies").holders, ["b"]);
  assert.deepEqual(double(three, ["node-dies", 0], ["node-dies", 1]).holders, ["c"]);
  assert.deepEqual(double(three, ["node-dies", 1], ["stop", 0]).holders, ["c"]);
  assert.deepEqual(single(three, "apart", 2).holders, ["a", "c"]);
});

test("text and document say the same", () => {
  const pair = explain({ both: replace("weight -20", "weight -2") });
  const text = printExplanations([pair], [], { columns: 100, isWhole: false });
  assert.match(text, /^ {2}· a dies: clients wait 2\.65 s to 3\.65 s; then b$/m);
  assert.match(text, /^ {2}✗ nginx on a dies for good: clients wait for ever; then a$/m);
  assert.ok(text.split("\n").every((line) => line.length <= 100));
  const whole = printExplanations([pair], [], { columns: 100, isWhole: true });
  assert.ok(whole.split("\n").length > 2 * text.split("\n").length);
  const { units } = JSON.parse(explanationsJson([pair], []));
  assert.equal(units[0].doubles.length, pair.doubles.length);
  const dead = units[0].singles.find(
    ({ faults: [fault] }: { faults: { kind: string }[] }) => fault?.kind === "service-dies",
  );
  assert.deepEqual([dead.holders, dead.clientsWait, dead.isTrap], [["a"], null, true]);
});

test("flap damping is told for each node that has it, with what it costs when the partner dies meanwhile", () => {
  const damped = explain({ a: (text) => text.replace("track_script", "flap_damping half_life 30\n\ttrack_script") });
  const [only, ...others] = damped.dampings;
  assert.deepEqual(others, []);
  assert.deepEqual(only, {
    node: "a",
    scope: "all",
    fall: 3,
    holdsMs: 60_000,
    maxMs: 120_000,
    priority: 1,
    takesMs: 3996.09375,
  });
  const text = printExplanations([damped], [], { columns: 120, isWhole: false });
  assert.match(text, /Flap damping\n {2}· a: what fall number 3 of its health in quick succession/);
  assert.match(explanationsJson([damped], []), /"flapDamping": \[\n\s+\{\n\s+"node": "a"/);
  const change = { a: (file: string) => file.replace("track_script", "flap_damping\n\ttrack_script") };
  assert.deepEqual(explain(change, "keepalived").dampings, []);
});

test("without the keyword only a node with track_upstream is damped, and keeps what others take", () => {
  assert.deepEqual(explain({}).dampings, []);
  const { dampings } = explain({
    b: (text) => text.replace("track_script", "track_upstream app weight -30\n\ttrack_script"),
  });
  assert.deepEqual(
    dampings.map(({ node, scope, priority }) => [node, scope, priority]),
    [["b", "upstreams", 60]],
  );
});
