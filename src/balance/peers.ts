/**
 * The members of an upstream and what is known of each: the part that every algorithm shares. The facts of the configuration
 * are plain objects; what changes (connections, failures, weights in play) are integers in a `PeerMemory`, which is one
 * process' own here and may as well be memory that workers share. Counterpart in nginx: ngx_http_upstream_rr_peers_t.
 */
import { assert } from "../base/assert.ts";
import { fromLatin1 } from "../base/bytes.ts";
import { crc32 } from "../base/hash-crc32.ts";
import { md5Hex } from "../base/hash-md5.ts";

/** A `server` of an upstream, or one address of it. */
export interface PeerSettings {
  /** Address and port as nginx prints them (`$upstream_addr`), `192.0.2.1:80` or `unix:/path`. Identifies the peer. */
  readonly name: string;
  /** The `server` parameter as it was written: what consistent hashing hashes. */
  readonly server: string;
  readonly weight: number;
  /** 0: no limit. */
  readonly maxConns: number;
  /** 0: failures are not counted. */
  readonly maxFails: number;
  /** Both the window in which failures count and the time out of rotation, seconds. */
  readonly failTimeoutS: number;
  /** Time in which the weight grows from zero to its value after a recovery, ms; 0: at once. */
  readonly slowStartMs: number;
  readonly down: boolean;
  /** Only requests of sessions that are tied to it already. */
  readonly drain: boolean;
  /** `route=` of the server; "": the digest of its name. What a sticky cookie carries. */
  readonly route: string;
  /** The bit of DOWN that health checks begin with: UNHEALTHY, UNCHECKED or 0. */
  readonly health: number;
}

/** What `server` means without parameters. */
export const PEER_DEFAULTS: Omit<PeerSettings, "name" | "server"> = {
  weight: 1,
  maxConns: 0,
  maxFails: 1,
  failTimeoutS: 10,
  slowStartMs: 0,
  down: false,
  drain: false,
  route: "",
  health: 0,
};

/**
 * Integers that peers live in, `PEER_WORDS` a slot, zero at first. All writes happen between `lock` and `unlock`; an
 * implementation that workers share orders memory there, and must free a lock whose holder has died.
 */
export interface PeerMemory {
  readonly words: Int32Array;
  lock(): void;
  unlock(): void;
  /** This process has so many more requests with the peer whose slot begins at `at`; called with the lock held. */
  hold(at: number, by: number): void;
}

/** Words a slot takes. */
export const PEER_WORDS = 18;
// Offsets in a slot. Times in seconds, or in milliseconds modulo 2³², of the clock that `next` is given.
const STATE = 0;
export const REFS = 1;
export const CURRENT_WEIGHT = 2;
export const EFFECTIVE_WEIGHT = 3;
export const CONNS = 4;
export const FAILS = 5;
/** Second of the last failure. */
export const ACCESSED = 6;
/** Second in which the present window of failures, or the last try after it, began. */
export const CHECKED = 7;
/** A set of the bits below; 0: in rotation. */
export const DOWN = 8;
/** Millisecond in which slow start began; counts while SLOW is 1. */
export const STARTED = 9;
export const SLOW = 10;
export const HEADER_TIME = 11;
export const RESPONSE_TIME = 12;
export const INFLIGHT_TIME = 13;
export const INFLIGHT_LAST = 14;
/** Requests in flight that least_time counts. */
export const INFLIGHT = 15;
/** Millisecond in which INFLIGHT last changed. */
export const INFLIGHT_CHANGED = 16;
/** A digest of what names the peer, for whoever looks for it in the memory of an earlier configuration. */
const KEY = 17;

/** Bits of DOWN: by configuration or order; by a health check; not checked yet (mandatory); being emptied (sticky sessions only). */
export const BY_ORDER = 1;
export const UNHEALTHY = 2;
export const UNCHECKED = 4;
export const DRAINING = 8;

const FREE = 0;
const IN_USE = 1;
/** Removed from its upstream while requests were still with it. */
const LEAVING = 2;

