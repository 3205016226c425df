import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { judge } from "./accept.ts";
import { exampleInstance, examplePassword, ip } from "./example.ts";
import { step } from "./instance.ts";
import { AdvertSecurity } from "./security.ts";
import { initialState, type RouterInput } from "./state.ts";

const source = fc.constantFrom(ip("192.168.50.1"), ip("192.168.50.2"));
const gap = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20_000 }));
type Timeless = RouterInput extends infer I ? (I extends { atMs: number } ? Omit<I, "atMs"> : never) : never;

const input: fc.Arbitrary<Timeless> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "alarm" } as const) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        source,
        fc.boolean(),
        fc.constantFrom(0, 1, 90, 100, 101, 200, 254, 255),
        fc.constantFrom(10, 1000, 40_950),
      )
      .map(([from, isHigher, priority, intervalMs]) => ({
        kind: "advert",
        source: from,
        isHigher,
        priority,
        intervalMs,
      })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 80, 100, 254), fc.constantFrom([], ["broken"]))
      .map(([priority, faults]) => ({ kind: "tracking", priority, faults })),
  },
  fc.constantFrom("active", "backup").map((to) => ({ kind: "group", to, group: "G" }) as const),
  fc.constant({ kind: "addressLost", address: ip("192.168.50.130") } as const),
  fc
    .tuple(source, fc.constantFrom(3, 50, 5000))
    .map(([neighbor, detectionMs]) => ({ kind: "neighborLost", neighbor, detectionMs }) as const),
  fc.constant({ kind: "reload" } as const),
) as fc.Arbitrary<Timeless>;

test("whatever happens, addresses follow the role and nothing is left without a timer", () => {
  const settings = fc
    .tuple(
      fc.constantFrom(2, 3),
      fc.boolean(),
      fc.constantFrom(0, 3000),
      fc.constantFrom(100, 255),
      fc.option(fc.constant("G")),
    )
    .map(([version, nopreempt, preemptDelayMs, priority, group]) =>
      exampleInstance({ version, nopreempt, preemptDelayMs, priority, syncGroup: group ?? undefined } as never),
    );
  fc.assert(
    fc.property(settings, fc.array(fc.tuple(gap, input), { maxLength: 60 }), (using, story) => {
      let atMs = 0;
      let holds = false;
      let state = initialState(using.priority, using.advertIntervalMs);
      const feed = (next: RouterInput): void => {
        const before = state;
        const { state: after, effects } = step(using, state, next);
        state = after;
        for (const effect of effects) {
          if (effect.kind === "claim") holds = true;
          if (effect.kind === "release") holds = false;
          if (effect.kind === "send") assert.ok(effect.priority >= 0 && effect.priority <= 255);
          if (effect.kind === "announce") assert.equal(state.role, "active");
          if (effect.kind === "role") assert.equal(effect.from, before.role);
        }
        assert.equal(holds, state.role === "active", `${next.kind} leaves ${state.role}`);
        if (state.role === "active" || state.role === "backup") {
          assert.ok(state.deadlineMs !== undefined && state.deadlineMs >= 0);
          assert.ok(state.deadlineMs - atMs <= 3 * 40_950 + 41_000, "a timer within the protocol's bounds");
        }
        if (state.faults.length > 0) assert.ok(state.role === "fault" || state.role === "init");
      };
      feed({ kind: "start", atMs, delayMs: 0 });
      for (const [passed, next] of story) {
        atMs += passed;
        feed({ ...next, atMs } as RouterInput);
      }
      feed({ kind: "stop", atMs });
      assert.equal(holds, false);
    }),
    { numRuns: 400 },
  );
});

test("no packet makes the judge throw, and what it drops it can explain", () => {
  const settings = fc.constantFrom(
    exampleInstance({ authentication: examplePassword("1111") }),
    exampleInstance({ version: 3 }),
    exampleInstance({ version: 3, family: 6 }),
  );
  fc.assert(
    fc.property(settings, fc.uint8Array({ maxLength: 60 }), fc.nat(255), (using, message, hopLimit) => {
      const size = using.family === 4 ? 4 : 16;
      const from = new Uint8Array(size).fill(1);
      const packet = { source: from, destination: from, hopLimit, headerBytes: 20, message };
      const verdict = judge(using, packet, { lastSource: undefined, security: new AdvertSecurity(using), wallMs: 0 });
      if (verdict.kind === "drop") assert.notEqual(verdict.text, "");
    }),
    { numRuns: 500 },
  );
});
