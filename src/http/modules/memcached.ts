/** Answers with what memcached has under a key. nginx: ngx_http_memcached_module. */
import type { ConfOf, Use } from "../../conf/slot.ts";
import { bits, num, raw } from "../../conf/slots.ts";
import { GET, HEAD } from "../../wire/http1/methods.ts";
import { RESPONSE_FIELDS } from "../../wire/http1/response-head.ts";
import { escapeUri } from "../../wire/http1/uri.ts";
import { discardBody } from "../engine.ts";
import { type GatewayPass, gatewayTarget, parseFixedPass } from "../gateway-target.ts";
import type { Handler } from "../location.ts";
import { memcachedProtocol } from "../memcached-protocol.ts";
import { httpModule, type Place } from "../module.ts";
import type { Request } from "../request.ts";
import { Exchange } from "../upstream.ts";
import { checkAddress } from "../upstream-destination.ts";
import { type ConnectConf, connectDirectives, prefixed, unprefixed } from "../upstream-directives.ts";
import * as rules from "../upstream-rules.ts";
import { BARE_RULES, connectRules } from "../upstream-settings.ts";
import { setContentType } from "./static.ts";

const KEY = "memcached_key";
const NEXT_BITS = {
  error: rules.NEXT_ERROR,
  timeout: rules.NEXT_TIMEOUT,
  invalid_response: rules.NEXT_INVALID_HEADER,
  not_found: rules.NEXT_HTTP_404,
  off: 0,
} as const;
type NextWord = keyof typeof NEXT_BITS;

function parsePass(use: Use): GatewayPass | undefined {
  use.refer(KEY);
  return parseFixedPass(use, use.args[0] as string);
}

const directives = {
  memcached_pass: raw<GatewayPass, undefined>(undefined, parsePass, {
    in: "location, if in location",
    inherit: "conditions",
    syntax: "address",
    doc: "The memcached server that is asked for `$memcached_key`.",
  }),
  memcached_gzip_flag: num(0, { doc: "A bit of a value's flags that says that it is packed with gzip." }),
  memcached_next_upstream: bits<NextWord>(["error", "timeout"], Object.keys(NEXT_BITS) as NextWord[], {
    doc: "What makes a request go on to the next server.",
  }),
  ...prefixed("memcached", connectDirectives()),
};

type MemcachedConf = ConfOf<typeof directives>;

/** nginx: the end of ngx_http_memcached_create_loc_conf. */
const FIXED = {
  ...BARE_RULES,
  tunnels: false,
  interceptsMissing: true,
  forceRanges: true,
  hiddenFields: new Uint8Array(RESPONSE_FIELDS.length),
} as const;

function rulesOf(conf: MemcachedConf, pass: GatewayPass, place: Place): rules.UpstreamRules {
  const { memcached_next_upstream: next } = conf;
  const getter = place.getter(KEY);
  const keyOf = (request: Request): string => escapeUri(getter(request) ?? "", "memcached");
  const targetOf = gatewayTarget(pass, { scheme: "memcached://", level: "error" }, place);
  const requestOf = (request: Request): string => `get ${keyOf(request)}\r\n`;
  return {
    ...FIXED,
    ...connectRules(unprefixed<ConnectConf>("memcached", conf), { receive: 0, send: 0 }, place),
    protocol: memcachedProtocol(({ request }) => keyOf(request), conf.memcached_gzip_flag),
    target(request) {
      if (keyOf(request) !== "") return targetOf(request);
      request.connection.logErrorOf(request, "error", `the "$${KEY}" variable is not set`);
      return 500;
    },
    prepare: (request) => requestOf(request).length,
    write: (request, output) => output.text(requestOf(request)),
    next: next.has("off") ? 0 : [...next].reduce((sum, word) => sum | NEXT_BITS[word], 0),
  };
}

function build(conf: MemcachedConf, place: Place): Handler | undefined {
  const pass = conf.memcached_pass;
  if (pass === undefined) return undefined;
  const built = rulesOf(conf, pass, place);
  return (request) => {
    if (request.method !== GET && request.method !== HEAD) return 405;
    if (!discardBody(request)) return 400;
    setContentType(request);
    request.exchange ??= new Exchange(request);
    return request.exchange.run(built);
  };
}

export const memcached = httpModule({
  name: "memcached",
  contexts: "http, server, location",
  directives,
  autoRedirect: true,
  check(_conf, { scope, own, environment }, report) {
    const pass = own.memcached_pass;
    if (pass?.kind !== "fixed") return;
    const position = scope.origin(memcached, "memcached_pass")?.positions[0];
    checkAddress(scope, pass.address, environment.lookUp, { report, position, needsPort: true });
  },
  contentHandler: build,
});
