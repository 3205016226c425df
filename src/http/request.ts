/**
 * A request and its answer, one object of a stable shape that is used again and again: parsed head, where it stands in
 * the phases, header of the answer. Counterpart in nginx: ngx_http_request_t.
 */

import type { ChunkedDecoder } from "../wire/http1/chunked.ts";
import { COOKIE } from "../wire/http1/fields.ts";
import { GET } from "../wire/http1/methods.ts";
import { findParam } from "../wire/http1/params.ts";
import { RequestHead } from "../wire/http1/request-head.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import type { BodyFilter, BodyReader } from "./body.ts";
import type { BodyBuffer } from "./body-buffer.ts";
import { BodyChain } from "./body-chain.ts";
import type { Connection } from "./connection.ts";
import type { RequestLimits } from "./limits.ts";
import type { Location, VirtualServer } from "./location.ts";
import type { OpenFile } from "./open-files.ts";
import type { Postponed } from "./postpone.ts";
import type { AnswerHook } from "./subrequest.ts";
import type { Exchange } from "./upstream.ts";

/** Internal redirects and rewrites of one request; nginx: NGX_HTTP_MAX_URI_CHANGES. */
export const MAX_URI_CHANGES = 10;
/** Header lines of an answer; more is a defect of a module. */
export const MAX_ANSWER_HEADERS = 1000;

/** What a request has of a body that must still be read or thrown away. */
export class Request {
  // The request.
  private readonly ownHead = new RequestHead();
  /** A subrequest has that of its main request. */
  head = this.ownHead;
  connection!: Connection;
  server!: VirtualServer;
  location!: Location;
  /** `GET` and so on by number; changed to GET by `error_page`. */
  method = GET;
  /** The method's name where it was changed. */
  changedMethod: string | undefined = undefined;
  /** Normalised path, one character a byte. */
  uri = "";
  args = "";
  /** Host as the client named it, in lower case without port; "" when it didn't. */
  host = "";
  /** Port in the Host field; 0 when none. */
  port = 0;
  version = 0;
  /** -1 when absent. */
  contentLength = -1;
  chunkedBody = false;
  keepAlive = false;
  lingeringClose = false;
  msie = false;
  msie6 = false;
  chrome = false;
  safari = false;
  /** Monotonic and wall time of its first byte. */
  startMs = 0;
  startWallMs = 0;
  requestLength = 0;
  pipelined = false;
  /** What was being read when its head was refused, for the log. */
  refusedWhile: string | undefined = undefined;

  // Where it stands.
  phase = 0;
  handlerIndex = 0;
  uriChanges = MAX_URI_CHANGES + 1;
  uriChanged = false;
  internal = false;
  /** The URI is the one that the location was found by, so that `alias` can be used. */
  validLocation = true;
  validUnparsedUri = true;
  addUriToAlias = false;
  errorPage = false;
  accessCode = 0;
  expectTested = false;
  bodyDiscarded = false;
  /** Bytes of the body that are still to come; -1 while a chunked one is open. */
  bodyLeft = 0;
  /** Of a chunked body: bytes of its data that have come; -1 before anybody has asked for it. */
  bodyReceived = -1;
  decoder: ChunkedDecoder | undefined = undefined;
  bodyReader: BodyReader | undefined = undefined;
  /** Counts uses of this object: a promise that comes late sees that the request has gone. */
  generation = 0;
  private readonly ownValues: (string | undefined)[] = [];
  /** Values of the variables that the configuration defines, shared by a request and its subrequests. */
  values = this.ownValues;
  captures: readonly (string | undefined)[] | undefined = undefined;
  requestId = "";
  /** `limit_rate` in bytes a second; -1 until somebody has asked the configuration. */
  limitRate = -1;
  limitRateAfter = -1;
  file: OpenFile | undefined = undefined;
  logged = false;
  /** The request's body, when somebody has read it. */
  body: BodyBuffer | undefined = undefined;
  /** The exchange with an upstream, of this or an earlier request that this object was. */
  exchange: Exchange | undefined = undefined;

