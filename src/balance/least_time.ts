/**
 * Least estimated time: the average time of an answer's header or of all of it, times the requests at work, by weight.
 * Averages are exponential (1/20 a request); a peer that has not been asked for a while counts as faster, so that it gets
 * a chance. nginx: ngx_http_upstream_least_time_module.
 */
import { LeastConn } from "./least_conn.ts";
import {
  CHECKED,
  CONNS,
  type Group,
  HEADER_TIME,
  INFLIGHT,
  INFLIGHT_CHANGED,
  INFLIGHT_LAST,
  INFLIGHT_TIME,
  type Peers,
  RESPONSE_TIME,
} from "./peers.ts";
import type { Pick } from "./pick.ts";
import { type PeerOutcome, SUCCESS } from "./round_robin.ts";

/** `header`: until the first bytes of the answer; `last_byte`: until all of it has come. */
export type TimeMode = "header" | "last_byte";

/** Slower peers are all equally bad: their connections decide. */
const MAX_TIME_MS = 5000;
/** Times within such a span count as equal, so that near equals share by round robin. */
const SPAN_MS = 20;

/** The average with one more value, both whole milliseconds; the first value is its own average. */
export function movingAverage(average: number, value: number): number {
  return average === 0 ? value : Math.trunc(0.5 + (value * 0.05 + average * 0.95));
}

/** What the peer would need for all it has and one request more, ms: `cost` of least_time and of `random two least_time`. */
export function estimatedTime(peers: Peers, index: number, mode: TimeMode, nowS: number): number {
  let time = peers.get(index, mode === "header" ? HEADER_TIME : RESPONSE_TIME);
  const idle = nowS - peers.get(index, CHECKED);
  const { failTimeoutS } = peers.at(index);
  if (idle > failTimeoutS) {
    const halvings = Math.floor(idle / (failTimeoutS + 1));
    time = halvings > 31 ? 0 : time >> halvings;
  }
  if (peers.get(index, INFLIGHT) > 0) time = Math.max(time, peers.get(index, INFLIGHT_TIME));
  time = time > MAX_TIME_MS ? MAX_TIME_MS : time + SPAN_MS - (time % SPAN_MS);
  return time * (1 + peers.get(index, CONNS));
}

/** Adds the times of an answer that came to the peer's averages. */
export function recordTimes(peers: Peers, index: number, headerMs: number, responseMs: number): void {
  peers.set(index, RESPONSE_TIME, movingAverage(peers.get(index, RESPONSE_TIME), Math.floor(responseMs)));
  recordHeaderTime(peers, index, headerMs);
}

function recordHeaderTime(peers: Peers, index: number, headerMs: number): void {
  peers.set(index, HEADER_TIME, movingAverage(peers.get(index, HEADER_TIME), Math.floor(headerMs)));
}

export class LeastTime extends LeastConn {
  private readonly mode: TimeMode;
  /** Requests that have had no answer yet count with the time that they have waited. */
  private readonly inflight: boolean;

  constructor(group: Group, mode: TimeMode, inflight: boolean) {
    super(group);
    this.mode = mode;
    this.inflight = inflight;
  }

  protected override cost(pick: Pick, index: number, _nowMs: number, nowS: number): number {
    return estimatedTime(pick.peers, index, this.mode, nowS);
  }

  protected override consider({ peers }: Pick, index: number, nowMs: number): void {
    const requests = peers.get(index, INFLIGHT);
    if (requests === 0) return;
    const waited = Math.floor(peers.get(index, INFLIGHT_LAST) / requests) + sinceChange(peers, index, nowMs);
    peers.set(index, INFLIGHT_TIME, movingAverage(peers.get(index, INFLIGHT_TIME), waited));
  }

  /** nginx goes on comparing with the estimate of the first of the equals. */
  protected override measure(first: number, _best: number): number {
    return first;
  }

  protected override choose(pick: Pick, nowMs: number): boolean {
    const found = super.choose(pick, nowMs);
    if (found && this.inflight && !pick.single && !pick.inflight) this.count(pick, nowMs);
    return found;
  }

  private count(pick: Pick, nowMs: number): void {
    const { peers, current } = pick;
    const requests = peers.get(current, INFLIGHT);
    if (requests > 0) {
      const waited = sinceChange(peers, current, nowMs) * requests;
      peers.set(current, INFLIGHT_LAST, peers.get(current, INFLIGHT_LAST) + waited);
    }
    peers.set(current, INFLIGHT_CHANGED, nowMs);
    peers.set(current, INFLIGHT, requests + 1);
    pick.inflight = true;
  }

  /** The request no longer counts as in flight; it took `tookMs`. */
  private uncount(pick: Pick, tookMs: number, nowMs: number): void {
    const { peers, current } = pick;
    const requests = peers.get(current, INFLIGHT);
    if (requests === 1) peers.set(current, INFLIGHT_LAST, 0);
    else {
      const waited = sinceChange(peers, current, nowMs) * requests - Math.floor(tookMs);
      peers.set(current, INFLIGHT_LAST, Math.max(0, peers.get(current, INFLIGHT_LAST) + waited));
      peers.set(current, INFLIGHT_CHANGED, nowMs);
    }
    peers.set(current, INFLIGHT, requests - 1);
    pick.inflight = false;
  }

  override gotHeader(pick: Pick, headerMs: number, nowMs: number): void {
    if (!this.inflight || this.mode !== "header") return;
    this.group.memory.lock();
    recordHeaderTime(pick.peers, pick.current, headerMs);
    if (pick.inflight) this.uncount(pick, headerMs, Math.floor(nowMs));
    this.group.memory.unlock();
  }

  override finish(pick: Pick, outcome: PeerOutcome, headerMs: number, responseMs: number, nowMs: number): boolean {
    const now = Math.floor(nowMs);
    this.group.memory.lock();
    const { peers, current } = pick;
    if (pick.inflight) this.uncount(pick, responseMs, now);
    // Only answers count: a peer that fails fast must not look like a fast one.
    if (outcome === SUCCESS && headerMs >= 0) {
      if (this.inflight && this.mode === "header") {
        peers.set(current, RESPONSE_TIME, movingAverage(peers.get(current, RESPONSE_TIME), Math.floor(responseMs)));
      } else recordTimes(peers, current, headerMs, responseMs);
    }
    const disabled = this.release(pick, outcome, now);
    this.group.memory.unlock();
    return disabled;
  }
}

function sinceChange(peers: Peers, index: number, nowMs: number): number {
  return (nowMs - peers.get(index, INFLIGHT_CHANGED)) >>> 0;
}
