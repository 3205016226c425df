/**
 * Several requests, one answer: what a request and its subrequests send reaches the client in the order in which the
 * subrequests were begun. The active request sends, what another one has to say waits. nginx: ngx_http_postpone_filter_module.c.
 */
import { type Chunk, copyChunk, FLUSH, LAST, type Mark, MORE } from "./body.ts";
import type { Request } from "./request.ts";

/** A part of an answer that waits for its turn. */
export interface Postponed {
  readonly chunks: readonly Chunk[];
  readonly mark: Mark;
}

/** Gives a subrequest its place in the answer of its parent. */
export function takePlace(request: Request, parent: Request): void {
  const { main } = parent;
  if (main.active === parent && parent.postponed === undefined) main.active = request;
  else postponedOf(parent).push(request);
}

function postponedOf(request: Request): (Postponed | Request)[] {
  request.postponed ??= [];
  return request.postponed;
}

/** Sends what has come out of a request's own filters, when it is its turn. */
export function postpone(request: Request, chunks: readonly Chunk[], mark: Mark): void {
  if (request.main.active === request && request.postponed === undefined) {
    pass(request, chunks, mark);
    return;
  }
  postponedOf(request).push({ chunks: chunks.map(copyChunk), mark });
  if (request.main.active === request) releasePostponed(request);
}

/** The end of a subrequest is not the end of the answer. */
function pass(request: Request, chunks: readonly Chunk[], mark: Mark): void {
  const { main } = request;
  if (mark === FLUSH) main.connection.urgent = true;
  if (main.chain === undefined) {
    for (const chunk of chunks) main.connection.emit(main, chunk);
    return;
  }
  const passed = request === main || mark !== LAST ? mark : MORE;
  if (chunks.length > 0 || passed !== MORE) main.chain.deliver(chunks, passed);
}

/** Sends what was postponed, up to the next subrequest, whose turn it is then. */
export function releasePostponed(request: Request): void {
  const { postponed, main } = request;
  if (postponed === undefined) return;
  for (let next = postponed.shift(); next !== undefined; next = postponed.shift()) {
    if ("chunks" in next) {
      pass(request, next.chunks, next.mark);
      continue;
    }
    if (postponed.length === 0) request.postponed = undefined;
    main.active = next;
    main.connection.post(next);
    return;
  }
  request.postponed = undefined;
}
