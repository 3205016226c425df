/**
 * The head of an upstream's answer becomes the head of ours: what is kept, changed, hidden, and what its lines ask of us.
 * Counterpart in nginx: ngx_http_upstream_headers_in, ngx_http_upstream_process_headers.
 */
import { fromLatin1, latin1 } from "../base/bytes.ts";
import { parseNumber } from "../conf/units.ts";
import { parseHttpDate } from "../wire/http1/date.ts";
import { parseDecimal } from "../wire/http1/digits.ts";
import * as wire from "../wire/http1/response-head.ts";
import type { Request } from "./request.ts";
import {
  IGNORE_X_ACCEL_BUFFERING,
  IGNORE_X_ACCEL_CHARSET,
  IGNORE_X_ACCEL_LIMIT_RATE,
  IGNORE_X_ACCEL_REDIRECT,
  type UpstreamRules,
} from "./upstream-rules.ts";

/** Known lines that may stand once; what comes again is ignored with a warning. */
const SINGLE: Uint8Array = (() => {
  const single = new Uint8Array(wire.RESPONSE_FIELDS.length);
  for (const field of [
    wire.STATUS_FIELD,
    wire.CONTENT_TYPE_FIELD,
    wire.DATE_FIELD,
    wire.LAST_MODIFIED_FIELD,
    wire.ETAG_FIELD,
    wire.SERVER_FIELD,
    wire.LOCATION_FIELD,
    wire.REFRESH_FIELD,
    wire.EXPIRES_FIELD,
    wire.X_ACCEL_EXPIRES_FIELD,
    wire.X_ACCEL_REDIRECT_FIELD,
    wire.X_ACCEL_LIMIT_RATE_FIELD,
    wire.CONTENT_LENGTH_FIELD,
    wire.TRANSFER_ENCODING_FIELD,
  ]) {
    single[field] = 1;
  }
  return single;
})();

/** What an answer's head says of itself. */
export class AnswerFacts {
  /** -1: unknown. */
  contentLength = -1;
  chunked = false;
  connectionClose = false;
  /** Index of each single line, -1 without. */
  readonly lines = new Int16Array(wire.RESPONSE_FIELDS.length).fill(-1);
  /** `X-Accel-Buffering`: 1 yes, 0 no, -1 not said. */
  buffering = -1;

  reset(): void {
    this.contentLength = -1;
    this.chunked = false;
    this.connectionClose = false;
    this.buffering = -1;
    const { lines } = this;
    // A loop: the call of a native fill costs more than two dozen stores.
    for (let field = 0; field < lines.length; field++) lines[field] = -1;
  }
}

function line(head: wire.ResponseHead, index: number): string {
  return `${head.name(index)}: ${head.value(index)}`;
}

/** Lines that repeat one that may stand once are left out from here on. */
function drop(head: wire.ResponseHead, index: number): void {
  head.fields[index * wire.RESPONSE_STRIDE + 4] = DROPPED;
}
const DROPPED = -2;

const CLOSE = fromLatin1("close");

/** Finds out what the head says. False when it contradicts itself, which has been logged. */
export function readFacts(request: Request, head: wire.ResponseHead, facts: AnswerFacts): boolean {
  facts.reset();
  if (head.version < 1001) facts.connectionClose = true;
  const { lines } = facts;
  for (let index = 0; index < head.fieldCount; index++) {
    const field = head.field(index);
    if (field < 0) continue;
    const before = lines[field] as number;
    if (before >= 0 && SINGLE[field] === 1) {
      if (field === wire.CONTENT_LENGTH_FIELD || field === wire.TRANSFER_ENCODING_FIELD) {
        return complain(
          request,
          `upstream sent duplicate header line: "${line(head, index)}", previous value: "${line(head, before)}"`,
        );
      }
      request.connection.logError(
        "warn",
        `upstream sent duplicate header line: "${line(head, index)}", previous value: "${line(head, before)}", ignored`,
      );
      drop(head, index);
      continue;
    }
    lines[field] = index;
    if (field === wire.CONTENT_LENGTH_FIELD) {
      if (!readLength(request, head, index, facts)) return false;
    } else if (field === wire.TRANSFER_ENCODING_FIELD) {
      if (!readCoding(request, head, index, facts)) return false;
    } else if (field === wire.CONNECTION_FIELD) {
      if (head.valueContains(index, CLOSE)) facts.connectionClose = true;
    }
  }
  if (facts.chunked) facts.contentLength = -1;
  return true;
}

function complain(request: Request, message: string): false {
  request.connection.logError("error", message);
  return false;
}

const BOTH = 'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time';

