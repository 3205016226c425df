/** What `tandem up` makes of a web server that serves nobody (docs/faults.md). */
import type { SyncGroup, VrrpInstance } from "../conf/keepalived/config.ts";

/** How long there may be no worker that accepts before that is told: a new one needs some tenths of a second. */
export const UNSERVED_MS = 2000;
/** The fault of instances that nobody has ranked. */
export const UNSERVED = "no worker process of the web server accepts";

/** Scripts or processes change its priority by weight: the operator has said who is better when a service is dead. */
export function isRanked({ tracks }: VrrpInstance, group: SyncGroup | undefined): boolean {
  const all = group === undefined ? [tracks] : [tracks, group.tracks];
  return all.some(({ scripts, processes }) => [...scripts, ...processes].some(({ weight }) => weight !== 0));
}
