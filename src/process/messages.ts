/** What master and workers say to each other (os/message-channel.ts), and where a worker finds its ends of what is between them. */

import type { Debtor } from "../base/zone-ledger.ts";
import type { ServiceCounters, UpstreamState } from "../io/service.ts";
import type { ConfigurationRequest } from "./nginx-configuration.ts";
import type { RecordedFiles } from "./recorded-files.ts";

/** Messages; behind the standard descriptors. */
export const MESSAGES_FD = 3;
/** Descriptors on their way to it. */
export const DESCRIPTORS_FD = 4;

/** What a worker may know before it works: the configuration. A spare worker gets this again after a reload. */
export interface PrepareMessage {
  readonly type: "prepare";
  readonly request: ConfigurationRequest;
  readonly files: RecordedFiles;
  readonly isDaemon: boolean;
}

/** What a process is there for: clients, or the caches. The names are nginx's. */
export type WorkerRole = "worker" | "cache manager";

/** Makes a prepared worker work. The descriptors wait in its channel. */
export interface StartMessage {
  readonly type: "start";
  readonly role: WorkerRole;
  /** From 0; decides which processor and which socket of a `reuseport` listener are its own. */
  readonly index: number;
  /** How many descriptors are in the channel: standard error first, then listening sockets, each once. */
  readonly descriptorCount: number;
  /** `listening[kind][i]` says which of the descriptors listens for the kind's `plan.listens[i]`. */
  readonly listening: readonly (readonly number[])[];
  /** Which of the descriptors are the shared memory. */
  readonly shared: SharedDescriptors;
  /** The worker's line on the board of counters. */
  readonly slot: number;
}

/** Memory that a worker shares with its master and the other workers. */
export interface SharedDescriptors {
  readonly board: number;
  readonly zones: readonly ZoneDescriptor[];
  /** Where the common clock of all workers begins: CLOCK_MONOTONIC, ms. */
  readonly clockOriginMs: number;
}

/** A zone. */
export interface ZoneDescriptor {
  readonly name: string;
  readonly sizeBytes: number;
  readonly fd: number;
  /** The zone of this name before the reload, when it was not the same memory. */
  readonly previous: { readonly sizeBytes: number; readonly fd: number } | undefined;
}

export function descriptorsOf({ board, zones }: SharedDescriptors): readonly number[] {
  return [board, ...zones.flatMap(({ fd, previous }) => (previous === undefined ? [fd] : [fd, previous.fd]))];
}

/** The same with other numbers for the descriptors. */
export function withDescriptors(shared: SharedDescriptors, renumber: (fd: number) => number): SharedDescriptors {
  return {
    ...shared,
    board: renumber(shared.board),
    zones: shared.zones.map((zone) => ({
      ...zone,
      fd: renumber(zone.fd),
      previous: zone.previous && { ...zone.previous, fd: renumber(zone.previous.fd) },
    })),
  };
}

/** Another worker was killed. */
export interface SettleMessage {
  readonly type: "settle";
  readonly debtor: Debtor;
}

export type ToWorker =
  | PrepareMessage
  | StartMessage
  | SettleMessage
  | { readonly type: "drain"; readonly addresses: readonly string[] }
  | { readonly type: "quit" | "terminate" | "reopen" | "report" };

export type FromWorker =
  /** Its loop turns: said by a spare. A worker that works says it on its line of the board. */
  | { readonly type: "beat" }
  /** The configuration is loaded. */
  | { readonly type: "prepared" }
  /** The worker accepts. */
  | { readonly type: "ready" }
  | { readonly type: "counters"; readonly counters: ServiceCounters }
  /** From the one worker that supervises them: how the upstreams are, when that has changed and before counters. */
  | { readonly type: "upstreams"; readonly upstreams: readonly UpstreamState[] };