  // Its subrequests.
  /** The client's request: itself, but for a subrequest. */
  main: Request = this;
  /** Of a subrequest: the request that it belongs to. */
  parent: Request | undefined = undefined;
  /** How many parents there are above it. */
  depth = 0;
  /** Of a main request: the one whose turn to send it is. nginx: `data` of its connection. */
  active: Request = this;
  /** What waits for its turn behind a subrequest. */
  postponed: (Postponed | Request)[] | undefined = undefined;
  /** Of a main request: all subrequests that were begun, kept as long as it. */
  children: Request[] | undefined = undefined;
  /** Of a main request: how many of them are not over. */
  openSubrequests = 0;
  background = false;
  /** Where the answer of a subrequest is kept that nobody sends. */
  memory: AnswerMemory | undefined = undefined;
  /** Of a subrequest whose answer somebody waits for. */
  onAnswered: AnswerHook | undefined = undefined;
  /** A handler has said AGAIN: the phases go on when somebody posts the request. */
  parked = false;
  /** What modules remember about the request until it is redirected inside, by a key of their own. nginx: `ctx`. */
  notes: Map<object, unknown> | undefined = undefined;
  /** Of limit_req and limit_conn, if this or an earlier request that this object was has met one. */
  limits: RequestLimits | undefined = undefined;

  // The answer.
  status = 0;
  /** Code and reason as an upstream has sent them; "" for the usual ones. */
  statusText = "";
  /** Wins over `status`: the error that is being answered. */
  errStatus = 0;
  /** Without charset. "" leaves the header line out. */
  contentType = "";
  charset = "";
  /** The charset behind the type as an upstream has written it, `;charset="x"`; "" when it is written in the usual way. */
  charsetText = "";
  /** The charset that an upstream wants its answer changed to (`X-Accel-Charset`). */
  overridingCharset = "";
  /** -1: unknown. */
  answerLength = -1;
  /** Seconds since 1970, or -1. */
  lastModified = -1;
  allowRanges = false;
  singleRange = false;
  /** Where in the whole the body begins, and, of a subrequest's, that it is cut as the main request's is: slices. */
  contentOffset = 0;
  subrequestRanges = false;
  headerOnly = false;
  chunkedAnswer = false;
  /** The body depends on Accept-Encoding; whether `Vary` says so is up to gzip_vary. */
  varies = false;
  headerSent = false;
  expectTrailers = false;
  headerCount = 0;
  /** A line that was taken back has an empty name. */
  readonly headerNames: string[] = [];
  readonly headerValues: string[] = [];
  /** Indexes into the header lines, -1 without. */
  locationIndex = -1;
  etagIndex = -1;
  acceptRangesIndex = -1;
  contentEncodingIndex = -1;
  /** A Last-Modified line that was added stands for the one that is made. */
  lastModifiedIndex = -1;
  /** Lines that stand for Server and Date: -1 for our own, -2 for none. */
  serverIndex = -1;
  dateIndex = -1;
  /** Conditions of the request are the upstream's business. */
  skipConditions = false;
  trailers: { readonly name: string; readonly value: string }[] | undefined = undefined;
  /** The filters that the body passes; undefined when there are none. */
  chain: BodyChain | undefined = undefined;
  headerBytes = 0;
  /** Everything sent for this request, header included. */
  sentBytes = 0;
  complete = false;
  /** The whole answer has been given; the socket may not have taken it yet. */
  answerEnded = false;
  /** Its answer goes out when it is whole, or when there is enough of it. */
  withheld = false;
  /** It has been answered, or its client has gone, and what goes on is its `post_action`. */
  postAction = false;
  /** Whatever is sent goes to the client at once: `proxy_buffering off`, a tunnel. */
  flushes = false;
  /** Not before this instant may more be sent (limit_rate). */
  pausedUntilMs = 0;

