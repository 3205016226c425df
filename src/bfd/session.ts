/**
 * The state machine of one BFD session: RFC 5880 §6.2 and §6.8, asynchronous mode, without echo and authentication.
 * Pure: no clock, no socket, no log. keepalived's counterpart: bfd_scheduler.c.
 *
 *     state     | neighbour is: adminDown | down | init | up | silent | stop
 *     ----------+-------------------------+------+------+----+--------+-----------
 *     down      | -                       | init | up   | -  | -      | adminDown
 *     init      | down                    | -    | up   | up | down   | adminDown
 *     up        | down *                  | down | -    | -  | down   | adminDown
 *     adminDown | -                       | -    | -    | -  | -      | -
 *     * which is told to nobody: a neighbour that stops on purpose has not failed (RFC 5882 §3.2, and keepalived)
 *
 * Where this is more than keepalived, all of it asked for or allowed by the RFC:
 * - a packet goes out as soon as it would say something new, so that both sides are up after one round trip, not after
 *   seconds (§6.8.7);
 * - a stop says so with AdminDown (§6.8.16): keepalived's neighbours take its stop for a failure.
 */
import { type BfdState, type ControlPacket, DIAGNOSTIC, printDiagnostic } from "../wire/bfd/control.ts";
import {
  detectionUs,
  type Remote,
  type SessionEffect,
  type SessionInput,
  type SessionSettings,
  type SessionState,
  type SessionStep,
  STATE_NAMES,
  transmitUs,
} from "./state.ts";

const US_PER_MS = 1000;
const NO_EFFECTS: readonly SessionEffect[] = [];

/** What happens next. The state that comes back is the only memory. */
export function step(settings: SessionSettings, state: SessionState, input: SessionInput): SessionStep {
  switch (input.kind) {
    case "start":
      return settings.passive ? { state, effects: [] } : transmit(settings, state, input.atMs, input.random);
    case "packet":
      return packetArrived(settings, state, input);
    case "alarm":
      return alarm(settings, state, input.atMs, input.random);
    case "reload":
      return reload(settings, state, input.atMs, input.random);
    case "stop":
      return stop(settings, state);
  }
}

function log(settings: SessionSettings, level: "warn" | "notice" | "info", text: string): SessionEffect {
  return { kind: "log", level, text: `(${settings.name}) ${text}` };
}

function describe(settings: SessionSettings, state: SessionState): Omit<ControlPacket, "authenticated"> {
  return {
    diagnostic: state.diagnostic,
    state: state.state,
    poll: state.isPolling,
    final: false,
    controlPlaneIndependent: false,
    demand: false,
    multiplier: settings.multiplier,
    myDiscriminator: state.localDiscriminator,
    yourDiscriminator: state.remote.discriminator,
    minTxUs: state.desiredMinTxUs,
    minRxUs: state.requiredMinRxUs,
    minEchoRxUs: 0,
  };
}

/** A periodic packet now, and the next one later. */
function transmit(settings: SessionSettings, state: SessionState, atMs: number, random: number): SessionStep {
  const sendAtMs = nextSend(settings, state, atMs, random);
  return { state: { ...state, sendAtMs }, effects: [{ kind: "send", packet: describe(settings, state) }] };
}

/**
 * When the next periodic packet goes out; undefined: none may (RFC 5880 §6.8.7). It comes up to a quarter early, so that
 * sessions do not march in step; with a multiplier of 1 at least a tenth early, because the next one would be too late.
 */
function nextSend(settings: SessionSettings, state: SessionState, atMs: number, random: number): number | undefined {
  const { remote } = state;
  if (state.state === "adminDown" || remote.minRxUs === 0) return undefined;
  if (settings.passive && remote.discriminator === 0) return undefined;
  if (remote.demand && state.state === "up" && remote.state === "up" && !state.isPolling) return undefined;
  const least = settings.multiplier === 1 ? 0.1 : 0;
  const early = least + random * (0.25 - least);
  return atMs + (transmitUs(state) / US_PER_MS) * (1 - early);
}

/** After a change of what the schedule depends on: begins, ends or comes sooner, and never later. */
function reschedule(settings: SessionSettings, state: SessionState, atMs: number, random: number): SessionState {
  return { ...state, sendAtMs: sooner(settings, state, atMs, random) };
}

function sooner(settings: SessionSettings, state: SessionState, atMs: number, random: number): number | undefined {
  const next = nextSend(settings, state, atMs, random);
  return next === undefined || state.sendAtMs === undefined ? next : Math.min(next, state.sendAtMs);
}

