/** Where `proxy_pass` leads to: a fixed address, or what a text with variables says for each request. nginx: ngx_http_proxy_eval. */

import { endpointsOf, parseUpstreamAddress, type UpstreamAddress } from "../net/upstream-address.ts";
import type { Place } from "./module.ts";
import type { Request } from "./request.ts";
import { type Destination, NamedDestination, type Target, type UpstreamRules } from "./upstream-rules.ts";
import type { Text } from "./variables.ts";

export const SCHEME = "http://";
export const HTTP_PORT = 80;
/** Texts of a location that are remembered with where they lead to; then they are forgotten. */
const MAX_REMEMBERED = 256;

/** Always the same target. Names were looked up when the configuration was read. */
export function fixedTarget(address: UpstreamAddress, place: Place): UpstreamRules["target"] {
  const { ports, upstreams } = place.worker;
  const endpoints = endpointsOf(address, ports.lookUp) ?? [];
  const target: Target = { upstream: upstreams.fixed(address, endpoints), ...destinationOf(address) };
  return () => target;
}

/** The target that `url` names for a request. */
export function computedTarget(url: Text, place: Place): UpstreamRules["target"] {
  const remembered = new Map<string, Target | NamedDestination>();
  return (request) => {
    const text = url(request);
    const known = remembered.get(text);
    if (known !== undefined) return known;
    const found = findTarget(request, text, place);
    // Texts with a URI are as many as there are requests.
    if (typeof found === "number" || found.uri !== "") return found;
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(text, found);
    return found;
  };
}

function findTarget(request: Request, url: string, place: Place): Target | NamedDestination | number {
  const { connection } = request;
  if (!url.toLowerCase().startsWith(SCHEME)) {
    connection.logError("error", `invalid URL prefix in "${url}"`);
    return 500;
  }
  const text = url.slice(SCHEME.length);
  const parsed = parseUpstreamAddress(text, HTTP_PORT, true);
  if (typeof parsed === "string") {
    connection.logError("error", `${parsed} in upstream "${text}"`);
    return 500;
  }
  const address = parsed.uri.startsWith("?") ? { ...parsed, uri: `/${parsed.uri}` } : parsed;
  const destination = destinationOf(address);
  const found = place.worker.upstreams.find(address);
  return found === undefined ? new NamedDestination(address, destination) : { upstream: found, ...destination };
}

/** What requests to an address say of it. */
export function destinationOf(address: UpstreamAddress): Destination {
  const host = hostHeader(address);
  return { scheme: SCHEME, uri: address.uri, ...host, keyStart: SCHEME + keyHost(address, host.hostHeader) };
}

/** nginx takes a unix socket's name with the byte behind it: a colon, or the zero that its configuration's words end with. */
function keyHost({ host, uri }: UpstreamAddress, hostName: string): string {
  if (!host.startsWith("unix:")) return hostName;
  return host + (uri === "" ? "\0" : ":");
}

/** The Host of requests and `$proxy_port` for an address. */
function hostHeader(address: UpstreamAddress): { readonly hostHeader: string; readonly port: string } {
  if (address.host.startsWith("unix:")) return { hostHeader: "localhost", port: "" };
  const plain = address.noPort || address.port === HTTP_PORT;
  return { hostHeader: plain ? address.host : address.authority, port: String(address.port) };
}
