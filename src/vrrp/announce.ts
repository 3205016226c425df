/**
 * When neighbours are told where the addresses are (gratuitous ARP, unsolicited neighbour advertisements): bursts after a
 * take-over and again garp_master_delay later, refreshes, and bursts whenever a rival was heard or may have been missed.
 * Only the timetable is here; router.ts builds the frames. keepalived's counterpart: vrrp_arp.c, vrrp_ndisc.c.
 */
import type { AnnounceSettings } from "../conf/keepalived/config.ts";
import type { AnnounceCause } from "./state.ts";

/** After a gap in our adverts a rival gets this long to object, before clients are told to come to us. */
const OBJECTION_MS = 50;
/** Bursts because of a rival that keeps sending follow each other no closer than this. */
const RIVAL_PAUSE_MS = 500;

/**
 * Without garp_master_refresh one message per address goes out this often all the same: a keepalived that loses without
 * ever having been heard by the winner says no goodbye, and clients would look for it for up to 48 s (measured).
 */
export const QUIET_REFRESH_MS = 10_000;

interface Burst {
  readonly atMs: number;
  readonly rounds: number;
}

/** When an address may be announced, and that it has been. */
export interface Pace {
  readyMs(index: number): number;
  sent(index: number, nowMs: number): void;
}

/** The timetable of one router. A round is one message for each of its addresses. */
export class Announcer {
  readonly #settings: AnnounceSettings;
  readonly #refreshMs: number;
  #bursts: Burst[] = [];
  #refreshAtMs: number | undefined;
  /** When the last burst because of a rival was or will be. */
  #lastRivalMs = Number.NEGATIVE_INFINITY;
  /** Messages of the current burst that are held back, by index of their address. */
  #left: number[] = [];
  #cursor = 0;
  /** When one of them may go. */
  #slotMs = Number.POSITIVE_INFINITY;

  /** `quietRefreshMs` counts when the settings have no refresh; 0: none. */
  constructor(settings: AnnounceSettings, quietRefreshMs: number) {
    this.#settings = settings;
    this.#refreshMs = settings.refreshMs > 0 ? settings.refreshMs : quietRefreshMs;
  }

  /** Plans the bursts that `cause` asks for. */
  plan(cause: AnnounceCause, nowMs: number): void {
    const { delayMs, repeat, lowerPriorityDelayMs, lowerPriorityRepeat } = this.#settings;
    this.refresh(nowMs);
    if (cause === "rival") {
      if (this.#lastRivalMs > nowMs) return; // the burst that is held back will tell
      const first = Math.max(nowMs, this.#lastRivalMs + RIVAL_PAUSE_MS);
      this.#lastRivalMs = first;
      // At least one, whatever garp_lower_prio_repeat says: without it clients may keep the rival for a minute.
      const rounds = Math.max(1, lowerPriorityRepeat);
      this.#put(first, rounds, lowerPriorityDelayMs);
    } else {
      this.#lastRivalMs = Math.min(this.#lastRivalMs, nowMs); // a burst that was held back is replaced by this one
      const first = cause === "gap" ? nowMs + OBJECTION_MS : nowMs;
      this.#put(first, repeat, cause === "restore" ? 0 : delayMs);
    }
  }

  /** Begins to refresh: for a router that is active already and has been announced by another timetable. */
  refresh(nowMs: number): void {
    if (this.#refreshMs > 0) this.#refreshAtMs = nowMs + this.#refreshMs;
  }

  /** One burst at once and one later; a second burst that was planned before is replaced by this one. */
  #put(atMs: number, rounds: number, delayMs: number): void {
    this.#bursts = [{ atMs, rounds }];
    if (delayMs > 0) this.#bursts.push({ atMs: atMs + delayMs, rounds });
  }

  /** The router is active no more: nothing is announced again. */
  cancel(): void {
    this.#bursts = [];
    this.#refreshAtMs = undefined;
    this.#left = [];
    this.#slotMs = Number.POSITIVE_INFINITY;
    this.#lastRivalMs = Number.NEGATIVE_INFINITY;
  }

  /** When `due` wants to be asked next. */
  get nextMs(): number | undefined {
    let next = Math.min(this.#refreshAtMs ?? Number.POSITIVE_INFINITY, this.#slotMs);
    for (const { atMs } of this.#bursts) next = Math.min(next, atMs);
    return Number.isFinite(next) ? next : undefined;
  }

  /** True when a burst begins now that is worth a line in the log (keepalived: one for each burst). */
  begins(nowMs: number): boolean {
    const isRefresh = this.#settings.refreshMs > 0 && this.#refreshAtMs !== undefined && this.#refreshAtMs <= nowMs;
    return isRefresh || this.#bursts.some(({ atMs }) => atMs <= nowMs);
  }

  /** Indexes of the addresses (0 … `addresses` - 1) to announce now, in order, each as often as it is named. */
  due(nowMs: number, addresses: number, pace: Pace): number[] {
    this.#begin(nowMs, addresses);
    const indexes: number[] = [];
    // A round in vain is the end: what is left has to wait for its interface.
    for (let passed = 0; passed < this.#left.length; ) {
      const index = this.#cursor % this.#left.length;
      const left = this.#left[index] as number;
      if (left === 0 || pace.readyMs(index) > nowMs) passed++;
      else {
        passed = 0;
        this.#left[index] = left - 1;
        indexes.push(index);
        pace.sent(index, nowMs);
      }
      this.#cursor = (index + 1) % this.#left.length;
    }
    const waiting = this.#left.map((left, index) => (left > 0 ? pace.readyMs(index) : Number.POSITIVE_INFINITY));
    this.#slotMs = Math.min(Number.POSITIVE_INFINITY, ...waiting);
    return indexes;
  }

  #begin(nowMs: number, addresses: number): void {
    let rounds = 0;
    for (const burst of this.#bursts) if (burst.atMs <= nowMs) rounds = Math.max(rounds, burst.rounds);
    this.#bursts = this.#bursts.filter(({ atMs }) => atMs > nowMs);
    if (this.#refreshAtMs !== undefined && this.#refreshAtMs <= nowMs) {
      rounds = Math.max(rounds, this.#settings.refreshMs > 0 ? this.#settings.refreshRepeat : 1);
      this.#refreshAtMs = nowMs + this.#refreshMs;
    }
    if (rounds === 0 || addresses === 0) return;
    this.#left = Array<number>(addresses).fill(rounds); // what is left of an older burst is contained in the new one
    this.#cursor = 0;
  }
}
