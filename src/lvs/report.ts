/** What virtual servers say about themselves when they are asked: for status and dumps. Plain data, fit for a message. */
import type { Checker } from "../conf/keepalived/lvs/config.ts";
import type { LvsNode } from "./node.ts";
import { realWeight } from "./pool.ts";

export interface CheckerReport {
  readonly kind: Checker["kind"];
  readonly isUp: boolean;
  readonly hasRun: boolean;
  /** It looks at its server; not so while ha_suspend stops it. */
  readonly isEnabled: boolean;
  /** What it adds to the server's weight. */
  readonly weight: number;
  /** Failures in a row that have been forgiven. */
  readonly tries: number;
  /** Of a program: its last exit status, and when it was started last, by the wall clock; 0: never. */
  readonly lastStatus: number;
  readonly lastRunMs: number;
}

export interface RealServerReport {
  readonly name: string;
  readonly isAlive: boolean;
  readonly weight: number;
  /** Checkers that have failed. */
  readonly failed: number;
  /** The kernel has it. */
  readonly isSet: boolean;
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
        failed: server.failed,
        isSet: server.settings.inhibitOnFailure || (server.isAlive && !pool.isSorry),
        checkers: watches
          .filter((watch) => watch.server === server)
          .map(({ checker, isUp, hasRun, isEnabled, weight, tries, lastStatus = 0, lastRunMs = 0 }) => ({
            kind: checker.kind,
            isUp,
            hasRun,
            isEnabled,
            weight,
            tries,
            lastStatus,
            lastRunMs,
          })),
      })),
    })),
  };
}
