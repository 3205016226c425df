/**
 * A hand-over between two Tandem nodes as each of them sees it: make before break. Pure, as instance.ts is; handovers.ts
 * carries the effects out. A unit is an instance alone, or all instances of a sync group.
 *
 *     giver                                                 taker
 *     offered   -- offer -->                                (checks itself, lays the detour to the giver)
 *               <-- ready --                                ready
 *     ordered   (keeps the addresses on its loopback)
 *               -- take  -->                                detouring (is active now: advert, addresses, announcements)
 *               <-- taken, or its advert --
 *     draining  (is backup now; its connections go on)
 *               (the last has ended, or the limit is over: the addresses go)
 *     closing   -- done  -->                                (removes the detour)
 *               <-- closed --
 *
 * - Every order is repeated until it is answered, and answered as often as it comes: no loss leaves a side behind.
 * - Until `take` nothing has happened that a clock does not undo on either side.
 * - Behind `take` the giver stays active until it hears that the other one is; it ranks below the other one from then
 *   on, so that VRRP alone would end the hand-over in the same way if the channel broke.
 * - A detour ends with `done`, with the giver's silence on the channel, or a moment after its limit or after the address has left the
 *   taker; an address on the loopback with the last connection, the limit, or when the giver becomes active again.
 */
import type { OrderStep } from "../wire/peer/message.ts";

/** How long a partner has to answer an offer, and then to take. */
export const OFFER_MS = 1000;
export const TAKE_MS = 1000;
const OFFER_AGAIN_MS = 100;
const TAKE_AGAIN_MS = 50;
/** A taker that hears nothing after its answer takes its preparations back: the giver has given up by then. */
export const READY_MS = TAKE_MS + 200;
/** How often the giver looks for connections that go on. */
export const COUNT_MS = 500;
/** `done` is repeated this often at most. */
const DONE_MS = 200;
const DONE_TIMES = 5;
/** Longer than the giver's own limit, whatever the clocks say. */
const DETOUR_GRACE_MS = 5000;
/** So old is what a hello says, at most. */
const HELLO_AGE_MS = 2000;
/** Packets that were under way to a node when the address left it still find their way. */
export const STRAY_MS = 1000;

export type Phase = "offered" | "ordered" | "draining" | "closing" | "ready" | "detouring";

export interface HandoverState {
  readonly side: "giver" | "taker";
  readonly phase: Phase;
  readonly id: number;
  readonly limitMs: number;
  /** When the phase began. */
  readonly sinceMs: number;
  /** When the phase ends by itself. */
  readonly deadlineMs: number;
  /** When something is to be done again: an order to be repeated, connections to be counted. */
  readonly againMs: number;
  /** Orders of this phase that were sent. */
  readonly sent: number;
  /** Connections that go on here, as counted last. */
  readonly left: number;
  /** Of the taker, when it is ready. */
  readonly priority: number;
  /** What is lost all the same, said by the taker. */
  readonly warning: string;
}

export type HandoverInput =
  | { readonly kind: "alarm"; readonly atMs: number }
  | {
      readonly kind: "order";
      readonly atMs: number;
      readonly step: OrderStep;
      readonly value: number;
      readonly reason: string;
    }
  /** No router of the unit is active here any more; `toAnother`: it goes to a third node, which relies on this one. */
  | { readonly kind: "left"; readonly atMs: number; readonly toAnother: boolean }
  /** All routers of the unit are active here. */
  | { readonly kind: "active"; readonly atMs: number }
  /** Told to take, this node has become one that had refused the offer. */
  | { readonly kind: "unfit"; readonly atMs: number; readonly reason: string }
  /** The partner says that it keeps nothing for this hand-over. */
  | { readonly kind: "notKept"; readonly atMs: number }
  /** What was asked for by `count`. */
  | { readonly kind: "connections"; readonly atMs: number; readonly count: number }
  /** The partner is silent on the channel, or another process. */
  | { readonly kind: "lost"; readonly atMs: number }
  /** This node ends. */
  | { readonly kind: "stop"; readonly atMs: number };

export type HandoverEffect =
  | { readonly kind: "send"; readonly step: OrderStep; readonly value: number; readonly reason: string }
  /** The addresses are to stay here, on the loopback, when they leave their links; or not any more. */
  | { readonly kind: "keep" }
  | { readonly kind: "letGo" }
  /** This node ranks below the partner from now on; or as configured again. */
  | { readonly kind: "standBack" }
  | { readonly kind: "standUp" }
  /** The routers of the unit become active now; or backup. */
  | { readonly kind: "take" }
  | { readonly kind: "yield" }
  | { readonly kind: "endDetour" }
  | { readonly kind: "count" }
  /** For whoever has asked for the hand-over. */
  | { readonly kind: "settle"; readonly isMoved: boolean; readonly reason: string }
  | { readonly kind: "log"; readonly text: string };