function readLength(request: Request, head: wire.ResponseHead, index: number, facts: AnswerFacts): boolean {
  if ((facts.lines[wire.TRANSFER_ENCODING_FIELD] as number) >= 0) return complain(request, BOTH);
  facts.contentLength = parseDecimal(head.bytes, head.valueStart(index), head.valueEnd(index));
  if (facts.contentLength >= 0) return true;
  return complain(request, `upstream sent invalid "Content-Length" header: "${line(head, index)}"`);
}

function readCoding(request: Request, head: wire.ResponseHead, index: number, facts: AnswerFacts): boolean {
  if ((facts.lines[wire.CONTENT_LENGTH_FIELD] as number) >= 0) return complain(request, BOTH);
  const value = head.value(index);
  facts.chunked = value.toLowerCase() === "chunked";
  return facts.chunked || complain(request, `upstream sent unknown "Transfer-Encoding": "${value}"`);
}

/** Fills the header of our answer. */
export function fillAnswer(request: Request, head: wire.ResponseHead, facts: AnswerFacts, rules: UpstreamRules): void {
  const { lineNames, texts } = request.connection.worker;
  const { hiddenFields, hiddenNames } = rules;
  request.status = head.status;
  request.statusText = texts.get(head.bytes, head.base + head.statusStart, head.base + head.statusEnd);
  request.answerLength = facts.contentLength;
  request.skipConditions = true;
  for (let index = 0; index < head.fieldCount; index++) {
    const field = head.field(index);
    if (field === DROPPED) continue;
    applyEffect(request, head, index, field, facts, rules);
    if (field >= 0 && (hiddenFields[field] === 1 || IS_OURS[field] === 1)) continue;
    if (field === wire.CONTENT_TYPE_FIELD) {
      setContentType(request, texts.get(head.bytes, head.valueStart(index), head.valueEnd(index)));
      continue;
    }
    const name = lineNames.get(head.bytes, head.nameStart(index), head.nameEnd(index));
    if (field < 0 && hiddenNames.has(name.lowerCase)) continue;
    copyLine(request, head, index, field, name.text, rules);
  }
  if (rules.forceRanges) {
    request.allowRanges = true;
    request.singleRange = true;
  }
  if (rules.protocol !== undefined) return;
  // Of HTTP servers: a hidden line is none; one that should be passed but isn't there is none either.
  if (request.serverIndex === -1 && hiddenFields[wire.SERVER_FIELD] === 0) request.serverIndex = NO_LINE;
  if (request.dateIndex === -1 && hiddenFields[wire.DATE_FIELD] === 0) request.dateIndex = NO_LINE;
}

/** Lines about the connection and the form of the body: ours take their place. */
const IS_OURS: Uint8Array = (() => {
  const isOurs = new Uint8Array(wire.RESPONSE_FIELDS.length);
  isOurs[wire.CONTENT_LENGTH_FIELD] = 1;
  isOurs[wire.CONNECTION_FIELD] = 1;
  isOurs[wire.KEEP_ALIVE_FIELD] = 1;
  isOurs[wire.TRANSFER_ENCODING_FIELD] = 1;
  return isOurs;
})();

const NO_LINE = -2;

/** What a line asks of us, whether or not the client sees it. */
function applyEffect(
  request: Request,
  head: wire.ResponseHead,
  index: number,
  field: number,
  facts: AnswerFacts,
  rules: UpstreamRules,
): void {
  if (field < wire.X_ACCEL_LIMIT_RATE_FIELD || field > wire.X_ACCEL_CHARSET_FIELD) return;
  const value = head.value(index);
  const { ignoredHeaders: ignored } = rules;
  if (field === wire.X_ACCEL_LIMIT_RATE_FIELD) {
    const rate = parseNumber(value);
    if ((ignored & IGNORE_X_ACCEL_LIMIT_RATE) === 0 && rate !== undefined) request.limitRate = rate;
  } else if (field === wire.X_ACCEL_CHARSET_FIELD) {
    if ((ignored & IGNORE_X_ACCEL_CHARSET) === 0) request.overridingCharset = value;
  } else if ((ignored & IGNORE_X_ACCEL_BUFFERING) === 0) {
    const word = value.toLowerCase();
    if (word === "no") facts.buffering = 0;
    else if (word === "yes") facts.buffering = 1;
  }
}

