/** Addresses of upstreams as `server` and `proxy_pass` write them. Counterpart in nginx: ngx_parse_url. */
import { type HostLookup, parseIpv4, parseIpv6 } from "../base/ip.ts";
import { parseNumber } from "../conf/units.ts";
import { printEndpoint } from "../io/listen.ts";
import type { Endpoint } from "../io/stream.ts";

const MAX_PORT = 65535;
const MAX_UNIX_PATH = 107;

/** An address, or the name of something that has addresses. */
export interface UpstreamAddress {
  /** Without port, as it was written. */
  readonly host: string;
  readonly port: number;
  /** The port was left out. */
  readonly noPort: boolean;
  /** What follows the address, from `/` or `?` on; "" when nothing. */
  readonly uri: string;
  /** Host and port as they were written. */
  readonly authority: string;
  /** What it is when the host is no name. */
  readonly endpoints: readonly Endpoint[] | undefined;
}

/** Reads `host[:port][uri]` or `unix:path[:uri]`; a text is nginx's reason why not. */
export function parseUpstreamAddress(text: string, defaultPort: number, withUri: boolean): UpstreamAddress | string {
  if (text.toLowerCase().startsWith("unix:")) return parseUnix(text, withUri);
  const slash = withUri ? text.search(/[/?]/) : -1;
  const authority = slash < 0 ? text : text.slice(0, slash);
  const uri = slash < 0 ? "" : text.slice(slash);
  if (!withUri && /[/?]/.test(text)) return "invalid host";
  const isIpv6 = authority.startsWith("[");
  const close = isIpv6 ? authority.indexOf("]") : -1;
  if (isIpv6 && close < 0) return "invalid host";
  const colon = isIpv6 ? (authority[close + 1] === ":" ? close + 1 : -1) : authority.indexOf(":");
  if (isIpv6 && colon < 0 && close + 1 < authority.length) return "invalid host";
  const host = colon < 0 ? authority : authority.slice(0, colon);
  const port = colon < 0 ? defaultPort : parseNumber(authority.slice(colon + 1));
  if (host === "") return "no host";
  if (port === undefined || port < 1 || port > MAX_PORT) return "invalid port";
  const ip = isIpv6 ? parseIpv6(host.slice(1, -1)) : parseIpv4(host);
  if (isIpv6 && ip === undefined) return "invalid IPv6 address";
  const endpoints = ip === undefined ? undefined : [{ ip, port }];
  return { host, port, noPort: colon < 0, uri, authority, endpoints };
}

/** Where an address leads to; undefined when its host is a name that `lookUp` doesn't know. */
export function endpointsOf(
  { host, port, endpoints }: UpstreamAddress,
  lookUp: HostLookup | undefined,
): readonly Endpoint[] | undefined {
  return endpoints ?? lookUp?.(host)?.map((ip) => ({ ip, port }));
}

function parseUnix(text: string, withUri: boolean): UpstreamAddress | string {
  const rest = text.slice("unix:".length);
  const colon = withUri ? rest.indexOf(":") : -1;
  const path = colon < 0 ? rest : rest.slice(0, colon);
  if (path === "") return "no path in the unix domain socket";
  if (path.length > MAX_UNIX_PATH) return "too long path in the unix domain socket";
  const name = `unix:${path}`;
  const uri = colon < 0 ? "" : rest.slice(colon + 1);
  return { host: name, port: 0, noPort: true, uri, authority: name, endpoints: [{ path }] };
}

/** Reads an IP address with or without a port (0: any), as `proxy_bind` takes it; undefined when it is none. */
export function parseLocalAddress(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  const ip =
    match === null ? parseIpv6(text) : match[1] === undefined ? parseIpv4(match[2] as string) : parseIpv6(match[1]);
  const port = Number(match?.[3] ?? 0);
  return ip === undefined || port > MAX_PORT ? undefined : { ip, port };
}

/** `$upstream_addr` of an endpoint. */
export function peerName(endpoint: Endpoint): string {
  return printEndpoint(endpoint);
}
