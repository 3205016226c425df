/** The VRRP half of the status document, from the configuration, the process's report and the checks' last results. */
import type { CheckStatus, PartnerStatus, RouterStatus, VrrpStatus } from "../admin/status.ts";
import { printIp } from "../base/ip.ts";
import type { KeepalivedConfig, VirtualAddress, VrrpInstance } from "../conf/keepalived/config.ts";
import type { PartnerReport, RouterReport } from "../vrrp/report.ts";
import { ROLE_NAMES } from "../vrrp/state.ts";
import type { UpstreamHealth } from "../vrrp/track.ts";
import type { ScriptRun } from "./script.ts";
import { trackedUpstreams } from "./upstream-health.ts";
import type { ProcessReport } from "./vrrp-messages.ts";

/** What the supervisor itself knows. */
export interface Supervised {
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly scripts: ReadonlyMap<string, ScriptRun | undefined>;
  readonly processCounts: ReadonlyMap<string, number>;
  readonly fileValues: ReadonlyMap<string, number | undefined>;
  readonly upstreams: ReadonlyMap<string, UpstreamHealth>;
}

function printAddress({ address, prefixLength }: VirtualAddress): string {
  return `${printIp(address)}/${prefixLength}`;
}

function routerStatus(instance: VrrpInstance, report: RouterReport): RouterStatus {
  const addresses = [...instance.addresses, ...instance.excludedAddresses].map(printAddress);
  const isActive = report.role === "active";
  const { activeRouter } = report;
  return {
    name: instance.name,
    interface: instance.interface ?? "",
    virtualRouterId: instance.virtualRouterId,
    version: instance.version,
    role: ROLE_NAMES[report.role],
    since: new Date(report.sinceMs).toISOString(),
    why: report.reason,
    priority: instance.priority,
    effectivePriority: report.effectivePriority,
    standsBackAt: report.standsBackAt ?? null,
    flapDamping:
      report.flaps === undefined
        ? null
        : {
            penalty: report.flaps.penalty,
            heldPriority: report.flaps.heldPriority ?? null,
            endsInMs: report.flaps.endsInMs ?? null,
          },
    activeRouter: activeRouter === undefined ? null : { self: isActive, ...activeRouter },
    addresses,
    heldAddresses: isActive ? addresses : [],
    advertIntervalMs: instance.advertIntervalMs,
    counters: report.counters,
    dropped: report.drops,
  };
}

function checks(config: KeepalivedConfig, report: ProcessReport | undefined, supervised: Supervised): CheckStatus[] {
  const scripts = config.scripts.flatMap(({ name }): CheckStatus[] => {
    if (!supervised.scripts.has(name)) return [];
    const last = supervised.scripts.get(name);
    const health = report?.scripts.find((script) => script.name === name)?.health ?? "unknown";
    return [
      {
        kind: "script",
        name,
        ok: health === "unknown" ? null : health === "up",
        lastResult: last?.result ?? "",
        at: last === undefined ? null : new Date(last.endedMs).toISOString(),
        durationMs: last?.durationMs ?? null,
      },
    ];
  });
  const processes = config.trackProcesses.flatMap((rule): CheckStatus[] => {
    const running = supervised.processCounts.get(rule.name);
    if (running === undefined) return [];
    const ok = running >= rule.quorum && running <= rule.quorumMax;
    return [{ kind: "process", name: rule.name, ok, lastResult: `${running} running`, at: null, durationMs: null }];
  });
  const files = [...supervised.fileValues].map(
    ([name, value]): CheckStatus => ({
      kind: "file",
      name,
      ok: value === undefined ? null : true,
      lastResult: value === undefined ? "unreadable" : `holds ${value}`,
      at: null,
      durationMs: null,
    }),
  );
  const tracked = new Set(trackedUpstreams(config).map(({ name }) => name));
  const upstreams = [...tracked].map((name): CheckStatus => {
    const health = supervised.upstreams.get(name);
    return {
      kind: "upstream",
      name,
      ok: health === undefined ? null : health.healthy > 0,
      lastResult: health === undefined ? "" : `${health.healthy} of ${health.total} peers healthy`,
      at: null,
      durationMs: null,
    };
  });
  const sessions = config.bfds.map(({ name }): CheckStatus => {
    const session = report?.bfds.find((one) => one.name === name);
    const detection = `detection time ${(session?.localDetectionUs ?? 0) / 1000} ms`;
    return {
      kind: "bfd",
      name,
      ok: session === undefined ? null : session.state === "Up",
      lastResult: session === undefined ? "" : `${session.state}, neighbour ${session.remoteState}, ${detection}`,
      at: session?.lastSeenMs === undefined ? null : new Date(session.lastSeenMs).toISOString(),
      durationMs: null,
    };
  });
  return [...scripts, ...processes, ...files, ...sessions, ...upstreams];
}

function partnerStatus(partner: PartnerReport): PartnerStatus {
  const { name, version, address, detours4, detours6, isDrained, routers } = partner;
  return {
    name,
    version,
    address,
    interface: partner.interface,
    keepsConnections: { ipv4: detours4, ipv6: detours6 },
    drained: isDrained,
    routers: routers.map(({ vrid, family, role, priority, left }) => ({
      virtualRouterId: vrid,
      family,
      role: ROLE_NAMES[role],
      priority,
      connections: left ?? null,
    })),
  };
}

/** `report` is undefined while the process is being restarted. */
export function vrrpStatus(
  config: KeepalivedConfig,
  report: ProcessReport | undefined,
  supervised: Supervised,
): VrrpStatus {
  const routers = config.instances.flatMap((instance) => {
    const found = report?.routers.find(({ name }) => name === instance.name);
    return found === undefined ? [] : [routerStatus(instance, found)];
  });
  const groups = (report?.groups ?? []).map(({ name, role, members }) => ({ name, role: ROLE_NAMES[role], members }));
  return {
    pid: supervised.pid ?? null,
    restarts: supervised.restarts,
    routers,
    groups,
    checks: checks(config, report, supervised),
    partners: report?.partners?.map(partnerStatus) ?? null,
    handovers: (report?.handovers ?? []).map(({ left, ...handover }) => ({ ...handover, connections: left })),
    drained: report?.isDrained ?? false,
  };
}
