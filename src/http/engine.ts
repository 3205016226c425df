/**
 * Runs a request through its phases and gives the answer that comes out. Counterpart in nginx: the phase checkers of
 * ngx_http_core_module.c, ngx_http_finalize_request and ngx_http_special_response_handler.
 *
 * Nothing here recurses: an internal redirect says RUN, and the loop in `drive` begins again.
 */
import type { Bytes } from "../base/bytes.ts";
import { parseOffset } from "../conf/units.ts";
import { EXPECT } from "../wire/http1/fields.ts";
import { type HeadResult, INVALID_09_METHOD } from "../wire/http1/head-results.ts";
import { CONNECT, GET, HEAD, POST } from "../wire/http1/methods.ts";
import { escapeUri, isUnsafePath, unescapeUri } from "../wire/http1/uri.ts";
import { CONTINUE } from "./answer-head.ts";
import { bytesChunk, type Chunk, LAST, type Mark, textChunk } from "./body.ts";
import { applyBeginning, applyHead, chooseServer, forgetLine, recogniseBrowser, refusedStatus } from "./head-rules.ts";
import { limitsOf } from "./limits.ts";
import {
  ACCESS,
  CONTENT,
  type ErrorPage,
  FIND_CONFIG,
  type Handler,
  type HeaderFilter,
  type ListeningPoint,
  type Location,
  POST_ACCESS,
  POST_READ,
  POST_REWRITE,
  PREACCESS,
  PRECONTENT,
  REWRITE,
  SERVER_REWRITE,
} from "./location.ts";
import { FOUND_REDIRECT } from "./location-tree.ts";
import { AGAIN, CLIENT_CLOSED, CLOSE, DECLINED, DONE, ERROR, OK, type Outcome, RUN } from "./outcome.ts";
import { mapPath } from "./paths.ts";
import type { Request } from "./request.ts";
import { refreshPage } from "./special-response.ts";
import { endSubrequest } from "./subrequest.ts";
import type { Text } from "./variables.ts";

/** Begins with a request whose head is whole. */
export function begin(request: Request, point: ListeningPoint): void {
  const status = applyHead(request, point);
  if (status === OK) {
    request.phase = POST_READ;
    const { readsBody } = request.server;
    drive(request, readsBody === undefined ? RUN : readsBody(request));
  } else {
    request.keepAlive = false;
    drive(request, status);
  }
}

/** Answers a head that the parser refused. */
export function refuseHead(request: Request, point: ListeningPoint, result: HeadResult): void {
  const { head } = request;
  if (head.inRequestLine) {
    forgetLine(request, point);
    if (result === INVALID_09_METHOD) request.version = head.version;
    drive(request, refusedStatus(request, result));
    return;
  }
  const status = applyBeginning(request, point);
  if (status !== OK) {
    drive(request, status);
    return;
  }
  if (request.host !== "") chooseServer(request, point);
  request.requestLength = head.lineStart;
  drive(request, refusedStatus(request, result));
}

/** Carries a request on from an outcome until it is answered or must wait. */
export function drive(request: Request, outcome: Outcome): void {
  request.parked = false;
  if (request.parent === undefined) {
    advance(request, outcome);
    return;
  }
  const { connection } = request;
  const { speaker } = connection;
  connection.speaker = request;
  advance(request, outcome);
  connection.speaker = speaker;
}

function advance(request: Request, outcome: Outcome): void {
  let rc = outcome;
  for (;;) {
    if (request.onAnswered !== undefined && typeof rc === "number" && (rc >= OK || rc === ERROR))
      rc = request.onAnswered(request, rc);
    if (rc === RUN) rc = runPhases(request);
    else if (typeof rc !== "number") {
      wait(request, rc);
      return;
    } else if (rc === DONE) return;
    else if (rc === OK) {
      if (request.parent === undefined) request.connection.endAnswer(request);
      else endSubrequest(request);
      return;
    } else if (rc === ERROR || rc === 408 || rc === CLIENT_CLOSED) {
      request.connection.abandon(rc === ERROR ? 0 : rc);
      return;
    } else if (rc === CLOSE) {
      request.connection.closeSilently();
      return;
    } else if (rc === DECLINED) rc = 404;
    else rc = specialResponse(request, rc);
  }
}

