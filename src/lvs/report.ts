/** What virtual servers say about themselves when they are asked: for status and dumps. Plain data, fit for a message. */
import type { Checker } from "../conf/keepalived/lvs/config.ts";
import type { LvsNode } from "./node.ts";
import { realWeight } from "./pool.ts";

export interface CheckerReport {
  readonly kind: Checker["kind"];
  readonly isUp: boolean;
  readonly hasRun: boolean;
}

export interface RealServerReport {
  readonly name: string;
  readonly isAlive: boolean;
  readonly weight: number;
  readonly checkers: readonly CheckerReport[];
}

export interface VirtualServerReport {
  readonly name: string;
  readonly hasQuorum: boolean;
  /** The sorry server serves. */
  readonly isSorry: boolean;
  readonly servers: readonly RealServerReport[];
}

export interface LvsReport {
  readonly virtualServers: readonly VirtualServerReport[];
}

/** As it is now. */
export function reportLvs(node: LvsNode): LvsReport {
  return {
    virtualServers: node.entries.map(({ pool, watches }) => ({
      name: pool.settings.name,
      hasQuorum: pool.hasQuorum,
      isSorry: pool.isSorry,
      servers: pool.servers.map((server) => ({
        name: server.settings.name,
        isAlive: server.isAlive,
        weight: realWeight(server.weight),
        checkers: watches
          .filter((watch) => watch.server === server)
          .map(({ checker, isUp, hasRun }) => ({ kind: checker.kind, isUp, hasRun })),
      })),
    })),
  };
}