/** Seconds that stand for "never": far enough in the past for any clock. */
const NEVER = -(2 ** 30);

/** Memory of one process: no lock is needed, since nothing here waits. */
export function localPeerMemory(slots: number): PeerMemory {
  return { words: new Int32Array(slots * PEER_WORDS), lock: () => {}, unlock: () => {}, hold: () => {} };
}

/** Takes a free slot for a peer that has no history: its first word, or undefined without room. Call with the lock held. */
export function claimSlot(memory: PeerMemory, settings: PeerSettings): number | undefined {
  const { words } = memory;
  for (let at = 0; at + PEER_WORDS <= words.length; at += PEER_WORDS) {
    if (words[at + STATE] !== FREE) continue;
    beginSlot(words, at, settings);
    return at;
  }
  return undefined;
}

function beginSlot(words: Int32Array, at: number, settings: PeerSettings): void {
  words.fill(0, at, at + PEER_WORDS);
  words[at + STATE] = IN_USE;
  words[at + EFFECTIVE_WEIGHT] = settings.weight;
  words[at + ACCESSED] = NEVER;
  words[at + CHECKED] = NEVER;
  words[at + DOWN] = (settings.down ? BY_ORDER : settings.drain ? DRAINING : 0) | settings.health;
  words[at + KEY] = keyOf(settings);
}

function keyOf(settings: PeerSettings): number {
  return crc32(fromLatin1(peerKey(settings))) | 0;
}

/** What names a peer across reloads and changes of membership. */
export function peerKey({ server, name }: Pick<PeerSettings, "server" | "name">): string {
  return `${server}\n${name}`;
}

/** The bits of DOWN that a peer has in this memory; undefined when it isn't there. */
export function formerDown({ words }: PeerMemory, settings: PeerSettings): number | undefined {
  const key = keyOf(settings);
  for (let at = 0; at + PEER_WORDS <= words.length; at += PEER_WORDS) {
    if (words[at + STATE] === IN_USE && words[at + KEY] === key) return words[at + DOWN];
  }
  return undefined;
}

/** Slots in the order of the configuration: the worker that comes first begins them, the others find them begun. */
function slotsFrom(memory: PeerMemory, first: number, settings: readonly PeerSettings[]): number[] {
  assert((first + settings.length) * PEER_WORDS <= memory.words.length, "a zone has room for its peers");
  return settings.map((peer, index) => {
    const at = (first + index) * PEER_WORDS;
    if (memory.words[at + STATE] === FREE) beginSlot(memory.words, at, peer);
    return at;
  });
}

/** Gives a slot back, at once or when its last request ends. Call with the lock held. */
export function releaseSlot(memory: PeerMemory, at: number): void {
  memory.words[at + STATE] = memory.words[at + REFS] === 0 ? FREE : LEAVING;
}

/** A request is with the peer of this slot from now on (1), or no longer (-1). Call with the lock held. */
export function countRequest(memory: PeerMemory, at: number, by: 1 | -1): void {
  memory.hold(at, by);
  changeRequests(memory.words, at, by);
}

function changeRequests(words: Int32Array, at: number, by: number): void {
  setRequests(words, at, (words[at + REFS] as number) + by);
}

/** So many requests are with the peer of this slot. Call with the lock held. */
export function setRequests(words: Int32Array, at: number, count: number): void {
  words[at + REFS] = count;
  words[at + CONNS] = count;
  if (count === 0 && words[at + STATE] === LEAVING) words[at + STATE] = FREE;
}

/** A worker has died that had `heldAt(slot)` requests with the peer of each slot: they are no more. Call with the lock held. */
export function settleSlots({ words }: PeerMemory, heldAt: (slot: number) => number): void {
  for (let at = 0; at + PEER_WORDS <= words.length; at += PEER_WORDS) {
    const held = heldAt(at);
    if (held === 0) continue;
    changeRequests(words, at, -held);
    // How long the lost ones had been waiting isn't known: the others' share of that stays.
    const left = Math.min(words[at + INFLIGHT] as number, words[at + CONNS] as number);
    words[at + INFLIGHT] = left;
    if (left === 0) words[at + INFLIGHT_LAST] = 0;
  }
}

