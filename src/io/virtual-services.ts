/**
 * What the kernel does for virtual servers: packets to a service go to one of its destinations. Implementations: os/ipvs.ts where
 * the kernel has IPVS, os/nft-services.ts (nf_tables) where it hasn't; a fake: io/virtual-services-fake.ts. Counterpart:
 * keepalived's ipvswrapper.c.
 */
import type { IpAddress } from "../base/ip.ts";

/** Addresses from `ip` to `end`; port 0 is any. */
export interface ServiceRange {
  readonly ip: IpAddress;
  readonly end: IpAddress;
  readonly port: number;
}

/** A mark of the packet filter, of one family. */
export interface ServiceMark {
  readonly mark: number;
  readonly family: 4 | 6;
}

export interface ServiceDestination {
  readonly ip: IpAddress;
  /** 0: as the packet has it. */
  readonly port: number;
  readonly method: "NAT" | "DR" | "TUN";
  readonly tunnel: {
    readonly type: "ipip" | "gue" | "gre";
    readonly port: number;
    readonly checksum: "nocsum" | "csum" | "remcsum";
  };
  /** 0: no new connections. */
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
}

/** Everything about a service but its destinations; what it is for must not change while it is there. */
export interface ServiceSettings {
  /** Unique: what it is called in logs, too. */
  readonly name: string;
  readonly ranges: readonly ServiceRange[];
  readonly marks: readonly ServiceMark[];
  /** undefined: all, for marks. */
  readonly protocol: "tcp" | "udp" | "sctp" | undefined;
  readonly scheduler: string;
  readonly flags: {
    readonly onePacket: boolean;
    readonly first: boolean;
    readonly second: boolean;
    readonly third: boolean;
  };
  readonly persistence:
    | { readonly timeoutS: number; readonly granularity: number; readonly engine: string | undefined }
    | undefined;
}

/** Why the kernel refused, a sentence. */
export interface ServiceFailure {
  readonly message: string;
}

/** Seconds that idle connections are kept; 0 leaves the kernel's. */
export interface ServiceTimeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

/** All changes are complete when the call returns. */
export interface VirtualServices {
  /** What does the work, for the log. */
  readonly method: "IPVS" | "nftables";
  /** Makes the service with exactly these destinations, or makes an existing one so. */
  set(settings: ServiceSettings, destinations: readonly ServiceDestination[]): ServiceFailure | undefined;
  /** The service goes; one that isn't there is no failure. */
  remove(name: string): ServiceFailure | undefined;
  setTimeouts(timeouts: ServiceTimeouts): ServiceFailure | undefined;
  /** Removes what others have made, too, where there can be such. */
  flush(): ServiceFailure | undefined;
  /** Removes all services. */
  close(): void;
}