  /** Makes it a new request; the head is begun by whoever parses it. */
  reset(connection: Connection): void {
    this.connection = connection;
    this.generation++;
    this.changedMethod = undefined;
    this.args = "";
    this.host = "";
    this.port = 0;
    this.contentLength = -1;
    this.chunkedBody = false;
    this.keepAlive = false;
    this.lingeringClose = false;
    this.msie = false;
    this.msie6 = false;
    this.chrome = false;
    this.safari = false;
    this.requestLength = 0;
    this.pipelined = false;
    this.refusedWhile = undefined;
    this.phase = 0;
    this.handlerIndex = 0;
    this.uriChanges = MAX_URI_CHANGES + 1;
    this.uriChanged = false;
    this.internal = false;
    this.validLocation = true;
    this.validUnparsedUri = true;
    this.addUriToAlias = false;
    this.errorPage = false;
    this.accessCode = 0;
    this.expectTested = false;
    this.bodyDiscarded = false;
    this.bodyLeft = 0;
    this.bodyReceived = -1;
    // Shortened, the array would give its memory back and need new memory for the next value.
    for (let i = 0; i < this.values.length; i++) this.values[i] = undefined;
    this.active = this;
    this.postponed = undefined;
    this.children = undefined;
    this.openSubrequests = 0;
    this.parked = false;
    this.notes = undefined;
    this.captures = undefined;
    this.requestId = "";
    this.limitRate = -1;
    this.limitRateAfter = -1;
    this.logged = false;
    this.body = undefined;
    this.bodyReader = undefined;
    this.errStatus = 0;
    this.headerSent = false;
    this.headerBytes = 0;
    this.sentBytes = 0;
    this.complete = false;
    this.answerEnded = false;
    this.withheld = false;
    this.postAction = false;
    this.flushes = false;
    this.pausedUntilMs = 0;
    this.headerOnly = false;
    this.clearAnswer();
  }

  /** A subrequest that is over gives back what is its main request's. */
  becomeMain(): void {
    this.head = this.ownHead;
    this.values = this.ownValues;
    this.main = this;
    this.parent = undefined;
    this.depth = 0;
    this.background = false;
    this.memory = undefined;
    this.onAnswered = undefined;
  }

  /** Makes it a subrequest: what the client sent is its parent's, the rest begins anew. nginx: ngx_http_subrequest. */
  resetSubrequest(parent: Request): void {
    const { connection } = parent;
    this.reset(connection);
    this.head = parent.head;
    this.values = parent.values;
    this.main = parent.main;
    this.parent = parent;
    this.depth = parent.depth + 1;
    this.server = parent.server;
    this.location = parent.server.location;
    this.method = GET;
    this.changedMethod = "GET";
    this.host = parent.host;
    this.port = parent.port;
    this.version = parent.version;
    this.contentLength = parent.contentLength;
    this.chunkedBody = parent.chunkedBody;
    this.msie = parent.msie;
    this.msie6 = parent.msie6;
    this.chrome = parent.chrome;
    this.safari = parent.safari;
    const { clock } = connection.worker.ports.reactor;
    this.startMs = clock.now();
    this.startWallMs = clock.wall();
    this.bodyDiscarded = parent.bodyDiscarded;
    this.body = parent.body;
    this.expectTested = true;
    this.internal = true;
    this.validUnparsedUri = false;
    this.chain = new BodyChain(this);
  }

  /** Takes the header of the answer back. nginx: ngx_http_clean_header. */
  clearAnswer(): void {
    this.status = 0;
    this.statusText = "";
    this.skipConditions = false;
    this.contentType = "";
    this.charset = "";
    this.charsetText = "";
    this.overridingCharset = "";
    this.answerLength = -1;
    this.lastModified = -1;
    this.allowRanges = false;
    this.singleRange = false;
    this.contentOffset = 0;
    this.subrequestRanges = false;
    this.chunkedAnswer = false;
    this.varies = false;
    this.expectTrailers = false;
    // Shortened, these would give their memory back as well.
    for (let i = 0; i < this.headerCount; i++) this.headerValues[i] = "";
    this.headerCount = 0;
    this.locationIndex = -1;
    this.etagIndex = -1;
    this.acceptRangesIndex = -1;
    this.contentEncodingIndex = -1;
    this.lastModifiedIndex = -1;
    this.serverIndex = -1;
    this.dateIndex = -1;
    this.trailers = undefined;
    this.chain = this.parent === undefined ? undefined : new BodyChain(this);
  }

