/**
 * A key decides: by CRC-32 as Cache::Memcached does, or by points on a circle as Cache::Memcached::Fast does (ketama:
 * most keys keep their peer when one comes or goes). nginx: ngx_http_upstream_hash_module.
 */
import type { Bytes } from "../base/bytes.ts";
import { fromLatin1 } from "../base/bytes.ts";
import { CRC32_START, crc32, crc32Final, crc32Update } from "../base/hash-crc32.ts";
import { byWeight, MAX_MISSES } from "./ip_hash.ts";
import { CURRENT_WEIGHT, type Peers } from "./peers.ts";
import type { Pick } from "./pick.ts";
import { RoundRobin } from "./round_robin.ts";

/** `hash KEY`. */
export class Hash extends RoundRobin {
  protected override choose(pick: Pick, nowMs: number): boolean {
    const { peers, key } = pick;
    if (pick.misses > MAX_MISSES || peers.count < 2 || key.length === 0) return super.choose(pick, nowMs);
    const nowS = Math.floor(nowMs / 1000);
    const sticky = this.hinted(pick, nowS);
    if (sticky >= 0) return this.take(pick, sticky, nowS) >= 0;
    for (;;) {
      // The round stands in front of the key, from the second round on; hashes of all rounds are added up.
      let state = CRC32_START;
      if (pick.rehash > 0) state = crc32Update(state, fromLatin1(String(pick.rehash)));
      pick.hash = (pick.hash + ((crc32Final(crc32Update(state, key)) >>> 16) & 0x7fff)) >>> 0;
      pick.rehash++;
      const index = byWeight(pick, pick.hash % peers.totalWeight);
      if (pick.eligible(index, nowS)) return this.take(pick, index, nowS) >= 0;
      if (++pick.misses > MAX_MISSES) return super.choose(pick, nowMs);
    }
  }
}

/** Points on the circle for each unit of weight. */
const POINTS = 160;

/** The circle: hashes in ascending order, and the server (an index into `servers`) that each belongs to. */
interface Circle {
  readonly peers: Peers;
  readonly hashes: Uint32Array;
  readonly owners: Uint32Array;
  /** Of each peer: which server it is an address of. */
  readonly serverOf: Uint32Array;
}

/** `hash KEY consistent`. */
export class ConsistentHash extends RoundRobin {
  private circle: Circle | undefined = undefined;

  override begin(pick: Pick, key: Bytes): void {
    super.begin(pick, key);
    const { hashes } = this.currentCircle();
    pick.hash = firstAtLeast(hashes, crc32(key));
  }

  private currentCircle(): Circle {
    if (this.circle?.peers !== this.group.primary) this.circle = makeCircle(this.group.primary);
    return this.circle;
  }

  protected override choose(pick: Pick, nowMs: number): boolean {
    if (pick.misses > MAX_MISSES || pick.single || pick.key.length === 0) return super.choose(pick, nowMs);
    if (this.group.primary.count === 0) return false;
    const nowS = Math.floor(nowMs / 1000);
    const sticky = this.hinted(pick, nowS);
    if (sticky >= 0) return this.take(pick, sticky, nowS) >= 0;
    const circle = this.currentCircle();
    for (;;) {
      const server = circle.owners[pick.hash % circle.owners.length] as number;
      const index = this.amongAddresses(pick, circle.serverOf, server, nowMs, nowS);
      if (index >= 0) return this.take(pick, index, nowS) >= 0;
      pick.hash++;
      if (++pick.misses > MAX_MISSES) return super.choose(pick, nowMs);
    }
  }

  /** A server with several addresses: smooth weighted round robin over them. */
  private amongAddresses(pick: Pick, serverOf: Uint32Array, server: number, nowMs: number, nowS: number): number {
    const { peers } = pick;
    let best = -1;
    let total = 0;
    for (let index = 0; index < peers.count; index++) {
      if (serverOf[index] !== server || !pick.eligible(index, nowS)) continue;
      total += this.grow(pick, index, nowMs);
      if (best < 0 || peers.get(index, CURRENT_WEIGHT) > peers.get(best, CURRENT_WEIGHT)) best = index;
    }
    if (best >= 0) peers.set(best, CURRENT_WEIGHT, peers.get(best, CURRENT_WEIGHT) - total);
    return best;
  }
}

/** Index of the first hash that is at least `hash`; the length when there is none. */
function firstAtLeast(hashes: Uint32Array, hash: number): number {
  let low = 0;
  let high = hashes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (hash > (hashes[middle] as number)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function makeCircle(peers: Peers): Circle {
  const servers: string[] = [];
  const serverOf = new Uint32Array(peers.count);
  const points: { readonly hash: number; readonly server: number }[] = [];
  peers.settings.forEach((peer, index) => {
    let server = servers.indexOf(peer.server);
    if (server < 0) server = servers.push(peer.server) - 1;
    serverOf[index] = server;
    for (const hash of pointsOf(peer.server, peer.weight * POINTS)) points.push({ hash, server });
  });
  points.sort((a, b) => a.hash - b.hash);
  const unique = points.filter((point, i) => i === 0 || point.hash !== points[i - 1]?.hash);
  return {
    peers,
    hashes: Uint32Array.from(unique, ({ hash }) => hash),
    owners: Uint32Array.from(unique, ({ server }) => server),
    serverOf,
  };
}

/** crc32(HOST \0 PORT PREVIOUS), where PREVIOUS is the point before in four bytes, least significant first. */
function pointsOf(server: string, count: number): number[] {
  const { host, port } = hostAndPort(server);
  const base = crc32Update(CRC32_START, fromLatin1(`${host}\0${port}`));
  const previous = new Uint8Array(4);
  const view = new DataView(previous.buffer);
  const points: number[] = [];
  for (let i = 0; i < count; i++) {
    const hash = crc32Final(crc32Update(base, previous));
    points.push(hash);
    view.setUint32(0, hash, true);
  }
  return points;
}

/** Digits behind the last colon are the port; a unix socket is its path alone. */
function hostAndPort(server: string): { readonly host: string; readonly port: string } {
  if (/^unix:/i.test(server)) return { host: server.slice(5), port: "" };
  const match = /^(.*):(\d*)$/s.exec(server);
  return match === null ? { host: server, port: "" } : { host: match[1] as string, port: match[2] as string };
}
