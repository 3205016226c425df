/** A real server that nobody looks after: connections go to it, dead or alive. */
import type { RealServer } from "../../conf/keepalived/lvs/config.ts";
import type { Rule } from "../finding.ts";
import { nodesOf, type Subject } from "../subject.ts";

export const serverUnchecked: Rule<Subject> = {
  id: "server-unchecked",
  doc: "A real server has no checker.",
  check: (subject) =>
    nodesOf(subject).flatMap(({ config }) =>
      config.virtualServers.flatMap(({ name, realServers }) => {
        const blind = realServers.filter(({ checkers }) => checkers.length === 0);
        if (blind.length === 0) return [];
        return [
          {
            severity: "warning" as const,
            title: `${printServers(blind)} of virtual server ${name} ${blind.length === 1 ? "has" : "have"} no checker`,
            why: "Without a checker a real server is always taken for healthy: when it dies its share of the connections fails, and no quorum and no sorry server notices.",
            fix: "a checker in each real_server: TCP_CHECK { } at least",
            places: blind.map(({ at }) => at),
          },
        ];
      }),
    ),
};

function printServers(servers: readonly RealServer[]): string {
  return servers.map(({ name }) => name).join(", ");
}
