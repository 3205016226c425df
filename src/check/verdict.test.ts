import assert from "node:assert/strict";
import { test } from "node:test";
import { printReport } from "./report.ts";
import { runRules } from "./rules.ts";
import { type Change, replace, subjectOf } from "./subject.cases.ts";
import { judge } from "./verdict.ts";

function verdictOf(change: Change) {
  const subject = subjectOf(change);
  return judge(subject, runRules(subject));
}

test("a good pair is called one", () => {
  assert.deepEqual(verdictOf({}), {
    level: "good",
    sentence: "This pair fails over when a node dies and when nginx dies.",
    reason: "Nothing was found against it.",
  });
});

test("two nodes that don't hear each other are the worst", () => {
  const change = { b: replace("virtual_router_id 33", "virtual_router_id 34"), script: "#!/bin/sh\nexit 1\n" };
  assert.equal(verdictOf(change).sentence, "Both nodes will hold the address at the same time.");
  const subject = subjectOf(change);
  const findings = runRules(subject);
  const report = printReport(subject, findings, judge(subject, findings), { columns: 100, hasColour: false });
  assert.match(report, /a and b both take the address/);
  assert.doesNotMatch(report, /clients wait/);
});

test("a weight that is too small keeps the address on a dead nginx", () => {
  const { level, sentence, reason } = verdictOf({ both: replace("weight -20", "weight -2") });
  assert.deepEqual([level, sentence], ["bad", "This pair will not fail over when nginx dies."]);
  assert.match(reason, /^The priority falls to 98/);
});

test("a script that can't be understood leaves the verdict open", () => {
  assert.equal(verdictOf({ script: "#!/bin/sh\nprobe\n" }).level, "doubtful");
});

test("without nginx.conf and tracking only the node counts", () => {
  const change = { nginx: "", both: replace("track_script {\n\t\tchk\n\t}", "") };
  assert.equal(verdictOf(change).sentence, "This pair fails over when a node dies; no service on it is watched.");
});

test("a node alone can only be found not to be broken", () => {
  assert.match(verdictOf({ isAlone: true }).sentence, /only its partner's file can say/);
  assert.equal(verdictOf({ isAlone: true, a: replace("advert_int 1", "vrf red") }).level, "bad");
});

test("one warning is counted", () => {
  assert.equal(
    verdictOf({ a: replace("advert_int 1", "advert_intt 1") }).reason,
    "One thing should be put right all the same.",
  );
});

test("a pair of another service is explained with its name", () => {
  const change = { nginx: "", script: "#!/bin/sh\nkillall -0 haproxy\n" };
  const subject = subjectOf(change);
  const findings = runRules(subject);
  const verdict = judge(subject, findings);
  assert.equal(verdict.sentence, "This pair fails over when a node dies and when haproxy dies.");
  assert.match(
    printReport(subject, findings, verdict, { columns: 100, hasColour: false }),
    /haproxy on a dies for good/,
  );
});
