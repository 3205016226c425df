/** `$variables` of the http core. nginx: ngx_http_core_variables. */
import { latin1 } from "../base/bytes.ts";
import { NGINX_VERSION } from "../base/version.ts";
import { parseOffset } from "../conf/units.ts";
import { printHttpDate } from "../wire/http1/date.ts";
import { AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, REFERER, USER_AGENT } from "../wire/http1/fields.ts";
import { findArg } from "../wire/http1/uri.ts";
import type { ProxyHeader } from "../wire/proxy-protocol/decode.ts";
import { findTlv } from "../wire/proxy-protocol/tlv.ts";
import { documentRoot, mapPath } from "./paths.ts";
import type { Request } from "./request.ts";
import type { Getter, Variable, VariablePrefix } from "./variables.ts";

/** Milliseconds as seconds with three digits behind the point. */
export function seconds(ms: number): string {
  return (Math.max(0, ms) / 1000).toFixed(3);
}

function realPath(request: Request, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const real = request.connection.worker.ports.files.realPath(path);
  if (typeof real === "string") return real;
  request.connection.logError("crit", `realpath() "${path}" failed`, -real);
  return undefined;
}

function remotePort(request: Request): string {
  const { remote } = request.connection;
  return "port" in remote && remote.port > 0 ? String(remote.port) : "";
}

function serverPort(request: Request): string {
  const { local } = request.connection.stream;
  return "port" in local ? String(local.port) : "";
}

function binaryAddress(request: Request): string {
  const { remote } = request.connection;
  return "ip" in remote ? String.fromCharCode(...remote.ip) : "unix:";
}

function requestId(request: Request): string {
  if (request.requestId === "") {
    const bytes = request.connection.worker.ports.random(16);
    for (const byte of bytes) request.requestId += byte.toString(16).padStart(2, "0");
  }
  return request.requestId;
}

function hostOf(request: Request): string {
  return request.host !== "" ? request.host : request.server.name;
}

/** The status as it is logged. */
function statusOf(request: Request): string {
  if (request.errStatus !== 0) return String(request.errStatus);
  if (request.status !== 0) return String(request.status);
  return request.version === 9 ? "009" : "000";
}

function limitRate(request: Request): string {
  return String(Math.max(0, request.limitRate));
}

function setLimitRate(request: Request, value: string): void {
  const rate = parseOffset(value);
  if (rate === undefined) request.connection.logError("error", `invalid $limit_rate "${value}"`);
  else request.limitRate = rate;
}

/** None while the request line isn't whole; "" when it was refused. */
function uriOf({ uri, head }: Request): string | undefined {
  return uri === "" && head.inRequestLine ? undefined : uri;
}

/** nginx takes empty arguments for none. */
function argsOf({ args }: Request): string | undefined {
  return args === "" ? undefined : args;
}

function proxyEnd(pick: (ends: NonNullable<ProxyHeader["ends"]>) => string | number): Getter {
  return ({ connection: { proxyHeader } }) =>
    proxyHeader?.ends === undefined ? undefined : String(pick(proxyHeader.ends));
}

/** A field of a PROXY protocol header of version 2. */
function proxyTlv(name: string): Getter {
  return ({ connection }) => {
    const { proxyHeader } = connection;
    if (proxyHeader === undefined) return undefined;
    const found = findTlv(proxyHeader.tlvs, name);
    if (found.ok) return found.value === undefined ? undefined : latin1(found.value);
    if (found.reason !== "") connection.logError("error", found.reason);
    return undefined;
  };
}

