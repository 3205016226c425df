/**
 * May a router be active? The decisions of `split_brain_policy safe`: pure, no clock, no socket.
 *
 * Every answer (of the gateway, the witness, a partner) is a right to be active that begins with its question and lasts `validMs`. An
 * active router whose right has ended lets go at once. A backup waits `validMs` longer than VRRP asks for: whoever was active and has
 * been cut off has no right any more by then. So a partition that leaves the witness to one side has one owner at most.
 *
 *     a backup's timer has run out, and …                                   | then
 *     ----------------------------------------------------------------------+----------------------------------------------
 *     it hears the active router, which ranks lower                         | takes over if it has the right itself; with a
 *                                                                           | lease: waits to be handed it
 *     the last advert is younger than its down time and validMs together    | waits, unless that advert was priority 0
 *     a partner says over the peer channel that it is active                | waits
 *     nothing gives it the right                                            | waits
 *     somebody answers for one of the addresses                             | waits
 *     otherwise                                                             | takes over
 *
 * With a lease (etcd) the right is exclusive, wherever the network breaks, and nothing else gives it.
 */

/** How long answers for our own addresses are waited for, before they are taken. */
export const PROBE_MS = 150;
/** A backup that waits for a right looks again so soon: the answer comes as an event of its own. */
const LOOK_MS = 100;
const UNSURE = "nothing says that the network is whole";

export interface GuardRules {
  readonly validMs: number;
  readonly hasGateway: boolean;
  /** exclusive: only one node can have it. */
  readonly witness: "none" | "reachable" | "exclusive";
}

/** Instants until which each sign is good. */
export interface GuardState {
  readonly gatewayMs: number;
  readonly witnessMs: number;
  readonly partnerMs: number;
  /** Whoever handed over had the lease: until then it has to be ours. */
  readonly graceMs: number;
  /** When questions about our own addresses have been sent; undefined: not yet. */
  readonly probedMs: number | undefined;
  /** Somebody has answered them. */
  readonly conflict: { readonly untilMs: number; readonly text: string } | undefined;
}

const NEVER = Number.NEGATIVE_INFINITY;

/** Nothing is known yet. */
export const NEW_GUARD: GuardState = {
  gatewayMs: NEVER,
  witnessMs: NEVER,
  partnerMs: NEVER,
  graceMs: NEVER,
  probedMs: undefined,
  conflict: undefined,
};

/** Until when an active router may stay so. Partners that are heard let it go on, but make nobody active: a new process knows too few of them. */
export function rightUntilMs(rules: GuardRules, state: GuardState): number {
  const { partnerMs, graceMs } = state;
  const ownMs = signsUntilMs(rules, state);
  return Math.max(graceMs, rules.witness === "exclusive" ? ownMs : Math.max(ownMs, partnerMs));
}

/** Why a router must not become active, whoever hands over to it; undefined: it may. A lease is asked for when it is needed. */
export function whyDoubt(rules: GuardRules, state: GuardState, nowMs: number): string | undefined {
  return rules.witness === "exclusive" || signsUntilMs(rules, state) > nowMs ? undefined : UNSURE;
}

/** Until when everything that is configured has answered. */
function signsUntilMs(rules: GuardRules, { gatewayMs, witnessMs }: GuardState): number {
  let askedMs = Number.POSITIVE_INFINITY;
  if (rules.hasGateway) askedMs = Math.min(askedMs, gatewayMs);
  if (rules.witness !== "none") askedMs = Math.min(askedMs, witnessMs);
  return askedMs;
}

/** What a backup knows whose timer has run out. */
export interface TakeFacts {
  readonly nowMs: number;
  /** The last advert of an active router, or when this router began to listen. */
  readonly heardMs: number;
  /** How long VRRP waits. */
  readonly downMs: number;
  /** That advert said priority 0. */
  readonly hasLeft: boolean;
  /** Adverts of a lower priority keep coming. */
  readonly isPreempting: boolean;
  /** A partner that says, over the peer channel, that it is active: until when that counts. */
  readonly activePartnerMs: number;
}

export type Verdict =
  | { readonly kind: "take" }
  /** Questions about our own addresses are to be sent now; look again at `untilMs`. */
  | { readonly kind: "probe"; readonly untilMs: number }
  | { readonly kind: "wait"; readonly untilMs: number; readonly why: string };

/** What a backup does whose timer has run out. */
export function mayTake(rules: GuardRules, state: GuardState, facts: TakeFacts): Verdict {
  const { nowMs, heardMs, downMs, hasLeft, isPreempting, activePartnerMs } = facts;
  const isExclusive = rules.witness === "exclusive";
  const wait = (untilMs: number, why: string): Verdict => ({ kind: "wait", untilMs, why });
  if (isPreempting) {
    if (isExclusive) return wait(nowMs + rules.validMs, "the active router holds the lease and has to hand over");
    return signsUntilMs(rules, state) > nowMs ? { kind: "take" } : wait(nowMs + LOOK_MS, UNSURE);
  }
  const silentUntilMs = heardMs + downMs + rules.validMs;
  if (!hasLeft && nowMs < silentUntilMs) return wait(silentUntilMs, "whoever was active may still be, unheard");
  if (!hasLeft && nowMs < activePartnerMs) return wait(activePartnerMs, "the partner says that it is active");
  if (state.conflict !== undefined && nowMs < state.conflict.untilMs)
    return wait(state.conflict.untilMs, state.conflict.text);
  if (signsUntilMs(rules, state) <= nowMs) return wait(nowMs + LOOK_MS, UNSURE);
  if (state.probedMs === undefined || nowMs > state.probedMs + 2 * PROBE_MS)
    return { kind: "probe", untilMs: nowMs + PROBE_MS };
  const answeredMs = state.probedMs + PROBE_MS;
  if (nowMs < answeredMs) return wait(answeredMs, "asking for other owners");
  return { kind: "take" };
}

/** Somebody else has answered for one of our addresses. It counts as long as any other answer. */
export function addressAnswered(rules: GuardRules, state: GuardState, nowMs: number, text: string): GuardState {
  return { ...state, probedMs: undefined, conflict: { untilMs: nowMs + rules.validMs, text } };
}

/** Why an active router must let go; undefined: it need not. */
export function whyNot(rules: GuardRules, state: GuardState, nowMs: number): string | undefined {
  if (state.conflict !== undefined && nowMs < state.conflict.untilMs) return state.conflict.text;
  if (rightUntilMs(rules, state) > nowMs) return undefined;
  const missing: string[] = [];
  if (rules.hasGateway && state.gatewayMs <= nowMs) missing.push("the gateway does not answer");
  if (rules.witness === "reachable" && state.witnessMs <= nowMs) missing.push("the witness does not answer");
  if (rules.witness === "exclusive" && state.witnessMs <= nowMs) missing.push("the lease is not held");
  return `${UNSURE}: ${missing.join(", ")}`;
}
