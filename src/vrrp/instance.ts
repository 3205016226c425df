/**
 * The state machine of one virtual router: RFC 9568 §6.4 (version 3), RFC 3768 §6.4 (version 2), keepalived's FAULT.
 * Pure: no clock, no socket, no log. keepalived's counterpart: vrrp_state_* in vrrp.c and vrrp_scheduler.c.
 *
 *     role     | alarm                  | advert                          | fault   | repaired | stop
 *     ---------+------------------------+---------------------------------+---------+----------+---------
 *     init     | backup (255: active)   | -                               | fault   | -        | -
 *     backup   | active                 | better: wait; worse: let expire | fault   | -        | init
 *     active   | advert, stays          | better: backup; worse: answer   | fault * | -        | init *
 *     fault    | -                      | -                               | -       | backup   | init
 *     * with an advert of priority 0
 *
 * Where Tandem does more than both, on purpose (the wire stays compatible):
 * - an active router announces its addresses whenever it has heard a rival, and after a gap in its own adverts in which
 *   a rival may have come and gone (keepalived: silent when its advert was the first after a partition has healed);
 * - a router that was active, or may have been in an earlier life, says goodbye to the one that is (`goodbye.ts`), so that clients find
 *   the winner even when it has won unheard. A backup that knows of no active router can't tell a goodbye from the first advert of
 *   one of priority 1: it listens for the next one, and no longer;
 * - an active router that lowers its priority says so at once, and a backup that outranks it from then on waits only the
 *   skew time: a failed check script need not cost three more intervals;
 * - an active router whose own advert is overdue has perhaps been suspended: to worse adverts, which may have waited as long, it says
 *   nothing before all of them are read, so that it does not call clients back a moment before it reads of a better router;
 * - a backup whose timer fires more than an interval late has been suspended: it listens once more before it takes over;
 * - a backup whose tracked BFD session with the active router expires waits no longer for its adverts: a silent death costs
 *   milliseconds (keepalived: the session changes priorities, but the down timer runs on).
 */
import { equalBytes } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { VrrpInstance } from "../conf/keepalived/config.ts";
import { PRIORITY_OWNER, PRIORITY_STOP } from "../wire/vrrp/advert.ts";
import { isBystander, isKnown, PRIORITY_GOODBYE, sayGoodbye } from "./goodbye.ts";
import type { Role, RouterAdvert, RouterEffect, RouterInput, RouterState, Step } from "./state.ts";
import { GOODBYES, ROLE_NAMES, unchanged } from "./state.ts";
import { downIntervalMs, skewMs } from "./timing.ts";

/** The part of a configured instance that the machine looks at. */
export type RouterSettings = Pick<
  VrrpInstance,
  | "name"
  | "version"
  | "priority"
  | "advertIntervalMs"
  | "downTimerAdverts"
  | "nopreempt"
  | "preemptDelayMs"
  | "lowerPriorityNoAdvert"
  | "higherPrioritySendAdvert"
  | "syncGroup"
  | "highestOtherPriority"
>;

/** How long adverts from before a hand-over may still be under way, at most; no longer than an interval: a giver that is back is heard then. */
const OVERTAKEN_MS = 200;
/** An owner tolerates this many adverts of another owner of lower address before it gives up owning. */
const RIVAL_OWNER_ADVERTS = 2;

/** What happens next. The state that comes back is the only memory. */
export function step(settings: RouterSettings, state: RouterState, input: RouterInput): Step {
  switch (input.kind) {
    case "start":
      return start(settings, state, input.atMs, input.delayMs);
    case "alarm":
      return alarm(settings, state, input.atMs);
    case "advert":
      if (state.role === "backup") return advertAsBackup(settings, state, input);
      if (state.role === "active" && !isOvertaken(state, input)) return advertAsActive(settings, state, input);
      return unchanged(state);
    case "tracking":
      return tracking(settings, state, input);
    case "group":
      return groupDecided(settings, state, input);
    case "take":
      return state.role === "backup" ? takeOver(settings, state, input) : unchanged(state);
    case "yield":
      return handedOver(settings, state, input);
    case "wait":
      return unchanged(state.role === "backup" ? { ...state, deadlineMs: input.untilMs } : state);
    case "addressLost":
      return addressLost(settings, state, input);
    case "neighborLost":
      return neighborLost(settings, state, input);
    case "reload":
      return reload(settings, state, input.atMs);
    case "stop":
      return stop(settings, state, input.atMs);
  }
}

