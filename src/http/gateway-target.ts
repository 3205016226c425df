/** Where `fastcgi_pass` and its kin, `memcached_pass` and `tunnel_pass` lead to: an address without URI, which needs a port. nginx: ngx_http_fastcgi_eval. */
import type { Level } from "../base/log.ts";
import type { Use } from "../conf/slot.ts";
import { constantOf, type Template } from "../conf/template.ts";
import { endpointsOf, parseUpstreamAddress, type UpstreamAddress } from "../net/upstream-address.ts";
import type { Place } from "./module.ts";
import type { Request } from "./request.ts";
import { type Destination, NamedDestination, type Target, type UpstreamRules } from "./upstream-rules.ts";

/** There is no usual port: an address without one is told apart by `noPort`. */
const ANY_PORT = 1;

/** An address, or a text that makes one for each request. */
export type GatewayPass =
  | { readonly kind: "fixed"; readonly address: UpstreamAddress }
  | { readonly kind: "computed"; readonly target: Template };

/** Reads `text`, the words behind such a directive. */
export function parseGatewayPass(use: Use, text: string): GatewayPass | undefined {
  const target = use.template(text);
  if (target === undefined) return undefined;
  return constantOf(target) === undefined ? { kind: "computed", target } : parseFixedPass(use, text);
}

/** The same where variables are not known. */
export function parseFixedPass(use: Use, text: string): Extract<GatewayPass, { kind: "fixed" }> | undefined {
  const address = parseUpstreamAddress(text, ANY_PORT, false);
  return typeof address === "string" ? use.fail(`${address} in upstream "${text}"`) : { kind: "fixed", address };
}

/** How such requests are told apart from others. */
export interface GatewayScheme {
  /** `fastcgi://` */
  readonly scheme: string;
  /** Of complaints about an address that a request has made. */
  readonly level: Level;
}

function destinationOf(address: UpstreamAddress, scheme: string): Destination {
  return { scheme, hostHeader: address.host, port: String(address.port), uri: "", keyStart: "" };
}

/** Finds what a request's own text names. */
function computeTarget(
  request: Request,
  text: string,
  { scheme, level }: GatewayScheme,
  place: Place,
): Target | NamedDestination | number {
  const { connection } = request;
  const address = parseUpstreamAddress(text, ANY_PORT, false);
  if (typeof address === "string") {
    connection.logErrorOf(request, level, `${address} in upstream "${text}"`);
    return 500;
  }
  const found = place.worker.upstreams.find(address);
  if (address.noPort && found === undefined) {
    connection.logErrorOf(request, "error", `no port in upstream "${address.host}"`);
    return 500;
  }
  const destination = destinationOf(address, scheme);
  return found === undefined ? new NamedDestination(address, destination) : { upstream: found, ...destination };
}

export function gatewayTarget(
  pass: GatewayPass,
  scheme: GatewayScheme,
  place: Place,
  textOf: (text: string) => string = (text) => text,
): UpstreamRules["target"] {
  if (pass.kind === "computed") {
    const text = place.compile(pass.target);
    return (request) => computeTarget(request, textOf(text(request)), scheme, place);
  }
  const { ports, upstreams } = place.worker;
  const { address } = pass;
  const target: Target = {
    upstream: upstreams.fixed(address, endpointsOf(address, ports.lookUp) ?? []),
    ...destinationOf(address, scheme.scheme),
  };
  return () => target;
}