/** RFC 5880 §6.8.6, from "set bfd.RemoteDiscr" on. */
function packetArrived(
  settings: SessionSettings,
  before: SessionState,
  { atMs, random, packet }: Extract<SessionInput, { kind: "packet" }>,
): SessionStep {
  if (before.state === "adminDown") return { state: before, effects: NO_EFFECTS };
  const to = follow(before.state, packet.state);
  // Nearly every packet says what the one before has said.
  if (to === before.state && !packet.poll && !packet.final && isOldNews(before.remote, packet)) {
    const expiresAtMs = atMs + detectionUs(before) / US_PER_MS;
    const sendAtMs = sooner(settings, before, atMs, random);
    return { state: { ...before, heardMs: atMs, expiresAtMs, sendAtMs }, effects: NO_EFFECTS };
  }
  const heard: SessionState = { ...before, heardMs: atMs, remote: remoteOf(packet) };
  const settled = packet.final && heard.isPolling ? pollAnswered(heard) : heard;
  const entered = to === settled.state ? { state: settled, effects: NO_EFFECTS } : enter(settings, settled, to);
  const effects = [...entered.effects, ...timersChanged(settings, before, entered.state)];
  const expiresAtMs = atMs + detectionUs(entered.state) / US_PER_MS;
  const state = reschedule(settings, { ...entered.state, expiresAtMs }, atMs, random);
  if (packet.poll) {
    // What a poll of our own would ask is answered by the neighbour's next packets; both flags at once are forbidden.
    effects.push({ kind: "send", packet: { ...describe(settings, state), poll: false, final: true } });
    return { state, effects };
  }
  if (to === before.state) return { state, effects };
  const told = transmit(settings, state, atMs, random);
  return { state: told.state, effects: [...effects, ...told.effects] };
}

function remoteOf(packet: ControlPacket): Remote {
  return {
    discriminator: packet.myDiscriminator,
    state: packet.state,
    diagnostic: packet.diagnostic,
    multiplier: packet.multiplier,
    minTxUs: packet.minTxUs,
    minRxUs: packet.minRxUs,
    demand: packet.demand,
  };
}

function isOldNews(known: Remote, packet: ControlPacket): boolean {
  return (
    known.discriminator === packet.myDiscriminator &&
    known.state === packet.state &&
    known.diagnostic === packet.diagnostic &&
    known.multiplier === packet.multiplier &&
    known.minTxUs === packet.minTxUs &&
    known.minRxUs === packet.minRxUs &&
    known.demand === packet.demand
  );
}

/** The state machine of RFC 5880 §6.2. */
function follow(own: BfdState, remote: BfdState): BfdState {
  if (remote === "adminDown") return "down";
  if (own === "down") return remote === "down" ? "init" : remote === "init" ? "up" : "down";
  if (own === "init") return remote === "down" ? "init" : "up";
  return remote === "down" ? "down" : own;
}

function pollAnswered(state: SessionState): SessionState {
  return { ...state, isPolling: false, usedMinTxUs: state.desiredMinTxUs, usedMinRxUs: state.requiredMinRxUs };
}

function enter(settings: SessionSettings, state: SessionState, to: BfdState): SessionStep {
  if (to === "down") return goDown(settings, state, DIAGNOSTIC.neighborDown);
  const risen: SessionState = { ...state, state: to, diagnostic: DIAGNOSTIC.none };
  if (to !== "up") return { state: risen, effects: [] };
  const wished = wish(risen, settings.minTxUs, settings.minRxUs);
  const effects: SessionEffect[] = [log(settings, "notice", `Entering ${STATE_NAMES.up} state`)];
  if (wished.isPolling) effects.push(log(settings, "info", "Starting poll sequence"));
  effects.push({ kind: "event", isUp: true, expired: false });
  return { state: wished, effects };
}

/**
 * Other intervals of ours while the session is up (RFC 5880 §6.8.3): the neighbour is asked to take note, and until it has,
 * we go on sending as often, and waiting as long, as it expects.
 */
function wish(state: SessionState, desiredMinTxUs: number, requiredMinRxUs: number): SessionState {
  const isNews = desiredMinTxUs !== state.desiredMinTxUs || requiredMinRxUs !== state.requiredMinRxUs;
  return {
    ...state,
    desiredMinTxUs,
    requiredMinRxUs,
    usedMinTxUs: Math.min(desiredMinTxUs, state.usedMinTxUs),
    usedMinRxUs: Math.max(requiredMinRxUs, state.usedMinRxUs),
    isPolling: state.isPolling || isNews,
  };
}

/** Slow packets at once: nobody depends on fast ones any more (RFC 5880 §6.8.3). */
function goDown(settings: SessionSettings, state: SessionState, diagnostic: number): SessionStep {
  const wasUp = state.state === "up";
  const down: SessionState = {
    ...state,
    state: "down",
    diagnostic,
    desiredMinTxUs: settings.idleTxUs,
    usedMinTxUs: settings.idleTxUs,
    requiredMinRxUs: settings.minRxUs,
    usedMinRxUs: settings.minRxUs,
    isPolling: false,
  };
  if (!wasUp) return { state: down, effects: [] };
  const why = `Local diagnostic - ${printDiagnostic(diagnostic)}, Remote diagnostic - ${printDiagnostic(state.remote.diagnostic)}`;
  const effects: SessionEffect[] = [log(settings, "warn", `Entering ${STATE_NAMES.down} state (${why})`)];
  if (state.remote.state !== "adminDown")
    effects.push({ kind: "event", isUp: false, expired: diagnostic === DIAGNOSTIC.expired });
  return { state: down, effects };
}

