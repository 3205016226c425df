/** Connects clients that ask with CONNECT to where they want to go. nginx: ngx_http_tunnel_module. */
import type { ConfOf } from "../../conf/slot.ts";
import { bits, flag, msec, num, raw, size } from "../../conf/slots.ts";
import { type Bind, connectSettingsOf, parseBind } from "../../net/upstream-socket.ts";
import { CONNECT } from "../../wire/http1/methods.ts";
import { type GatewayPass, gatewayTarget, parseGatewayPass } from "../gateway-target.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { sendLowat } from "../send-lowat.ts";
import { Exchange } from "../upstream.ts";
import { localAddressOf } from "../upstream-bind.ts";
import { checkAddress } from "../upstream-destination.ts";
import * as rules from "../upstream-rules.ts";
import { BARE_RULES } from "../upstream-settings.ts";

const DEFAULT_TARGET = "$host:$request_port";
const SCHEME = { scheme: "", level: "info" } as const;
const NEXT_BITS = { error: rules.NEXT_ERROR, timeout: rules.NEXT_TIMEOUT, off: 0 } as const;

const directives = {
  tunnel_pass: raw<GatewayPass, undefined>(undefined, (use) => parseGatewayPass(use, use.args[0] ?? DEFAULT_TARGET), {
    in: "server, location, if in location",
    args: [0, 1],
    inherit: "conditions",
    syntax: "[address]",
    doc: "Lets CONNECT requests through to an address; without one, to the host and port that the client names.",
  }),
  tunnel_bind: raw<Bind, undefined>(undefined, parseBind, {
    args: [1, 2],
    syntax: "address [transparent] | off",
    doc: "The address that connections come from.",
  }),
  tunnel_socket_keepalive: flag(false, { doc: "Has TCP probe the connections (SO_KEEPALIVE)." }),
  tunnel_socket_rcvbuf: size("0", { doc: "Receive buffer of the connections; 0 for the system's." }),
  tunnel_socket_sndbuf: size("0", { doc: "Send buffer of the connections; 0 for the system's." }),
  tunnel_connect_timeout: msec("60s", { doc: "Time for a connection." }),
  tunnel_send_timeout: msec("60s", { doc: "Time in which the other side takes nothing." }),
  tunnel_read_timeout: msec("60s", { doc: "Time in which nothing passes." }),
  tunnel_send_lowat: sendLowat(),
  tunnel_buffer_size: size("4k", {
    doc: "Accepted without effect: bytes pass through the worker's own buffer, and only what a socket does not take is kept.",
  }),
  tunnel_next_upstream: bits(["error", "timeout"], ["error", "timeout", "off"], {
    doc: "What makes a request go on to the next server.",
  }),
  tunnel_next_upstream_tries: num(0, { doc: "Servers that are tried; 0 for all." }),
  tunnel_next_upstream_timeout: msec("0", { doc: "Time in which another server may be tried; 0 for any." }),
};

type TunnelConf = ConfOf<typeof directives>;

/** Neither a request nor an answer of HTTP passes. */
const NO_HTTP = {
  ...BARE_RULES,
  protocol: undefined,
  tunnels: true,
  prepare: () => 0,
  write: () => {},
  bufferSize: 0,
  interceptsMissing: false,
  forceRanges: false,
  hiddenFields: new Uint8Array(0),
} as const;

function rulesOf(conf: TunnelConf, pass: GatewayPass, place: Place): rules.UpstreamRules {
  const { tunnel_next_upstream: next } = conf;
  const nextBits = [...next].reduce((sum, word) => sum | NEXT_BITS[word], 0);
  return {
    ...NO_HTTP,
    target: gatewayTarget(pass, SCHEME, place),
    connectTimeoutMs: conf.tunnel_connect_timeout,
    sendTimeoutMs: conf.tunnel_send_timeout,
    readTimeoutMs: conf.tunnel_read_timeout,
    next: next.has("off") ? 0 : nextBits,
    nextTries: conf.tunnel_next_upstream_tries,
    nextTimeoutMs: conf.tunnel_next_upstream_timeout,
    localAddress: localAddressOf(conf.tunnel_bind, place),
    connectSettings: connectSettingsOf(conf.tunnel_bind, {
      keepAlive: conf.tunnel_socket_keepalive,
      receiveBuffer: conf.tunnel_socket_rcvbuf,
      sendBuffer: conf.tunnel_socket_sndbuf,
    }),
  };
}

function build(conf: TunnelConf, place: Place): Handler | undefined {
  const pass = conf.tunnel_pass;
  if (pass === undefined) return undefined;
  place.allowConnect();
  const built = rulesOf(conf, pass, place);
  return (request) => {
    if (request.method !== CONNECT) return 405;
    request.exchange ??= new Exchange(request);
    return request.exchange.run(built);
  };
}

export const tunnel = httpModule({
  name: "tunnel",
  contexts: "http, server, location",
  directives,
  check(_conf, { scope, own, environment }, report) {
    const pass = own.tunnel_pass;
    if (pass?.kind !== "fixed") return;
    const position = scope.origin(tunnel, "tunnel_pass")?.positions[0];
    checkAddress(scope, pass.address, environment.lookUp, { report, position, needsPort: true });
  },
  contentHandler: build,
});