function log(settings: RouterSettings, text: string): RouterEffect {
  return { kind: "log", level: "notice", text: `(${settings.name}) ${text}` };
}

/** RFC 9568 §6.4.1. Addresses that a crashed predecessor has left behind are removed first, as keepalived does. */
function start(settings: RouterSettings, state: RouterState, atMs: number, delayMs: number): Step {
  const cleared: RouterEffect[] = [log(settings, "removing VIPs."), { kind: "release" }];
  if (delayMs > 0) {
    const waiting = { ...state, deadlineMs: atMs + delayMs, sinceMs: atMs, reason: "start-up delay" };
    return { state: waiting, effects: [...cleared, log(settings, `delaying startup by ${delayMs / 1000} seconds`)] };
  }
  const begun = leaveInit(settings, { ...state, sinceMs: atMs }, atMs);
  return { state: begun.state, effects: [...cleared, ...begun.effects] };
}

function leaveInit(settings: RouterSettings, state: RouterState, atMs: number): Step {
  if (state.faults.length > 0) return enterFault(settings, state, atMs, state.faults[0] as string);
  // (105) The owner need not ask; keepalived lets everybody else wait the whole down timer, whatever `state` says.
  if (state.priority === PRIORITY_OWNER && settings.syncGroup === undefined)
    return becomeActive(settings, state, atMs, "owner of the addresses (priority 255)");
  return enterBackup(settings, state, atMs, "start", " (init)");
}

function enterRole(state: RouterState, to: Role, atMs: number, reason: string): [RouterState, RouterEffect] {
  return [
    {
      ...state,
      role: to,
      sinceMs: atMs,
      reason,
      isAsking: false,
      preemptAtMs: undefined,
      handedBy: undefined,
      rivalOwnerAdverts: 0,
    },
    { kind: "role", from: state.role, to, reason },
  ];
}

function entering(settings: RouterSettings, role: Role, suffix = ""): RouterEffect {
  return log(settings, `Entering ${ROLE_NAMES[role]} STATE${suffix}`);
}

/** To backup from init or fault, with a full down timer and no idea of who is active. */
function enterBackup(settings: RouterSettings, state: RouterState, atMs: number, reason: string, suffix = ""): Step {
  const [next, role] = enterRole(state, "backup", atMs, reason);
  const intervalMs = settings.advertIntervalMs;
  const deadlineMs = atMs + downIntervalMs(settings, state.priority, intervalMs);
  return {
    state: { ...next, intervalMs, deadlineMs, activeRouter: undefined },
    effects: [role, entering(settings, "backup", suffix)],
  };
}

function becomeActive(settings: RouterSettings, state: RouterState, atMs: number, reason: string): Step {
  const [next, role] = enterRole(state, "active", atMs, reason);
  const intervalMs = settings.advertIntervalMs;
  return {
    state: {
      ...next,
      intervalMs,
      deadlineMs: atMs + intervalMs,
      sentMs: atMs,
      activeRouter: undefined,
      goodbyesLeft: GOODBYES,
      goodbyeMs: Number.NEGATIVE_INFINITY,
    },
    effects: [
      role,
      { kind: "count", counter: "becameActive" },
      // RFC 9568 §6.4.2 (365) and keepalived: the advert is out before the address is in.
      { kind: "send", priority: state.priority },
      { kind: "claim" },
      entering(settings, "active"),
      log(settings, "setting VIPs."),
      { kind: "announce", cause: "takeover" },
    ],
  };
}

