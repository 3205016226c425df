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
  /** Longest time without a successful answer, in which the client did ask. */
  readonly gapMs: number;
  /** No answer came any more until the span ended: the gap is a lower bound. */
  readonly open: boolean;
  readonly attempts: number;
  /** Failed attempts by reason. */
  readonly failures: Readonly<Record<string, number>>;
  readonly failed: number;
}

/** A span that ends this long after its last answer ends within an outage. */
const OPEN_GAP_MS = 300;
/** A client that begins no attempt for longer than this was not running: that time says nothing about the nodes. */
const STALL_MS = 40;

/** Gap and failures between two instants. Failures belong to the span in which the attempt began. */
export function clientView(attempts: readonly Attempt[], fromMs: number, toMs: number): ClientView {
  const within = attempts.filter(({ startMs }) => startMs >= fromMs && startMs <= toMs);
  const failures: Record<string, number> = {};
  let failed = 0;
  for (const { failure } of within) {
    if (failure === undefined) continue;
    failed++;
    failures[failure] = (failures[failure] ?? 0) + 1;
  }
  const stalls = stallsOf(within, fromMs, toMs);
  const asked = (sinceMs: number, untilMs: number): number => untilMs - sinceMs - overlapMs(stalls, sinceMs, untilMs);
  let last = fromMs;
  let gapMs = 0;
  const successes = within.filter(({ failure }) => failure === undefined).map(({ endMs }) => Math.min(endMs, toMs));
  for (const endMs of successes.sort((a, b) => a - b)) {
    gapMs = Math.max(gapMs, asked(last, endMs));
    last = endMs;
  }
  const openMs = successes.length === 0 ? toMs - last : asked(last, toMs);
  const open = openMs > gapMs && openMs > OPEN_GAP_MS;
  return { gapMs: Math.max(gapMs, open ? openMs : 0), open, attempts: within.length, failures, failed };
}

/** What several clients have seen in the same span: the longest gap of any, and all that failed. */
export function joinViews(views: readonly ClientView[]): ClientView {
  const failures: Record<string, number> = {};
  for (const view of views)
    for (const [reason, count] of Object.entries(view.failures)) failures[reason] = (failures[reason] ?? 0) + count;
  return {
    gapMs: Math.max(0, ...views.map(({ gapMs }) => gapMs)),
    open: views.some(({ open }) => open),
    attempts: views.reduce((sum, { attempts }) => sum + attempts, 0),
    failures,
    failed: views.reduce((sum, { failed }) => sum + failed, 0),
  };
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The spans in which the client began no attempt though it should have. */
function stallsOf(attempts: readonly Attempt[], fromMs: number, toMs: number): readonly Span[] {
  const starts = [fromMs, ...attempts.map(({ startMs }) => startMs).sort((a, b) => a - b), toMs];
  const stalls: Span[] = [];
  for (let i = 1; i < starts.length; i++) {
    const before = starts[i - 1] as number;
    const next = starts[i] as number;
    if (next - before > STALL_MS) stalls.push({ fromMs: before, toMs: next });
  }
  return stalls;
}

function overlapMs(spans: readonly Span[], fromMs: number, toMs: number): number {
  let sum = 0;
  for (const span of spans) sum += Math.max(0, Math.min(span.toMs, toMs) - Math.max(span.fromMs, fromMs));
  return sum;
}

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
