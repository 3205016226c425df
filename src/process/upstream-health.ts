/** The tie between the halves: from how the web server's upstreams are to what VRRP makes of it. */
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
