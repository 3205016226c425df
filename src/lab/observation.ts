/** What the client and the kernel of each node have seen: who answered when, who held the virtual address when. Pure. */
import type { NodeName } from "./plan.ts";
import type { ProbeResult } from "./protocol.ts";

/** An attempt of the client, with the node that answered it. */
export interface Attempt {
  readonly startMs: number;
  readonly endMs: number;
  /** undefined for a failure, or when the pages of the nodes don't differ. */
  readonly node: NodeName | undefined;
  readonly failure: string | undefined;
}

/** A node has begun or ceased to hold the virtual address. */
export interface Holding {
  readonly node: NodeName;
  readonly held: boolean;
  readonly atMs: number;
}

/** The client's view of a span of time. */
export interface ClientView {
  /** Longest time without a successful answer. */
  readonly gapMs: number;
  /** No answer came any more until the span ended: the gap is a lower bound. */
  readonly open: boolean;
  readonly attempts: number;
  /** Failed attempts by reason. */
  readonly failures: Readonly<Record<string, number>>;
  readonly failed: number;
}

/** Gap and failures between two instants. Failures belong to the span in which the attempt began. */
export function clientView(attempts: readonly Attempt[], fromMs: number, toMs: number): ClientView {
  let last = fromMs;
  let gapMs = 0;
  let openMs = 0;
  const failures: Record<string, number> = {};
  let count = 0;
  let failed = 0;
  const successes: number[] = [];
  for (const { startMs, endMs, failure } of attempts) {
    if (startMs < fromMs || startMs > toMs) continue;
    count++;
    if (failure === undefined) successes.push(Math.min(endMs, toMs));
    else {
      failed++;
      failures[failure] = (failures[failure] ?? 0) + 1;
    }
  }
  for (const endMs of successes.sort((a, b) => a - b)) {
    gapMs = Math.max(gapMs, endMs - last);
    last = endMs;
  }
  openMs = toMs - last;
  const open = openMs > gapMs && openMs > OPEN_GAP_MS;
  return { gapMs: Math.max(gapMs, open ? openMs : 0), open, attempts: count, failures, failed };
}
/** A span that ends this long after its last answer ends within an outage. */
const OPEN_GAP_MS = 300;

/** How long both nodes held the address at once between two instants. `events` are in order of time. */
export function bothHeldMs(events: readonly Holding[], fromMs: number, toMs: number): number {
  const held = new Set<NodeName>();
  let since: number | undefined;
  let totalMs = 0;
  for (const { node, held: begins, atMs } of events) {
    if (atMs > toMs) break;
    if (begins) held.add(node);
    else held.delete(node);
    if (held.size === 2) since ??= Math.max(atMs, fromMs);
    else if (since !== undefined) {
      totalMs += Math.max(0, atMs - since);
      since = undefined;
    }
  }
  return since === undefined ? totalMs : totalMs + Math.max(0, toMs - since);
}

/** Labels a result with the node whose page it is. */
export function attemptOf(result: ProbeResult, pages: ReadonlyMap<string, NodeName>): Attempt {
  const { startMs, endMs, body, failure } = result;
  return { startMs, endMs, failure, node: body === undefined ? undefined : pages.get(body) };
}