/** Slow start divides a weight into this many steps. */
const SLOW_START_STEPS = 256;

/** The primary or the backup peers of an upstream, in the order of the configuration. */
export class Peers {
  readonly settings: readonly PeerSettings[];
  readonly memory: PeerMemory;
  readonly words: Int32Array;
  /** First word of each peer. */
  readonly slots: Int32Array;
  readonly count: number;
  readonly totalWeight: number;
  /** Peers that are neither `down` nor drained by configuration: so many tries a request has here. */
  readonly tries: number;
  /** Weights are counted in units of 1/scale, so that slow start can give a peer less than one; 1 without slow start. */
  readonly scale: number;
  private readonly sids: (string | undefined)[];
  // The settings that every choice looks at, of all peers side by side (a choice among three: 0.44 → 0.14 µs).
  private readonly weights: Int32Array;
  private readonly maxConns: Int32Array;
  private readonly maxFails: Int32Array;
  private readonly failTimeouts: Int32Array;

  constructor(memory: PeerMemory, settings: readonly PeerSettings[], slots: readonly number[]) {
    this.memory = memory;
    this.words = memory.words;
    this.settings = settings;
    this.slots = Int32Array.from(slots);
    this.count = settings.length;
    this.totalWeight = settings.reduce((sum, peer) => sum + peer.weight, 0);
    this.tries = settings.filter((peer) => !peer.down && !peer.drain).length;
    this.scale = settings.some((peer) => peer.slowStartMs > 0) ? SLOW_START_STEPS : 1;
    this.sids = new Array(settings.length).fill(undefined);
    this.weights = Int32Array.from(settings, (peer) => peer.weight);
    this.maxConns = Int32Array.from(settings, (peer) => peer.maxConns);
    this.maxFails = Int32Array.from(settings, (peer) => peer.maxFails);
    this.failTimeouts = Int32Array.from(settings, (peer) => peer.failTimeoutS);
  }

  at(index: number): PeerSettings {
    return this.settings[index] as PeerSettings;
  }

  get(index: number, word: number): number {
    return this.words[(this.slots[index] as number) + word] as number;
  }

  set(index: number, word: number, value: number): void {
    this.words[(this.slots[index] as number) + word] = value;
  }

  /** What names the peer in a sticky cookie: its route, or the MD5 of its name in hexadecimal. */
  sid(index: number): string {
    let sid = this.sids[index];
    if (sid === undefined) {
      const { route, name } = this.at(index);
      sid = route === "" ? md5Hex(fromLatin1(name)) : route;
      this.sids[index] = sid;
    }
    return sid;
  }

  /** The configured weight. */
  weight(index: number): number {
    return this.weights[index] as number;
  }

  /** Failures have put it out of rotation for now. */
  failed(index: number, nowS: number): boolean {
    const { words } = this;
    const at = this.slots[index] as number;
    const maxFails = this.maxFails[index] as number;
    if (maxFails === 0 || (words[at + FAILS] as number) < maxFails) return false;
    return nowS - (words[at + CHECKED] as number) <= (this.failTimeouts[index] as number);
  }

  /** The last failure, or the last try after it, is so long ago that a new window begins. */
  windowIsOver(index: number, nowS: number): boolean {
    return nowS - this.get(index, CHECKED) > (this.failTimeouts[index] as number);
  }

  /** It has all the connections that it may have. */
  full(index: number): boolean {
    const maxConns = this.maxConns[index] as number;
    return maxConns > 0 && this.get(index, CONNS) >= maxConns;
  }

  /** `weight`, which is the configured or the effective one, in units of 1/scale, less while slow start lasts. Never 0 unless `weight` is. */
  scaled(index: number, weight: number, nowMs: number): number {
    if (this.scale === 1) return weight;
    const full = weight * this.scale;
    if (this.get(index, SLOW) === 0) return full;
    const elapsed = (nowMs - this.get(index, STARTED)) >>> 0;
    const { slowStartMs } = this.at(index);
    if (elapsed >= slowStartMs) {
      this.set(index, SLOW, 0);
      return full;
    }
    return full === 0 ? 0 : Math.max(1, Math.floor((full * elapsed) / slowStartMs));
  }

