/** What the http block listens on, and whose names contradict each other there. nginx: ngx_http_optimize_servers. */
import type { Scope } from "../conf/scope.ts";
import type { Report } from "../conf/slot.ts";
import { parseHostKey } from "../net/host-table.ts";
import { type Listen, parseListen } from "../net/listen.ts";
import { type AddressPlan, type ListeningPlan, type ListeningServer, planListening } from "../net/listening-plan.ts";
import { coreServer, httpMain, LISTEN_RULES, type ServerNameWord } from "./modules/core.ts";

export interface HttpPlan extends ListeningPlan {
  readonly http: Scope;
}

function listeningServer(scope: Scope, isRoot: boolean): ListeningServer {
  const { listen } = scope.conf(coreServer);
  const listens = listen.length === 0 ? [standardListen(isRoot)] : listen;
  const positions = scope.origin(coreServer, "listen")?.positions;
  return { scope, listens, positions: listens.map((_, index) => positions?.[index] ?? scope.directive?.end) };
}

/** What a server without `listen` listens on. */
function standardListen(isRoot: boolean): Listen {
  const parsed = parseListen([isRoot ? "80" : "8000"], LISTEN_RULES);
  if (typeof parsed === "string") throw new TypeError(parsed);
  return parsed.listens[0] as Listen;
}

/** Of two servers of an address with one name the first gets the requests: nginx: ngx_http_server_names. */
function checkNames({ name: address, servers }: AddressPlan, report: Report): void {
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

/** Undefined when the configuration has no http block. */
export function planHttp(main: Scope, isRoot: boolean, report: Report): HttpPlan | undefined {
  const opened = main.conf(httpMain).http;
  if (opened === undefined) return undefined;
  let isSound = true;
  const watched: Report = (severity, message, position) => {
    if (severity === "emerg") isSound = false;
    report(severity, message, position);
  };
  const servers = opened.scope.conf(httpMain).server.map(({ scope }) => listeningServer(scope, isRoot));
  const plan = planListening(servers, watched);
  // nginx looks at names when the addresses are in order.
  if (isSound) for (const address of plan.addresses) checkNames(address, report);
  return { http: opened.scope, ...plan };
}
