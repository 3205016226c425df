/** What the http block listens on, and whose names contradict each other there. nginx: ngx_http_optimize_servers. */
import type { Scope } from "../conf/scope.ts";
import type { Report } from "../conf/slot.ts";
import { type Listen, parseListen } from "../net/listen.ts";
import { type ListeningPlan, type ListeningServer, planListening } from "../net/listening-plan.ts";
import { checkNames } from "../net/server-names.ts";
import { coreServer, httpMain, LISTEN_RULES } from "./modules/core.ts";

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
  if (isSound)
    for (const { name, servers: sharing } of plan.addresses)
      checkNames(
        name,
        sharing.map((scope) => scope.conf(coreServer).server_name),
        report,
      );
  return { http: opened.scope, ...plan };
}
