/**
 * What the servers of a configuration listen on: addresses, the servers behind each, and which sockets serve them. Needed by the
 * master, which opens the sockets, and by the workers. nginx: ngx_http_add_listen and ngx_http_init_listening, ngx_stream_….
 */
import { printIp } from "../base/ip.ts";
import type { Position } from "../conf/diagnostics.ts";
import type { Scope } from "../conf/scope.ts";
import type { Report } from "../conf/slot.ts";
import type { ListenSpec } from "../io/listen.ts";
import type { Endpoint } from "../io/stream.ts";
import type { Listen, SocketSettings } from "./listen.ts";

/** A server with its `listen` lines. */
export interface ListeningServer {
  readonly scope: Scope;
  readonly listens: readonly Listen[];
  /** The lines that are blamed for them. */
  readonly positions: readonly (Position | undefined)[];
}

/** All addresses and sockets. */
export interface ListeningPlan {
  readonly addresses: readonly AddressPlan[];
  readonly sockets: readonly SocketPlan[];
}

/** One address with its servers. */
export interface AddressPlan {
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly defaultServer: Scope;
  readonly proxyProtocol: boolean;
  /** In the order of the file, each once. */
  readonly servers: readonly Scope[];
}

/** A socket and the addresses that arrive on it: the wildcard's own first. */
export interface SocketPlan {
  readonly spec: ListenSpec;
  /** Index of the address that is not told apart by its IP. */
  readonly fallback: number;
  /** Indexes of addresses that the wildcard socket serves too, by IP text. */
  readonly byIp: ReadonlyMap<string, number>;
}

interface Draft {
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly servers: Scope[];
  defaultServer: Scope | undefined;
  socket: SocketSettings | undefined;
  bind: boolean;
  /** One `listen` has said so for all. */
  proxyProtocol: boolean;
  /** What a further `listen` is compared with. */
  protocols: { readonly said: boolean; readonly changed: boolean } | undefined;
}

function add(drafts: Map<string, Draft>, server: Scope, listen: Listen, report: Report): void {
  const refuse = (message: string): void => report("emerg", message);
  let draft = drafts.get(listen.name);
  const isNew = draft === undefined;
  if (draft === undefined) {
    draft = {
      endpoint: listen.endpoint,
      name: listen.name,
      servers: [],
      defaultServer: undefined,
      socket: undefined,
      bind: false,
      proxyProtocol: listen.proxyProtocol,
      protocols: undefined,
    };
    drafts.set(listen.name, draft);
  }
  if (draft.servers.includes(server)) {
    refuse(`a duplicate listen ${listen.name}`);
    return;
  }
  draft.servers.push(server);
  if (listen.socket !== undefined) {
    if (draft.socket !== undefined) refuse(`duplicate listen options for ${listen.name}`);
    draft.socket = listen.socket;
  }
  if (listen.bind) draft.bind = true;
  if (listen.defaultServer) {
    if (draft.defaultServer !== undefined) refuse(`a duplicate default server for ${listen.name}`);
    draft.defaultServer = server;
  }
  if (!isNew) addProtocols(draft, listen, report);
}

/** All `listen` of an address speak the same protocol; a later one that says otherwise is worth a warning, as in nginx. */
function addProtocols(draft: Draft, { proxyProtocol, socket, name }: Listen, report: Report): void {
  const { proxyProtocol: before, protocols } = draft;
  const differs = protocols !== undefined && proxyProtocol !== protocols.said;
  let isRedefined: boolean;
  if (proxyProtocol && !before)
    isRedefined = (draft.socket !== undefined && socket === undefined) || protocols?.changed === true;
  else if (before && !proxyProtocol) isRedefined = socket !== undefined || differs;
  else isRedefined = (socket !== undefined && protocols?.changed === true) || differs;
  if (isRedefined) report("warn", `protocol options redefined for ${name}`);
  const isAdded = proxyProtocol && !before;
  draft.protocols = {
    said: isAdded ? before : proxyProtocol,
    changed: proxyProtocol !== before || protocols?.changed === true,
  };
  draft.proxyProtocol ||= proxyProtocol;
}

function isWildcard(endpoint: Endpoint): boolean {
  return "ip" in endpoint && endpoint.ip.every((byte) => byte === 0);
}

function familyAndPort(endpoint: Endpoint): string | undefined {
  return "ip" in endpoint ? `${endpoint.ip.length} ${endpoint.port}` : undefined;
}

/** Collects the addresses of all servers; what contradicts itself is reported. */
export function planListening(servers: readonly ListeningServer[], report: Report): ListeningPlan {
  const byName = new Map<string, Draft>();
  for (const { scope, listens, positions } of servers)
    listens.forEach((listen, index) => {
      add(byName, scope, listen, (severity, message) => report(severity, message, positions[index]));
    });
  const drafts = [...byName.values()];
  const addresses = drafts.map(
    ({ endpoint, name, servers, defaultServer, proxyProtocol }): AddressPlan => ({
      endpoint,
      name,
      servers,
      proxyProtocol,
      defaultServer: defaultServer ?? (servers[0] as Scope),
    }),
  );
  const wildcards = new Map<string, number>();
  drafts.forEach(({ endpoint }, index) => {
    const key = familyAndPort(endpoint);
    if (key !== undefined && isWildcard(endpoint)) wildcards.set(key, index);
  });
  const sockets = new Map<number, { fallback: number; byIp: Map<string, number> }>();
  drafts.forEach((draft, index) => {
    const key = familyAndPort(draft.endpoint);
    const wildcard = key === undefined ? undefined : wildcards.get(key);
    const owner = wildcard === undefined || draft.bind ? index : wildcard;
    let socket = sockets.get(owner);
    if (socket === undefined) {
      socket = { fallback: owner, byIp: new Map() };
      sockets.set(owner, socket);
    }
    if (owner !== index && "ip" in draft.endpoint) socket.byIp.set(printIp(draft.endpoint.ip), index);
  });
  return {
    addresses,
    sockets: [...sockets.values()].map(({ fallback, byIp }) => {
      const { endpoint, socket } = drafts[fallback] as Draft;
      return { spec: { endpoint, ...socket }, fallback, byIp };
    }),
  };
}
