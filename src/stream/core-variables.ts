/** `$variables` of the stream core. nginx: ngx_stream_core_variables. */
import { latin1 } from "../base/bytes.ts";
import { NGINX_VERSION } from "../base/version.ts";
import type { ProxyHeader } from "../wire/proxy-protocol/decode.ts";
import { findTlv } from "../wire/proxy-protocol/tlv.ts";
import type { Getter, Variable, VariablePrefix } from "./variables.ts";

/** Milliseconds as seconds with three digits behind the point. */
export function seconds(ms: number): string {
  return (Math.max(0, ms) / 1000).toFixed(3);
}

function proxyEnd(pick: (ends: NonNullable<ProxyHeader["ends"]>) => string): Getter {
  return ({ proxyHeader }) => (proxyHeader?.ends === undefined ? undefined : pick(proxyHeader.ends));
}

function port(value: number): string {
  return value > 0 ? String(value) : "";
}

/** A field of a PROXY protocol header of version 2. */
function proxyTlv(name: string): Getter {
  return (session) => {
    const { proxyHeader } = session;
    if (proxyHeader === undefined) return undefined;
    const found = findTlv(proxyHeader.tlvs, name);
    if (found.ok) return found.value === undefined ? undefined : latin1(found.value);
    if (found.reason !== "") session.logError("error", found.reason);
    return undefined;
  };
}

export const CORE_VARIABLES: readonly Variable[] = [
  {
    name: "binary_remote_addr",
    doc: "The client's address in 4 or 16 bytes: a short key for zones.",
    get: ({ remote, worker }) => ("ip" in remote ? worker.texts.get(remote.ip, 0, remote.ip.length) : "unix:"),
  },
  { name: "remote_addr", doc: "The client's address.", get: (session) => session.remoteAddress },
  {
    name: "remote_port",
    doc: "The client's port.",
    get: ({ remote }) => ("port" in remote ? port(remote.port) : ""),
  },
  {
    name: "proxy_protocol_addr",
    doc: "The client's address that a PROXY protocol header tells.",
    get: proxyEnd(({ source }) => source.address),
  },
  {
    name: "proxy_protocol_port",
    doc: "The client's port that a PROXY protocol header tells.",
    get: proxyEnd(({ source }) => port(source.port)),
  },
  {
    name: "proxy_protocol_server_addr",
    doc: "The server's address that a PROXY protocol header tells.",
    get: proxyEnd(({ destination }) => destination.address),
  },
  {
    name: "proxy_protocol_server_port",
    doc: "The server's port that a PROXY protocol header tells.",
    get: proxyEnd(({ destination }) => port(destination.port)),
  },
  {
    name: "server_addr",
    doc: "The address that the client has connected to.",
    get: (session) => session.localAddress,
  },
  {
    name: "server_port",
    doc: "The port that the client has connected to.",
    get: ({ stream: { local } }) => ("port" in local ? port(local.port) : ""),
  },
  { name: "server_name", doc: "The first name of the server.", get: ({ server }) => server.name },
  { name: "bytes_sent", doc: "Bytes that were sent to the client.", get: ({ sentBytes }) => String(sentBytes) },
  {
    name: "bytes_received",
    doc: "Bytes that were received from the client.",
    get: ({ receivedBytes }) => String(receivedBytes),
  },
  {
    name: "session_time",
    doc: "Seconds that the session has taken.",
    get: ({ worker, startMs }) => seconds(worker.clock.now() - startMs),
  },
  {
    name: "status",
    doc: "How the session has ended: 200, 400 (bad data), 403 (forbidden), 500, 502 (no upstream), 503 (a limit).",
    get: ({ status }) => String(status).padStart(3, "0"),
  },
  { name: "connection", doc: "Number of the connection.", get: ({ number }) => String(number) },
  { name: "nginx_version", doc: "The version of nginx that is spoken.", get: () => NGINX_VERSION },
  { name: "hostname", doc: "The machine's name.", get: ({ worker }) => worker.ports.hostName },
  { name: "pid", doc: "Number of the worker process.", get: ({ worker }) => String(worker.ports.processId) },
  {
    name: "msec",
    doc: "Seconds since 1970, with milliseconds.",
    get: ({ worker }) => seconds(worker.clock.wall()),
  },
  { name: "time_iso8601", doc: "Local time as ISO 8601 has it.", get: ({ worker }) => worker.dates.iso() },
  { name: "time_local", doc: "Local time as access logs have it.", get: ({ worker }) => worker.dates.log() },
  { name: "protocol", doc: "What the client has come by: `TCP`.", get: () => "TCP" },
];

export const CORE_PREFIXES: readonly VariablePrefix[] = [
  {
    prefix: "proxy_protocol_tlv_",
    doc: "A field of a PROXY protocol header: `alpn`, `authority`, `unique_id`, `ssl`, `netns`, `ssl_verify`, `ssl_version`, `ssl_cn`, `ssl_cipher`, `ssl_sig_alg`, `ssl_key_alg`, `0xHH`.",
    bind: proxyTlv,
  },
];