/** Gives the addresses up with an advert of priority 0: somebody else must take over now. */
function resign(settings: RouterSettings): RouterEffect[] {
  return [
    { kind: "send", priority: PRIORITY_STOP },
    { kind: "release" },
    { kind: "count", counter: "releasedActive" },
    { kind: "count", counter: "priorityZeroSent" },
    log(settings, "sent 0 priority"),
    log(settings, "removing VIPs."),
  ];
}

function enterFault(settings: RouterSettings, state: RouterState, atMs: number, reason: string): Step {
  const [next, role] = enterRole(state, "fault", atMs, reason);
  return {
    state: { ...next, deadlineMs: undefined, activeRouter: undefined },
    effects: [role, ...(state.role === "active" ? resign(settings) : []), entering(settings, "fault")],
  };
}

function stop(settings: RouterSettings, state: RouterState, atMs: number): Step {
  const [next, role] = enterRole(state, "init", atMs, "stopped");
  const quiet: RouterEffect[] = state.role === "init" ? [] : [{ kind: "release" }];
  return {
    state: { ...next, deadlineMs: undefined, activeRouter: undefined },
    effects: [role, ...(state.role === "active" ? resign(settings) : quiet)],
  };
}

function alarm(settings: RouterSettings, state: RouterState, atMs: number): Step {
  if (state.deadlineMs === undefined || atMs < state.deadlineMs) return unchanged(state);
  if (state.role === "init") return leaveInit(settings, { ...state, deadlineMs: undefined }, atMs);
  if (state.role === "backup") return downTimerExpired(settings, state, atMs, state.deadlineMs);
  if (state.role === "active") return advertDue(settings, state, atMs, state.deadlineMs);
  return unchanged(state);
}

/** RFC 9568 §6.4.2 (365): nothing was heard for the Active_Down_Interval. */
function downTimerExpired(settings: RouterSettings, state: RouterState, atMs: number, deadlineMs: number): Step {
  const { intervalMs, priority } = state;
  if (atMs - deadlineMs > intervalMs) {
    const again = atMs + intervalMs + skewMs(settings.version, priority, intervalMs);
    const lateMs = Math.round(atMs - deadlineMs);
    return {
      state: { ...state, deadlineMs: again },
      effects: [log(settings, `timer expired ${lateMs} ms late, listening once more before taking over`)],
    };
  }
  const silence = log(settings, "Receive advertisement timeout");
  if (settings.syncGroup !== undefined) {
    const rearmed = atMs + downIntervalMs(settings, priority, intervalMs);
    return {
      state: { ...state, isAsking: true, deadlineMs: rearmed },
      effects: state.isAsking ? [{ kind: "ask" }] : [silence, { kind: "ask" }],
    };
  }
  const taken = becomeActive(settings, state, atMs, takeoverReason(state));
  return { state: taken.state, effects: [silence, ...taken.effects] };
}

function takeoverReason(state: RouterState): string {
  const heard = state.activeRouter;
  if (heard === undefined) return "no advert heard";
  const from = printIp(heard.source);
  if (heard.priority === PRIORITY_STOP) return `${from} has stopped`;
  return heard.priority < state.priority ? `preempting ${from} (priority ${heard.priority})` : `${from} is silent`;
}

/**
 * RFC 9568 §6.4.3 (725). Deadlines are absolute, so that lateness does not add up; but behind a late advert the next one comes no sooner than
 * half an interval: a rival that has stepped down before the late one would take it for the answer to its goodbye.
 */
function advertDue(settings: RouterSettings, state: RouterState, atMs: number, deadlineMs: number): Step {
  const { intervalMs } = state;
  const next = deadlineMs + intervalMs;
  const effects: RouterEffect[] = [{ kind: "send", priority: state.priority }];
  // Backups count from our last advert: had they time to expire, one may have been active meanwhile.
  const gapMs = atMs - state.sentMs;
  const other = settings.highestOtherPriority;
  if (other !== undefined && gapMs >= downIntervalMs({ ...settings, downTimerAdverts: 3 }, other, intervalMs))
    return tooLate(settings, state, atMs, gapMs);
  if (gapMs >= settings.downTimerAdverts * intervalMs) {
    effects.push({ kind: "announce", cause: "gap" });
    effects.push(log(settings, `no advert was sent for ${Math.round(gapMs)} ms, announcing the addresses again`));
  }
  const isTooSoon = next - atMs < intervalMs / 2;
  return { state: { ...state, sentMs: atMs, deadlineMs: isTooSoon ? atMs + intervalMs : next }, effects };
}

