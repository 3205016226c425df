/** `$variables` of the http core. nginx: ngx_http_core_variables. */
import { latin1 } from "../base/bytes.ts";
import { NGINX_VERSION } from "../base/version.ts";
import { parseOffset } from "../conf/units.ts";
import type { TcpInfo } from "../io/stream.ts";
import { printHttpDate } from "../wire/http1/date.ts";
import { CONTENT_LENGTH, CONTENT_TYPE, HOST, KNOWN_FIELDS, REFERER, USER_AGENT } from "../wire/http1/fields.ts";
import { findArg } from "../wire/http1/uri.ts";
import type { ProxyHeader } from "../wire/proxy-protocol/decode.ts";
import { findTlv } from "../wire/proxy-protocol/tlv.ts";
import { credentialsOf } from "./basic-credentials.ts";
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
  const { remote, worker } = request.connection;
  return "ip" in remote ? worker.texts.get(remote.ip, 0, remote.ip.length) : "unix:";
}

/** One for a request and its subrequests. */
function requestId({ main }: Request): string {
  if (main.requestId === "") {
    const bytes = main.connection.worker.ports.random(16);
    for (const byte of bytes) main.requestId += byte.toString(16).padStart(2, "0");
  }
  return main.requestId;
}

/** Of a chunked body: what has come of it, when that is known to be all or will be kept. */
function contentLengthOf(request: Request): string | undefined {
  if (!request.chunkedBody) return request.head.knownValue(CONTENT_LENGTH);
  if (request.bodyReceived < 0 || request.bodyReader?.unbuffered === true) return undefined;
  return String(request.bodyReceived);
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

/** A number that the kernel knows of the connection; none for a unix socket. */
function tcpInfo(pick: (info: TcpInfo) => number): Getter {
  return ({ connection }) => {
    const info = connection.stream.tcpInfo();
    return info === undefined ? undefined : String(pick(info));
  };
}

/** None while the request line isn't whole; "" when it was refused. */
function uriOf({ uri, head }: Request): string | undefined {
  return uri === "" && head.inRequestLine ? undefined : uri;
}

/** nginx takes empty arguments for none, but for those that a `#` ends. */
function argsOf(request: Request): string | undefined {
  const { args, head, validUnparsedUri } = request;
  if (args !== "") return args;
  return head.complexUri && validUnparsedUri && /^[^?#]*\?#/.test(request.unparsedUri) ? "" : undefined;
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
  { name: "http_host", doc: "The Host line as it was sent.", get: knownField(HOST) },
  { name: "http_user_agent", doc: "The User-Agent line.", get: knownField(USER_AGENT) },
  { name: "http_referer", doc: "The Referer line.", get: knownField(REFERER) },
  {
    name: "content_length",
    doc: "The Content-Length line.",
    get: contentLengthOf,
  },
  { name: "content_type", doc: "The Content-Type line of the request.", get: knownField(CONTENT_TYPE) },
  {
    name: "host",
    doc: "Host of the request line or the Host line, in lower case and without port; else the server's first name.",
    get: hostOf,
  },
  { name: "request_port", doc: "The port that the request names.", get: (r) => (r.port === 0 ? "" : String(r.port)) },
  { name: "is_request_port", doc: "`:` when the request names a port.", get: (r) => (r.port === 0 ? "" : ":") },
  {
    name: "binary_remote_addr",
    doc: "The client's address in 4 or 16 bytes: a short key for zones.",
    get: binaryAddress,
  },
  { name: "remote_addr", doc: "The client's address.", get: (r) => r.connection.remoteAddress },
  { name: "remote_port", doc: "The client's port.", get: remotePort },
  {
    name: "proxy_protocol_addr",
    doc: "The client's address that a PROXY protocol header tells.",
    get: proxyEnd(({ source }) => source.address),
  },
  {
    name: "proxy_protocol_port",
    doc: "The client's port that a PROXY protocol header tells.",
    get: proxyEnd(({ source }) => source.port),
  },
  {
    name: "proxy_protocol_server_addr",
    doc: "The server's address that a PROXY protocol header tells.",
    get: proxyEnd(({ destination }) => destination.address),
  },
  {
    name: "proxy_protocol_server_port",
    doc: "The server's port that a PROXY protocol header tells.",
    get: proxyEnd(({ destination }) => destination.port),
  },
  { name: "server_addr", doc: "The address that the client has connected to.", get: (r) => r.connection.localAddress },
  { name: "server_port", doc: "The port that the client has connected to.", get: serverPort },
  {
    name: "server_protocol",
    doc: "`HTTP/1.0` or `HTTP/1.1`.",
    get: (r) =>
      r.head.protocolStart < 0
        ? undefined
        : r.head.inRequestLine
          ? ""
          : r.head.text(r.head.protocolStart, r.head.lineEnd),
  },
  { name: "scheme", doc: "The scheme of the request: `http`.", get: () => "http" },
  { name: "https", doc: "Empty without TLS.", get: () => "" },
  {
    name: "request_uri",
    doc: "The URI with its arguments, as it was sent.",
    get: (r) => (r.unparsedUri === "" ? undefined : r.unparsedUri),
  },
  { name: "uri", doc: "The path as it is now, decoded and normalised.", get: uriOf },
  { name: "document_uri", doc: "The same as $uri.", get: uriOf },
  { name: "request", doc: "The request line.", get: (r) => r.requestLine },
  { name: "document_root", doc: "`root` or `alias` of the location.", get: documentRoot },
  {
    name: "realpath_root",
    doc: "`root` or `alias` of the location, without symbolic links.",
    get: (r) => realPath(r, documentRoot(r)),
  },
  { name: "query_string", doc: "The same as $args.", get: argsOf },
  {
    name: "args",
    doc: "The arguments behind the question mark.",
    get: argsOf,
    set: (r, value) => {
      r.args = value;
      r.validUnparsedUri = false;
    },
  },
  { name: "is_args", doc: "`?` when there are arguments.", get: (r) => (r.args === "" ? "" : "?") },
  { name: "request_filename", doc: "The path of the file that the request names.", get: (r) => mapPath(r, r.uri) },
  { name: "server_name", doc: "The first name of the server.", get: (r) => r.server.name },
  {
    name: "request_method",
    doc: "The method.",
    get: (r) => (r.head.inRequestLine && r.changedMethod === undefined ? undefined : r.methodName),
  },
  { name: "remote_user", doc: "The user name of Basic authentication.", get: (r) => credentialsOf(r)?.user },
  { name: "bytes_sent", doc: "Bytes that were sent to the client, header and body.", get: (r) => String(r.sentBytes) },
  {
    name: "body_bytes_sent",
    doc: "Bytes of the answer's body that were sent to the client.",
    get: (r) => String(Math.max(0, r.sentBytes - r.headerBytes)),
  },
  { name: "pipe", doc: "`p` for a pipelined request, else `.`.", get: (r) => (r.pipelined ? "p" : ".") },
  { name: "request_body", doc: "The request's body, when it was read into memory.", get: (r) => r.body?.text },
  {
    name: "request_body_file",
    doc: "Path of the temporary file with the request's body.",
    get: (r) => r.body?.file?.path,
  },
  { name: "request_completion", doc: "`OK` when the whole answer was sent.", get: (r) => (r.complete ? "OK" : "") },
  { name: "request_length", doc: "Bytes of the request, header and body.", get: (r) => String(r.requestLength) },
  {
    name: "request_time",
    doc: "Seconds since the first byte of the request.",
    get: (r) => seconds(r.connection.worker.ports.reactor.clock.now() - r.startMs),
  },
  { name: "request_id", doc: "16 random bytes in hexadecimal digits.", get: requestId },
  { name: "status", doc: "The status of the answer.", get: statusOf },
  {
    name: "sent_http_content_type",
    doc: "The Content-Type line of the answer.",
    get: (r) => (r.contentType === "" ? undefined : r.fullContentType),
  },
  {
    name: "sent_http_content_length",
    doc: "The Content-Length line of the answer.",
    get: (r) => (r.answerLength >= 0 ? String(r.answerLength) : undefined),
  },
  {
    name: "sent_http_location",
    doc: "The Location line of the answer.",
    get: (r) => (r.locationIndex < 0 ? undefined : r.headerValues[r.locationIndex]),
  },
  {
    name: "sent_http_last_modified",
    doc: "The Last-Modified line of the answer.",
    get: (r) => (r.lastModified >= 0 ? printHttpDate(r.lastModified) : undefined),
  },
  { name: "sent_http_connection", doc: "The Connection line of the answer.", get: sentConnection },
  { name: "sent_http_keep_alive", doc: "The Keep-Alive line of the answer.", get: sentKeepAlive },
  {
    name: "sent_http_transfer_encoding",
    doc: "The Transfer-Encoding line of the answer.",
    get: (r) => (r.chunkedAnswer ? "chunked" : undefined),
  },
  { name: "limit_rate", doc: "Bytes a second of the answer; 0 for any.", get: limitRate, set: setLimitRate },
  { name: "connection", doc: "Number of the connection.", get: (r) => String(r.connection.number) },
  {
    name: "connection_requests",
    doc: "Number of the request within its connection.",
    get: (r) => String(r.connection.requests),
  },
  {
    name: "connection_time",
    doc: "Seconds since the connection was accepted.",
    get: (r) => seconds(r.connection.worker.ports.reactor.clock.now() - r.connection.startMs),
  },
  { name: "nginx_version", doc: "The version of nginx that is spoken.", get: () => NGINX_VERSION },
  { name: "hostname", doc: "The machine's name.", get: (r) => r.connection.worker.ports.hostName },
  { name: "pid", doc: "Number of the worker process.", get: (r) => String(r.connection.worker.ports.processId) },
  {
    name: "msec",
    doc: "Seconds since 1970, with milliseconds.",
    get: (r) => seconds(r.connection.worker.ports.reactor.clock.wall()),
  },
  { name: "time_iso8601", doc: "Local time as ISO 8601 has it.", get: (r) => r.connection.worker.dates.iso() },
  {
    name: "tcpinfo_rtt",
    doc: "The client's round-trip time in microseconds, as the kernel measures it.",
    get: tcpInfo((info) => info.rttUs),
  },
  {
    name: "tcpinfo_rttvar",
    doc: "Variance of the round-trip time in microseconds.",
    get: tcpInfo((info) => info.rttVarianceUs),
  },
  {
    name: "tcpinfo_snd_cwnd",
    doc: "The congestion window in segments.",
    get: tcpInfo((info) => info.congestionWindow),
  },
  { name: "tcpinfo_rcv_space", doc: "The receive window in bytes.", get: tcpInfo((info) => info.receiveSpaceBytes) },
  { name: "time_local", doc: "Local time as access logs have it.", get: (r) => r.connection.worker.dates.log() },
];

function sentConnection(request: Request): string {
  if (request.status === 101) return "upgrade";
  return request.keepAlive ? "keep-alive" : "close";
}

function sentKeepAlive(request: Request): string | undefined {
  const { header } = request.location.core.keepalive_timeout;
  return request.keepAlive && header > 0 ? `timeout=${header}` : undefined;
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

/** The same for a field that the head knows by number. */
function knownField(field: number): Getter {
  const joined = requestHeader((KNOWN_FIELDS[field] as string).replaceAll("-", "_"));
  return (request) => (request.head.hasRepeats ? joined(request) : request.head.knownValue(field));
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
    const found = request.trailers?.filter(({ name }) => name.toLowerCase().replaceAll("-", "_") === rest) ?? [];
    return found.length === 0 ? undefined : found.map(({ value }) => value).join(", ");
  };
}

/** Families of variables. */
export const CORE_PREFIXES: readonly VariablePrefix[] = [
  {
    prefix: "http_",
    doc: "A line of the request's header, by its name in lower case with underscores.",
    bind: requestHeader,
  },
  { prefix: "sent_http_", doc: "A line of the answer's header.", bind: sentHeader },
  { prefix: "sent_trailer_", doc: "A line of the answer's trailer.", bind: sentTrailer },
  {
    prefix: "proxy_protocol_tlv_",
    doc: "A field of a PROXY protocol header: `alpn`, `authority`, `unique_id`, `ssl`, `netns`, `ssl_verify`, `ssl_version`, `ssl_cn`, `ssl_cipher`, `ssl_sig_alg`, `ssl_key_alg`, `0xHH`.",
    bind: proxyTlv,
  },
  { prefix: "cookie_", doc: "A cookie.", bind: (rest) => (request) => request.cookie(rest) },
  { prefix: "arg_", doc: "An argument of the request line.", bind: (rest) => (request) => findArg(request.args, rest) },
];
