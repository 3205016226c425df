/** Addresses in configurations: `host:port`, `[v6]:port`, `unix:path`. nginx: ngx_parse_url, with its reasons. */
import { type IpAddress, parseIpv4, parseIpv6 } from "../base/ip.ts";
import { parseNumber } from "../conf/units.ts";
import type { Endpoint } from "../io/stream.ts";

const ANY_IPV4: IpAddress = new Uint8Array(4);
const MAX_PORT = 65535;
const MAX_UNIX_PATH = 107;

/** A host with a port, or with all ports of a range. */
interface Address {
  readonly ip: IpAddress;
  readonly firstPort: number;
  readonly lastPort: number;
}

/**
 * One address to connect to; a text is nginx's reason why not. Names other than `localhost` would need a resolver and are
 * "host not found".
 */
export function parseServerAddress(text: string, defaultPort: number): Endpoint | string {
  const endpoints = parseAddress(text, defaultPort, false);
  return typeof endpoints === "string" ? endpoints : (endpoints[0] as Endpoint);
}

/** The addresses to listen on: also a port alone, `*`, and a range of ports; a text is nginx's reason why not. */
export function parseListenAddress(text: string, defaultPort: number): readonly Endpoint[] | string {
  return parseAddress(text, defaultPort, true);
}

function parseAddress(text: string, defaultPort: number, isListen: boolean): readonly Endpoint[] | string {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") return "no path in the unix domain socket";
    return path.length > MAX_UNIX_PATH ? "too long path in the unix domain socket" : [{ path }];
  }
  const address = text.startsWith("[")
    ? parseIpv6Address(text, defaultPort, isListen)
    : parseIpv4Address(text, defaultPort, isListen);
  if (typeof address === "string") return address;
  const { ip, firstPort, lastPort } = address;
  return Array.from({ length: lastPort - firstPort + 1 }, (_, index) => ({ ip, port: firstPort + index }));
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && port >= 1 && port <= MAX_PORT;
}

/** `80` or `8000-8010` behind an address. */
function withPorts(ip: IpAddress, text: string, isListen: boolean): Address | string {
  const dash = isListen ? text.indexOf("-") : -1;
  const lastPort = parseNumber(text.slice(dash + 1));
  const firstPort = dash < 0 ? lastPort : parseNumber(text.slice(0, dash));
  if (!isPort(lastPort) || !isPort(firstPort)) return "invalid port";
  return firstPort > lastPort ? "invalid port range" : { ip, firstPort, lastPort };
}

function parseIpv6Address(text: string, defaultPort: number, isListen: boolean): Address | string {
  const close = text.indexOf("]");
  const rest = text.slice(close + 1);
  if (close < 0 || rest.includes("/") || (rest !== "" && !rest.startsWith(":"))) return "invalid host";
  const ip = parseIpv6(text.slice(1, close));
  const address = withPorts(ip ?? ANY_IPV4, rest === "" ? String(defaultPort) : rest.slice(1), isListen);
  if (typeof address === "string") return address;
  if (close === 1) return "no host";
  return ip === undefined ? "invalid IPv6 address" : address;
}

function parseIpv4Address(text: string, defaultPort: number, isListen: boolean): Address | string {
  if (/[/?]/.test(text)) return "invalid host";
  if (isListen && /^\d+(-\d+)?$/.test(text)) return withPorts(ANY_IPV4, text, isListen);
  const colon = text.indexOf(":");
  const host = colon < 0 ? text : text.slice(0, colon);
  const ip = parseHost(host, isListen);
  const address = withPorts(ip ?? ANY_IPV4, colon < 0 ? String(defaultPort) : text.slice(colon + 1), isListen);
  if (typeof address === "string") return address;
  if (host === "") return "no host";
  return ip === undefined ? "host not found" : address;
}

function parseHost(host: string, isListen: boolean): IpAddress | undefined {
  if (isListen && host === "*") return ANY_IPV4;
  return host === "localhost" ? Uint8Array.of(127, 0, 0, 1) : parseIpv4(host);
}
