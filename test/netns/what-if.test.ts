// lane: measures (gaps, against what was computed)
/** What `tandem explain failover` computes from a pair's files is what the lab sees when it does the same harm to that pair. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import type { Span } from "../../src/check/failover.ts";
import type { Program } from "../../src/check/what-if/world.ts";
import { whatIf } from "../../src/cli/explain-failover.ts";
import { flavourOf } from "../../src/lab/flavours.ts";
import { whyNot } from "../../src/lab/namespaces.ts";
import { SLACK_MS } from "../../src/lab/scenario.ts";
import { RecordingReader } from "../../src/process/recorded-files.ts";
import { EXAMPLE, fastPair, type LabResult, rehearse } from "../support/lab.ts";

const skip = whyNot() ?? false;
const fast = fastPair();
after(() => rmSync(fast, { recursive: true }));

/** Scenario of the lab → the faults that it does; a is the first node, and the active one. */
const REHEARSED: Readonly<Record<string, string>> = {
  "graceful-stop": "stop 0",
  "reload-lower": "reload-lower 0",
  "reload-lower-stop": "reload-lower 0, stop 1",
  "kill-vrrp": "vrrp-dies 0",
  partition: "cut-off 0",
  "http-dead": "service-dies 0",
  "http-dead-both": "service-dies 0, service-dies 1",
  "link-down": "link-down 0",
  "kill-node": "node-dies 0",
};

/** What was computed, by the faults in short. Holders are a and b. */
function computed(pair: string, program: Program) {
  const files = ["a", "b"].map((node) => path.join(pair, node, "keepalived.conf"));
  const found = whatIf(files, "x", program, new RecordingReader());
  assert.ok(typeof found !== "string", String(found));
  const [explanation] = found.explanations;
  assert.ok(explanation !== undefined);
  const names = new Map(explanation.nodes.map(({ label }, i) => [label, i === 0 ? "a" : "b"]));
  const outcomes = [...explanation.singles, ...explanation.doubles].map((outcome) => {
    const key = outcome.faults.map(({ kind, node }) => `${kind} ${node}`).join(", ");
    const name = (label: string | undefined) => names.get(label ?? "") ?? "nobody";
    return [
      key,
      { ...outcome, holders: outcome.holders.map(name), takenBy: outcome.taken && name(outcome.taken.by) },
    ] as const;
  });
  return new Map(outcomes);
}

const missing = flavourOf("keepalived");

/** Of a pair with adverts every 100 ms; for what depends on them, of the same pair as it is written; and with the original programs. */
for (const { title, pair, names, program = "tandem" } of [
  { title: "adverts every 100 ms", pair: fast, names: Object.keys(REHEARSED) },
  { title: "adverts every second", pair: EXAMPLE, names: ["graceful-stop", "reload-lower-stop", "link-down"] },
  {
    title: "keepalived",
    pair: fast,
    names: ["graceful-stop", "reload-lower", "partition", "http-dead", "link-down", "kill-node"],
    program: "keepalived",
  },
] as readonly { title: string; pair: string; names: readonly string[]; program?: Program }[])
  test(`computed and rehearsed faults agree: ${title}`, {
    skip: program === "keepalived" && typeof missing === "string" ? missing : skip,
  }, async () => {
    const outcomes = computed(pair, program);
    const both = program === "keepalived" ? ["--peer", "both"] : [];
    const { result, live } = await rehearse([pair, ...both, "--scenario", names.join(",")]);
    const noiseMs = noiseOf(result);
    const gapOnceMore = async (scenario: string): Promise<{ gapMs: number; noiseMs: number }> => {
      const { result: again } = await rehearse([pair, ...both, "--scenario", scenario]);
      return { gapMs: again.scenarios[1]?.runs.at(-1)?.gapMs ?? Number.POSITIVE_INFINITY, noiseMs: noiseOf(again) };
    };
    for (const { scenario, runs, errors } of result.scenarios.slice(1)) {
      const outcome = outcomes.get(REHEARSED[scenario] ?? "");
      assert.ok(outcome !== undefined, scenario);
      assert.deepEqual(errors, [], live);
      const run = runs.at(-1);
      assert.ok(run !== undefined);
      const who = `${scenario}: ${run.after} answers after ${run.gapMs} ms; computed: ${outcome.holders} after ${JSON.stringify(outcome.gap)}`;
      if (outcome.gap === "for ever") {
        assert.equal(run.after, undefined, who);
        assert.ok(
          run.expectations.every(({ holds }) => holds),
          who,
        );
        continue;
      }
      // A node that is cut off goes on holding the address, and one whose process has died takes it back: clients are at the taker.
      assert.equal(run.after, outcome.takenBy, who);
      assert.ok(outcome.holders.includes(run.after ?? "") || outcome.returns !== undefined, who);
      if (isWithin(run.gapMs, outcome.gap, noiseMs)) continue;
      // Check scripts take longer on a busy machine than they are computed with, and not every scenario is repeated by itself for that.
      const again = await gapOnceMore(scenario);
      assert.ok(isWithin(again.gapMs, outcome.gap, again.noiseMs), `${who}; once more: ${again.gapMs} ms`);
    }
    assert.equal(result.scenarios.length, names.length + 1);
  });

/** The longest gap without a fault, which every rehearsal begins with. */
function noiseOf({ scenarios }: LabResult): number {
  return Math.max(...(scenarios[0]?.runs.map(({ gapMs }) => gapMs) ?? [0]));
}

/**
 * A rehearsal that was late only because of the machine has been repeated by then. There is no lower bound: what the client could not ask
 * while it was not running is no part of the gap.
 */
function isWithin(gapMs: number, { maxMs }: Span, noiseMs: number): boolean {
  return gapMs <= maxMs + Math.max(SLACK_MS, noiseMs) + (maxMs === 0 ? SLACK_MS : 0);
}
