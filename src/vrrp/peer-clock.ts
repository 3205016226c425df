/**
 * How far another node's clock is from ours, from the times in hellos, as NTP does it (RFC 5905 §8): pure. Of the last samples the one
 * with the shortest round trip is the best: its error is at most half of that.
 *
 *     us    --- t1 ---------------------- t4 ---      offset  ((t2 - t1) + (t3 - t4)) / 2
 *               \                        /            round trip  (t4 - t1) - (t3 - t2)
 *     them  ----- t2 -------- t3 ------
 */
import type { HelloTime } from "../wire/peer/message.ts";

/** Samples that are compared: a quarter of a minute, so that a clock which was set is followed. */
const SAMPLES = 16;
/** A round trip that takes longer tells nothing. */
const MAX_ROUND_TRIP_MS = 1000;

export interface ClockSample {
  /** Their clock less ours. */
  readonly offsetMs: number;
  readonly roundTripMs: number;
}

/** What is known of one node's clock. */
export interface PeerClock {
  readonly samples: readonly ClockSample[];
  /** Of their last hello: what ours have to echo. */
  readonly sentMs: number;
  /** When that came, monotonic. */
  readonly heardMs: number;
}

/** Nothing is known. */
export const NEW_CLOCK: PeerClock = { samples: [], sentMs: 0, heardMs: 0 };

/** A hello has come: at `atMs` by the monotonic clock and `wallMs` by that of people. */
export function hearTime(clock: PeerClock, time: HelloTime, atMs: number, wallMs: number): PeerClock {
  const next = { ...clock, sentMs: time.sentMs, heardMs: atMs };
  if (time.echoMs === 0) return next;
  const [t1, t2, t3, t4] = [time.echoMs, time.sentMs - time.heldMs, time.sentMs, wallMs];
  const roundTripMs = t4 - t1 - (t3 - t2);
  // A clock that was set between two hellos looks like a message from the future, or from long ago.
  if (roundTripMs < -1 || roundTripMs > MAX_ROUND_TRIP_MS) return next;
  const sample = { offsetMs: (t2 - t1 + t3 - t4) / 2, roundTripMs };
  return { ...next, samples: [sample, ...clock.samples].slice(0, SAMPLES) };
}

/** What our next hello to that node says. */
export function tellTime(clock: PeerClock, atMs: number, wallMs: number): HelloTime {
  return { sentMs: wallMs, echoMs: clock.sentMs, heldMs: clock.sentMs === 0 ? 0 : atMs - clock.heardMs };
}

/** The best sample; undefined: there is none yet. */
export function clockOf({ samples }: PeerClock): ClockSample | undefined {
  return samples.reduce<ClockSample | undefined>(
    (best, sample) => (best === undefined || sample.roundTripMs < best.roundTripMs ? sample : best),
    undefined,
  );
}
