/**
 * A request's way through the peers of an upstream: whom it has tried, who it is with. One object a request, used again.
 * Counterpart in nginx: ngx_http_upstream_rr_peer_data_t and the peer_data of the algorithms.
 */
import type { Bytes } from "../base/bytes.ts";
import { DOWN, type Group, type Peers } from "./peers.ts";

const NO_KEY = new Uint8Array(0);

export class Pick {
  /** The set that the current peer belongs to. */
  peers: Peers;
  /** Index of the peer that the request is with, or -1. */
  current = -1;
  /** Tries that are left (nginx: peer.tries); the caller may lower it (proxy_next_upstream_tries). */
  tries: number;
  generation: number;
  single: boolean;
  /** The sid that the client asked for, for the next choice only; undefined: none. */
  hint: string | undefined = undefined;
  /** What hash and ip_hash go by; their running hash value, its rounds, and tries that found nobody. */
  key: Bytes = NO_KEY;
  hash = 0;
  rehash = 0;
  misses = 0;
  /** least_time counts this request among those in flight. */
  inflight = false;
  private tried: Int32Array;

  constructor(group: Group) {
    this.peers = group.primary;
    this.tries = group.tries;
    this.generation = group.generation;
    this.single = group.single;
    this.tried = new Int32Array(wordsFor(group));
  }

  /** Begins anew, for another request to the same or another group. */
  begin(group: Group): void {
    this.peers = group.primary;
    this.current = -1;
    this.tries = group.tries;
    this.generation = group.generation;
    this.single = group.single;
    this.hint = undefined;
    this.key = NO_KEY;
    this.hash = 0;
    this.rehash = 0;
    this.misses = 0;
    this.inflight = false;
    const words = wordsFor(group);
    if (words > this.tried.length) this.tried = new Int32Array(words);
    else this.tried.fill(0);
  }

  wasTried(index: number): boolean {
    return ((this.tried[index >> 5] as number) & (1 << (index & 31))) !== 0;
  }

  markTried(index: number): void {
    this.tried[index >> 5] = (this.tried[index >> 5] as number) | (1 << (index & 31));
  }

  forgetTried(): void {
    this.tried.fill(0);
  }

  /** The peer may be given this request: not tried yet, not down, not failed, not full. */
  eligible(index: number, nowS: number): boolean {
    const { peers } = this;
    return !this.wasTried(index) && peers.get(index, DOWN) === 0 && !peers.failed(index, nowS) && !peers.full(index);
  }

  /** Address and port of the current peer, `$upstream_addr`. */
  get name(): string {
    return this.peers.at(this.current).name;
  }
}

function wordsFor(group: Group): number {
  return (Math.max(group.primary.count, group.backup?.count ?? 0) + 31) >> 5;
}
