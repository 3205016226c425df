/**
 * From a parsed head to a request that can be served: path, host, virtual server, length of the body, keep-alive. Says
 * what nginx says when a head breaks a rule. Counterpart in nginx: ngx_http_process_request_line and _headers.
 */
import { type Bytes, latin1 } from "../base/bytes.ts";
import { parseDecimal } from "../wire/http1/digits.ts";
import { CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT } from "../wire/http1/fields.ts";
import * as wire from "../wire/http1/head-results.ts";
import { type HostAndPort, parseHost } from "../wire/http1/host.ts";
import { CONNECT, TRACE } from "../wire/http1/methods.ts";
import { FIELD_STRIDE, type RequestHead } from "../wire/http1/request-head.ts";
import { normalisePath } from "../wire/http1/uri.ts";
import { READING_HEADERS } from "./actions.ts";
import type { ListeningPoint, VirtualServer } from "./location.ts";
import { HEADER_TOO_LARGE, OK } from "./outcome.ts";
import type { Request } from "./request.ts";

/** Longest piece of a header line that a log line quotes. */
const MAX_QUOTED = 1748;

/** The virtual servers of a listener. */
type Servers = Pick<ListeningPoint, "defaultServer" | "names">;

/** Gives the request the default server, for answers before its own is known. */
export function setDefaultServer(request: Request, point: ListeningPoint): void {
  request.server = point.defaultServer;
  request.location = point.defaultServer.location;
}

function complain(request: Request, message: string): void {
  request.refusedWhile = READING_HEADERS;
  request.connection.logError("info", message, undefined, READING_HEADERS);
}

function complainOfLine(request: Request, message: string): void {
  const { lineAction } = request.connection;
  request.refusedWhile = lineAction;
  request.connection.logError("info", message, undefined, lineAction);
}

/** The status for a head that the parser refused. */
export function refusedStatus(request: Request, result: wire.HeadResult): number {
  const { head } = request;
  switch (result) {
    case wire.INVALID_METHOD:
    case wire.INVALID_REQUEST:
    case wire.INVALID_VERSION:
    case wire.INVALID_09_METHOD:
      complainOfLine(request, REFUSALS[result] as string);
      return result === wire.INVALID_VERSION ? 505 : 400;
    case wire.URI_TOO_LARGE:
      complainOfLine(request, "client sent too long URI");
      return 414;
    case wire.HEADER_TOO_LARGE: {
      request.lingeringClose = true;
      const line = head.text(head.errorStart, Math.min(head.errorEnd, head.errorStart + MAX_QUOTED));
      complain(
        request,
        line === "" ? "client sent too large request" : `client sent too long header line: "${line}..."`,
      );
      return HEADER_TOO_LARGE;
    }
    case wire.TOO_MANY_HEADERS:
      request.lingeringClose = true;
      complain(request, "client sent too many header lines");
      return HEADER_TOO_LARGE;
    case wire.DUPLICATE_HEADER: {
      const [second, first] = [head.errorStart, head.errorEnd];
      const line = `${head.name(second)}: ${head.value(second)}`;
      const what = first === head.known[HOST] ? "host header" : "header line";
      complain(
        request,
        `client sent duplicate ${what}: "${line}", previous value: "${head.name(first)}: ${head.value(first)}"`,
      );
      // $http_host is the first one.
      if (first === head.known[HOST]) head.forgetFields(second);
      return 400;
    }
    default: {
      const code = head.bytes[head.base + head.errorEnd] ?? 0;
      const line = head.text(head.errorStart, head.errorEnd);
      complain(request, `client sent invalid header line: "${line}\\x${code.toString(16).padStart(2, "0")}..."`);
      return 400;
    }
  }
}

const REFUSALS: Readonly<Record<number, string>> = {
  [wire.INVALID_METHOD]: "client sent invalid method",
  [wire.INVALID_REQUEST]: "client sent invalid request",
  [wire.INVALID_VERSION]: "client sent invalid version",
  [wire.INVALID_09_METHOD]: "client sent invalid method in HTTP/0.9 request",
};

/** Completes the request. OK, or the status to answer. */
export function applyHead(request: Request, point: ListeningPoint): number {
  const { head } = request;
  const status = applyBeginning(request, point);
  if (status !== OK) return status;
  chooseServer(request, point);
  if (request.version < 1000) return OK;
  if (head.known[HOST] === -1 && request.version > 1000) {
    complain(request, 'client sent HTTP/1.1 request without "Host" header');
    return 400;
  }
  return applyFields(request);
}

