/** Addresses in configurations: `host:port`, `[v6]:port`, `unix:path`. nginx: ngx_parse_url, with its reasons. */
import { type HostLookup, type IpAddress, parseIpv4, parseIpv6 } from "../base/ip.ts";
import { parseNumber } from "../conf/units.ts";
import type { Endpoint } from "../io/stream.ts";

const ANY_IPV4: IpAddress = new Uint8Array(4);
const MAX_PORT = 65535;
const MAX_UNIX_PATH = 107;

/** The addresses of a host, with a port or with all ports of a range. */
interface Address {
  readonly ips: readonly IpAddress[];
  readonly firstPort: number;
  readonly lastPort: number;
}

interface Options {
  readonly defaultPort: number;
  readonly isListen: boolean;
  readonly lookUp: HostLookup | undefined;
}

/** The addresses to connect to, at least one; a text is nginx's reason why not. Without `lookUp` every name is "host not found". */
export function parseServerAddress(
  text: string,
  defaultPort: number,
  lookUp: HostLookup | undefined,
): readonly [Endpoint, ...Endpoint[]] | string {
  return parseAddress(text, { defaultPort, isListen: false, lookUp });
}

/** The addresses to listen on, at least one: also a port alone, `*`, and a range of ports; a text is nginx's reason why not. */
export function parseListenAddress(
  text: string,
  defaultPort: number,
  lookUp: HostLookup | undefined,
): readonly [Endpoint, ...Endpoint[]] | string {
  return parseAddress(text, { defaultPort, isListen: true, lookUp });
}

function parseAddress(text: string, options: Options): readonly [Endpoint, ...Endpoint[]] | string {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") return "no path in the unix domain socket";
    return path.length > MAX_UNIX_PATH ? "too long path in the unix domain socket" : [{ path }];
  }
  const address = text.startsWith("[") ? parseIpv6Address(text, options) : parseNamedAddress(text, options);
  if (typeof address === "string") return address;
  const { ips, firstPort, lastPort } = address;
  const endpoints = ips.flatMap((ip) =>
    Array.from({ length: lastPort - firstPort + 1 }, (_, index): Endpoint => ({ ip, port: firstPort + index })),
  );
  const [first, ...others] = endpoints;
  return first === undefined ? "host not found" : [first, ...others];
}

/** Larger ones may be names. */
function isNumber(text: string): boolean {
  return parseNumber(text) !== undefined;
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && port >= 1 && port <= MAX_PORT;
}

/** `80`, or `8000-8010` where it is listened. */
function parsePorts(text: string, { isListen }: Options): Omit<Address, "ips"> | string {
  const dash = isListen ? text.indexOf("-") : -1;
  const lastPort = parseNumber(text.slice(dash + 1));
  const firstPort = dash < 0 ? lastPort : parseNumber(text.slice(0, dash));
  if (!isPort(lastPort) || !isPort(firstPort)) return "invalid port";
  return firstPort > lastPort ? "invalid port range" : { firstPort, lastPort };
}

function parseIpv6Address(text: string, options: Options): Address | string {
  const close = text.indexOf("]");
  const rest = text.slice(close + 1);
  if (close < 0 || rest.includes("/") || (rest !== "" && !rest.startsWith(":"))) return "invalid host";
  const ip = parseIpv6(text.slice(1, close));
  const ports = parsePorts(rest === "" ? String(options.defaultPort) : rest.slice(1), options);
  if (typeof ports === "string") return ports;
  if (close === 1) return "no host";
  return ip === undefined ? "invalid IPv6 address" : { ips: [ip], ...ports };
}

/** An IPv4 address or a name; `*` and a port alone where it is listened. */
function parseNamedAddress(text: string, options: Options): Address | string {
  const { isListen, defaultPort, lookUp } = options;
  if (/[/?]/.test(text)) return "invalid host";
  const isPortAlone = isListen && /^\d+(-\d+)?$/.test(text) && text.split("-").every(isNumber);
  const colon = text.indexOf(":");
  const host = isPortAlone ? "*" : colon < 0 ? text : text.slice(0, colon);
  const ports = parsePorts(isPortAlone ? text : colon < 0 ? String(defaultPort) : text.slice(colon + 1), options);
  if (typeof ports === "string") return ports;
  if (host === "") return "no host";
  if (isListen && host === "*") return { ips: [ANY_IPV4], ...ports };
  const ip = parseIpv4(host);
  const ips = ip === undefined ? lookUp?.(host) : [ip];
  return ips === undefined ? "host not found" : { ips, ...ports };
}
