/** What a running node can be told to do through its status socket: one line of JSON each. */
import type { HandoverResult } from "../vrrp/handovers.ts";
import type { HandoverRequest } from "./vrrp-supervisor.ts";

/** As handover_limit allows. */
const MAX_LIMIT_MS = 86_400_000;

export type NodeOrder =
  | ({ readonly order: "handover" } & HandoverRequest)
  /** All addresses are given away and none is wanted any more; `isDrained` false: as configured again. */
  | { readonly order: "drain"; readonly isDrained: boolean; readonly limitMs: number | undefined };

export interface NodeAnswer {
  readonly results: readonly HandoverResult[];
}

/** The order in a line, or what is wrong with it. */
export function readOrder(line: string): NodeOrder | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "not a line of JSON";
  }
  if (typeof value !== "object" || value === null) return "not an order";
  const { order, limitMs, instances, mayLower, isDrained } = value as Record<string, unknown>;
  const isTime = typeof limitMs === "number" && limitMs >= 0 && limitMs <= MAX_LIMIT_MS;
  if (limitMs !== undefined && !isTime) return `the limit must be in [0, ${MAX_LIMIT_MS / 1000}] seconds`;
  if (order === "drain" && typeof isDrained === "boolean") return { order, isDrained, limitMs };
  const areNames =
    instances === undefined || (Array.isArray(instances) && instances.every((name) => typeof name === "string"));
  if (order !== "handover" || !areNames) return "not an order";
  return { order, instances: instances as readonly string[] | undefined, limitMs, mayLower: mayLower === true };
}