/** What nginx looks at before the head is whole: the request line and the Host line. OK, or the status to answer. */
export function applyBeginning(request: Request, point: ListeningPoint): number {
  const { head } = request;
  setDefaultServer(request, point);
  request.method = head.method;
  request.version = head.version;
  request.requestLength = head.scanned;
  if (!setUri(request)) {
    complainOfLine(request, "client sent invalid request");
    head.forgetTarget();
    forgetFrom(request, 0);
    return 400;
  }
  if (head.hostEnd >= 0) {
    const parsed = request.connection.worker.hosts.get(
      head.bytes,
      head.base + head.hostStart,
      head.base + head.hostEnd,
    );
    if (parsed === undefined) {
      complainOfLine(request, "client sent invalid host in request line");
      forgetFrom(request, 0);
      return 400;
    }
    request.host = parsed.host;
    request.port = parsed.port;
  }
  return head.known[HOST] === -1 ? OK : readHost(request, head.known[HOST] as number);
}

/** As much of a request as an incomplete head makes: for the logs. Whatever is wrong with it has been answered as soon as it came. */
export function applyPartial(request: Request, point: ListeningPoint): void {
  const { head } = request;
  if (head.inRequestLine) {
    forgetLine(request, point);
    head.closeLine(head.base + head.scanned);
  } else {
    applyBeginning(request, point);
    if (request.host !== "") chooseServer(request, point);
  }
  request.requestLength = head.lineStart;
}

/** The request line is of no use. */
export function forgetLine(request: Request, point: ListeningPoint): void {
  setDefaultServer(request, point);
  request.head.forgetTarget();
  request.method = request.head.method;
  request.uri = "";
  request.version = 1000;
  request.requestLength = 0;
}

/** Header lines from this one on have not come yet to nginx when it refuses what stands in front of them. */
function forgetFrom(request: Request, index: number): void {
  const { head } = request;
  request.requestLength = index === 0 ? head.lineSize : head.endOfField(index - 1);
  head.forgetFields(index);
}

/** The virtual server that the host belongs to. */
export function chooseServer(request: Request, point: ListeningPoint): void {
  const server = point.names?.find(request, request.host);
  if (server === undefined) return;
  request.server = server;
  request.location = server.location;
}

/** The virtual server that what has come of a head belongs to. */
export function serverOfHead(request: Request, { defaultServer, names }: Servers): VirtualServer {
  const host = hostOf(request.head);
  return (host === undefined ? undefined : names?.find(request, host.host)) ?? defaultServer;
}

/** Whether an incomplete head is refused for what has come of it: nginx does not wait for the rest. */
export function isRefusedEarly(head: RequestHead, point: ListeningPoint): boolean {
  if (head.inRequestLine) return false;
  const namesHost = head.hostEnd >= 0;
  if (head.verdict === wire.NOTHING_JUDGED) {
    head.verdict = wire.LINE_JUDGED;
    if (!hasGoodPath(head, point) || (namesHost && hostOf(head) === undefined)) head.verdict = wire.REFUSED;
  }
  if (head.verdict === wire.LINE_JUDGED && head.known[HOST] !== -1)
    head.verdict = fieldHost(head) === undefined ? wire.REFUSED : wire.HOST_JUDGED;
  return head.verdict === wire.REFUSED;
}

/** Of the request line, else of the Host line. */
function hostOf(head: RequestHead): HostAndPort | undefined {
  if (head.hostEnd >= 0) return parseHost(head.bytes, head.base + head.hostStart, head.base + head.hostEnd);
  return head.known[HOST] === -1 ? undefined : fieldHost(head);
}

function fieldHost({ known, fields, bytes, base }: RequestHead): HostAndPort | undefined {
  const at = (known[HOST] as number) * FIELD_STRIDE;
  return parseHost(bytes, base + (fields[at + 2] as number), base + (fields[at + 3] as number));
}

function hasGoodPath(head: RequestHead, { defaultServer }: ListeningPoint): boolean {
  if (!head.complexUri && !head.quotedUri) return true;
  const start = head.base + head.uriStart;
  const { merge_slashes } = defaultServer.conf;
  return normalisePath(head.bytes, start, head.base + head.uriEnd, merge_slashes, head.emptyPath) !== undefined;
}

function setUri(request: Request): boolean {
  const { head } = request;
  const { bytes, base } = head;
  if (head.complexUri || head.quotedUri || head.emptyPath) {
    const start = base + head.uriStart;
    const normal = normalisePath(bytes, start, base + head.uriEnd, request.server.conf.merge_slashes, head.emptyPath);
    if (normal === undefined) {
      request.uri = "";
      return false;
    }
    request.uri = normal.path;
    request.args = normal.args ?? "";
    request.validUnparsedUri = !head.emptyPath;
    return true;
  }
  if (head.argsStart < 0) {
    request.uri = request.connection.worker.paths.get(bytes, base + head.uriStart, base + head.uriEnd);
    return true;
  }
  request.uri = request.connection.worker.paths.get(bytes, base + head.uriStart, base + head.argsStart - 1);
  request.args = head.text(head.argsStart, head.uriEnd);
  return true;
}

