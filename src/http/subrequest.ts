/**
 * Subrequests: requests of the server to itself on behalf of another one, its parent. They share the client's head, body and
 * variables, and run through the phases of their own location. What they send has its place in the parent's answer
 * (postpone.ts). One that runs in the background sends nothing, and the connection only waits for its end. Counterpart in
 * nginx: ngx_http_subrequest and the part of ngx_http_finalize_request that ends one.
 */

import type { Level } from "../base/log.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import { sendingAction } from "./error-context.ts";
import { CONTENT, SERVER_REWRITE } from "./location.ts";
import { releasePostponed, takePlace } from "./postpone.ts";
import type { Request } from "./request.ts";

/** Subrequests within one another; nginx: NGX_HTTP_MAX_SUBREQUESTS. */
const MAX_DEPTH = 50;

/** Subrequests that are open at once for one request; nginx keeps 1000 of its 16-bit count for itself. */
const MAX_OPEN = 0xffff - 1000;

/** Hears what has come of a subrequest, before an error is answered and again behind that, and says what to go on with. nginx: post_subrequest. */
export type AnswerHook = (request: Request, outcome: number) => number;

export interface SubrequestOptions {
  readonly args?: string;
  /** It sends nothing, and its parent does not wait for it. */
  readonly background?: boolean;
  /** It is what its parent is, and goes on where that has got: at the content of the same location. nginx: NGX_HTTP_SUBREQUEST_CLONE. */
  readonly clone?: boolean;
  /** Its answer goes here instead of into that of its parent. */
  readonly memory?: AnswerMemory;
  readonly onAnswered?: AnswerHook;
}

/** Begins a subrequest, which runs when the current handler has returned. Undefined when there are too many, which has been logged. */
export function subrequest(parent: Request, uri: string, options: SubrequestOptions): Request | undefined {
  const { main, connection } = parent;
  if (parent.depth > MAX_DEPTH) return refuse(parent, "error", `subrequests cycle while processing "${uri}"`);
  if (main.openSubrequests >= MAX_OPEN)
    return refuse(parent, "crit", `request reference counter overflow while processing "${uri}"`);
  if (parent.memory !== undefined) return refuse(parent, "error", `nested in-memory subrequest "${uri}"`);
  const request = connection.worker.takeRequest();
  request.resetSubrequest(parent);
  request.uri = uri;
  request.args = options.args ?? "";
  request.background = options.background ?? false;
  request.memory = options.memory;
  request.onAnswered = options.onAnswered;
  request.phase = SERVER_REWRITE;
  if (options.clone === true) {
    request.phase = CONTENT;
    request.method = parent.method;
    request.changedMethod = parent.methodName;
    request.location = parent.location;
    request.validLocation = parent.validLocation;
    request.validUnparsedUri = parent.validUnparsedUri;
    request.captures = parent.captures;
  }
  request.parked = true;
  main.children ??= [];
  main.children.push(request);
  main.openSubrequests++;
  if (!request.background) takePlace(request, parent);
  connection.post(request);
  return request;
}

function refuse(parent: Request, level: Level, message: string): undefined {
  parent.connection.logErrorOf(parent, level, message, undefined, sendingAction(parent));
}

/** Goes on with an answer when the client has taken everything, or when it is another request's turn. */
export function resumeAnswer(main: Request): void {
  const { connection } = main;
  for (;;) {
    const request = main.active;
    releasePostponed(request);
    if (main.active === request) request.chain?.pump();
    if (connection.request !== main || connection.full) return;
    if (main.active !== request) continue;
    if (request.chain?.holds === true) return;
    if (!request.answerEnded) {
      request.exchange?.onClientDrained();
      return;
    }
    if (request === main) {
      connection.endAnswer(main);
      return;
    }
    endSubrequest(request);
  }
}

/** A subrequest has been answered; it is over when all that it sent has found its place. */
export function endSubrequest(request: Request): void {
  const { main, connection } = request;
  const parent = request.parent as Request;
  if (request.complete) return;
  request.answerEnded = true;
  if (!request.background) {
    if (request.chain?.holds === true) return;
    main.active = parent;
  }
  request.complete = true;
  connection.logSubrequest(request);
  main.openSubrequests--;
  if (!request.background || (main.answerEnded && main.openSubrequests === 0)) connection.post(parent);
}
