/** What the stream block listens on. nginx: ngx_stream_optimize_servers. */
import type { Scope } from "../conf/scope.ts";
import type { Report } from "../conf/slot.ts";
import { type ListeningPlan, planListening } from "../net/listening-plan.ts";
import { checkNames } from "../net/server-names.ts";
import { coreServer, streamMain } from "./modules/core.ts";

export interface StreamPlan extends ListeningPlan {
  readonly stream: Scope;
}

/** Undefined when the configuration has no stream block. */
export function planStream(main: Scope, report: Report): StreamPlan | undefined {
  const opened = main.conf(streamMain).stream;
  if (opened === undefined) return undefined;
  const servers = opened.scope.conf(streamMain).server.map(({ scope }) => {
    const { listen: listens } = scope.conf(coreServer);
    const positions = scope.origin(coreServer, "listen")?.positions;
    return { scope, listens, positions: listens.map((_, index) => positions?.[index]) };
  });
  let isSound = true;
  const plan = planListening(servers, (severity, message, position) => {
    if (severity === "emerg") isSound = false;
    report(severity, message, position);
  });
  if (isSound)
    for (const { name, servers: sharing } of plan.addresses)
      checkNames(
        name,
        sharing.map((scope) => scope.conf(coreServer).server_name),
        report,
      );
  return { stream: opened.scope, ...plan };
}
