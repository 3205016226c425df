import assert from "node:assert/strict";
import { test } from "node:test";
import { outlookOf, printSpan, type Span } from "./failover.ts";
import { type Change, GOOD_SCRIPT, replace, subjectOf } from "./subject.cases.ts";

function outlook(change: Change) {
  const [pair] = subjectOf(change).pairs;
  assert.ok(pair);
  return outlookOf(pair);
}

/** True when a measured time (with the noise of its measurement) lies in the span. */
function holds({ minMs, maxMs }: Span, ...measured: readonly number[]): void {
  for (const ms of measured) assert.ok(ms >= minMs - 20 && ms <= maxMs + 60, `${ms} in ${minMs} … ${maxMs}`);
}

test("the times are those that were measured with keepalived 2.2.7", () => {
  const { gracefulStop, nodeDies, serviceDies, returnsAfter } = outlook({});
  holds(gracefulStop, 666, 671, 674);
  holds(nodeDies, 2740, 3144, 3591);
  assert.ok(serviceDies.kind === "moves");
  holds(serviceDies.span, 4189, 4900, 5180);
  assert.ok(returnsAfter !== undefined);
  holds(returnsAfter, 3639, 3666);
});

test("version 3 with 100 ms adverts is ten times faster", () => {
  const { gracefulStop, nodeDies } = outlook({ both: replace("advert_int 1", "version 3\nadvert_int 0.1") });
  holds(gracefulStop, 80);
  holds(nodeDies, 287, 328);
});

test("a script that stops keepalived costs its run and the skew", () => {
  const script =
    "#!/bin/sh\npidof nginx && exit 0\nsystemctl start nginx\nsleep 2\npidof nginx || killall keepalived\n";
  const { serviceDies } = outlook({ script, both: replace("interval 2", "interval 2\ntimeout 10") });
  assert.ok(serviceDies.kind === "moves");
  holds(serviceDies.span, 2923, 4330);
  assert.match(serviceDies.how, /stops keepalived/);
});

test("weight 0 makes the failure a fault, which costs the skew only", () => {
  const { serviceDies } = outlook({ both: replace("weight -20", "weight 0") });
  assert.ok(serviceDies.kind === "moves");
  assert.deepEqual(serviceDies.span, { minMs: 648.4375, maxMs: 2648.4375 });
});

test("positive weights count while nginx runs", () => {
  const { activePriority, backupPriority, serviceDies } = outlook({ both: replace("weight -20", "weight 20") });
  assert.deepEqual([activePriority, backupPriority], [120, 110]);
  assert.equal(serviceDies.kind, "moves");
});

test("a tracked process is missed at once", () => {
  const both = (text: string): string =>
    `vrrp_track_process web {\nprocess nginx\n}\n${text.replace("track_script {\n\t\tchk\n\t}", "track_process {\nweb\n}")}`;
  const { serviceDies } = outlook({ both });
  assert.ok(serviceDies.kind === "moves");
  assert.equal(serviceDies.span.maxMs, 648.4375);
});

test("with an effective nopreempt the address stays where it went", () => {
  assert.equal(outlook({ a: replace("advert_int 1", "nopreempt") }).returnsAfter, undefined);
});

test("why the address stays is told", () => {
  const reason = (change: Change) => {
    const { serviceDies } = outlook(change);
    return serviceDies.kind === "stays" ? serviceDies.reason : serviceDies.kind;
  };
  assert.equal(reason({ script: "#!/bin/sh\nexit 1\n" }), "always-failing");
  assert.equal(reason({ script: "#!/bin/sh\nexit 0\n" }), "never-noticed");
  assert.equal(reason({ both: replace("weight -20", "weight -2") }), "priority-too-high");
  // Exactly the backup's: it obeys an equal, although its address is the higher one.
  assert.equal(
    reason({
      both: replace("weight -20", "weight -10"),
      script: GOOD_SCRIPT,
      b: replace("priority 90", "priority 90"),
    }),
    "priority-too-high",
  );
  assert.equal(reason({ b: replace("advert_int 1", "nopreempt") }), "nopreempt");
  assert.equal(reason({ both: replace("track_script {\n\t\tchk\n\t}", "") }), "untracked");
  assert.equal(reason({ a: replace("priority 100", "priority 255") }), "owner");
  assert.equal(reason({ script: `${GOOD_SCRIPT}my_probe\n` }), "unknown");
});

test("spans are printed short", () => {
  assert.equal(printSpan({ minMs: 648.4, maxMs: 648.4 }), "648 ms");
  assert.equal(printSpan({ minMs: 2648, maxMs: 3648 }), "2.65 s to 3.65 s");
  assert.equal(printSpan({ minMs: 12_000, maxMs: 12_000 }), "12 s");
});