/** `timer_expired_backup`: another router could have taken over meanwhile, and with nopreempt it would be kept. */
function tooLate(settings: RouterSettings, state: RouterState, atMs: number, gapMs: number): Step {
  const reason = `late by ${Math.round(gapMs)} ms: another router could have taken over`;
  const { state: next, effects } = enterBackup(settings, state, atMs, reason);
  const [role, ...rest] = effects;
  return {
    state: next,
    effects: [
      role as RouterEffect,
      { kind: "release" },
      { kind: "count", counter: "releasedActive" },
      log(settings, reason),
      ...rest,
      log(settings, "removing VIPs."),
    ],
  };
}

/** RFC 9568 §6.4.2 (420). */
function advertAsBackup(settings: RouterSettings, state: RouterState, advert: RouterAdvert): Step {
  const { atMs, source, priority } = advert;
  const intervalMs = settings.version === 3 ? advert.intervalMs : settings.advertIntervalMs;
  const activeRouter = { source, priority };
  if (priority === PRIORITY_STOP) {
    const deadlineMs = atMs + skewMs(settings.version, state.priority, state.intervalMs);
    return {
      state: { ...state, activeRouter, deadlineMs },
      effects: [
        { kind: "count", counter: "priorityZeroReceived" },
        log(settings, "Backup received priority 0 advertisement"),
      ],
    };
  }
  if (priority === PRIORITY_GOODBYE && isBystander(state, source)) return unchanged(state);
  // The second one of the router that we know is no goodbye: it is active at the lowest priority.
  const isLowest = isKnown(state, source) && state.activeRouter?.priority === PRIORITY_GOODBYE;
  if (priority === PRIORITY_GOODBYE && !isLowest && isObeyed(settings, state, advert))
    return perhapsGoodbye(settings, { ...state, activeRouter, intervalMs }, atMs);
  const waiting: RouterState = {
    ...state,
    activeRouter,
    intervalMs,
    heardMs: atMs,
    isAsking: false,
    deadlineMs: atMs + downIntervalMs(settings, state.priority, intervalMs),
  };
  if (settings.nopreempt || priority >= state.priority)
    return sayGoodbye({ ...waiting, preemptAtMs: undefined }, state, advert);

  // The active router ranks below us. preempt_delay: obey it for a while (keepalived).
  if (settings.preemptDelayMs > 0) {
    const preemptAtMs = state.preemptAtMs ?? atMs + settings.preemptDelayMs;
    const delayed = log(settings, `start preempt delay (${(settings.preemptDelayMs / 1000).toFixed(6)})`);
    const effects = state.preemptAtMs === undefined ? [delayed] : [];
    if (atMs < preemptAtMs) return { state: { ...waiting, preemptAtMs }, effects };
  }
  // (455) Otherwise the advert is discarded and the timer runs out.
  const known = state.activeRouter;
  const deadlineMs = state.deadlineMs as number;
  const hasSunk = known !== undefined && known.priority >= state.priority && equalBytes(known.source, source);
  const soonMs = atMs + skewMs(settings.version, state.priority, state.intervalMs);
  return {
    state: { ...state, activeRouter, deadlineMs: hasSunk ? Math.min(deadlineMs, soonMs) : deadlineMs },
    effects: hasSunk ? [log(settings, `${printIp(source)} has lowered its priority to ${priority}, taking over`)] : [],
  };
}

/** A backup lets the sender of this advert be active, at least for now. */
function isObeyed(settings: RouterSettings, state: RouterState, { priority, atMs }: RouterAdvert): boolean {
  if (settings.nopreempt || priority >= state.priority) return true;
  return settings.preemptDelayMs > 0 && atMs < (state.preemptAtMs ?? Number.POSITIVE_INFINITY);
}

