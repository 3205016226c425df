import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  accept,
  type HandoverEffect,
  type HandoverState,
  type HandoverStep,
  nextAlarmMs,
  offer,
  stepHandover,
} from "./handover.ts";

const LIMIT_MS = 3000;
type Order = Extract<HandoverEffect, { kind: "send" }>;

/** What a random number makes of one step of the story. */
type Choice = { readonly loses: boolean; readonly doubles: boolean; readonly delayMs: number; readonly event: number };

/** One side with what it has put into its kernel. */
class Side {
  state: HandoverState | undefined;
  keeps = false;
  hasDetour = false;
  isActive: boolean;

  constructor(isActive: boolean) {
    this.isActive = isActive;
  }
}

/** Two sides, a channel that loses, doubles and delays, adverts that arrive or don't, and a clock. */
class Story {
  readonly giver = new Side(true);
  readonly taker = new Side(false);
  readonly #waiting: { atMs: number; to: Side; order: Order }[] = [];
  readonly #choices: Iterator<Choice>;
  nowMs = 0;

  constructor(choices: readonly Choice[]) {
    this.#choices = choices[Symbol.iterator]();
    this.#take(this.giver, offer(1, LIMIT_MS, 0));
  }

  #choose(): Choice {
    return this.#choices.next().value ?? { loses: false, doubles: false, delayMs: 1, event: 0 };
  }

  #take(side: Side, { state, effects }: HandoverStep): void {
    side.state = state;
    for (const effect of effects) this.#perform(side, effect);
  }

  #perform(side: Side, effect: HandoverEffect): void {
    const other = side === this.giver ? this.taker : this.giver;
    if (effect.kind === "send") this.#send(other, effect);
    else if (effect.kind === "keep") side.keeps = true;
    else if (effect.kind === "letGo") side.keeps = false;
    else if (effect.kind === "endDetour") side.hasDetour = false;
    else if (effect.kind === "take") this.#setActive(side, true);
    else if (effect.kind === "yield") this.#setActive(side, false);
    else if (effect.kind === "count")
      this.#feed(side, { kind: "connections", atMs: this.nowMs, count: this.#choose().event % 3 });
  }

  #setActive(side: Side, isActive: boolean): void {
    if (side.isActive === isActive) return;
    side.isActive = isActive;
    this.#feed(
      side,
      isActive ? { kind: "active", atMs: this.nowMs } : { kind: "left", atMs: this.nowMs, toAnother: false },
    );
    // The new owner's advert: the old one steps down when it hears it.
    if (isActive && side === this.taker && !this.#choose().loses) this.#setActive(this.giver, false);
  }

  #send(to: Side, order: Order): void {
    const { loses, doubles, delayMs } = this.#choose();
    if (loses) return;
    this.#waiting.push({ atMs: this.nowMs + delayMs, to, order });
    if (doubles) this.#waiting.push({ atMs: this.nowMs + 3 * delayMs, to, order });
  }

  #feed(side: Side, input: Parameters<typeof stepHandover>[1]): void {
    if (side.state !== undefined) this.#take(side, stepHandover(side.state, input));
  }

  #deliver(to: Side, { step, value, reason }: Order): void {
    if (to.state?.phase === "ready" && step === "take" && this.#choose().event === 9)
      this.#feed(to, { kind: "unfit", atMs: this.nowMs, reason: "sick" });
    else if (to.state !== undefined) this.#feed(to, { kind: "order", atMs: this.nowMs, step, value, reason });
    else if (to === this.taker && step === "offer" && !to.isActive) {
      to.hasDetour = true;
      this.#take(to, accept({ id: 1, value }, 90, "", this.nowMs));
    } else if (step === "done") this.#send(this.giver, { kind: "send", step: "closed", value: 0, reason: "" });
  }

  /** Until nothing is left to happen; false when that takes too long. */
  run(): boolean {
    for (let i = 0; i < 3000; i++) {
      this.#waiting.sort((a, b) => a.atMs - b.atMs);
      const alarms = [this.giver, this.taker].map(({ state }) => (state === undefined ? Infinity : nextAlarmMs(state)));
      const nextMs = Math.min(this.#waiting[0]?.atMs ?? Infinity, ...alarms);
      if (nextMs === Infinity) return true;
      this.nowMs = Math.max(this.nowMs, nextMs);
      const [first] = this.#waiting;
      if (first !== undefined && first.atMs <= nextMs) {
        this.#waiting.shift();
        this.#deliver(first.to, first.order);
      } else for (const side of [this.giver, this.taker]) this.#feed(side, { kind: "alarm", atMs: this.nowMs });
      this.#check();
    }
    return false;
  }

  #check(): void {
    const { giver, taker } = this;
    assert.ok(giver.isActive || taker.isActive, "somebody is active");
    assert.ok(!giver.keeps || giver.state !== undefined, "what is kept belongs to a hand-over");
    assert.ok(!taker.hasDetour || taker.state !== undefined, "a detour belongs to a hand-over");
    assert.ok(giver.isActive || giver.keeps || giver.state?.phase !== "draining", "who drains keeps");
  }
}

const choice: fc.Arbitrary<Choice> = fc.record(
  { loses: fc.boolean(), doubles: fc.boolean(), delayMs: fc.nat(400), event: fc.nat(9) },
  { noNullPrototype: true },
);

test("whatever the channel does, somebody is active at every moment and nothing is left in the end", () => {
  fc.assert(
    fc.property(fc.array(choice, { maxLength: 60 }), (choices) => {
      const story = new Story(choices);
      assert.ok(story.run(), "it ends");
      assert.deepEqual([story.giver.state, story.taker.state], [undefined, undefined]);
      assert.deepEqual([story.giver.keeps, story.taker.hasDetour], [false, false]);
    }),
    { numRuns: 2000 },
  );
});
