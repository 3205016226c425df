/**
 * Sessions that stay with their peer, as a request sees them: who it asks for, the cookie it is given, what is learned from its
 * answer. nginx: ngx_http_upstream_sticky_module.
 */
import type { Group } from "../balance/peers.ts";
import { digestOf, type LearnedSessions } from "../balance/sessions.ts";
import { type StickyCookieSettings, stickyCookie } from "../balance/sticky.ts";
import type { Clock } from "../base/clock.ts";
import { Timer, type Timers } from "../net/timers.ts";
import type { Request } from "./request.ts";
import type { Getter, Text } from "./variables.ts";
import type { Worker } from "./worker.ts";

/** `sticky cookie`. */
export interface StickyCookie {
  readonly settings: StickyCookieSettings;
  readonly domain: Text;
  readonly sameSite: Text;
}

/** `sticky learn`. */
export interface StickyLearn {
  /** Where an answer names the session that it begins. */
  readonly creates: readonly Getter[];
  /** Learns as soon as the answer's header is there, not at its end. */
  readonly afterHeader: boolean;
  readonly sessions: LearnedSessions;
  /** Idle time after which a session is forgotten. */
  readonly timeoutMs: number;
}

/** What `sticky` says of an upstream. */
export class Sticky {
  readonly learnsFromHeader: boolean;
  private readonly lookups: readonly Getter[];
  private readonly cookie: StickyCookie | undefined;
  private readonly learned: StickyLearn | undefined;
  private readonly timers: Timers;
  private readonly clock: Clock;
  private readonly expiry: Timer;
  /** Sids of the peers by digest, as of `generation`. */
  private readonly sids = new Map<string, string>();
  private generation = 0;

  /** `lookups`: where a request names its session or its peer; the first that is not empty counts. */
  constructor(
    worker: Worker,
    lookups: readonly Getter[],
    { cookie, learned }: { readonly cookie?: StickyCookie; readonly learned?: StickyLearn },
  ) {
    this.timers = worker.timers;
    this.clock = worker.ports.reactor.clock;
    this.expiry = new Timer(() => this.expire());
    this.lookups = lookups;
    this.cookie = cookie;
    this.learned = learned;
    // Sessions may be there from before a reload.
    if (learned !== undefined) this.timers.arm(this.expiry, 0);
    this.learnsFromHeader = learned?.afterHeader === true;
  }

  /** The session or peer that the request names; "" for none. */
  idOf(request: Request): string {
    return firstValue(this.lookups, request);
  }

  /** The peer to ask the balancer for; undefined leaves it the choice. */
  hintOf(id: string, group: Group): string | undefined {
    if (id === "" || this.learned === undefined) return id === "" ? undefined : id;
    const digest = this.learned.sessions.find(id);
    return digest === undefined ? undefined : this.sidOf(digest, group);
  }

  /** The sid of a digest: sessions keep no more of a peer, since memory that is shared has no room for texts. */
  private sidOf(digest: string, group: Group): string | undefined {
    if (this.generation !== group.generation || this.sids.size === 0) {
      this.generation = group.generation;
      this.sids.clear();
      for (const peers of group.backup === undefined ? [group.primary] : [group.primary, group.backup]) {
        for (let index = 0; index < peers.count; index++) this.sids.set(digestOf(peers.sid(index)), peers.sid(index));
      }
    }
    return this.sids.get(digest);
  }

  /** Ties the client to the peer that was chosen. `line`: of the cookie that an earlier choice has set, or -1. Returns the line. */
  tie(request: Request, sid: string, line: number): number {
    const { cookie } = this;
    if (cookie === undefined) return -1;
    const { settings, domain, sameSite } = cookie;
    const value = stickyCookie(settings, sid, domain(request), sameSite(request), this.clock.wall());
    if (line < 0) return request.addHeader("Set-Cookie", value);
    request.headerValues[line] = value;
    return line;
  }

  /** The peer of `sid` has answered a request that named `id`. */
  learn(request: Request, id: string, sid: string): void {
    const { learned } = this;
    if (learned === undefined) return;
    learned.sessions.learn(firstValue(learned.creates, request), id, sid, this.clock.now());
    if (!this.expiry.armed) this.timers.arm(this.expiry, learned.timeoutMs);
  }

  private expire(): void {
    const leftMs = this.learned?.sessions.expire(this.clock.now());
    if (leftMs !== undefined) this.timers.arm(this.expiry, leftMs);
  }
}

function firstValue(getters: readonly Getter[], request: Request): string {
  for (let i = 0; i < getters.length; i++) {
    const value = (getters[i] as Getter)(request);
    if (value !== undefined && value !== "") return value;
  }
  return "";
}
