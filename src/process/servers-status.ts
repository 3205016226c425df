/** The virtual servers' part of the status document, from the checker process's report. */
import type { ServersStatus, VirtualServerStatus } from "../admin/status.ts";
import type { LvsReport, VirtualServerReport } from "../lvs/report.ts";

function virtualServerStatus({ name, hasQuorum, isSorry, servers }: VirtualServerReport): VirtualServerStatus {
  return {
    name,
    quorum: hasQuorum,
    sorry: isSorry,
    servers: servers.map((server) => ({
      name: server.name,
      alive: server.isAlive,
      weight: server.weight,
      checkers: server.checkers.map(({ kind, isUp, hasRun }) => ({ kind, up: isUp, ran: hasRun })),
    })),
  };
}

/** Without a report there is only what the supervisor knows. */
export function serversStatus(
  report: LvsReport | undefined,
  supervised: Omit<ServersStatus, "virtualServers">,
): ServersStatus {
  return { ...supervised, virtualServers: (report?.virtualServers ?? []).map(virtualServerStatus) };
}