function copyLine(
  request: Request,
  head: wire.ResponseHead,
  index: number,
  field: number,
  name: string,
  rules: UpstreamRules,
): void {
  switch (field) {
    case -1:
      request.addHeader(name, head.value(index));
      return;
    case wire.CONTENT_TYPE_FIELD:
      setContentType(request, head.value(index));
      return;
    case wire.LAST_MODIFIED_FIELD: {
      const value = head.value(index);
      request.lastModifiedIndex = request.addHeader(name, value);
      request.lastModified = parseHttpDate(value) ?? -1;
      return;
    }
    case wire.CONTENT_ENCODING_FIELD:
      request.contentEncodingIndex = request.addHeader(name, head.value(index));
      return;
    case wire.ETAG_FIELD:
      request.etagIndex = request.addHeader(name, head.value(index));
      return;
    case wire.SERVER_FIELD:
      request.serverIndex = request.addHeader(name, head.value(index));
      return;
    case wire.DATE_FIELD:
      request.dateIndex = request.addHeader(name, head.value(index));
      return;
    case wire.ACCEPT_RANGES_FIELD:
      if (!rules.forceRanges) copyAcceptRanges(request, name, head.value(index));
      return;
    case wire.LOCATION_FIELD:
      copyLocation(request, name, head.value(index), rules);
      return;
    case wire.REFRESH_FIELD:
      request.addHeader(name, rewriteRefresh(request, head.value(index), rules));
      return;
    case wire.SET_COOKIE_FIELD: {
      const value = head.value(index);
      request.addHeader(name, rules.rewriteCookie?.(request, value) ?? value);
      return;
    }
    default:
      request.addHeader(name, head.value(index));
  }
}

/** Of what a cache has or will have, ranges are ours to make. nginx: ngx_http_upstream_copy_allow_ranges. */
function copyAcceptRanges(request: Request, name: string, value: string): void {
  const cache = request.exchange?.cache;
  if (cache?.isCached === true) request.allowRanges = true;
  else if (cache?.freshness.cacheable === true) {
    request.allowRanges = true;
    request.singleRange = true;
  } else request.acceptRangesIndex = request.addHeader(name, value);
}

/** A relative redirect of the upstream stays relative; a rewritten one becomes absolute as ours do. */
function copyLocation(request: Request, name: string, value: string, rules: UpstreamRules): void {
  const rewritten = rules.rewriteRedirect?.(request, value);
  const index = request.addHeader(name, rewritten ?? value);
  if (rewritten !== undefined || (rules.rewriteRedirect === undefined && !value.startsWith("/"))) {
    request.locationIndex = index;
  }
}

function rewriteRefresh(request: Request, value: string, rules: UpstreamRules): string {
  const at = value.toLowerCase().indexOf("url=");
  if (at < 0 || rules.rewriteRedirect === undefined) return value;
  const start = at + "url=".length;
  const rewritten = rules.rewriteRedirect(request, value.slice(start));
  return rewritten === undefined ? value : value.slice(0, start) + rewritten;
}

/** Splits the charset off, so that it can be changed. */
export function setContentType(request: Request, value: string): void {
  const semicolon = value.indexOf(";");
  if (semicolon < 0) {
    request.contentType = value;
    return;
  }
  const match = /;( *)charset="?(.*?)"?$/i.exec(value);
  if (match === null) {
    request.contentType = value;
    return;
  }
  request.contentType = value.slice(0, match.index);
  if (request.charset !== "") return;
  request.charset = match[2] as string;
  request.charsetText = match[0];
}

/** Where X-Accel-Redirect leads; undefined when there is none or it is ignored. */
export function accelRedirect(head: wire.ResponseHead, facts: AnswerFacts, rules: UpstreamRules): string | undefined {
  const index = facts.lines[wire.X_ACCEL_REDIRECT_FIELD] as number;
  if (index < 0 || (rules.ignoredHeaders & IGNORE_X_ACCEL_REDIRECT) !== 0) return undefined;
  return head.value(index);
}

/** Lines that an internal redirect by X-Accel-Redirect takes along. */
const TAKEN_ALONG: ReadonlySet<number> = new Set([
  wire.CONTENT_TYPE_FIELD,
  wire.SET_COOKIE_FIELD,
  wire.CONTENT_DISPOSITION_FIELD,
  wire.CACHE_CONTROL_FIELD,
  wire.EXPIRES_FIELD,
  wire.ACCEPT_RANGES_FIELD,
]);

/** Fills our header with what goes along with X-Accel-Redirect. */
export function fillRedirected(
  request: Request,
  head: wire.ResponseHead,
  facts: AnswerFacts,
  rules: UpstreamRules,
): void {
  for (let index = 0; index < head.fieldCount; index++) {
    const field = head.field(index);
    applyEffect(request, head, index, field, facts, rules);
    if (TAKEN_ALONG.has(field)) copyLine(request, head, index, field, head.name(index), rules);
  }
}

/** The name of a header line as it was sent and in lower case. */
export interface LineName {
  readonly text: string;
  readonly lowerCase: string;
}

export function lineName(bytes: Uint8Array, start: number, end: number): LineName {
  const text = latin1(bytes, start, end);
  return { text, lowerCase: text.toLowerCase() };
}