/**
 * Somebody steps down before a router that may be dead by now (it has woken up with its last words in the socket), or is active at the
 * lowest priority: then its next advert comes within its interval. A whole down timer for it would be a whole outage more.
 */
function perhapsGoodbye(settings: RouterSettings, state: RouterState, atMs: number): Step {
  const { intervalMs, priority } = state;
  const nextMs = atMs + intervalMs + skewMs(settings.version, priority, intervalMs);
  return unchanged({ ...state, isAsking: false, deadlineMs: Math.max(state.deadlineMs as number, nextMs) });
}

/** RFC 9568 §6.4.3 (705). */
function advertAsActive(settings: RouterSettings, state: RouterState, advert: RouterAdvert): Step {
  const { atMs, source, priority, isHigher } = advert;
  const from = printIp(source);
  if (priority === PRIORITY_STOP) {
    const answered = answer(state, atMs, state.priority);
    return {
      state: answered.state,
      effects: [
        { kind: "count", counter: "priorityZeroReceived" },
        ...answered.effects,
        log(settings, "Master received priority 0 message"),
      ],
    };
  }
  if (priority === PRIORITY_OWNER && state.priority === PRIORITY_OWNER)
    return advertOfRivalOwner(settings, state, advert);
  if (priority > state.priority) {
    const what = `Master received advert from ${from} with higher priority ${priority}, ours ${state.priority}`;
    return yieldTo(settings, state, advert, what, `${from} has the higher priority ${priority}`);
  }
  if (priority === state.priority && isHigher) {
    const what = `Master received advert from ${from} with same priority ${priority} but higher IP address than ours`;
    return yieldTo(settings, state, advert, what, `${from} has the same priority and the higher address`);
  }
  const same = priority === state.priority;
  const how = same
    ? `same priority ${priority} but lower IP address than ours`
    : `lower priority ${priority}, ours ${state.priority}`;
  const heard = log(settings, `Received advert from ${from} with ${how}, forcing new election`);
  const answered = settings.lowerPriorityNoAdvert
    ? { state, effects: [{ kind: "announce", cause: isOverdue(state, atMs) ? "gap" : "rival" } as const] }
    : answer(state, atMs, state.priority);
  return {
    state: answered.state,
    effects: [...answered.effects, { kind: "event", event: "lowerPriorityHeard" }, heard],
  };
}

/** Our own advert should have gone out already, and will behind all that has waited in the socket: this event may be an old one. */
function isOverdue(state: RouterState, atMs: number): boolean {
  return state.role === "active" && atMs >= (state.deadlineMs as number);
}

/** Asserts our role: an advert now (RFC 9568 §6.4.3 (760)), and announcements, because a rival has held the addresses. */
function answer(state: RouterState, atMs: number, priority: number): Step {
  if (isOverdue(state, atMs)) return { state: { ...state, priority }, effects: [{ kind: "announce", cause: "gap" }] };
  return {
    state: { ...state, priority, sentMs: atMs, deadlineMs: atMs + state.intervalMs },
    effects: [
      { kind: "send", priority },
      { kind: "announce", cause: "rival" },
    ],
  };
}

/** Two owners are a mistake of configuration: the lower address backs off; if it does not, we stop owning (keepalived). */
function advertOfRivalOwner(settings: RouterSettings, state: RouterState, advert: RouterAdvert): Step {
  const from = printIp(advert.source);
  const conflict = `another address owner ${from} was heard`;
  if (advert.isHigher) return yieldTo(settings, state, advert, `${conflict}, its address is higher`, conflict);
  const rivalOwnerAdverts = state.rivalOwnerAdverts + 1;
  if (rivalOwnerAdverts > RIVAL_OWNER_ADVERTS) {
    const humbled = { ...state, priority: PRIORITY_OWNER - 1 };
    return yieldTo(settings, humbled, advert, `${conflict} again, using priority 254 from now on`, conflict);
  }
  const answered = answer({ ...state, rivalOwnerAdverts }, advert.atMs, state.priority);
  return { state: answered.state, effects: [...answered.effects, log(settings, conflict)] };
}