/** Goes on when the promise has an outcome, unless the request has ended meanwhile. */
function wait(request: Request, promise: Promise<number>): void {
  const { generation, connection } = request;
  const current = (): boolean => request.generation === generation && connection.request === request.main;
  promise.then(
    (outcome) => {
      if (current()) connection.resume(request, outcome);
    },
    (error: unknown) => {
      if (!current()) return;
      connection.logError(
        "alert",
        `a handler failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      connection.resume(request, 500);
    },
  );
}

/** Advances through the phases. Any outcome but RUN. */
function runPhases(request: Request): Outcome {
  for (;;) {
    switch (request.phase) {
      case SERVER_REWRITE:
      case REWRITE: {
        // OK is an answer here: `return` has given it.
        const rc = runHandlers(request);
        if (rc !== DECLINED) return rc;
        request.phase++;
        request.handlerIndex = 0;
        break;
      }
      case POST_READ:
      case PREACCESS:
      case PRECONTENT: {
        const rc = runHandlers(request);
        if (rc !== OK && rc !== DECLINED) return rc;
        request.phase++;
        request.handlerIndex = 0;
        break;
      }
      case FIND_CONFIG: {
        const rc = findConfig(request);
        if (rc !== OK) return rc;
        request.phase = REWRITE;
        request.handlerIndex = 0;
        break;
      }
      case POST_REWRITE: {
        if (!request.uriChanged) {
          request.phase = PREACCESS;
          break;
        }
        if (--request.uriChanges === 0) {
          const { uri } = request;
          request.connection.logError("error", `rewrite or internal redirection cycle while processing "${uri}"`);
          return 500;
        }
        request.location = request.server.location;
        request.phase = FIND_CONFIG;
        break;
      }
      case ACCESS: {
        const rc = runAccess(request);
        if (rc === 401 || rc === 407) request.accessCode = rc;
        else if (rc !== OK) return rc;
        request.phase = POST_ACCESS;
        break;
      }
      case POST_ACCESS: {
        const code = request.accessCode;
        request.phase = PRECONTENT;
        request.handlerIndex = 0;
        if (code === 0) break;
        request.accessCode = 0;
        if (code === 403) request.connection.logError("error", "access forbidden by rule");
        return code === 403 ? code : refuseLater(request, code);
      }
      default:
        return runContent(request);
    }
  }
}

/** The first outcome that isn't DECLINED; DECLINED when the phase is through. */
function runHandlers(request: Request): Outcome {
  const handlers = request.location.phases[request.phase] as readonly Handler[];
  while (request.handlerIndex < handlers.length) {
    const rc = (handlers[request.handlerIndex++] as Handler)(request);
    if (rc === AGAIN) return park(request);
    if (rc !== DECLINED) return rc;
  }
  return DECLINED;
}

/** The handler that was asked last will be asked again. */
function park(request: Request): number {
  request.handlerIndex--;
  request.parked = true;
  return DONE;
}

function runAccess(request: Request): Outcome {
  // Who may make the main request may make what it needs.
  if (request.parent !== undefined) return OK;
  const { location } = request;
  const handlers = location.phases[ACCESS] as readonly Handler[];
  const all = location.core.satisfy === "all";
  while (request.handlerIndex < handlers.length) {
    const rc = (handlers[request.handlerIndex++] as Handler)(request);
    if (rc === DECLINED) continue;
    if (rc === AGAIN) return park(request);
    if (rc === OK) {
      if (all) continue;
      request.accessCode = 0;
      request.handlerIndex = 0;
      takeChallengesBack(request);
      return OK;
    }
    if (!all && (rc === 403 || rc === 401 || rc === 407)) {
      if (request.accessCode !== 401 && request.accessCode !== 407) request.accessCode = rc;
      continue;
    }
    return rc;
  }
  return OK;
}

/** Who may enter need not show anything: what earlier handlers have asked for. */
function takeChallengesBack(request: Request): void {
  const name = request.method === CONNECT ? "proxy-authenticate" : "www-authenticate";
  for (let i = 0; i < request.headerCount; i++)
    if ((request.headerNames[i] as string).toLowerCase() === name) request.dropHeader(i);
}

/** Answers with a challenge, after `auth_delay`. */
function refuseLater(request: Request, code: number): number {
  const { auth_delay: delayMs } = request.location.core;
  if (delayMs === 0) return code;
  request.connection.logError("info", "delaying unauthorized request");
  limitsOf(request).delay(request, delayMs, code);
  return DONE;
}

function findConfig(request: Request): number {
  request.uriChanged = false;
  let found = 0;
  if (request.location.inner !== undefined) found = request.location.inner.find(request);
  if (!request.internal && request.location.internal) return 404;
  enterLocation(request);
  const { location } = request;
  if (request.contentLength >= 0 && isBodyTooLarge(request)) return 413;
  if (found === FOUND_REDIRECT) {
    request.setRedirect(escapeUri(location.name, "uri") + (request.args === "" ? "" : `?${request.args}`));
    return 301;
  }
  return OK;
}

/** Reports it, and throws the body away. A body that was read before is measured as well, by its new location. */
export function isBodyTooLarge(request: Request): boolean {
  const { contentLength, connection, location } = request;
  const { client_max_body_size: limit } = location.core;
  if (limit === 0 || contentLength <= limit || (request.bodyDiscarded && request.body === undefined)) return false;
  connection.logError("error", `client intended to send too large body: ${contentLength} bytes`);
  request.expectTested = true;
  connection.discardBody(request);
  return true;
}

/** What changes with the location: methods, keep-alive, rates. nginx: ngx_http_update_location_config. */
export function enterLocation(request: Request): void {
  const { limitExcept } = request.location;
  if (limitExcept !== undefined && !limitExcept.methods.has(request.methodName)) {
    request.location = limitExcept.location;
  }
  if (request.keepAlive) request.keepAlive = mayKeepAlive(request, request.location);
}

function mayKeepAlive(request: Request, { keepAliveRules: rules }: Location): boolean {
  const { connection } = request;
  if (rules.timeoutMs === 0 || connection.requests >= rules.requests) return false;
  if (request.startMs - connection.startMs > rules.ageMs) return false;
  if (rules.notMsie6 && request.method === POST) {
    recogniseBrowser(request);
    if (request.msie6) return false;
  }
  if (rules.notSafari) {
    recogniseBrowser(request);
    if (request.safari) return false;
  }
  return true;
}

function runContent(request: Request): Outcome {
  const { location } = request;
  const { contentHandler } = location;
  if (contentHandler !== undefined) {
    const rc = contentHandler(request);
    if (rc !== DECLINED) return rc;
  }
  const handlers = location.phases[CONTENT] as readonly Handler[];
  while (request.handlerIndex < handlers.length) {
    const rc = (handlers[request.handlerIndex++] as Handler)(request);
    if (rc !== DECLINED) return rc;
  }
  if (request.uri.endsWith("/")) {
    const path = mapPath(request, request.uri);
    if (path !== undefined) request.connection.logError("error", `directory index of "${path}" is forbidden`);
    return 403;
  }
  request.connection.logError("error", "no handler found");
  return 404;
}

// ---- redirects inside the server

/** The request goes on as if it had been for this URI. RUN, or a status when it has been redirected too often. */
export function internalRedirect(request: Request, uri: string, args: string): number {
  request.refusedWhile = undefined;
  if (--request.uriChanges === 0) {
    request.connection.logError(
      "error",
      `rewrite or internal redirection cycle while internally redirecting to "${uri}"`,
    );
    return 500;
  }
  request.uri = uri;
  request.args = args;
  request.notes = undefined;
  request.location = request.server.location;
  enterLocation(request);
  request.internal = true;
  request.validUnparsedUri = false;
  request.addUriToAlias = false;
  request.validLocation = true;
  request.phase = SERVER_REWRITE;
  request.handlerIndex = 0;
  return RUN;
}

/** The request goes on in `location @name`. */
export function namedLocation(request: Request, name: string): number {
  const { connection } = request;
  if (--request.uriChanges === 0) {
    connection.logError("error", `rewrite or internal redirection cycle while redirect to named location "${name}"`);
    return 500;
  }
  if (request.uri === "") {
    connection.logError("error", `empty URI in redirect to named location "${name}"`);
    return 500;
  }
  const location = request.server.named.get(name);
  if (location === undefined) {
    connection.logError("error", `could not find named location "${name}"`);
    return 500;
  }
  request.internal = true;
  request.uriChanged = false;
  request.notes = undefined;
  request.location = location;
  enterLocation(request);
  request.phase = REWRITE;
  request.handlerIndex = 0;
  return RUN;
}

/** The request goes on with its `post_action`, of which the client hears nothing. nginx: ngx_http_post_action. */
export function followUp(request: Request, target: string): void {
  request.version = 9;
  request.headerOnly = true;
  request.postAction = true;
  request.answerEnded = false;
  drive(request, target.startsWith("/") ? internalRedirect(request, target, "") : namedLocation(request, target));
}

/** A URI that the configuration or a module made, split and checked: undefined when unsafe. */
export function splitUri(text: string): { readonly uri: string; readonly args: string } | undefined {
  const question = text.indexOf("?");
  const path = question < 0 ? text : text.slice(0, question);
  const uri = unescapeUri(path);
  if (isUnsafePath(path) || isUnsafePath(uri)) return undefined;
  return { uri, args: question < 0 ? "" : text.slice(question + 1) };
}

// ---- the answer

/** Sends the header. OK, or what to do instead. */
export function sendHeader(request: Request): number {
  const { location, connection } = request;
  if (request.postAction) return OK;
  if (request.errStatus !== 0) {
    request.status = request.errStatus;
    request.statusText = "";
  }
  if (request.headerSent) {
    connection.logError("alert", "header already sent");
    return ERROR;
  }
  const filters = request.parent === undefined ? location.headerFilters : location.subrequestFilters;
  for (let i = 0; i < filters.length; i++) {
    const rc = (filters[i] as HeaderFilter)(request);
    if (rc !== OK) return rc;
  }
  request.headerSent = true;
  if (request.memory !== undefined) request.addBodyFilter(request.memory);
  if (request.version < 1000 || request.parent !== undefined) return OK;
  if (request.method === HEAD) request.headerOnly = true;
  const { status } = request;
  if (request.lastModified >= 0 && status !== 200 && status !== 206 && status !== 304) request.lastModified = -1;
  if (request.statusText !== "") {
    // An upstream's answer goes through as it is.
  } else if (status === 204) {
    request.headerOnly = true;
    request.contentType = "";
    request.lastModified = -1;
    request.answerLength = -1;
  } else if (status === 304) request.headerOnly = true;
  if (request.keepAlive && connection.isLeaving) request.keepAlive = false;
  return writeHeader(request);
}

/** A size that the configuration makes for this request; 0 when it is none. */
export function sizeFrom(request: Request, text: Text | undefined): number {
  if (text === undefined) return 0;
  const value = text(request);
  const size = parseOffset(value);
  if (size === undefined) request.connection.logError("error", `invalid size "${value}"`);
  return size ?? 0;
}

function writeHeader(request: Request): number {
  const { limitRate, limitRateAfter } = request.location;
  if (request.limitRate < 0) request.limitRate = limitRate === undefined ? 0 : sizeFrom(request, limitRate);
  if (request.limitRate > 0) request.limitRateAfter = sizeFrom(request, limitRateAfter);
  const { connection } = request;
  const { heads } = connection.worker;
  const output = connection.outputFor(heads.sizeOf(request));
  if (output === undefined) {
    connection.logError("alert", "the header of the answer is too large");
    return ERROR;
  }
  const length = heads.write(request, output);
  request.headerBytes = length;
  request.sentBytes += length;
  // The rate counts the header as well; one that is longer than what may go at once waits like a body.
  if (request.limitRate > 0 && length > request.limitRate + request.limitRateAfter) connection.queueOutput();
  return OK;
}

/** Sends a piece of the body through the filters. */
export function sendBody(request: Request, chunks: readonly Chunk[], mark: Mark): void {
  if (request.headerOnly) return;
  if (request.chain !== undefined) {
    request.chain.send(chunks, mark);
    return;
  }
  for (let i = 0; i < chunks.length; i++) request.connection.emit(request, chunks[i] as Chunk);
}

/** A whole answer whose status and fields are set already: header and body. */
export function answer(request: Request, chunk: Chunk | undefined): number {
  const rc = sendHeader(request);
  if (rc !== OK) return rc;
  if (request.headerOnly) return OK;
  if (request.chain === undefined) {
    if (chunk !== undefined) request.connection.emit(request, chunk);
  } else request.chain.send(chunk === undefined ? [] : [chunk], LAST);
  return OK;
}

/** `return` and its kin: a status with a text, or a redirect. nginx: ngx_http_send_response. */
export function sendText(request: Request, status: number, text: Bytes, contentType: string): number {
  if (!discardBody(request)) return 400;
  request.status = status;
  request.answerLength = text.length;
  request.contentType = contentType;
  return answer(request, bytesChunk(text));
}

/** Throws the request's body away; answers `Expect: 100-continue` first. False when the body is malformed. */
export function discardBody(request: Request): boolean {
  if (request.head.known[EXPECT] !== -1) testExpect(request);
  if ((!request.chunkedBody && request.contentLength <= 0) || request.bodyDiscarded) return true;
  return request.connection.discardBody(request);
}

/** Sends 100 Continue when the client waits for it. */
export function testExpect(request: Request): void {
  if (request.expectTested) return;
  request.expectTested = true;
  if (request.version < 1001) return;
  const value = request.head.knownValue(EXPECT);
  if (value === undefined || value.toLowerCase() !== "100-continue") return;
  const output = request.connection.outputFor(CONTINUE.length);
  output?.copy(CONTINUE, 0, CONTINUE.length);
  request.sentBytes += CONTINUE.length;
  request.connection.flushComposed();
}

// ---- errors and redirects

const ENDS_KEEPALIVE: ReadonlySet<number> = new Set([400, 413, 414, 495, 496, 497, 500, 501]);
const ENDS_LINGERING: ReadonlySet<number> = new Set([400, 495, 496, 497]);
/** nginx's own codes of errors that are answered with 400. */
export const ANSWERED_WITH_400: ReadonlySet<number> = new Set([494, 495, 496, 497]);

/** Answers a status by `error_page` or a built-in page. OK, RUN or ERROR. */
export function specialResponse(request: Request, status: number): Outcome {
  const { location, connection } = request;
  if (request.headerSent && !request.postAction) return ERROR;
  request.errStatus = status;
  if (request.keepAlive && ENDS_KEEPALIVE.has(status)) request.keepAlive = false;
  if (request.lingeringClose && ENDS_LINGERING.has(status)) request.lingeringClose = false;
  request.contentType = "";
  request.charset = "";
  if (!request.errorPage && location.errorPages !== undefined && request.uriChanges !== 0) {
    if (!location.core.recursive_error_pages) request.errorPage = true;
    const page = location.errorPages.get(status);
    if (page !== undefined) return sendErrorPage(request, page);
  }
  request.expectTested = true;
  if (!connection.discardBody(request)) request.keepAlive = false;
  if (location.core.msie_refresh && (status === 301 || status === 302)) {
    recogniseBrowser(request);
    if (request.msie) return sendRefresh(request);
  }
  if (ANSWERED_WITH_400.has(status)) request.errStatus = 400;
  return sendErrorBody(request, status);
}

function sendErrorPage(request: Request, page: ErrorPage): Outcome {
  const { overwrite } = page;
  if (overwrite !== -1 && overwrite !== 200) request.expectTested = true;
  if (overwrite !== undefined) request.errStatus = overwrite === -1 ? 0 : overwrite;
  const text = page.uri(request);
  if (text.startsWith("/")) {
    const question = text.indexOf("?");
    if (request.method !== HEAD) {
      request.method = GET;
      request.changedMethod = "GET";
    }
    if (question < 0) return internalRedirect(request, text, "");
    return internalRedirect(request, text.slice(0, question), text.slice(question + 1));
  }
  if (text.startsWith("@")) return namedLocation(request, text);
  request.expectTested = true;
  if (!request.connection.discardBody(request)) request.keepAlive = false;
  if (overwrite === undefined || ![301, 302, 303, 307, 308].includes(overwrite)) request.errStatus = 302;
  request.setRedirect(text);
  if (request.location.core.msie_refresh) {
    recogniseBrowser(request);
    if (request.msie) return sendRefresh(request);
  }
  return sendErrorBody(request, request.errStatus);
}

function sendErrorBody(request: Request, status: number): number {
  const { core } = request.location;
  let padded = false;
  if (core.msie_padding && status >= 400 && request.version >= 1000) {
    recogniseBrowser(request);
    padded = request.msie || request.chrome;
  }
  const page = request.connection.worker.errorPages.get(status, core.server_tokens, padded);
  request.answerLength = page === undefined ? 0 : page.length;
  if (page !== undefined) request.contentType = "text/html";
  request.clearEntity();
  return answerError(request, page === undefined ? undefined : bytesChunk(page));
}

function sendRefresh(request: Request): number {
  const page = refreshPage(request.headerValues[request.locationIndex] ?? "");
  request.errStatus = 200;
  request.contentType = "text/html";
  request.dropHeader(request.locationIndex);
  request.locationIndex = -1;
  request.answerLength = page.length;
  request.clearEntity();
  return answerError(request, textChunk(page));
}

/** A filter that refuses the answer to an error can't be answered with another error. */
function answerError(request: Request, chunk: Chunk | undefined): number {
  const rc = answer(request, chunk);
  return rc >= 100 ? ERROR : rc;
}
