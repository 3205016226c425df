/** The status document: what `tandem status` shows and the status socket sends, as JSON. Instants are ISO 8601. */

/** The role of a virtual router, in keepalived's words. */
export type RoleName = "INIT" | "BACKUP" | "MASTER" | "FAULT";

/** One virtual router of this node. */
export interface RouterStatus {
  readonly name: string;
  readonly interface: string;
  readonly virtualRouterId: number;
  readonly version: 2 | 3;
  readonly role: RoleName;
  readonly since: string;
  /** Why it has this role, a phrase. */
  readonly why: string;
  readonly priority: number;
  readonly effectivePriority: number;
  /** Since it was handed over it ranks no higher than this; null: as configured. */
  readonly standsBackAt: number | null;
  /** Flap damping: what its health has done lately. null: nothing of it is damped. */
  readonly flapDamping: {
    /** 1000 for each fall, halved every half-life. */
    readonly penalty: number;
    /** It ranks no higher than this; null: it is not damped now. */
    readonly heldPriority: number | null;
    readonly endsInMs: number | null;
  } | null;
  /** Who is active: this node, another one as last heard, or nobody known. */
  readonly activeRouter: { readonly self: boolean; readonly address: string; readonly priority: number } | null;
  readonly addresses: readonly string[];
  /** Which of them this node holds. */
  readonly heldAddresses: readonly string[];
  readonly advertIntervalMs: number;
  readonly counters: Readonly<Record<string, number>>;
  /** Received adverts that did not count, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface GroupStatus {
  readonly name: string;
  readonly role: RoleName;
  readonly members: readonly string[];
}

/** A check script, or something else that is watched. */
export interface CheckStatus {
  readonly kind: "script" | "process" | "file" | "bfd" | "upstream";
  readonly name: string;
  /** null: no result yet. */
  readonly ok: boolean | null;
  /** The last result in words, `exited with status 1`. */
  readonly lastResult: string;
  readonly at: string | null;
  readonly durationMs: number | null;
}

/** Another Tandem node, heard on the peer channel. */
export interface PartnerStatus {
  readonly name: string;
  readonly version: string;
  readonly address: string;
  readonly interface: string;
  /** It keeps the connections of a node that hands an address over to it. */
  readonly keepsConnections: { readonly ipv4: boolean; readonly ipv6: boolean };
  readonly drained: boolean;
  readonly routers: readonly {
    readonly virtualRouterId: number;
    readonly family: 4 | 6;
    readonly role: RoleName;
    readonly priority: number;
    /** Connections of before a hand-over that go on there; null: it keeps none. */
    readonly connections: number | null;
  }[];
}

/** A hand-over that is going on. */
export interface HandoverStatus {
  readonly instances: readonly string[];
  readonly side: "giver" | "taker";
  /** offered, ordered, draining, closing (giver); ready, detouring (taker). */
  readonly phase: string;
  readonly partner: string;
  /** Connections that go on at the giver; only the giver knows. */
  readonly connections: number;
  readonly endsInMs: number;
}

export interface VrrpStatus {
  /** Process id of the VRRP process; null while it is being restarted. */
  readonly pid: number | null;
  /** How often it had to be restarted. */
  readonly restarts: number;
  readonly routers: readonly RouterStatus[];
  readonly groups: readonly GroupStatus[];
  readonly checks: readonly CheckStatus[];
  /** null: the peer channel is not configured. */
  readonly partners: readonly PartnerStatus[] | null;
  readonly handovers: readonly HandoverStatus[];
  /** This node wants no address. */
  readonly drained: boolean;
}

export interface WorkerStatus {
  readonly pid: number;
  readonly connections: number;
  readonly requests: number;
}

/** A peer of an upstream. */
export interface PeerStatus {
  readonly name: string;
  readonly backup: boolean;
  /** nginx Plus' words: up, draining, down, unavail, checking, unhealthy. */
  readonly state: string;
  readonly connections: number;
  /** Active health checks: how many, how many failed, when the last was, what it failed at ("": nothing). null: none. */
  readonly check: {
    readonly checks: number;
    readonly failures: number;
    readonly unhealthyTimes: number;
    readonly at: string | null;
    readonly why: string;
  } | null;
}

export interface UpstreamStatus {
  readonly name: string;
  readonly peers: readonly PeerStatus[];
}

/** What the HTTP half says about itself. */
export interface HttpStatus {
  readonly masterPid: number;
  readonly workers: readonly WorkerStatus[];
  /** Open client connections of all workers. */
  readonly connections: number;
  readonly accepted: number;
  readonly requests: number;
  readonly upstreams: readonly UpstreamStatus[];
}

/** A real server behind a virtual one. */
export interface RealServerStatus {
  readonly name: string;
  readonly alive: boolean;
  readonly weight: number;
  /** Its checkers by keepalived's names, each as it is now. `ran`: it has a result. */
  readonly checkers: readonly { readonly kind: string; readonly up: boolean; readonly ran: boolean }[];
}

export interface VirtualServerStatus {
  readonly name: string;
  readonly quorum: boolean;
  /** The sorry server serves. */
  readonly sorry: boolean;
  readonly servers: readonly RealServerStatus[];
}

/** What virtual servers say, those of keepalived.conf. */
export interface ServersStatus {
  /** Process id of the checker process; null while it is being restarted. */
  readonly pid: number | null;
  readonly restarts: number;
  /** What balances: IPVS, or nftables where the kernel has no IPVS. */
  readonly method: string;
  readonly virtualServers: readonly VirtualServerStatus[];
}

export interface StatusDocument {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly now: string;
  /** null: this half is not run. */
  readonly vrrp: VrrpStatus | null;
  readonly http: HttpStatus | null;
  /** null: there are no virtual servers. */
  readonly servers: ServersStatus | null;
}
