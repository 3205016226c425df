/** The tie between the halves: from how the web server's upstreams are to what VRRP makes of it. */

import type { Diagnostic } from "../conf/diagnostics.ts";
import type { KeepalivedConfig, Track } from "../conf/keepalived/config.ts";
import type { UpstreamState } from "../io/service.ts";
import type { UpstreamHealth } from "../vrrp/track.ts";

/**
 * How healthy an upstream is. Peers that are `down` or drained by configuration don't count. With active health checks they
 * alone decide; without, a peer that requests have failed at is not healthy until its `fail_timeout` is over.
 */
export function upstreamHealth({ peers, isChecked }: UpstreamState): UpstreamHealth {
  const wanted = peers.filter(({ state }) => state !== "down" && state !== "draining");
  const healthy = wanted.filter(({ state }) => state === "up" || (isChecked && state === "unavail"));
  return { healthy: healthy.length, total: wanted.length };
}

/** Every `track_upstream` of a configuration. */
export function trackedUpstreams({ instances, syncGroups }: KeepalivedConfig): readonly Track[] {
  return [...instances, ...syncGroups].flatMap(({ tracks }) => tracks.upstreams);
}

/** What is wrong with the upstreams that are tracked. `shared`: those that can be; undefined: there is no web server beside. */
export function upstreamFaults(config: KeepalivedConfig, shared: ReadonlySet<string> | undefined): Diagnostic[] {
  return trackedUpstreams(config)
    .filter(({ name }) => shared?.has(name) !== true)
    .map(({ name, at }) => ({
      severity: "error",
      message:
        shared === undefined
          ? `track_upstream ${name} needs the web server of the same "tandem up"`
          : `track_upstream ${name}: nginx.conf has no such upstream with a zone`,
      position: { ...at, column: 1 },
    }));
}