  /** Adds a header line to the answer and returns its index. */
  addHeader(name: string, value: string): number {
    const index = this.headerCount;
    if (index >= MAX_ANSWER_HEADERS) return index - 1;
    this.headerNames[index] = name;
    this.headerValues[index] = value;
    this.headerCount = index + 1;
    return index;
  }

  dropHeader(index: number): void {
    if (index >= 0) this.headerNames[index] = "";
  }

  /** Sets where a redirect leads, instead of what was set before. */
  setRedirect(value: string): void {
    this.dropHeader(this.locationIndex);
    this.locationIndex = this.addHeader("Location", value);
  }

  setEtag(value: string): void {
    this.dropHeader(this.etagIndex);
    this.etagIndex = this.addHeader("ETag", value);
  }

  /** With its charset. */
  get fullContentType(): string {
    if (this.charset === "") return this.contentType;
    return this.contentType + (this.charsetText === "" ? `; charset=${this.charset}` : this.charsetText);
  }

  get etag(): string | undefined {
    return this.etagIndex < 0 ? undefined : this.headerValues[this.etagIndex];
  }

  /** The body will be another one: its length is not known, it has no ranges, and its tag is weak. */
  changeEntity(): void {
    this.answerLength = -1;
    this.allowRanges = false;
    this.dropHeader(this.acceptRangesIndex);
    this.acceptRangesIndex = -1;
    this.weakenEtag();
  }

  /** The body is as good as the one that the tag is of, but not the same bytes. nginx: ngx_http_weak_etag. */
  weakenEtag(): void {
    const { etag } = this;
    if (etag === undefined || etag.startsWith("W/")) return;
    if (etag.startsWith('"')) this.headerValues[this.etagIndex] = `W/${etag}`;
    else {
      this.dropHeader(this.etagIndex);
      this.etagIndex = -1;
    }
  }

  /** Nothing says any more when the body has changed. */
  clearValidators(): void {
    this.dropHeader(this.etagIndex);
    this.etagIndex = -1;
    this.dropHeader(this.lastModifiedIndex);
    this.lastModifiedIndex = -1;
    this.lastModified = -1;
  }

  /** Takes back what describes a file: a generated answer takes its place. */
  clearEntity(): void {
    this.allowRanges = false;
    this.dropHeader(this.acceptRangesIndex);
    this.acceptRangesIndex = -1;
    this.dropHeader(this.etagIndex);
    this.etagIndex = -1;
    this.lastModified = -1;
  }

  /** Lets a filter see the body. */
  addBodyFilter(filter: BodyFilter): void {
    this.chain ??= new BodyChain(this);
    this.chain.add(filter);
  }

  get methodName(): string {
    return this.changedMethod ?? this.head.methodText();
  }

  /** The target as it was sent, from the path on. */
  get unparsedUri(): string {
    const { base, bytes, uriStart, uriEnd } = this.head;
    return this.connection.worker.texts.get(bytes, base + uriStart, base + uriEnd);
  }

  get requestLine(): string {
    return this.head.text(0, this.head.lineEnd);
  }

  /** Value of a cookie, undefined when absent. */
  cookie(name: string): string | undefined {
    const line = this.cookieLine(name);
    return line === undefined ? undefined : findParam(line, name, ";");
  }

  /** The first Cookie line that has a cookie of this name. */
  cookieLine(name: string): string | undefined {
    let index = this.head.known[COOKIE] as number;
    for (; index >= 0; index = this.head.find("cookie", index + 1)) {
      const line = this.head.value(index);
      if (findParam(line, name, ";") !== undefined) return line;
    }
    return undefined;
  }
}