export interface HandoverStep {
  /** undefined: it is over, nothing is left of it. */
  readonly state: HandoverState | undefined;
  readonly effects: readonly HandoverEffect[];
}

function send(step: OrderStep, value = 0, reason = ""): HandoverEffect {
  return { kind: "send", step, value, reason };
}

function log(text: string): HandoverEffect {
  return { kind: "log", text };
}

/** The giver's first step. */
export function offer(id: number, limitMs: number, atMs: number): HandoverStep {
  const state: HandoverState = {
    side: "giver",
    phase: "offered",
    id,
    limitMs,
    sinceMs: atMs,
    deadlineMs: atMs + OFFER_MS,
    againMs: atMs + OFFER_AGAIN_MS,
    sent: 1,
    left: 0,
    priority: 0,
    warning: "",
  };
  return { state, effects: [send("offer", limitMs)] };
}

/** The taker's first step, when it can take the unit and the detour is laid. */
export function accept(
  { id, value: limitMs }: { readonly id: number; readonly value: number },
  priority: number,
  warning: string,
  atMs: number,
): HandoverStep {
  const state: HandoverState = {
    side: "taker",
    phase: "ready",
    id,
    limitMs,
    sinceMs: atMs,
    deadlineMs: atMs + READY_MS,
    againMs: Number.POSITIVE_INFINITY,
    sent: 1,
    left: 0,
    priority,
    warning,
  };
  return { state, effects: [readiness(state)] };
}

function readiness({ priority, warning }: HandoverState): HandoverEffect {
  return send("ready", priority, warning);
}

/** What happens next. */
export function stepHandover(state: HandoverState, input: HandoverInput): HandoverStep {
  switch (state.phase) {
    case "offered":
      return offered(state, input);
    case "ordered":
      return ordered(state, input);
    case "draining":
      return draining(state, input);
    case "closing":
      return closing(state, input);
    case "ready":
      return ready(state, input);
    case "detouring":
      return detouring(state, input);
  }
}

function same(state: HandoverState): HandoverStep {
  return { state, effects: [] };
}

function over(...effects: HandoverEffect[]): HandoverStep {
  return { state: undefined, effects };
}

function isDue(state: HandoverState, atMs: number): boolean {
  return atMs >= state.againMs;
}

function offered(state: HandoverState, input: HandoverInput): HandoverStep {
  const { atMs } = input;
  if (input.kind === "alarm") {
    if (atMs >= state.deadlineMs)
      return over(send("refuse", 0, "too late"), settled(false, "the partner does not answer"));
    if (!isDue(state, atMs)) return same(state);
    const again = { ...state, againMs: atMs + OFFER_AGAIN_MS, sent: state.sent + 1 };
    return { state: again, effects: [send("offer", state.limitMs)] };
  }
  if (input.kind === "order" && input.step === "ready") {
    const next: HandoverState = {
      ...state,
      phase: "ordered",
      sinceMs: atMs,
      deadlineMs: atMs + TAKE_MS,
      againMs: atMs + TAKE_AGAIN_MS,
      sent: 1,
      priority: input.value,
      warning: input.reason,
    };
    // The other one must be able to begin before our next advert tells it that we rank below it.
    return {
      state: next,
      effects: [{ kind: "keep" }, send("take"), { kind: "standBack" }],
    };
  }
  if (input.kind === "order" && input.step === "refuse") return over(settled(false, input.reason));
  if (input.kind === "left")
    return over(send("refuse", 0, "not active any more"), settled(false, "not active any more"));
  if (input.kind === "lost" || input.kind === "stop")
    return over(settled(false, input.kind === "lost" ? "the partner is gone" : "this node ends"));
  return same(state);
}

function settled(isMoved: boolean, reason: string): HandoverEffect {
  return { kind: "settle", isMoved, reason };
}

function ordered(state: HandoverState, input: HandoverInput): HandoverStep {
  const { atMs } = input;
  switch (input.kind) {
    case "left":
      return beginDraining(state, atMs);
    case "order":
      if (input.step === "taken") return { state, effects: [{ kind: "yield" }] };
      if (input.step === "refuse") return giveUp(input.reason);
      return same(state);
    case "alarm":
      if (atMs >= state.deadlineMs) return giveUp("the partner was ready but did not take over");
      if (!isDue(state, atMs)) return same(state);
      return { state: { ...state, againMs: atMs + TAKE_AGAIN_MS, sent: state.sent + 1 }, effects: [send("take")] };
    case "lost":
      return giveUp("the partner is gone");
    case "stop":
      return over({ kind: "letGo" }, settled(false, "this node ends"));
    default:
      return same(state);
  }
}

/** Everything as before; should the other one be active all the same, VRRP settles it. */
function giveUp(reason: string): HandoverStep {
  return over(send("refuse", 0, reason), { kind: "standUp" }, { kind: "letGo" }, settled(false, reason));
}