/** Steps down before a better router. */
function yieldTo(
  settings: RouterSettings,
  state: RouterState,
  advert: RouterAdvert,
  what: string,
  reason: string,
): Step {
  const intervalMs = settings.version === 3 ? advert.intervalMs : settings.advertIntervalMs;
  // keepalived: whoever has not heard the better router yet is not to take over in the meantime.
  const last: RouterEffect[] = settings.higherPrioritySendAdvert ? [{ kind: "send", priority: state.priority }] : [];
  return stepDown(settings, state, { ...advert, intervalMs }, reason, { last, why: [log(settings, what)] });
}

/**
 * From active to backup of this router. The goodbye goes out when our addresses are gone. `last` comes before that, `why` behind: no log shall
 * keep an address here for longer.
 */
function stepDown(
  settings: RouterSettings,
  state: RouterState,
  { atMs, source, priority, intervalMs }: Pick<RouterAdvert, "atMs" | "source" | "priority" | "intervalMs">,
  reason: string,
  { last, why }: Readonly<Record<"last" | "why", readonly RouterEffect[]>> = { last: [], why: [] },
): Step {
  const [next, role] = enterRole(state, "backup", atMs, reason);
  return {
    state: {
      ...next,
      intervalMs,
      activeRouter: { source, priority },
      heardMs: atMs,
      deadlineMs: atMs + downIntervalMs(settings, state.priority, intervalMs),
      goodbyesLeft: GOODBYES - 1,
      // If theirs has waited, their next one may come too soon to be told from an answer.
      goodbyeMs: isOverdue(state, atMs) ? Number.NEGATIVE_INFINITY : atMs,
    },
    effects: [
      role,
      ...last,
      { kind: "release" },
      { kind: "send", priority: PRIORITY_GOODBYE },
      { kind: "count", counter: "releasedActive" },
      ...why,
      entering(settings, "backup"),
      log(settings, "removing VIPs."),
    ],
  };
}

function tracking(
  settings: RouterSettings,
  state: RouterState,
  input: Extract<RouterInput, { kind: "tracking" }>,
): Step {
  const { atMs, priority, faults } = input;
  const effects: RouterEffect[] = [];
  let next: RouterState = { ...state, faults };
  if (priority !== state.priority) {
    effects.push(log(settings, `Changing effective priority from ${state.priority} to ${priority}`));
    effects.push({ kind: "event", event: "priorityChanged" });
    next = { ...next, priority, handedBy: undefined };
    // An advert that is overdue says so itself, and what its lateness means.
    if (state.role === "active" && priority < state.priority && faults.length === 0 && !isOverdue(state, atMs)) {
      effects.push({ kind: "send", priority });
      next = { ...next, sentMs: atMs, deadlineMs: atMs + state.intervalMs };
    }
  }
  const changed = faultsChanged(settings, next, atMs);
  return { state: changed.state, effects: [...effects, ...changed.effects] };
}

function faultsChanged(settings: RouterSettings, state: RouterState, atMs: number): Step {
  const first = state.faults[0];
  if (state.role === "fault")
    return first === undefined ? leaveFault(settings, state, atMs) : unchanged({ ...state, reason: first });
  if (first === undefined || state.role === "init") return unchanged(state);
  return enterFault(settings, state, atMs, first);
}

function leaveFault(settings: RouterSettings, state: RouterState, atMs: number): Step {
  if (state.priority === PRIORITY_OWNER && settings.syncGroup === undefined)
    return becomeActive(settings, state, atMs, "owner of the addresses (priority 255)");
  return enterBackup(settings, state, atMs, "the fault is gone");
}

