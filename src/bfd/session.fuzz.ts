import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BFD_STATES, decodeControl, encodeControl } from "../wire/bfd/control.ts";
import { exampleBfd } from "./example.ts";
import { step } from "./session.ts";
import { initialSession, type SessionInput, type SessionState } from "./state.ts";

const us = fc.oneof(fc.constantFrom(0, 1, 1000, 10_000, 1_000_000), fc.nat({ max: 0xffff_ffff }));
const packet = fc.record(
  {
    diagnostic: fc.nat({ max: 31 }),
    state: fc.constantFrom(...BFD_STATES),
    flags: fc.constantFrom({ poll: false, final: false }, { poll: true, final: false }, { poll: false, final: true }),
    demand: fc.boolean(),
    multiplier: fc.integer({ min: 1, max: 255 }),
    myDiscriminator: fc.integer({ min: 1, max: 0xffff_ffff }),
    minTxUs: us,
    minRxUs: us,
  },
  { noNullPrototype: true },
);
const wait = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5000, noNaN: true }));
const happening = fc.oneof(
  { weight: 5, arbitrary: packet },
  { weight: 4, arbitrary: fc.constant("alarm" as const) },
  { weight: 1, arbitrary: fc.constantFrom("reload", "stop") },
);
const settings = fc.record(
  {
    minTxUs: fc.constantFrom(1000, 10_000, 300_000),
    minRxUs: fc.constantFrom(1000, 10_000, 300_000),
    multiplier: fc.integer({ min: 1, max: 255 }),
    passive: fc.boolean(),
  },
  { noNullPrototype: true },
);

test("whatever a neighbour says, events alternate, packets are well-formed, and timers are in the future", () => {
  fc.assert(
    fc.property(
      settings,
      fc.array(fc.tuple(wait, happening, fc.double({ min: 0, max: 0.999, noNaN: true }))),
      (using, story) => {
        const session = exampleBfd(using);
        let state: SessionState = initialSession(session, 7);
        let atMs = 0;
        let isUp = false;
        const feed = (input: SessionInput): void => {
          const before = state;
          const next = step(session, before, input);
          state = next.state;
          let isTold = false;
          for (const effect of next.effects) {
            if (effect.kind === "send") {
              const read = decodeControl(encodeControl(effect.packet));
              assert.ok(read.ok, read.ok ? "" : read.reason);
              assert.equal(effect.packet.state, state.state);
            }
            if (effect.kind !== "event") continue;
            isTold = true;
            assert.ok(!effect.isUp || !isUp || before.state !== "up", "up is told once");
            assert.equal(effect.isUp, state.state === "up");
            isUp = effect.isUp;
          }
          if (before.state !== "up" && state.state === "up") assert.ok(isTold);
          if (before.state === "up" && state.state === "down") assert.ok(isTold || state.remote.state === "adminDown");
          const { sendAtMs = Number.POSITIVE_INFINITY, expiresAtMs = Number.POSITIVE_INFINITY } = state;
          if (input.kind === "alarm") assert.ok(sendAtMs >= atMs && expiresAtMs >= atMs, "nothing is left undone");
          if (state.state === "init" || state.state === "up")
            assert.ok(Number.isFinite(expiresAtMs), "somebody is waited for");
          if (state.state === "adminDown") assert.ok(!Number.isFinite(sendAtMs) && !Number.isFinite(expiresAtMs));
          assert.ok(state.usedMinTxUs <= state.desiredMinTxUs && state.usedMinRxUs >= state.requiredMinRxUs);
        };
        feed({ kind: "start", atMs, random: 0 });
        for (const [gap, what, random] of story) {
          atMs += gap;
          if (typeof what === "string") feed({ kind: what, atMs, random } as SessionInput);
          else {
            const { flags, ...rest } = what;
            const yourDiscriminator = 7;
            const plain = { controlPlaneIndependent: false, authenticated: false, minEchoRxUs: 0, yourDiscriminator };
            feed({ kind: "packet", atMs, random, packet: { ...rest, ...flags, ...plain } });
          }
        }
      },
    ),
  );
});
