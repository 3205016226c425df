/** `listen`: an address and what its socket shall be. Counterpart in nginx: ngx_http_core_listen, ngx_stream_core_listen. */
import type { HostLookup } from "../base/ip.ts";
import { parseSec, parseSize } from "../conf/units.ts";
import { type ListenSpec, printEndpoint } from "../io/listen.ts";
import type { Endpoint } from "../io/stream.ts";
import { parseListenAddress } from "./address.ts";

/** The options of a listening socket. */
export type SocketSettings = Omit<ListenSpec, "endpoint" | "datagram">;

/** One `listen` of one server. */
export interface Listen {
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly defaultServer: boolean;
  /** A PROXY protocol header comes ahead of the requests. */
  readonly proxyProtocol: boolean;
  /** Undefined when no socket parameter was given: those of another `listen` for the same address hold. */
  readonly socket: SocketSettings | undefined;
  /** `bind` was given, or a parameter that implies it: a socket of its own even beside a wildcard. */
  readonly bind: boolean;
}

export interface ParsedListen {
  /** One for each address of a name and each port of a range. */
  readonly listens: readonly Listen[];
  readonly warnings: readonly string[];
}

/** What differs between services. */
export interface ListenRules {
  /** Undefined: a port has to be named. */
  readonly usualPort: number | undefined;
  /** The old word `default` is known. */
  readonly knowsDefault: boolean;
  /** Parameters of protocols that this version doesn't speak yet: an error, never silence. */
  readonly unsupported: ReadonlySet<string>;
}

type Draft = { -readonly [K in keyof SocketSettings]: SocketSettings[K] } & {
  defaultServer?: boolean;
  bind?: boolean;
  proxyProtocol?: boolean;
};

/** Stands in for a port that is missing. */
const ANY_PORT = 1;
/** An address, but neither a port alone nor the path of a unix socket. */
const WITHOUT_PORT = /^(?![\d-]+$)(\[[^\]]*\]|[^:]*)$/;

/** Reads the words of a `listen`, whose names `lookUp` knows; a text when something is wrong: nginx's message. */
export function parseListen(words: readonly string[], rules: ListenRules, lookUp?: HostLookup): ParsedListen | string {
  const text = words[0] ?? "";
  const endpoints = parseListenAddress(text, rules.usualPort ?? ANY_PORT, lookUp);
  if (rules.usualPort === undefined && WITHOUT_PORT.test(text)) return `no port in "${text}" of the "listen" directive`;
  if (typeof endpoints === "string") return `${endpoints} in "${text}" of the "listen" directive`;
  const draft: Draft = {};
  const warnings: string[] = [];
  for (const word of words.slice(1)) {
    const reason = readParameter(word, draft, warnings, rules);
    if (reason !== undefined) return reason;
  }
  const { defaultServer = false, bind = false, proxyProtocol = false, ...socket } = draft;
  const isSet = bind || Object.keys(socket).length > 0;
  // A name may have an address twice.
  const distinct = new Map(endpoints.map((endpoint) => [printEndpoint(endpoint), endpoint]));
  const listens = [...distinct].map(
    ([name, endpoint]): Listen => ({
      endpoint,
      name,
      defaultServer,
      proxyProtocol,
      bind: isSet,
      socket: isSet ? socketOf(endpoint, socket) : undefined,
    }),
  );
  return { listens, warnings };
}

/** Without the parameters that mean nothing to this kind of address, as nginx ignores them. */
function socketOf(endpoint: Endpoint, socket: SocketSettings): SocketSettings {
  const { ipv6Only, reusePort, ...rest } = socket;
  return {
    ...rest,
    ...(ipv6Only === undefined || "path" in endpoint || endpoint.ip.length !== 16 ? {} : { ipv6Only }),
    ...(reusePort === undefined || "path" in endpoint ? {} : { reusePort }),
  };
}

function readParameter(
  word: string,
  draft: Draft,
  warnings: string[],
  { knowsDefault, unsupported }: ListenRules,
): string | undefined {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const value = equals < 0 ? undefined : word.slice(equals + 1);
  if (value === undefined) {
    switch (name) {
      case "default":
        if (!knowsDefault) break;
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
      case "proxy_protocol":
        draft.proxyProtocol = true;
        return undefined;
      case "reuseport":
        draft.reusePort = true;
        return undefined;
      case "multipath":
        draft.multipath = true;
        return undefined;
      default:
    }
    if (unsupported.has(name)) return `the "${name}" parameter of the "listen" directive is not supported`;
    return `invalid parameter "${word}"`;
  }
  return readValue(name, value, word, draft);
}

function readValue(name: string, value: string, word: string, draft: Draft): string | undefined {
  switch (name) {
    case "backlog": {
      const backlog = /^\d+$/.test(value) ? Number(value) : 0;
      if (backlog === 0) return `invalid backlog "${word}"`;
      draft.backlog = backlog;
      return undefined;
    }
    case "rcvbuf":
    case "sndbuf": {
      const size = parseSize(value);
      if (size === undefined) return `invalid ${name} "${word}"`;
      if (name === "rcvbuf") draft.receiveBufferBytes = size;
      else draft.sendBufferBytes = size;
      return undefined;
    }
    case "fastopen": {
      if (!/^\d+$/.test(value)) return `invalid fastopen "${word}"`;
      draft.fastOpen = Number(value);
      return undefined;
    }
    case "ipv6only":
      if (!value.startsWith("o")) return `invalid parameter "${word}"`;
      if (value !== "on" && value !== "off") return `invalid ipv6only flags "${value}"`;
      draft.ipv6Only = value === "on";
      return undefined;
    case "so_keepalive": {
      const keepAlive = parseKeepAlive(value);
      if (keepAlive === undefined) return `invalid so_keepalive value: "${value}"`;
      draft.keepAlive = keepAlive;
      return undefined;
    }
    case "accept_filter":
      return `accept filters "${word}" are not supported on this platform, ignored`;
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
