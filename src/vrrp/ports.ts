/** What a node needs of the world and what it tells the process that it lives in. */

import type { Bytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { IpAddress } from "../base/ip.ts";
import type { IpRule } from "../base/ip-route.ts";
import type { Log } from "../base/log.ts";
import type { Command, HmacKey, KeepalivedConfig } from "../conf/keepalived/config.ts";
import type { ServiceMatch } from "../conf/keepalived/lvs/config.ts";
import type { Detours } from "../io/detour.ts";
import type { Neighbours } from "../io/neighbours.ts";
import type { PeerSockets } from "../io/peer-socket.ts";
import type { Alarm } from "../io/reactor.ts";
import type { RouteRequest, Routes } from "../io/routes.ts";
import type { Address, Routing } from "../io/routing.ts";
import type { AdvertSocketSettings, Segments } from "../io/segment.ts";
import type { ArpSettings, VirtualLinks } from "../io/virtual-links.ts";
import type { FlightEvent } from "../wire/flight/entry.ts";
import type { Seal } from "../wire/peer/message.ts";
import type { RecordKind } from "./partner-records.ts";

/** What a node needs to know of a configuration. */
export type NodeConfig = Pick<
  KeepalivedConfig,
  | "scripts"
  | "trackProcesses"
  | "trackFiles"
  | "bfds"
  | "syncGroups"
  | "instances"
  | "statics"
  | "linkDelays"
  | "garpGroups"
> & {
  /** What virtual servers of TCP, or of all protocols, are for. */
  readonly forwarded: readonly ServiceMatch[];
  readonly globals: Pick<KeepalivedConfig["globals"], "startupDelayMs" | "logUnknownVrids" | "routerId" | "peer">;
};

/** A tracked BFD session is up, or up no longer; the same as what the sessions themselves tell (bfd/ports.ts). */
export interface BfdEvent {
  readonly name: string;
  readonly neighbor: IpAddress;
  readonly isUp: boolean;
  /** The neighbour was silent for the detection time. */
  readonly expired: boolean;
  readonly detectionMs: number;
}

/** What the peer channel needs besides sockets. */
export interface PeerPorts {
  readonly sockets: PeerSockets;
  /** The seal of a pair that shares this secret. */
  seal(secret: string): Seal;
  /** Bytes that nobody can foresee. */
  random(sizeBytes: number): Bytes;
  /** What partners call this node, when it has no router_id. */
  readonly hostName: string;
  /** Makes this node's record for a partner; later, or not at all when there is none. */
  ownRecord(what: RecordKind, settle: (bytes: Bytes) => void): void;
}

/** keepalived's words for what is told to notify scripts and pipes. */
export type NotifyState =
  | "MASTER"
  | "BACKUP"
  | "FAULT"
  | "STOP"
  | "DELETED"
  | "MASTER_RX_LOWER_PRI"
  | "MASTER_PRIORITY"
  | "BACKUP_PRIORITY";

/** One event for scripts and pipes. */
export interface NotifyEvent {
  readonly type: "INSTANCE" | "GROUP";
  readonly name: string;
  readonly state: NotifyState;
  /** Effective priority; 0 for a group. */
  readonly priority: number;
  /** The program of this one state, and the one for every state. */
  readonly commands: { readonly specific: Command | undefined; readonly any: Command | undefined };
}

/** What signs a router's adverts. */
export interface Renewal {
  readonly version: 2 | 3;
  readonly vrid: number;
  readonly source: IpAddress;
  readonly key: HmacKey;
}

/** What must be done in a router's place when its process dies: kept by the supervisor, see process/crash-guard.ts. */
export interface Farewell {
  readonly router: string;
  /** Adverts of priority 0, ready to be sent, and where to. */
  readonly packets: readonly { readonly bytes: Bytes; readonly destination: IpAddress }[];
  /** They are signed and have to be signed again when they are sent: see `renew` in advert-packets.ts. */
  readonly renewal: Renewal | undefined;
  /** undefined: nothing is to be sent. */
  readonly socket: AdvertSocketSettings | undefined;
  readonly addresses: readonly Pick<Address, "linkIndex" | "ip" | "prefixLength" | "peer">[];
  /** The kernel has detours or silences that have to go, too. */
  readonly hasDetours: boolean;
  /** Go in front of all addresses. */
  readonly items?: { readonly routes: readonly RouteRequest[]; readonly rules: readonly IpRule[] };
  /** Links that have to go behind all addresses, and what their bases were before them. */
  readonly links?: {
    readonly made: readonly { readonly index: number; readonly name: string }[];
    readonly bases: readonly { readonly index: number; readonly before: ArpSettings }[];
  };
}

export interface NodePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly routing: Routing;
  readonly segments: Segments;
  readonly peer: PeerPorts;
  readonly detours: Detours;
  readonly virtualLinks: VirtualLinks;
  readonly routes: Routes;
  alarm(ring: () => void): Alarm;
  /**
   * Told before addresses are claimed and after they are released; undefined: holds nothing. `router` is its name, or that with
   * a word for the addresses that it keeps beside its own.
   */
  guard(router: string, farewell: Farewell | undefined): void;
  notify(event: NotifyEvent): void;
  readonly neighbours: Neighbours;
  /** An instance wants the lease of its witness, or wants it no more; `VrrpNode.witness` tells what has become of it. */
  want(instance: string, isWanted: boolean): void;
  /** For the flight recorder. */
  record(event: FlightEvent): void;
  /** Something that `status` shows has changed. */
  changed(): void;
  /** Another node has these addresses now, while clients of them are still served here: they are to come anew when they can. */
  draining(addresses: readonly string[]): void;
}
