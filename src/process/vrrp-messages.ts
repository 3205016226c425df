/** What the VRRP process and its supervisor say to each other over the IPC channel (structured clone: bytes and maps survive). */

import type { Level } from "../base/log.ts";
import type { BfdReport } from "../bfd/report.ts";
import type { KeepalivedConfig, ProcessSettings } from "../conf/keepalived/config.ts";
import type { HandoverResult } from "../vrrp/handovers.ts";
import type { RecordKind } from "../vrrp/partner-records.ts";
import type { Farewell, NodeConfig, NotifyEvent } from "../vrrp/ports.ts";
import type { NodeReport } from "../vrrp/report.ts";
import type { UpstreamHealth } from "../vrrp/track.ts";
import type { PackedRecord } from "./flight-desk.ts";
import type { Beat } from "./watchdog.ts";

/** Where a VRRP process finds the memory of its flight recorder, behind the IPC channel. */
export const FLIGHT_FD = 4;

export type ToVrrpProcess =
  | {
      readonly kind: "start";
      readonly config: NodeConfig;
      readonly process: ProcessSettings;
      /** How often the supervisor wants to hear that the loop turns. */
      readonly beatMs: number;
      /** Its flight recorder's memory is the descriptor FLIGHT_FD. */
      readonly hasFlightMemory: boolean;
      /** Why this node cannot serve; undefined: it can. */
      readonly fault: string | undefined;
    }
  /** The supervisor's loop turns. */
  | Beat
  | { readonly kind: "reload"; readonly config: NodeConfig; readonly beatMs: number }
  | { readonly kind: "script"; readonly name: string; readonly succeeded: boolean }
  | { readonly kind: "processes"; readonly name: string; readonly running: number }
  | { readonly kind: "file"; readonly name: string; readonly value: number | undefined }
  | { readonly kind: "upstream"; readonly name: string; readonly health: UpstreamHealth | undefined }
  | { readonly kind: "report"; readonly id: number }
  | { readonly kind: "clearStatistics" }
  | {
      readonly kind: "handOver";
      readonly id: number;
      /** undefined: all that are active. */
      readonly instances: readonly string[] | undefined;
      /** undefined: as configured. */
      readonly limitMs: number | undefined;
      /** Also to routers that speak no peer channel, which breaks open connections. */
      readonly mayLower: boolean;
    }
  | { readonly kind: "drain"; readonly isDrained: boolean }
  | { readonly kind: "fault"; readonly fault: string | undefined }
  /** The witness of an instance has answered: that counts until then, CLOCK_MONOTONIC. */
  | { readonly kind: "witness"; readonly instance: string; readonly untilMs: number }
  /** For such records of all partners: `partnerRecords` answers. */
  | { readonly kind: "askPartners"; readonly id: number; readonly what: RecordKind }
  /** This node's record, because `recordWanted` has asked for it. */
  | { readonly kind: "ownRecord"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "stop" };

export type FromVrrpProcess =
  | { readonly kind: "ready" }
  | Beat
  | { readonly kind: "log"; readonly level: Level; readonly text: string }
  | { readonly kind: "guard"; readonly router: string; readonly farewell: Farewell | undefined }
  | { readonly kind: "notify"; readonly event: NotifyEvent }
  | { readonly kind: "handedOver"; readonly id: number; readonly results: readonly HandoverResult[] }
  | { readonly kind: "draining"; readonly addresses: readonly string[] }
  /** For the checkers. */
  | { readonly kind: "session"; readonly name: string; readonly isUp: boolean }
  /** The lease of an instance's witness. */
  | { readonly kind: "want"; readonly instance: string; readonly isWanted: boolean }
  | { readonly kind: "partnerRecords"; readonly id: number; readonly records: readonly PackedRecord[] }
  | { readonly kind: "recordWanted"; readonly id: number; readonly what: RecordKind }
  | { readonly kind: "report"; readonly id: number; readonly report: ProcessReport };

/** What the process says about all that lives in it. */
export interface ProcessReport extends NodeReport {
  readonly bfds: readonly BfdReport[];
}

/** The part of a configuration that the VRRP process is given. `upMs`: for how long the machine has been up. */
export function nodeConfig(config: KeepalivedConfig, upMs: number): NodeConfig {
  const { scripts, trackProcesses, trackFiles, bfds, syncGroups, instances, statics, linkDelays, garpGroups } = config;
  const { delayAfterBootMs, logUnknownVrids, routerId, peer } = config.globals;
  const startupDelayMs = Math.max(config.globals.startupDelayMs, delayAfterBootMs - upMs);
  const globals = { startupDelayMs, logUnknownVrids, routerId, peer };
  const forwarded = config.virtualServers
    .filter(({ protocol }) => protocol === "tcp" || protocol === undefined)
    .map(({ match }) => match);
  return {
    scripts,
    trackProcesses,
    trackFiles,
    bfds,
    syncGroups,
    instances,
    statics,
    linkDelays,
    garpGroups,
    forwarded,
    globals,
  };
}
