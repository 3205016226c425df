/** What a node says about itself when it is asked: for status, dumps and statistics. Plain data, fit for a message. */
import { printIp } from "../base/ip.ts";
import type { DropReason } from "./accept.ts";
import type { FlapReport } from "./flap-dampers.ts";
import type { Phase } from "./handover.ts";
import type { VrrpNode } from "./node.ts";
import type { Partner } from "./peer-channel.ts";
import type { Router } from "./router.ts";
import type { Counter, Role } from "./state.ts";

export interface RouterReport {
  readonly name: string;
  readonly role: Role;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly reason: string;
  readonly effectivePriority: number;
  readonly activeRouter: { readonly address: string; readonly priority: number } | undefined;
  /** Own source address. */
  readonly source: string | undefined;
  /** Advert interval of the active router. */
  readonly activeIntervalMs: number;
  /** Until the timer of the role expires. */
  readonly deadlineInMs: number | undefined;
  readonly faults: readonly string[];
  /** It ranks no higher than this since it was handed over; undefined: it ranks as configured. */
  readonly standsBackAt: number | undefined;
  /** undefined: nothing of it is damped, or nothing has been seen. */
  readonly flaps: FlapReport | undefined;
  readonly counters: Readonly<Partial<Record<Counter | "advertsReceived", number>>>;
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
}

/** Another Tandem node on the peer channel. */
export interface PartnerReport {
  readonly name: string;
  readonly version: string;
  readonly address: string;
  readonly interface: string;
  readonly detours4: boolean;
  readonly detours6: boolean;
  readonly isDrained: boolean;
  readonly routers: readonly {
    readonly vrid: number;
    readonly family: 4 | 6;
    readonly role: Role;
    readonly priority: number;
    /** Connections that go on there although another node is active; undefined: none are kept. */
    readonly left: number | undefined;
  }[];
}

/** A hand-over in which the node takes part. */
export interface HandoverReport {
  readonly instances: readonly string[];
  readonly side: "giver" | "taker";
  readonly phase: Phase;
  readonly partner: string;
  /** Of the giver. */
  readonly left: number;
  readonly endsInMs: number;
}

export interface NodeReport {
  /** undefined: no peer_key is configured. */
  readonly partners: readonly PartnerReport[] | undefined;
  readonly handovers: readonly HandoverReport[];
  readonly isDrained: boolean;
  readonly routers: readonly RouterReport[];
  readonly groups: readonly { readonly name: string; readonly role: Role; readonly members: readonly string[] }[];
  readonly scripts: readonly { readonly name: string; readonly health: "unknown" | "up" | "down" }[];
}

/** `nowMs` and `wallMs` are the same instant on both clocks. */
export function reportNode(node: VrrpNode, nowMs: number, wallMs: number): NodeReport {
  const { partnership } = node;
  const { handovers } = partnership;
  return {
    partners: partnership.hasChannel ? partnership.partners.map(reportPartner) : undefined,
    handovers: handovers.running.map(({ unit, partner, state }) => ({
      instances: unit.map(({ settings }) => settings.name),
      side: state.side,
      phase: state.phase,
      partner: partner.hello.name,
      left: state.left,
      endsInMs: state.deadlineMs - nowMs,
    })),
    isDrained: handovers.isDrained,
    routers: node.routers.map((router) => ({
      ...reportRouter(router, handovers.capOf(router), nowMs, wallMs),
      flaps: node.flapsOf(router),
    })),
    groups: node.config.syncGroups.map(({ name, members }) => ({ name, role: node.groupRole(name), members })),
    scripts: [...node.scripts].map(([name, { health }]) => ({ name, health })),
  };
}

function reportPartner({ hello, address, link }: Partner): PartnerReport {
  const { name, version, detours4, detours6, isDrained, routers } = hello;
  return {
    name,
    version,
    address: printIp(address),
    interface: link.name,
    detours4,
    detours6,
    isDrained,
    routers: routers.map(({ vrid, family, role, priority, keeps, left }) => ({
      vrid,
      family,
      role,
      priority,
      left: keeps ? left : undefined,
    })),
  };
}

function reportRouter(router: Router, cap: number, nowMs: number, wallMs: number): Omit<RouterReport, "flaps"> {
  const { state, source, settings } = router;
  const heard = state.activeRouter;
  const self = state.role === "active" && source !== undefined;
  return {
    name: settings.name,
    role: state.role,
    sinceMs: wallMs - (nowMs - state.sinceMs),
    reason: state.reason,
    effectivePriority: state.priority,
    activeRouter: self
      ? { address: printIp(source), priority: state.priority }
      : heard && { address: printIp(heard.source), priority: heard.priority },
    source: source && printIp(source),
    activeIntervalMs: state.intervalMs,
    deadlineInMs: state.deadlineMs === undefined ? undefined : state.deadlineMs - nowMs,
    faults: state.faults,
    standsBackAt: cap < settings.priority ? cap : undefined,
    counters: Object.fromEntries(router.counters),
    drops: Object.fromEntries(router.drops),
  };
}
