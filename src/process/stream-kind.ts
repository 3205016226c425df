/** The stream service as the processes know it: joins `src/stream` with Node's clocks, names and randomness. */
import type { Scope } from "../conf/scope.ts";
import type { ConfModule, Directives, Report } from "../conf/slot.ts";
import { core } from "../stream/modules/core.ts";
import { accessLogFiles } from "../stream/modules/log.ts";
import { describeVariables, streamModules, streamVariables } from "../stream/modules.ts";
import { planStream } from "../stream/plan.ts";
import { createStreamService } from "../stream/stream-service.ts";
import { commonPorts, idleService } from "./common-ports.ts";
import type { ServiceKind, ServicePlan } from "./service-kind.ts";

/** Contradictions have been reported when the configuration was checked. */
const ignoreReport: Report = () => {};

/** The block and its servers; not its upstreams, which log nothing. */
function scopesOf(stream: Scope): readonly Scope[] {
  return [stream, ...stream.children.filter(({ context }) => context === "stream server")];
}

function logFiles(stream: Scope): readonly string[] {
  return scopesOf(stream).flatMap((scope) => [
    ...scope.conf(core).error_log.flatMap((target) => (target.kind === "file" ? [target.path] : [])),
    ...accessLogFiles(scope),
  ]);
}

/** `stream { … }` */
export function streamKind(): ServiceKind {
  const variables = streamVariables();
  return {
    name: "stream",
    modules: streamModules as readonly ConfModule<Directives>[],
    variables: describeVariables(),
    isVariable: (name) => variables.has(name),
    isConstant: (name) => variables.isConstant(name),
    plan(main, report): ServicePlan {
      const plan = planStream(main, report);
      if (plan === undefined) return { listens: [], logFiles: [] };
      const { stream } = plan;
      return {
        listens: plan.sockets.map(({ spec }) => spec),
        logFiles: [...new Set(logFiles(stream))],
        usesStandardError: scopesOf(stream).some((scope) =>
          scope.conf(core).error_log.some(({ kind }) => kind === "stderr"),
        ),
      };
    },
    create(main, ports) {
      const plan = planStream(main, ignoreReport);
      return plan === undefined ? idleService : createStreamService(plan, commonPorts(ports));
    },
  };
}
