/** `proxy_pass` of stream and all that belongs to it. nginx: ngx_stream_proxy_module. */
import type { Scope } from "../../conf/scope.ts";
import type { ConfOf, Use } from "../../conf/slot.ts";
import { choice, flag, msec, num, raw, size, template } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { parseSize } from "../../conf/units.ts";
import { sizeBytes } from "../../conf/values.ts";
import type { BalancedGroup } from "../../net/balanced-group.ts";
import { endpointsOf, parseUpstreamAddress, type UpstreamAddress } from "../../net/upstream-address.ts";
import { type Bind, connectSettingsOf, localAddressOf, parseBind } from "../../net/upstream-socket.ts";
import { type Place, streamModule } from "../module.ts";
import { Proxying, type ProxyRules } from "../proxying.ts";
import type { Session } from "../session.ts";
import { core } from "./core.ts";
import { upstream } from "./upstream.ts";

/** There is no usual port: an address without one is told apart by `noPort`. */
const ANY_PORT = 1;

/** `proxy_pass`: an address, or a text that makes one for each session. */
type Pass = { readonly order: number } & (
  | { readonly kind: "fixed"; readonly address: UpstreamAddress }
  | { readonly kind: "computed"; readonly text: Template }
);

function parsePass(use: Use): Pass | undefined {
  const [text = ""] = use.args;
  const parsed = use.template(text);
  if (parsed === undefined) return undefined;
  const { order } = use;
  if (constantOf(parsed) === undefined) return { kind: "computed", text: parsed, order };
  const address = parseUpstreamAddress(text, ANY_PORT, false);
  return typeof address === "string" ? use.fail(`${address} in upstream "${text}"`) : { kind: "fixed", address, order };
}

const EVERYWHERE = "stream, stream server";

const directives = {
  proxy_pass: raw<Pass, undefined>(undefined, parsePass, {
    in: "stream server",
    inherit: "none",
    syntax: "address",
    doc: "Passes sessions on to a server, an upstream, or what a text with variables says.",
  }),
  proxy_bind: raw<Bind, undefined>(undefined, parseBind, {
    in: EVERYWHERE,
    args: [1, 2],
    syntax: "address [transparent] | off",
    doc: "The address that connections to upstreams come from.",
  }),
  proxy_socket_keepalive: flag(false, { in: EVERYWHERE, doc: "Has TCP probe the connections (SO_KEEPALIVE)." }),
  proxy_socket_rcvbuf: size("0", { in: EVERYWHERE, doc: "Receive buffer of the connections; 0 for the system's." }),
  proxy_socket_sndbuf: size("0", { in: EVERYWHERE, doc: "Send buffer of the connections; 0 for the system's." }),
  proxy_connect_timeout: msec("60s", { in: EVERYWHERE, doc: "Time for a connection." }),
  proxy_timeout: msec("10m", { in: EVERYWHERE, doc: "Time in which nothing passes in either direction." }),
  proxy_buffer_size: size("16k", {
    in: EVERYWHERE,
    doc: "Accepted without effect: bytes pass through the worker's own buffer, and only what a socket does not take is kept.",
  }),
  proxy_upload_rate: template("0", {
    in: EVERYWHERE,
    constant: sizeBytes,
    doc: "Bytes per second that are read from the client; 0 for any.",
  }),
  proxy_download_rate: template("0", {
    in: EVERYWHERE,
    constant: sizeBytes,
    doc: "Bytes per second that are read from the upstream; 0 for any.",
  }),
  proxy_next_upstream: flag(true, {
    in: EVERYWHERE,
    doc: "Whether a session goes on to the next server when one can't be connected to.",
  }),
  proxy_next_upstream_tries: num(0, { in: EVERYWHERE, doc: "Servers that are tried; 0 for all." }),
  proxy_next_upstream_timeout: msec("0", {
    in: EVERYWHERE,
    doc: "Time in which another server may be tried; 0 for any.",
  }),
  proxy_protocol: choice("off", ["off", "on", "v2"], {
    in: EVERYWHERE,
    doc: "Tells the upstream who the client is by a PROXY protocol header, of version 1 or 2.",
  }),
  proxy_half_close: flag(false, {
    in: EVERYWHERE,
    doc: "Passes on the end of one direction and lets the other go on until it has ended too.",
  }),
};

type ProxyConf = ConfOf<typeof directives>;

