import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  beginHealth,
  HEALTH_DEFAULTS,
  type HealthSettings,
  type HealthState,
  initialStatus,
  stepHealth,
} from "./health.ts";

function run(settings: Partial<HealthSettings>, probes: string, before?: "healthy" | "unhealthy"): string {
  const all = { ...HEALTH_DEFAULTS, ...settings };
  let state = beginHealth(all, initialStatus(all, before), 0, 0);
  let way = state.status[0] as string;
  for (const probe of probes) {
    const due = stepHealth(all, state, { kind: "due" }, state.probeAtMs as number, 0);
    assert.deepEqual(due.effects, [{ kind: "probe" }]);
    state = stepHealth(all, due.state, { kind: "probed", passed: probe === "+" }, 1000, 0.5).state;
    way += state.status[0];
  }
  return way;
}

test("a peer is healthy until `fails` probes in a row fail, and unhealthy until `passes` in a row pass", () => {
  assert.equal(run({ fails: 3, passes: 2 }, "-+--+---+-++-"), "hhhhhhhhuuuuhh");
});

test("a mandatory peer is checked first, and one failure settles it", () => {
  assert.equal(run({ mandatory: true, passes: 2 }, "++-"), "cchu");
  assert.equal(run({ mandatory: true, fails: 3 }, "-+"), "cuh");
});

test("persistent keeps what was known before a reload, mandatory alone does not", () => {
  assert.equal(run({ mandatory: true, persistent: true }, "", "healthy"), "h");
  assert.equal(run({ mandatory: true, persistent: true }, ""), "c");
  assert.equal(run({ mandatory: true }, "", "healthy"), "c");
  assert.equal(run({}, "", "unhealthy"), "u");
});

test("the next probe comes an interval after the last, later by the jitter", () => {
  const settings = { ...HEALTH_DEFAULTS, intervalMs: 200, jitterMs: 100 };
  const begun = beginHealth(settings, "healthy", 50, 0.5);
  assert.equal(begun.probeAtMs, 100);
  assert.deepEqual(stepHealth(settings, begun, { kind: "due" }, 99, 0).effects, [], "not yet");
  const probing = stepHealth(settings, begun, { kind: "due" }, 100, 0).state;
  assert.deepEqual(stepHealth(settings, probing, { kind: "due" }, 500, 0).effects, [], "one at a time");
  assert.equal(stepHealth(settings, probing, { kind: "probed", passed: true }, 130, 0.25).state.probeAtMs, 355);
});

test("every change of status is told once, and the counters count", () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean()),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      (probes, fails, passes) => {
        const settings = { ...HEALTH_DEFAULTS, fails, passes };
        let state: HealthState = beginHealth(settings, "healthy", 0, 0);
        let told: string = state.status;
        for (const passed of probes) {
          state = stepHealth(settings, state, { kind: "due" }, 1e9, 0).state;
          const result = stepHealth(settings, state, { kind: "probed", passed }, 0, 0);
          for (const effect of result.effects) {
            assert.ok(effect.kind === "status" && effect.from === told && effect.to !== told);
            told = effect.to;
          }
          state = result.state;
          assert.equal(state.status, told);
        }
        assert.equal(state.checks, probes.length);
        assert.equal(state.failures, probes.filter((passed) => !passed).length);
      },
    ),
  );
});