function beginDraining(state: HandoverState, atMs: number): HandoverStep {
  const next: HandoverState = {
    ...state,
    phase: "draining",
    sinceMs: atMs,
    deadlineMs: atMs + state.limitMs,
    againMs: atMs + Math.min(COUNT_MS, state.limitMs),
    sent: 0,
  };
  return { state: next, effects: [settled(true, state.warning), { kind: "count" }] };
}

function draining(state: HandoverState, input: HandoverInput): HandoverStep {
  const { atMs } = input;
  switch (input.kind) {
    case "connections":
      if (input.count === 0 && !isDrainingJustBegun(state, atMs))
        return close(state, atMs, "the last connection of the old owner has ended");
      return same({ ...state, left: input.count });
    case "alarm":
      if (atMs >= state.deadlineMs)
        return close(state, atMs, `the limit is over, ${state.left} connections are cut off`);
      if (!isDue(state, atMs)) return same(state);
      return { state: { ...state, againMs: atMs + COUNT_MS }, effects: [{ kind: "count" }] };
    case "active":
      // Ours again, by another hand-over or because the other one has died. No `done`: packets that are under way to the
      // other one when it leaves still need its detour.
      return over({ kind: "letGo" });
    case "stop":
      return over({ kind: "letGo" }, send("done"));
    default:
      return same(state);
  }
}

/** Connections that were under way to us a moment ago have to be seen before none counts as none left. */
function isDrainingJustBegun(state: HandoverState, atMs: number): boolean {
  return state.limitMs > STRAY_MS && atMs < state.sinceMs + STRAY_MS;
}

function close(state: HandoverState, atMs: number, why: string): HandoverStep {
  const next: HandoverState = {
    ...state,
    phase: "closing",
    sinceMs: atMs,
    deadlineMs: atMs + DONE_MS * DONE_TIMES,
    againMs: atMs + DONE_MS,
    sent: 1,
  };
  return { state: next, effects: [log(why), { kind: "letGo" }, send("done")] };
}

function closing(state: HandoverState, input: HandoverInput): HandoverStep {
  const { atMs } = input;
  if (input.kind === "order" && input.step === "closed") return over();
  if (input.kind === "lost" || input.kind === "stop") return over();
  if (input.kind !== "alarm") return same(state);
  if (atMs >= state.deadlineMs) return over();
  if (!isDue(state, atMs)) return same(state);
  return { state: { ...state, againMs: atMs + DONE_MS, sent: state.sent + 1 }, effects: [send("done")] };
}

function ready(state: HandoverState, input: HandoverInput): HandoverStep {
  const { atMs } = input;
  // An order that has waited while this process was suspended is one of a giver that has given up.
  if (atMs >= state.deadlineMs) return over({ kind: "endDetour" });
  switch (input.kind) {
    case "order":
      if (input.step === "offer")
        return { state: { ...state, deadlineMs: atMs + READY_MS }, effects: [readiness(state)] };
      if (input.step === "take")
        return { state: detour(state, atMs), effects: [{ kind: "standUp" }, { kind: "take" }, send("taken")] };
      if (input.step === "refuse" || input.step === "done") return over({ kind: "endDetour" });
      return same(state);
    case "unfit":
      return over(send("refuse", 0, input.reason), { kind: "endDetour" });
    case "active":
      // VRRP was faster than the order, or the giver has died before it gave.
      return { state: detour(state, atMs), effects: [{ kind: "standUp" }, send("taken")] };
    case "lost":
    case "stop":
      return over({ kind: "endDetour" });
    default:
      return same(state);
  }
}

function detour(state: HandoverState, atMs: number): HandoverState {
  return { ...state, phase: "detouring", sinceMs: atMs, deadlineMs: atMs + state.limitMs + DETOUR_GRACE_MS };
}

function detouring(state: HandoverState, input: HandoverInput): HandoverStep {
  const { atMs } = input;
  switch (input.kind) {
    case "order":
      if (input.step === "take") return { state, effects: [send("taken")] };
      if (input.step === "done") return over({ kind: "endDetour" }, send("closed"));
      return same(state);
    case "notKept":
      // It is active itself again, or its `done` was lost.
      return atMs - state.sinceMs > HELLO_AGE_MS ? endSoon(state, atMs) : same(state);
    case "left":
      return input.toAnother ? same(state) : endSoon(state, atMs);
    case "alarm":
      return atMs >= state.deadlineMs ? over({ kind: "endDetour" }) : same(state);
    case "lost":
    case "stop":
      return over({ kind: "endDetour" });
    default:
      return same(state);
  }
}

function endSoon(state: HandoverState, atMs: number): HandoverStep {
  return same({ ...state, deadlineMs: Math.min(state.deadlineMs, atMs + STRAY_MS) });
}

/** When `stepHandover` wants its next alarm. */
export function nextAlarmMs(state: HandoverState): number {
  return Math.min(state.deadlineMs, state.againMs);
}
