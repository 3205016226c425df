/** What a router knows, what can happen to it and what it then wants done: the words of `step` in instance.ts. */

import { type IpAddress, printIp } from "../base/ip.ts";
import type { Level } from "../base/log.ts";

/** RFC 9568 §6.4, and keepalived's FAULT: something that the router needs is gone. */
export type Role = "init" | "backup" | "active" | "fault";

/** The words that keepalived's users know. */
export const ROLE_NAMES = { init: "INIT", backup: "BACKUP", active: "MASTER", fault: "FAULT" } as const;

/** Whom a backup believes to be active. */
export interface ActiveRouter {
  readonly source: IpAddress;
  readonly priority: number;
}

export interface RouterState {
  readonly role: Role;
  readonly sinceMs: number;
  /** Why it has this role, a phrase for people. */
  readonly reason: string;
  /** The effective priority. */
  readonly priority: number;
  /** init: end of the start-up delay; backup: when to take over; active: the next advert. Absolute, monotonic. */
  readonly deadlineMs: number | undefined;
  /** Advert interval of the active router: ours, or learned from its adverts (version 3). */
  readonly intervalMs: number;
  /** The last valid advert's sender while we are backup. */
  readonly activeRouter: ActiveRouter | undefined;
  /** When the last advert that a backup obeys arrived. */
  readonly heardMs: number;
  /** preempt_delay is running: an active router of lower priority is obeyed until then. */
  readonly preemptAtMs: number | undefined;
  /** When our last advert was sent, while active. */
  readonly sentMs: number;
  /** How many more times an active router may be told that we were active, perhaps unheard by it; 0: it knows. */
  readonly goodbyesLeft: number;
  /** When the last goodbye was sent. */
  readonly goodbyeMs: number;
  /** Who has handed over to us; until then its adverts of before may still arrive. */
  readonly handedBy: { readonly source: IpAddress; readonly untilMs: number } | undefined;
  /** Adverts of priority 255 heard while our own is 255. */
  readonly rivalOwnerAdverts: number;
  /** The down timer has expired, but the sync group has not agreed yet. */
  readonly isAsking: boolean;
  /** What holds the router in fault, a phrase each; empty: nothing. */
  readonly faults: readonly string[];
}

export type RouterInput =
  | { readonly kind: "start"; readonly atMs: number; readonly delayMs: number }
  /** Time has passed; nothing happens before the deadline. */
  | { readonly kind: "alarm"; readonly atMs: number }
  /** An advert that accept.ts has let through. `isHigher`: its source address is above ours. */
  | {
      readonly kind: "advert";
      readonly atMs: number;
      readonly source: IpAddress;
      readonly isHigher: boolean;
      readonly priority: number;
      readonly intervalMs: number;
      /** The same packet once more: the network duplicates. Of IPv6 packets nobody can tell. */
      readonly isCopy?: boolean;
      /** See `OnAdvertPacket`. */
      readonly hasWaited?: boolean;
    }
  /** What track.ts makes of the node: an effective priority, and what is broken. */
  | { readonly kind: "tracking"; readonly atMs: number; readonly priority: number; readonly faults: readonly string[] }
  /** The sync group has decided. */
  | { readonly kind: "group"; readonly atMs: number; readonly to: "active" | "backup"; readonly group: string }
  /** The active router hands over to this backup. */
  | { readonly kind: "take"; readonly atMs: number; readonly source: IpAddress; readonly reason: string }
  /** This one has handed over to a backup that is active already. */
  | {
      readonly kind: "yield";
      readonly atMs: number;
      readonly source: IpAddress;
      /** Of the new owner. */
      readonly priority: number;
      readonly reason: string;
    }
  /** A backup whose timer has run out waits all the same: it has asked the active router to hand over. */
  | { readonly kind: "wait"; readonly atMs: number; readonly untilMs: number }
  /** Somebody has removed one of our addresses. */
  | { readonly kind: "addressLost"; readonly atMs: number; readonly address: IpAddress }
  /** BFD has not heard this neighbour for its detection time; it may be the active router. */
  | { readonly kind: "neighborLost"; readonly atMs: number; readonly neighbor: IpAddress; readonly detectionMs: number }
  /** The settings have changed; `step` is given the new ones. */
  | { readonly kind: "reload"; readonly atMs: number }
  | { readonly kind: "stop"; readonly atMs: number };

/** Why neighbours are told where the addresses are. */
/** What a router may hear. */
export type RouterAdvert = Extract<RouterInput, { kind: "advert" }>;

export type AnnounceCause = "takeover" | "rival" | "gap" | "restore";

export type Counter = "becameActive" | "releasedActive" | "priorityZeroReceived" | "priorityZeroSent" | "advertsSent";

export type RouterEffect =
  /** First of all effects of a change, so that the guard of the process knows before the network does. */
  | { readonly kind: "role"; readonly from: Role; readonly to: Role; readonly reason: string }
  | { readonly kind: "send"; readonly priority: number }
  | { readonly kind: "claim" }
  | { readonly kind: "release" }
  | { readonly kind: "announce"; readonly cause: AnnounceCause }
  /** The down timer has expired in a sync group. */
  | { readonly kind: "ask" }
  /** Events for scripts and pipes that are not changes of role. */
  | { readonly kind: "event"; readonly event: "lowerPriorityHeard" | "priorityChanged" }
  | { readonly kind: "count"; readonly counter: Counter }
  | { readonly kind: "log"; readonly level: Level; readonly text: string };

export interface Step {
  readonly state: RouterState;
  readonly effects: readonly RouterEffect[];
}

/** The same state, and nothing to do. */
export function unchanged(state: RouterState): Step {
  return { state, effects: [] };
}

/** A goodbye is said this often at most, until it is answered. */
export const GOODBYES = 20;

/** Before anything has happened. */
export function initialState(priority: number, intervalMs: number): RouterState {
  return {
    role: "init",
    sinceMs: 0,
    reason: "not started",
    priority,
    deadlineMs: undefined,
    intervalMs,
    activeRouter: undefined,
    heardMs: Number.NEGATIVE_INFINITY,
    preemptAtMs: undefined,
    sentMs: 0,
    // An earlier life of this node may have been active, and the one who is now may never have heard of it.
    goodbyesLeft: GOODBYES,
    goodbyeMs: Number.NEGATIVE_INFINITY,
    handedBy: undefined,
    rivalOwnerAdverts: 0,
    isAsking: false,
    faults: [],
  };
}

/** `192.0.2.1 (priority 100)`. */
export function printActiveRouter(router: ActiveRouter): string {
  return `${printIp(router.source)} (priority ${router.priority})`;
}