function readHost(request: Request, index: number): number {
  const { head } = request;
  const start = head.fields[index * FIELD_STRIDE + 2] as number;
  const end = head.fields[index * FIELD_STRIDE + 3] as number;
  const parsed = request.connection.worker.hosts.get(head.bytes, head.base + start, head.base + end);
  if (parsed === undefined) {
    if (head.hostEnd >= 0) chooseServer(request, request.connection.point);
    complain(request, "client sent invalid host header");
    forgetFrom(request, index + 1);
    return 400;
  }
  if (head.hostEnd < 0) {
    request.host = parsed.host;
    request.port = parsed.port;
  }
  return OK;
}

function applyFields(request: Request): number {
  const { head } = request;
  const length = head.known[CONTENT_LENGTH] as number;
  if (length !== -1) {
    const at = length * FIELD_STRIDE;
    const { fields, bytes, base } = head;
    request.contentLength = parseDecimal(bytes, base + (fields[at + 2] as number), base + (fields[at + 3] as number));
    if (request.contentLength < 0) {
      complain(request, 'client sent invalid "Content-Length" header');
      return 400;
    }
  }
  if (head.known[TRANSFER_ENCODING] !== -1) {
    const status = readTransferEncoding(request, head.value(head.known[TRANSFER_ENCODING] as number));
    if (status !== OK) return status;
  }
  if (head.known[CONNECTION] !== -1) readConnection(request, head.known[CONNECTION] as number);
  else request.keepAlive = request.version > 1000;
  if (request.method === CONNECT) {
    if (request.version !== 1001 || !request.server.takesConnect) {
      complain(request, "client sent CONNECT method");
      return 405;
    }
    if (request.contentLength > 0 || request.chunkedBody) {
      complain(request, "client sent CONNECT request with body");
      return 400;
    }
  }
  if (request.method === TRACE) {
    complain(request, "client sent TRACE method");
    return 405;
  }
  request.lingeringClose = request.contentLength > 0 || request.chunkedBody;
  return OK;
}

function readTransferEncoding(request: Request, value: string): number {
  if (request.version < 1001) {
    complain(request, 'client sent HTTP/1.0 request with "Transfer-Encoding" header');
    return 400;
  }
  if (value.toLowerCase() !== "chunked") {
    complain(request, `client sent unknown "Transfer-Encoding": "${value}"`);
    return 501;
  }
  if (request.contentLength >= 0) {
    complain(request, 'client sent "Content-Length" and "Transfer-Encoding" headers at the same time');
    return 400;
  }
  request.chunkedBody = true;
  return OK;
}

function readConnection(request: Request, first: number): void {
  request.keepAlive = request.version > 1000;
  const { head } = request;
  const { bytes, base, fields } = head;
  const { persistences } = request.connection.worker;
  for (let index = first; index >= 0; index = head.find("connection", index + 1)) {
    const at = index * FIELD_STRIDE;
    const persistent = persistences.get(bytes, base + (fields[at + 2] as number), base + (fields[at + 3] as number));
    if (persistent !== undefined) request.keepAlive = persistent;
  }
}

/** What a Connection line wants: that the connection stays, that it ends, or nothing of the kind. RFC 9112, 9.3. */
export function persistence(bytes: Bytes, start: number, end: number): boolean | undefined {
  const value = latin1(bytes, start, end).toLowerCase();
  if (value.includes("close")) return false;
  return value.includes("keep-alive") ? true : undefined;
}

/** Recognises the browsers that some directives are about. Only asked where it matters. */
export function recogniseBrowser(request: Request): void {
  const agent = request.head.knownValue(USER_AGENT);
  if (agent === undefined) return;
  const at = agent.indexOf("MSIE ");
  if (at >= 0 && at + 7 < agent.length) {
    request.msie = true;
    const major = agent.charAt(at + 5);
    if (agent.charAt(at + 6) === ".") {
      request.msie6 = major === "4" || major === "5" || (major === "6" && !agent.includes("SV1", at + 8));
    }
  }
  if (agent.includes("Opera")) {
    request.msie = false;
    request.msie6 = false;
    return;
  }
  if (request.msie || agent.includes("Gecko/")) return;
  if (agent.includes("Chrome/")) request.chrome = true;
  else if (agent.includes("Safari/") && agent.includes("Mac OS X")) request.safari = true;
}
