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

/** The timetable of one router. A round is one message for each of its addresses. */
export class Announcer {
  readonly #settings: AnnounceSettings;
  readonly #refreshMs: number;
  #bursts: Burst[] = [];
  #refreshAtMs: number | undefined;
  /** When the last burst because of a rival was or will be. */
  #lastRivalMs = Number.NEGATIVE_INFINITY;
  /** Messages of the current burst that spacing holds back. */
  #left = 0;
  #cursor = 0;
  #slotMs = 0;

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
    this.#left = 0;
    this.#lastRivalMs = Number.NEGATIVE_INFINITY;
  }

  /** When `due` wants to be asked next. */
  get nextMs(): number | undefined {
    let next = this.#refreshAtMs ?? Number.POSITIVE_INFINITY;
    for (const { atMs } of this.#bursts) next = Math.min(next, atMs);
    if (this.#left > 0) next = Math.min(next, this.#slotMs);
    return Number.isFinite(next) ? next : undefined;
  }

  /** True when a burst begins now that is worth a line in the log (keepalived: one for each burst). */
  begins(nowMs: number): boolean {
    const isRefresh = this.#settings.refreshMs > 0 && this.#refreshAtMs !== undefined && this.#refreshAtMs <= nowMs;
    return isRefresh || this.#bursts.some(({ atMs }) => atMs <= nowMs);
  }

  /**
   * Indexes of the addresses (0 … `addresses` - 1) to announce now, in order, each as often as it is named.
   * `spacingMs(index)` is the pause behind a message (vrrp_garp_interval, vrrp_gna_interval).
   */
  due(nowMs: number, addresses: number, spacingMs: (index: number) => number): number[] {
    this.#begin(nowMs, addresses);
    const indexes: number[] = [];
    while (this.#left > 0 && this.#slotMs <= nowMs) {
      const index = this.#cursor;
      indexes.push(index);
      this.#cursor = (index + 1) % addresses;
      this.#left--;
      this.#slotMs = Math.max(this.#slotMs, nowMs) + spacingMs(index);
    }
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
    if (this.#left === 0) this.#slotMs = nowMs;
    this.#left = rounds * addresses; // what is left of an older burst is contained in the new one
    this.#cursor = 0;
  }
}