  /** It has come back into rotation: slow start begins if it has one. */
  recovered(index: number, nowMs: number): void {
    if (this.at(index).slowStartMs === 0) return;
    this.set(index, SLOW, 1);
    this.set(index, STARTED, nowMs);
  }
}

/** Sets or clears one of the bits of DOWN; a peer whose last bit but DRAINING goes begins its slow start. */
export function setDown(peers: Peers, index: number, bit: number, on: boolean, nowMs: number): void {
  peers.memory.lock();
  const before = peers.get(index, DOWN);
  const after = on ? before | bit : before & ~bit;
  peers.set(index, DOWN, after);
  if ((before & ~DRAINING) !== 0 && (after & ~DRAINING) === 0) peers.recovered(index, Math.floor(nowMs));
  peers.memory.unlock();
}

/** An upstream: primary peers, and backup peers for when none of those is left. */
export class Group {
  readonly name: string;
  readonly memory: PeerMemory;
  primary: Peers;
  backup: Peers | undefined;
  /** Counts changes of its members (nginx: peers->config). */
  generation = 0;
  /** Who changes its members while it runs; undefined: nobody. */
  membership: Membership | undefined = undefined;

  /** The memory is this group's alone. Workers that share it must make the group from the same peers in the same order. */
  constructor(name: string, memory: PeerMemory, primary: readonly PeerSettings[], backup: readonly PeerSettings[]) {
    this.name = name;
    this.memory = memory;
    memory.lock();
    this.primary = new Peers(memory, primary, slotsFrom(memory, 0, primary));
    const behind = slotsFrom(memory, primary.length, backup);
    this.backup = backup.length > 0 ? new Peers(memory, backup, behind) : undefined;
    memory.unlock();
  }

  /** True when there is nothing to choose: failures don't count then, and it is never out of rotation because of them. */
  get single(): boolean {
    return this.primary.count === 1 && this.backup === undefined;
  }

  /** Tries that a request has before it gives up. */
  get tries(): number {
    return this.primary.tries + (this.backup === undefined ? 0 : this.backup.tries);
  }

  /** New members in slots of their own: those that stay have kept theirs. */
  adopt(primary: Peers, backup: Peers | undefined): void {
    this.primary = primary;
    this.backup = backup;
    this.generation++;
  }

  /** Sees to it that its members are those that they are by now. */
  follow(): void {
    const { membership, memory } = this;
    if (membership?.isStale !== true) return;
    memory.lock();
    membership.follow();
    memory.unlock();
  }
}

/** Members that change at run time, for all workers at once. */
export interface Membership {
  /** Another worker has changed them. */
  readonly isStale: boolean;
  /** Makes the change in this worker's group. Call with the lock of its memory held. */
  follow(): void;
}

/** A group in memory of its own process. `spareSlots`: room for so many peers that come later. */
export function localGroup(
  name: string,
  primary: readonly PeerSettings[],
  backup: readonly PeerSettings[] = [],
  spareSlots = 0,
): Group {
  return new Group(name, localPeerMemory(primary.length + backup.length + spareSlots), primary, backup);
}

/** How many peers of the group would be given a request now, and how many there are: backup peers count as well. */
export function healthyPeers(group: Group, nowMs: number): { readonly healthy: number; readonly total: number } {
  const nowS = Math.floor(nowMs / 1000);
  let healthy = 0;
  let total = 0;
  for (const peers of group.backup === undefined ? [group.primary] : [group.primary, group.backup]) {
    for (let index = 0; index < peers.count; index++) {
      total++;
      if (peers.get(index, DOWN) === 0 && (group.single || !peers.failed(index, nowS))) healthy++;
    }
  }
  return { healthy, total };
}
