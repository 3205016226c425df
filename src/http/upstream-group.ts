/**
 * Upstreams at work in one worker: groups of peers, and the idle connections that are kept for
 * the next request. Counterpart in nginx: ngx_http_upstream_srv_conf_t and ngx_http_upstream_keepalive_module.c.
 */
import type { Balancer } from "../balance/round_robin.ts";
import type { Bytes } from "../base/bytes.ts";
import type { Endpoint } from "../io/stream.ts";
import { BalancedGroup, type Member } from "../net/balanced-group.ts";
import type { PeerConnection } from "./peer-connection.ts";
import type { Request } from "./request.ts";
import type { Sticky } from "./sticky.ts";
import type { UpstreamQueue } from "./upstream-queue.ts";

/** When connections are kept. */
export interface KeepAliveSettings {
  readonly maxIdle: number;
  readonly requests: number;
  readonly timeMs: number;
  readonly timeoutMs: number;
  /** A connection is used again only by the location that has made it. */
  readonly local: boolean;
}

export class Upstream extends BalancedGroup<Request> {
  readonly keepAlive: KeepAliveSettings | undefined;
  readonly sticky: Sticky | undefined;
  readonly queue: UpstreamQueue | undefined;
  /** Idle connections, the one that was used last in front. */
  private first: PeerConnection | undefined = undefined;
  private last: PeerConnection | undefined = undefined;
  private idleCount = 0;

  constructor(
    balancer: Balancer,
    members: readonly Member[],
    options: {
      readonly keyOf: (request: Request) => Bytes;
      readonly keepAlive: KeepAliveSettings | undefined;
      readonly sticky: Sticky | undefined;
      readonly queue: UpstreamQueue | undefined;
    },
  ) {
    super(balancer, members, options.keyOf);
    this.keepAlive = options.keepAlive;
    this.sticky = options.sticky;
    this.queue = options.queue;
  }

  /** An idle connection to this endpoint, taken out; undefined when there is none. `owner` is the location's settings. */
  takeIdle(endpoint: Endpoint, owner: object): PeerConnection | undefined {
    const local = this.keepAlive?.local === true;
    for (let item = this.first; item !== undefined; item = item.older) {
      if (item.endpoint !== endpoint || (local && item.lender !== owner)) continue;
      this.remove(item);
      return item;
    }
    return undefined;
  }

  /** Keeps a connection; the one that has been idle longest goes when there are too many. */
  keepIdle(connection: PeerConnection, { maxIdle }: KeepAliveSettings): void {
    if (this.idleCount >= maxIdle && this.last !== undefined) {
      const oldest = this.last;
      this.remove(oldest);
      oldest.close();
    }
    connection.newer = undefined;
    connection.older = this.first;
    if (this.first !== undefined) this.first.newer = connection;
    else this.last = connection;
    this.first = connection;
    this.idleCount++;
  }

  remove(connection: PeerConnection): void {
    const { newer, older } = connection;
    if (newer === undefined) this.first = older;
    else newer.older = older;
    if (older === undefined) this.last = newer;
    else older.newer = newer;
    connection.newer = undefined;
    connection.older = undefined;
    this.idleCount--;
  }

  closeIdle(): void {
    while (this.first !== undefined) {
      const connection = this.first;
      this.remove(connection);
      connection.close();
    }
  }
}
