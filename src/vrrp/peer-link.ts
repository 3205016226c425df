/**
 * What one node believes of another on one link of the peer channel: pure, no clock, no socket, no key.
 *
 *     what comes (its seal is right)                       | what follows
 *     -----------------------------------------------------+------------------------------------------------------------
 *     our own session                                      | dropped: a reflection
 *     meant for another session of ours                    | dropped: an old recording
 *     the session that we know, a sequence that was not    | believed; of the older ones the last 32 are remembered
 *     the session that we know, a sequence that was        | dropped: a replay
 *     another session, with our present challenge as echo  | believed from now on; the challenge is never used again
 *     another session without it                           | a hello to it, with its challenge as echo; nothing else changes
 *
 * A challenge is random and dies with its first use, so a recording of any age proves nothing; a session is random
 * with each process, so an order for one process is none for the next.
 */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import { type Envelope, type Hello, NOBODY, type PeerMessage } from "../wire/peer/message.ts";

/** How often a node says hello to everybody, and to each node that it knows. */
export const HELLO_MS = 1000;
/** A node that was not heard for so long is gone. */
export const SILENCE_MS = 3500;
/** Sequences that are remembered: the bits of a number. */
const WINDOW = 32;
/**
 * What a stranger says to everybody is answered no more often than this, and what it says to us no more often either. Each for itself: where the
 * greetings of two nodes cross, each has just answered the other's when the answer to its own comes.
 */
const ANSWER_PAUSE_MS = 200;

export interface PeerLinkState {
  /** Session that is believed; undefined: nobody yet. */
  readonly session: Bytes | undefined;
  /** The highest that was believed. */
  readonly sequence: number;
  /** Bit n: `sequence` - n was believed. Datagrams may overtake each other. */
  readonly seen: number;
  /** What whoever is there has to echo. */
  readonly challenge: Bytes;
  /** What we echo: the challenge of whoever was heard last. */
  readonly echo: Bytes;
  readonly hello: Hello | undefined;
  readonly heardMs: number;
  /** When a stranger was last answered that had spoken to everybody. */
  readonly answeredMs: number;
  /** The same of one that had spoken to us. */
  readonly repliedMs: number;
}

export type Verdict =
  /** It is the partner, now. */
  | { readonly kind: "believed"; readonly isNew: boolean }
  /** Somebody with the key, perhaps long ago: to be answered with a hello. */
  | { readonly kind: "stranger"; readonly isAnswered: boolean }
  | { readonly kind: "dropped"; readonly why: "reflection" | "recording" | "replay" };

/** Before anybody was heard. */
export function newPeerLink(challenge: Bytes): PeerLinkState {
  return {
    session: undefined,
    sequence: 0,
    seen: 0,
    challenge,
    echo: NOBODY,
    hello: undefined,
    heardMs: Number.NEGATIVE_INFINITY,
    answeredMs: Number.NEGATIVE_INFINITY,
    repliedMs: Number.NEGATIVE_INFINITY,
  };
}

/** Judges a message whose seal is right. `own` is this process's session; `nextChallenge` is used when the present one is used up. */
export function hearPeer(
  state: PeerLinkState,
  { envelope, message }: { readonly envelope: Envelope; readonly message: PeerMessage },
  context: { readonly own: Bytes; readonly atMs: number; readonly nextChallenge: Bytes },
): { readonly state: PeerLinkState; readonly verdict: Verdict } {
  const { own, atMs } = context;
  const drop = (why: Extract<Verdict, { kind: "dropped" }>["why"]) =>
    ({ state, verdict: { kind: "dropped", why } }) as const;
  if (equalBytes(envelope.session, own)) return drop("reflection");
  const isForAll = equalBytes(envelope.to, NOBODY);
  // What is for everybody is a hello: an order always has a receiver.
  if (isForAll ? message.kind !== "hello" : !equalBytes(envelope.to, own)) return drop("recording");
  const isKnown = state.session !== undefined && equalBytes(envelope.session, state.session);
  const seen = isKnown ? markSeen(state, envelope.sequence) : 1;
  if (seen === undefined) return drop("replay");
  const hasProof = !isForAll && equalBytes(envelope.echo, state.challenge);
  if (!isKnown && !hasProof) {
    const last = isForAll ? "answeredMs" : "repliedMs";
    const isAnswered = atMs - state[last] >= ANSWER_PAUSE_MS;
    const answered = isAnswered ? { ...state, echo: envelope.challenge, [last]: atMs } : state;
    return { state: answered, verdict: { kind: "stranger", isAnswered } };
  }
  const isNewest = !isKnown || envelope.sequence > state.sequence;
  return {
    state: {
      ...state,
      session: envelope.session,
      sequence: isKnown ? Math.max(state.sequence, envelope.sequence) : envelope.sequence,
      seen,
      challenge: isKnown ? state.challenge : context.nextChallenge,
      echo: envelope.challenge,
      hello: message.kind === "hello" && isNewest ? message : isKnown ? state.hello : undefined,
      heardMs: atMs,
    },
    verdict: { kind: "believed", isNew: !isKnown },
  };
}

/** The window with this sequence in it; undefined when it was there already, or is older than what is remembered. */
function markSeen({ sequence: highest, seen }: PeerLinkState, sequence: number): number | undefined {
  const ahead = sequence - highest;
  if (ahead > 0) return (ahead < WINDOW ? seen << ahead : 0) | 1;
  const bit = 1 << -ahead;
  return -ahead < WINDOW && (seen & bit) === 0 ? seen | bit : undefined;
}

/** It is there, and has said what it is. */
export function isPeerUp(state: PeerLinkState, atMs: number): boolean {
  return state.session !== undefined && state.hello !== undefined && atMs - state.heardMs < SILENCE_MS;
}
