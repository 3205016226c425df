/**
 * What the configuration listens on: addresses, the servers behind each, and which sockets serve them. Needed by the
 * master, which opens the sockets, and by the workers. nginx: ngx_http_add_listen and ngx_http_init_listening.
 */
import { printIp } from "../base/ip.ts";
import type { Position } from "../conf/diagnostics.ts";
import type { Scope } from "../conf/scope.ts";
import type { Report } from "../conf/slot.ts";
import type { ListenSpec } from "../io/listen.ts";
import type { Endpoint } from "../io/stream.ts";
import { parseHostKey } from "./host-table.ts";
import { type Listen, parseListen, type SocketSettings } from "./listen.ts";
import { coreServer, httpMain, type ServerNameWord } from "./modules/core.ts";

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

export interface HttpPlan {
  readonly http: Scope;
  readonly addresses: readonly AddressPlan[];
  readonly sockets: readonly SocketPlan[];
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

function position(server: Scope, index: number): Position | undefined {
  return server.origin(coreServer, "listen")?.positions[index] ?? server.directive?.end;
}

/** Collects the addresses of all servers; what contradicts itself is reported. */
function collect(http: Scope, isRoot: boolean, report: Report): Map<string, Draft> {
  const drafts = new Map<string, Draft>();
  for (const { scope } of http.conf(httpMain).server) {
    let { listen: listens } = scope.conf(coreServer);
    if (listens.length === 0) listens = [standardListen(isRoot)];
    listens.forEach((listen, index) => {
      add(drafts, scope, listen, (severity, message) => report(severity, message, position(scope, index)));
    });
  }
  return drafts;
}

/** What a server without `listen` listens on. */
function standardListen(isRoot: boolean): Listen {
  const parsed = parseListen([isRoot ? "80" : "8000"]);
  if (typeof parsed === "string") throw new TypeError(parsed);
  return parsed.listens[0] as Listen;
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

/** Of two servers of an address with one name the first gets the requests: nginx: ngx_http_server_names. */
function checkNames({ name: address, servers }: Draft, report: Report): void {
  if (servers.length < 2) return;
  const taken = new Set<string>();
  for (const server of servers) {
    const { server_name: names } = server.conf(coreServer);
    for (const { name, pattern } of names.length === 0 ? [UNNAMED] : names) {
      if (pattern !== undefined) continue;
      const conflicts = parseHostKey(name, true)?.conflicts ?? [];
      if (conflicts.some((one) => taken.has(one)))
        report("warn", `conflicting server name "${name}" on ${address}, ignored`);
      else for (const one of conflicts) taken.add(one);
    }
  }
}

/** A server without `server_name`. */
const UNNAMED: ServerNameWord = { name: "", pattern: undefined };

function isWildcard(endpoint: Endpoint): boolean {
  return "ip" in endpoint && endpoint.ip.every((byte) => byte === 0);
}

function familyAndPort(endpoint: Endpoint): string | undefined {
  return "ip" in endpoint ? `${endpoint.ip.length} ${endpoint.port}` : undefined;
}

/** Undefined when the configuration has no http block. */
export function planHttp(main: Scope, isRoot: boolean, report: Report): HttpPlan | undefined {
  const opened = main.conf(httpMain).http;
  if (opened === undefined) return undefined;
  let isSound = true;
  const watched: Report = (severity, message, position) => {
    if (severity === "emerg") isSound = false;
    report(severity, message, position);
  };
  const drafts = [...collect(opened.scope, isRoot, watched).values()];
  // nginx looks at names when the addresses are in order.
  if (isSound) for (const draft of drafts) checkNames(draft, report);
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
    http: opened.scope,
    addresses,
    sockets: [...sockets.values()].map(({ fallback, byIp }) => {
      const { endpoint, socket } = drafts[fallback] as Draft;
      return { spec: { endpoint, ...socket }, fallback, byIp };
    }),
  };
}