/** Variables with names of their own. */
export const CORE_VARIABLES: readonly Variable[] = [
  { name: "http_host", get: (r) => r.head.knownValue(HOST) },
  { name: "http_user_agent", get: (r) => r.head.knownValue(USER_AGENT) },
  { name: "http_referer", get: (r) => r.head.knownValue(REFERER) },
  { name: "content_length", get: (r) => (r.chunkedBody ? undefined : r.head.knownValue(CONTENT_LENGTH)) },
  { name: "content_type", get: (r) => r.head.knownValue(CONTENT_TYPE) },
  { name: "host", get: hostOf },
  { name: "request_port", get: (r) => (r.port === 0 ? "" : String(r.port)) },
  { name: "is_request_port", get: (r) => (r.port === 0 ? "" : ":") },
  { name: "binary_remote_addr", get: binaryAddress },
  { name: "remote_addr", get: (r) => r.connection.remoteAddress },
  { name: "remote_port", get: remotePort },
  { name: "proxy_protocol_addr", get: proxyEnd(({ source }) => source.address) },
  { name: "proxy_protocol_port", get: proxyEnd(({ source }) => source.port) },
  { name: "proxy_protocol_server_addr", get: proxyEnd(({ destination }) => destination.address) },
  { name: "proxy_protocol_server_port", get: proxyEnd(({ destination }) => destination.port) },
  { name: "server_addr", get: (r) => r.connection.localAddress },
  { name: "server_port", get: serverPort },
  {
    name: "server_protocol",
    get: (r) => (r.head.protocolStart < 0 ? "" : r.head.text(r.head.protocolStart, r.head.lineEnd).trimEnd()),
  },
  { name: "scheme", get: () => "http" },
  { name: "https", get: () => "" },
  { name: "request_uri", get: (r) => r.unparsedUri },
  { name: "uri", get: uriOf },
  { name: "document_uri", get: uriOf },
  { name: "request", get: (r) => (r.head.lineEnd === 0 ? undefined : r.requestLine) },
  { name: "document_root", get: documentRoot },
  { name: "realpath_root", get: (r) => realPath(r, documentRoot(r)) },
  { name: "query_string", get: argsOf },
  {
    name: "args",
    get: argsOf,
    set: (r, value) => {
      r.args = value;
      r.validUnparsedUri = false;
    },
  },
  { name: "is_args", get: (r) => (r.args === "" ? "" : "?") },
  { name: "request_filename", get: (r) => mapPath(r, r.uri) },
  { name: "server_name", get: (r) => r.server.name },
  { name: "request_method", get: (r) => (r.method === 0 && r.head.methodEnd === 0 ? undefined : r.methodName) },
  { name: "remote_user", get: remoteUser },
  { name: "bytes_sent", get: (r) => String(r.sentBytes) },
  { name: "body_bytes_sent", get: (r) => String(Math.max(0, r.sentBytes - r.headerBytes)) },
  { name: "pipe", get: (r) => (r.pipelined ? "p" : ".") },
  { name: "request_body", get: (r) => r.body?.text },
  { name: "request_body_file", get: (r) => r.body?.file?.path },
  { name: "request_completion", get: (r) => (r.complete ? "OK" : "") },
  { name: "request_length", get: (r) => String(r.requestLength) },
  { name: "request_time", get: (r) => seconds(r.connection.worker.ports.reactor.clock.now() - r.startMs) },
  { name: "request_id", get: requestId },
  { name: "status", get: statusOf },
  {
    name: "sent_http_content_type",
    get: (r) => (r.contentType === "" ? undefined : r.contentType + (r.charset === "" ? "" : `; charset=${r.charset}`)),
  },
  { name: "sent_http_content_length", get: (r) => (r.answerLength >= 0 ? String(r.answerLength) : undefined) },
  { name: "sent_http_location", get: (r) => (r.locationIndex < 0 ? undefined : r.headerValues[r.locationIndex]) },
  { name: "sent_http_last_modified", get: (r) => (r.lastModified >= 0 ? printHttpDate(r.lastModified) : undefined) },
  { name: "sent_http_connection", get: sentConnection },
  { name: "sent_http_keep_alive", get: sentKeepAlive },
  { name: "sent_http_transfer_encoding", get: (r) => (r.chunkedAnswer ? "chunked" : undefined) },
  { name: "limit_rate", get: limitRate, set: setLimitRate },
  { name: "connection", get: (r) => String(r.connection.number) },
  { name: "connection_requests", get: (r) => String(r.connection.requests) },
  {
    name: "connection_time",
    get: (r) => seconds(r.connection.worker.ports.reactor.clock.now() - r.connection.startMs),
  },
  { name: "nginx_version", get: () => NGINX_VERSION },
  { name: "hostname", get: (r) => r.connection.worker.ports.hostName },
  { name: "pid", get: (r) => String(r.connection.worker.ports.processId) },
  { name: "msec", get: (r) => seconds(r.connection.worker.ports.reactor.clock.wall()) },
  { name: "time_iso8601", get: (r) => r.connection.worker.dates.iso() },
  { name: "time_local", get: (r) => r.connection.worker.dates.log() },
];

function sentConnection(request: Request): string {
  if (request.status === 101) return "upgrade";
  return request.keepAlive ? "keep-alive" : "close";
}

function sentKeepAlive(request: Request): string | undefined {
  const { header } = request.location.core.keepalive_timeout;
  return request.keepAlive && header > 0 ? `timeout=${header}` : undefined;
}

/** The user of Basic authentication. */
function remoteUser(request: Request): string | undefined {
  const value = request.head.knownValue(AUTHORIZATION);
  if (value === undefined || value.slice(0, 6).toLowerCase() !== "basic ") return undefined;
  const decoded = decodeBase64(value.slice(6).trimStart());
  const colon = decoded?.indexOf(":") ?? -1;
  return decoded === undefined || colon <= 0 ? undefined : decoded.slice(0, colon);
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function decodeBase64(text: string): string | undefined {
  const clean = text.replace(/=+$/, "");
  let bits = 0;
  let value = 0;
  let out = "";
  for (const character of clean) {
    const digit = BASE64.indexOf(character);
    if (digit < 0) return undefined;
    value = ((value << 6) | digit) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += String.fromCharCode((value >> bits) & 0xff);
    }
  }
  return out;
}

/** All values of a request's header lines with this name, as nginx joins them. */
function requestHeader(rest: string): Getter {
  const separator = rest === "cookie" ? "; " : ", ";
  return ({ head }) => {
    let index = head.find(rest, 0, true);
    if (index < 0) return undefined;
    let value = head.value(index);
    for (index = head.find(rest, index + 1, true); index >= 0; index = head.find(rest, index + 1, true)) {
      value += separator + head.value(index);
    }
    return value;
  };
}

function sentHeader(rest: string): Getter {
  return (request) => {
    let value: string | undefined;
    for (let i = 0; i < request.headerCount; i++) {
      const name = request.headerNames[i] as string;
      if (name.length !== rest.length || name.toLowerCase().replaceAll("-", "_") !== rest) continue;
      value = value === undefined ? request.headerValues[i] : `${value}, ${request.headerValues[i]}`;
    }
    return value;
  };
}

function sentTrailer(rest: string): Getter {
  return (request) => {
    const found = request.trailers?.find(({ name }) => name.toLowerCase().replaceAll("-", "_") === rest);
    return found?.value;
  };
}

/** Families of variables. */
export const CORE_PREFIXES: readonly VariablePrefix[] = [
  { prefix: "http_", bind: requestHeader },
  { prefix: "sent_http_", bind: sentHeader },
  { prefix: "sent_trailer_", bind: sentTrailer },
  { prefix: "proxy_protocol_tlv_", bind: proxyTlv },
  { prefix: "cookie_", bind: (rest) => (request) => request.cookie(rest) },
  { prefix: "arg_", bind: (rest) => (request) => findArg(request.args, rest) },
];