function alarm(settings: SessionSettings, before: SessionState, atMs: number, random: number): SessionStep {
  let state = before;
  let effects = NO_EFFECTS;
  if (state.expiresAtMs !== undefined && atMs >= state.expiresAtMs) {
    const gone = silent(settings, state, atMs);
    state = gone.state;
    effects = gone.effects;
    if (state.state !== before.state) state = { ...state, sendAtMs: atMs }; // the neighbour may hear us although we don't hear it
    if (nextSend(settings, state, atMs, random) === undefined) state = { ...state, sendAtMs: undefined };
  }
  if (state.sendAtMs === undefined || atMs < state.sendAtMs) return { state, effects };
  const sent = transmit(settings, state, atMs, random);
  return effects.length === 0 ? sent : { state: sent.state, effects: [...effects, ...sent.effects] };
}

/** The detection time has passed (RFC 5880 §6.8.4). Whoever speaks next is a new neighbour (§6.8.1, bfd.RemoteDiscr). */
function silent(settings: SessionSettings, state: SessionState, atMs: number): SessionStep {
  const overdueUs = Math.max(0, Math.round((atMs - (state.expiresAtMs as number)) * US_PER_MS));
  const silentMs = Math.floor(atMs - state.heardMs);
  const forgotten: SessionState = {
    ...state,
    expiresAtMs: undefined,
    remote: { ...state.remote, discriminator: 0, state: "down" },
  };
  if (state.state === "down") return { state: forgotten, effects: [] };
  const down = goDown(settings, forgotten, DIAGNOSTIC.expired);
  if (state.state !== "up") return down;
  const expired = log(settings, "warn", `Expired after ${silentMs} ms (${overdueUs} usec overdue)`);
  return { state: down.state, effects: [expired, ...down.effects] };
}

function reload(settings: SessionSettings, state: SessionState, atMs: number, random: number): SessionStep {
  if (state.state === "adminDown") return { state, effects: [] };
  if (state.state !== "up") {
    const { idleTxUs, minRxUs } = settings;
    const fresh = { ...state, desiredMinTxUs: idleTxUs, usedMinTxUs: idleTxUs, requiredMinRxUs: minRxUs };
    return { state: reschedule(settings, { ...fresh, usedMinRxUs: minRxUs }, atMs, random), effects: [] };
  }
  const wished = wish(state, settings.minTxUs, settings.minRxUs);
  const isNews = wished.isPolling && !state.isPolling;
  return {
    state: reschedule(settings, wished, atMs, random),
    effects: isNews ? [log(settings, "info", "Starting poll sequence")] : [],
  };
}

function stop(settings: SessionSettings, state: SessionState): SessionStep {
  if (state.state === "adminDown") return { state, effects: [] };
  const stopped: SessionState = {
    ...state,
    state: "adminDown",
    diagnostic: DIAGNOSTIC.adminDown,
    isPolling: false,
    sendAtMs: undefined,
    expiresAtMs: undefined,
  };
  // A passive session that nobody has spoken to has nobody to say it to.
  const isKnown = state.remote.discriminator !== 0;
  return { state: stopped, effects: isKnown ? [{ kind: "send", packet: describe(settings, stopped) }] : [] };
}

/** keepalived's lines about intervals, when what was agreed upon has changed. */
function timersChanged(settings: SessionSettings, before: SessionState, after: SessionState): SessionEffect[] {
  const effects: SessionEffect[] = [];
  const { remote } = after;
  const isNews =
    remote.minRxUs !== before.remote.minRxUs ||
    remote.minTxUs !== before.remote.minTxUs ||
    remote.multiplier !== before.remote.multiplier ||
    transmitUs(after) !== transmitUs(before);
  const say = (level: "notice" | "info", text: string): void => {
    effects.push({ kind: "log", level, text: `${" ".repeat(settings.name.length + 2)} ${text}` });
  };
  if (isNews) {
    const column = (value: number, width: number): string => String(value).padStart(width);
    const row = (
      who: string,
      tx: number,
      rx: number,
      interval: number,
      multiplier: number,
      detection: number,
    ): string =>
      `${who} ${column(tx, 8)} ${column(rx, 7)} ${column(interval, 8)} ${column(multiplier, 5)} ${column(detection, 12)}`;
    const intervalUs = transmitUs(after);
    const { multiplier } = settings;
    effects.push(log(settings, "info", "---------------< Session parameters >--------------"));
    say("info", "         min_tx  min_rx  tx_intv  mult  detect_time");
    const local = [after.desiredMinTxUs, after.requiredMinRxUs, intervalUs, multiplier, detectionUs(after)] as const;
    say("info", row("local ", ...local));
    const theirUs = Math.max(after.usedMinRxUs, remote.minTxUs);
    const theirs = [remote.minTxUs, remote.minRxUs, theirUs, remote.multiplier, multiplier * intervalUs] as const;
    say("info", row("remote", ...theirs));
  }
  if (detectionUs(after) !== detectionUs(before))
    say("notice", `Detection time is ${detectionUs(after)} us (was ${detectionUs(before)} us)`);
  return effects;
}
