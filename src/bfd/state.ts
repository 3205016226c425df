/** What a BFD session knows, what can happen to it and what it then wants done: the words of `step` in session.ts. */
import type { Level } from "../base/log.ts";
import type { BfdInstance } from "../conf/keepalived/config.ts";
import type { BfdState, ControlPacket } from "../wire/bfd/control.ts";

/** The part of a configured session that the machine looks at. */
export type SessionSettings = Pick<BfdInstance, "name" | "minTxUs" | "minRxUs" | "idleTxUs" | "multiplier" | "passive">;

/** The words of keepalived's users, and the RFC's. */
export const STATE_NAMES = { adminDown: "AdminDown", down: "Down", init: "Init", up: "Up" } as const;

/** What the neighbour has said last: bfd.Remote… of RFC 5880 §6.8.1. */
export interface Remote {
  /** 0: not known, or not any more. */
  readonly discriminator: number;
  readonly state: BfdState;
  readonly diagnostic: number;
  readonly multiplier: number;
  readonly minTxUs: number;
  /** 0: it wants no periodic packets. */
  readonly minRxUs: number;
  readonly demand: boolean;
}

export interface SessionState {
  readonly state: BfdState;
  readonly diagnostic: number;
  readonly localDiscriminator: number;
  readonly remote: Remote;
  /** What our packets say. */
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  /** What our timers are made of: a wish that makes them slower waits until the neighbour has answered the poll. */
  readonly usedMinTxUs: number;
  readonly usedMinRxUs: number;
  /** Our packets ask for an answer. */
  readonly isPolling: boolean;
  /** The next periodic packet; undefined: none. Absolute, monotonic. */
  readonly sendAtMs: number | undefined;
  /** When the silence has lasted for the detection time; undefined: nobody is waited for. */
  readonly expiresAtMs: number | undefined;
  /** When the last packet that counts arrived. */
  readonly heardMs: number;
}

/** `random` is 0 … 1 (exclusive): no two packets of a session follow each other in the same time. */
export type SessionInput =
  | { readonly kind: "start"; readonly atMs: number; readonly random: number }
  /** A packet of this session that sessions.ts has let through. */
  | { readonly kind: "packet"; readonly atMs: number; readonly random: number; readonly packet: ControlPacket }
  /** Time has passed; nothing happens before the earlier of the two deadlines. */
  | { readonly kind: "alarm"; readonly atMs: number; readonly random: number }
  /** The settings have changed; `step` is given the new ones. */
  | { readonly kind: "reload"; readonly atMs: number; readonly random: number }
  | { readonly kind: "stop"; readonly atMs: number; readonly random: number };

export type SessionEffect =
  | { readonly kind: "send"; readonly packet: Omit<ControlPacket, "authenticated"> }
  /** What is told to whoever tracks the session. `expired`: the neighbour was silent for the detection time. */
  | { readonly kind: "event"; readonly isUp: boolean; readonly expired: boolean }
  | { readonly kind: "log"; readonly level: Level; readonly text: string };

export interface SessionStep {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

/** Before anything has happened. */
export function initialSession(settings: SessionSettings, localDiscriminator: number): SessionState {
  return {
    state: "down",
    diagnostic: 0,
    localDiscriminator,
    // RFC 5880 §6.8.1: bfd.RemoteMinRxInterval begins with 1.
    remote: { discriminator: 0, state: "down", diagnostic: 0, multiplier: 0, minTxUs: 0, minRxUs: 1, demand: false },
    desiredMinTxUs: settings.idleTxUs,
    requiredMinRxUs: settings.minRxUs,
    usedMinTxUs: settings.idleTxUs,
    usedMinRxUs: settings.minRxUs,
    isPolling: false,
    sendAtMs: undefined,
    expiresAtMs: undefined,
    heardMs: Number.NEGATIVE_INFINITY,
  };
}

/** How often our periodic packets may go out (RFC 5880 §6.8.2), before they are spread. */
export function transmitUs({ usedMinTxUs, remote }: SessionState): number {
  return Math.max(usedMinTxUs, remote.minRxUs);
}

/** The detection time (RFC 5880 §6.8.4): how long the neighbour may be silent. 0 before it has said anything. */
export function detectionUs({ usedMinRxUs, remote }: SessionState): number {
  return remote.multiplier * Math.max(usedMinRxUs, remote.minTxUs);
}
