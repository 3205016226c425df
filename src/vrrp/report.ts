/** What a node says about itself when it is asked: for status, dumps and statistics. Plain data, fit for a message. */
import { printIp } from "../base/ip.ts";
import type { DropReason } from "./accept.ts";
import type { VrrpNode } from "./node.ts";
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
  readonly counters: Readonly<Partial<Record<Counter | "advertsReceived", number>>>;
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
}

export interface NodeReport {
  readonly routers: readonly RouterReport[];
  readonly groups: readonly { readonly name: string; readonly role: Role; readonly members: readonly string[] }[];
  readonly scripts: readonly { readonly name: string; readonly health: "unknown" | "up" | "down" }[];
}

/** `nowMs` and `wallMs` are the same instant on both clocks. */
export function reportNode(node: VrrpNode, nowMs: number, wallMs: number): NodeReport {
  return {
    routers: node.routers.map((router) => reportRouter(router, nowMs, wallMs)),
    groups: node.config.syncGroups.map(({ name, members }) => ({ name, role: node.groupRole(name), members })),
    scripts: [...node.scripts].map(([name, { health }]) => ({ name, health })),
  };
}

function reportRouter(router: Router, nowMs: number, wallMs: number): RouterReport {
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
    counters: Object.fromEntries(router.counters),
    drops: Object.fromEntries(router.drops),
  };
}