function groupDecided(
  settings: RouterSettings,
  state: RouterState,
  input: Extract<RouterInput, { kind: "group" }>,
): Step {
  const { atMs, to, group } = input;
  const reason = `sync group ${group}`;
  if (to === "active" && state.role === "backup") return becomeActive(settings, state, atMs, reason);
  if (to !== "backup" || state.role !== "active") return unchanged(state);
  // Nobody better was heard for this router: priority 0 lets its backup follow at once.
  const [next, role] = enterRole(state, "backup", atMs, reason);
  const deadlineMs = atMs + downIntervalMs(settings, state.priority, state.intervalMs);
  return {
    state: { ...next, deadlineMs, activeRouter: undefined },
    effects: [role, ...resign(settings), entering(settings, "backup")],
  };
}

/** The order to take may overtake the last adverts of whoever gives it: those must not send us back. */
function takeOver(
  settings: RouterSettings,
  state: RouterState,
  { atMs, source, reason }: Extract<RouterInput, { kind: "take" }>,
): Step {
  const taken = becomeActive(settings, state, atMs, reason);
  const untilMs = atMs + Math.min(OVERTAKEN_MS, state.intervalMs);
  return { ...taken, state: { ...taken.state, handedBy: { source, untilMs } } };
}

function isOvertaken({ handedBy, priority }: RouterState, advert: RouterAdvert): boolean {
  if (handedBy === undefined || advert.atMs >= handedBy.untilMs) return false;
  return equalBytes(advert.source, handedBy.source) && advert.priority >= priority;
}

/** Its new owner is active and has announced the addresses; the goodbye has it do so again, should we have announced them since. */
function handedOver(
  settings: RouterSettings,
  state: RouterState,
  { atMs, source, priority, reason }: Extract<RouterInput, { kind: "yield" }>,
): Step {
  if (state.role !== "active") return unchanged(state);
  return stepDown(settings, state, { atMs, source, priority, intervalMs: state.intervalMs }, reason);
}

/** keepalived steps down when one of its addresses is removed; we put it back and say so. */
function addressLost(
  settings: RouterSettings,
  state: RouterState,
  input: Extract<RouterInput, { kind: "addressLost" }>,
): Step {
  if (state.role !== "active") return unchanged(state);
  return {
    state,
    effects: [
      { kind: "claim" },
      { kind: "announce", cause: "restore" },
      log(settings, `address ${printIp(input.address)} was removed by somebody else, setting it again`),
    ],
  };
}

/**
 * The skew time is made of the detection time, where that is less than the advert interval: it has to keep backups apart that
 * have noticed within one detection time of each other.
 */
function neighborLost(
  settings: RouterSettings,
  state: RouterState,
  { atMs, neighbor, detectionMs }: Extract<RouterInput, { kind: "neighborLost" }>,
): Step {
  const known = state.activeRouter;
  if (state.role !== "backup" || known === undefined || known.priority === PRIORITY_STOP) return unchanged(state);
  if (!equalBytes(known.source, neighbor)) return unchanged(state);
  const skew = Math.min(
    skewMs(settings.version, state.priority, state.intervalMs),
    skewMs(3, state.priority, detectionMs),
  );
  const deadlineMs = Math.min(state.deadlineMs as number, atMs + skew);
  const silence = log(settings, `the active router ${printIp(neighbor)} is not heard by BFD any more, taking over`);
  return { state: { ...state, deadlineMs }, effects: [silence] };
}

/** New settings, same role: an active router's next advert keeps the new schedule, a backup starts its timer again. */
function reload(settings: RouterSettings, state: RouterState, atMs: number): Step {
  const intervalMs = settings.advertIntervalMs;
  if (state.role === "active") {
    const deadlineMs = Math.min(state.deadlineMs as number, atMs + intervalMs);
    return { state: { ...state, intervalMs, deadlineMs }, effects: [] };
  }
  if (state.role !== "backup" || settings.version === 3) return unchanged(state);
  const deadlineMs = Math.max(state.deadlineMs as number, atMs + downIntervalMs(settings, state.priority, intervalMs));
  return { state: { ...state, intervalMs, deadlineMs }, effects: [] };
}