/** Finds what a session's own text names. nginx: ngx_stream_proxy_eval. */
function computeTarget(session: Session, text: string): BalancedGroup<Session> | UpstreamAddress | undefined {
  const address = parseUpstreamAddress(text, ANY_PORT, false);
  if (typeof address === "string") {
    session.logError("error", `${address} in upstream "${text}"`);
    return undefined;
  }
  const isUnix = address.host.startsWith("unix:");
  const found = session.worker.upstreams.find(address);
  if (address.noPort && !isUnix && (found === undefined || address.endpoints !== undefined)) {
    session.logError("error", `no port in upstream "${address.host}"`);
    return undefined;
  }
  return found ?? address;
}

function targetOf(pass: Pass, place: Place): ProxyRules["target"] {
  if (pass.kind === "computed") {
    const text = place.compile(pass.text);
    return (session) => computeTarget(session, text(session));
  }
  const { address } = pass;
  const group = place.worker.upstreams.fixed(address, endpointsOf(address, place.worker.ports.lookUp) ?? []);
  return () => group;
}

function rateOf(rate: Template, place: Place): (session: Session) => number {
  const constant = constantOf(rate);
  if (constant !== undefined) {
    const bytes = parseSize(constant) ?? 0;
    return () => bytes;
  }
  const text = place.compile(rate);
  return (session) => {
    const value = text(session);
    const bytes = value === "" ? 0 : parseSize(value);
    if (bytes === undefined) session.logError("error", `invalid size "${value}"`);
    return bytes ?? 0;
  };
}

const VERSIONS = { off: 0, on: 1, v2: 2 } as const;

function rulesOf(conf: ProxyConf, pass: Pass, place: Place): ProxyRules {
  const { scope, worker } = place;
  const { resolver, resolver_timeout: resolverTimeoutMs, tcp_nodelay: noDelay } = scope.conf(core);
  return {
    target: targetOf(pass, place),
    resolver,
    resolverTimeoutMs,
    connectTimeoutMs: conf.proxy_connect_timeout,
    timeoutMs: conf.proxy_timeout,
    next: conf.proxy_next_upstream,
    nextTries: conf.proxy_next_upstream_tries,
    nextTimeoutMs: conf.proxy_next_upstream_timeout,
    halfClose: conf.proxy_half_close,
    proxyProtocol: VERSIONS[conf.proxy_protocol],
    uploadRate: rateOf(conf.proxy_upload_rate, place),
    downloadRate: rateOf(conf.proxy_download_rate, place),
    localAddress: localAddressOf<Session>(conf.proxy_bind, {
      compile: (text) => place.compile(text),
      bindForeign: () => {
        worker.bindsForeign = true;
      },
      complain: (session, message) => session.logError("error", message),
    }),
    connectSettings: connectSettingsOf(conf.proxy_bind, {
      keepAlive: conf.proxy_socket_keepalive,
      receiveBuffer: conf.proxy_socket_rcvbuf,
      sendBuffer: conf.proxy_socket_sndbuf,
    }),
    noDelay,
    timesConnection: worker.timesConnection,
  };
}

/** Names of upstreams that a scope's stream block has, in lower case. */
function isUpstream(scope: Scope, host: string): boolean {
  const stream = scope.parent as Scope;
  return stream.conf(upstream).upstream.some(({ header }) => header.toLowerCase() === host.toLowerCase());
}

export const proxy = streamModule({
  name: "stream_proxy",
  directives,
  check(_conf, { scope, own, environment }, report) {
    const pass = own.proxy_pass;
    if (pass?.kind !== "fixed") return;
    const { address } = pass;
    const position = scope.origin(proxy, "proxy_pass")?.positions[0];
    if (isUpstream(scope, address.host)) {
      if (!address.noPort) report("emerg", `upstream "${address.host}" may not have port ${address.port}`, position);
    } else if (address.noPort && !address.host.startsWith("unix:"))
      report("emerg", `no port in upstream "${address.host}"`, position);
    else if (endpointsOf(address, environment.lookUp) === undefined)
      report("emerg", `host not found in upstream "${address.host}"`, position);
  },
  content(conf, place) {
    const pass = conf.proxy_pass;
    if (pass === undefined) return undefined;
    const rules = rulesOf(conf, pass, place);
    const run = (session: Session): void => {
      const proxying = new Proxying(session, rules);
      session.proxying = proxying;
      proxying.start();
    };
    return { order: pass.order, run };
  },
});
