/** `listen`: an address and what its socket shall be. Counterpart in nginx: ngx_http_core_listen. */
import { type IpAddress, parseIpv4, parseIpv6 } from "../base/ip.ts";
import { parseSec, parseSize } from "../conf/units.ts";
import { type ListenSpec, printEndpoint } from "../io/listen.ts";
import type { Endpoint } from "../io/stream.ts";

/** The options of a listening socket. */
export type SocketSettings = Omit<ListenSpec, "endpoint" | "datagram">;

/** One `listen` of one server. */
export interface Listen {
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly defaultServer: boolean;
  /** Undefined when no socket parameter was given: those of another `listen` for the same address hold. */
  readonly socket: SocketSettings | undefined;
  /** `bind` was given, or a parameter that implies it: a socket of its own even beside a wildcard. */
  readonly bind: boolean;
}

export interface ParsedListen {
  readonly listen: Listen;
  readonly warnings: readonly string[];
}

const ANY_IPV4: IpAddress = new Uint8Array(4);

function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** The address of `listen`; a text when it is wrong: nginx's reason. */
function parseAddress(text: string): Endpoint | string {
  if (text.startsWith("unix:")) {
    const path = text.slice(5);
    if (path === "") return "no path in the unix domain socket";
    return path.length > 107 ? "too long path in the unix domain socket" : { path };
  }
  if (text.startsWith("[")) {
    const close = text.indexOf("]");
    const ip = close < 0 ? undefined : parseIpv6(text.slice(1, close));
    if (ip === undefined) return "invalid IPv6 address";
    const rest = text.slice(close + 1);
    if (rest === "") return { ip, port: 80 };
    const port = rest.startsWith(":") ? parsePort(rest.slice(1)) : undefined;
    return port === undefined ? "invalid port" : { ip, port };
  }
  const colon = text.lastIndexOf(":");
  if (colon < 0) {
    if (/^\d+$/.test(text)) {
      const port = parsePort(text);
      return port === undefined ? "invalid port" : { ip: ANY_IPV4, port };
    }
    return parseHostName(text, 80);
  }
  const port = parsePort(text.slice(colon + 1));
  if (port === undefined) return "invalid port";
  return parseHostName(text.slice(0, colon), port);
}

function parseHostName(host: string, port: number): Endpoint | string {
  if (host === "") return "no host";
  if (host === "*") return { ip: ANY_IPV4, port };
  if (host === "localhost") return { ip: Uint8Array.of(127, 0, 0, 1), port };
  const ip = parseIpv4(host);
  return ip === undefined ? "host not found" : { ip, port };
}

type Draft = { -readonly [K in keyof SocketSettings]: SocketSettings[K] } & { defaultServer?: boolean; bind?: boolean };

/** Reads the words of a `listen`; a text when something is wrong: nginx's message. */
export function parseListen(words: readonly string[]): ParsedListen | string {
  const text = words[0] ?? "";
  const endpoint = parseAddress(text);
  if (typeof endpoint === "string") return `${endpoint} in "${text}" of the "listen" directive`;
  const draft: Draft = {};
  const warnings: string[] = [];
  for (const word of words.slice(1)) {
    const reason = readParameter(word, draft, endpoint, warnings);
    if (reason !== undefined) return reason;
  }
  const { defaultServer = false, bind = false, ...socket } = draft;
  const isSet = bind || Object.keys(socket).length > 0;
  const listen: Listen = {
    endpoint,
    name: printEndpoint(endpoint),
    defaultServer,
    bind: isSet,
    socket: isSet ? socket : undefined,
  };
  return { listen, warnings };
}

/** Parameters of protocols that this version doesn't speak yet: an error, never silence. */
const UNSUPPORTED = new Set(["ssl", "http2", "quic", "proxy_protocol", "multipath"]);

function readParameter(word: string, draft: Draft, endpoint: Endpoint, warnings: string[]): string | undefined {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const value = equals < 0 ? undefined : word.slice(equals + 1);
  if (value === undefined) {
    switch (name) {
      case "default":
        warnings.push('the "default" parameter is obsolete, use the "default_server" parameter instead');
        draft.defaultServer = true;
        return undefined;
      case "default_server":
        draft.defaultServer = true;
        return undefined;
      case "bind":
        draft.bind = true;
        return undefined;
      case "deferred":
        draft.deferred = true;
        return undefined;
      case "reuseport":
        if ("path" in endpoint) return `invalid parameter "reuseport" for the unix domain socket`;
        draft.reusePort = true;
        return undefined;
      default:
    }
    if (UNSUPPORTED.has(name)) return `the "${name}" parameter of the "listen" directive is not supported`;
    return `invalid parameter "${word}"`;
  }
  return readValue(name, value, word, draft, endpoint);
}

function readValue(name: string, value: string, word: string, draft: Draft, endpoint: Endpoint): string | undefined {
  switch (name) {
    case "backlog": {
      const backlog = /^\d+$/.test(value) ? Number(value) : 0;
      if (backlog === 0) return `invalid backlog "${value}"`;
      draft.backlog = backlog;
      return undefined;
    }
    case "rcvbuf":
    case "sndbuf": {
      const size = parseSize(value);
      if (size === undefined || size === 0) return `invalid ${name} "${value}"`;
      if (name === "rcvbuf") draft.receiveBufferBytes = size;
      else draft.sendBufferBytes = size;
      return undefined;
    }
    case "fastopen": {
      if (!/^\d+$/.test(value)) return `invalid fastopen "${value}"`;
      draft.fastOpen = Number(value);
      return undefined;
    }
    case "ipv6only":
      if ("path" in endpoint || endpoint.ip.length !== 16)
        return `ipv6only is not supported on addr "${printEndpoint(endpoint)}"`;
      if (value !== "on" && value !== "off") return `invalid ipv6only flags "${value}"`;
      draft.ipv6Only = value === "on";
      return undefined;
    case "so_keepalive": {
      const keepAlive = parseKeepAlive(value);
      if (keepAlive === undefined) return `invalid so_keepalive value: "${value}"`;
      draft.keepAlive = keepAlive;
      return undefined;
    }
    case "setfib":
    case "accept_filter":
      return `the "${name}" parameter of the "listen" directive is not supported on this platform`;
    default:
      return `invalid parameter "${word}"`;
  }
}

function parseKeepAlive(value: string): NonNullable<SocketSettings["keepAlive"]> | undefined {
  if (value === "on") return true;
  if (value === "off") return false;
  const parts = value.split(":");
  if (parts.length !== 3 || value === "::") return undefined;
  const [idle, interval, probes] = parts as [string, string, string];
  const idleS = idle === "" ? undefined : parseSec(idle);
  const intervalS = interval === "" ? undefined : parseSec(interval);
  if ((idle !== "" && idleS === undefined) || (interval !== "" && intervalS === undefined)) return undefined;
  if (probes !== "" && !/^\d+$/.test(probes)) return undefined;
  return {
    ...(idleS === undefined ? {} : { idleS }),
    ...(intervalS === undefined ? {} : { intervalS }),
    ...(probes === "" ? {} : { count: Number(probes) }),
  };
}
