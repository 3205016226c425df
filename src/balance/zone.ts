/**
 * The peers of an upstream in a zone, so that all workers share their weights, failures and connections. A zone may have several
 * upstreams; each has a region for the words of its peers and one for a text that tells which peers there are, for upstreams
 * whose peers change at run time. Counterpart in nginx: ngx_http_upstream_zone_copy_peers.
 */
import { SharedText } from "../base/shared-text.ts";
import type { Zone } from "../base/zone.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import { PEER_WORDS, type PeerMemory, setRequests, settleSlots } from "./peers.ts";

/** In front of an upstream's name: the region of its peers. */
const PEERS = "peers ";

/** What a peer takes of the text, which is there twice: names of services have up to 255 bytes, most have a fraction of that. */
const ROSTER_WORDS = 48;
/** Left for what stands in front of an upstream's regions. */
const OVERHEAD_WORDS = 128;

/** What an upstream has in its zone. */
export interface ZonePeers {
  readonly memory: PeerMemory;
  /** Which peers there are, in the words of who resolves names; under the lock of the memory. */
  readonly roster: SharedText;
  /** A worker was killed: the requests that it had with peers are no more. Undefined: the worker whose slot this one has. */
  settle(debtor: Debtor | undefined): void;
}

/**
 * How many slots each upstream of a zone has: its own peers, and an equal part of what is left. `counts`: their peers by
 * configuration. Undefined when they do not fit.
 */
export function zoneSlots(sizeWords: number, counts: readonly number[]): readonly number[] | undefined {
  const room = Math.floor((sizeWords - OVERHEAD_WORDS * (counts.length + 1)) / (PEER_WORDS + ROSTER_WORDS));
  const spare = room - counts.reduce((sum, count) => sum + count, 0);
  if (spare < 0) return undefined;
  return counts.map((count) => count + Math.floor(spare / counts.length));
}

/**
 * The peers of upstream `name`, `slots` of them as `zoneSlots` has it; as before when another worker has made them.
 * Undefined when there is no room.
 */
export function zonePeers(zone: Zone, name: string, slots: number): ZonePeers | undefined {
  const words = zone.region(`${PEERS}${name}`, slots * PEER_WORDS);
  const text = zone.region(`roster ${name}`, slots * ROSTER_WORDS);
  if (words === undefined || text === undefined) return undefined;
  const peers = over(zone, words, text);
  peers.settle(undefined);
  return peers;
}

/** The peers of upstream `name` before the configuration was read again, if they were in a zone of the same name. */
export function formerPeers({ previous }: Zone, name: string): ZonePeers | undefined {
  const words = previous?.find(`${PEERS}${name}`);
  const text = previous?.find(`roster ${name}`);
  return previous === undefined || words === undefined || text === undefined ? undefined : over(previous, words, text);
}

function over(zone: Zone, words: Int32Array, text: Int32Array): ZonePeers {
  const { lock } = zone;
  /** Who died in here may have left counts that are off by one, and this process can't tell: somebody else must. */
  let isDoubtful = false;
  const acquire = (): void => {
    if (lock.acquire()) isDoubtful = !recountAll(zone);
  };
  const release = (): void => {
    if (isDoubtful) lock.leave();
    else lock.release();
    isDoubtful = false;
  };
  const memory: PeerMemory = {
    words,
    lock: acquire,
    unlock: release,
    hold: (at, by) => zone.hold(words, at, by),
  };
  return {
    memory,
    roster: new SharedText(text),
    settle: (debtor) => {
      acquire();
      settleSlots(memory, (at) => zone.takeDebt(words, at, debtor));
      release();
    },
  };
}

/** Behind a worker that was killed with the lock: every word of a peer stands for itself, but for its requests. False without a ledger. */
function recountAll(zone: Zone): boolean {
  for (const words of zone.findAll(PEERS))
    for (let at = 0; at + PEER_WORDS <= words.length; at += PEER_WORDS) {
      const count = zone.counted(words, at);
      if (count === undefined) return false;
      setRequests(words, at, count);
    }
  return true;
}
