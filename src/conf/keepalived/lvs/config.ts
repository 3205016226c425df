/**
 * What `virtual_server` and everything inside it means: frozen, typed, completed, as `KeepalivedConfig` holds it. Times are
 * milliseconds, addresses are bytes in network order, a port 0 is "any", or "as the packet has it".
 */
import type { Bytes } from "../../../base/bytes.ts";
import type { IpAddress } from "../../../base/ip.ts";
import type { Command, Position, Where } from "../config.ts";

/** An address with a port. */
export interface ServerAddress {
  readonly ip: IpAddress;
  readonly port: number;
}

/** One line of `virtual_server_group`: the addresses from `ip` to `end`, all with the same port. */
export interface AddressRange extends ServerAddress {
  readonly end: IpAddress;
}

/** A mark that the packet filter has put on packets. */
export interface MarkEntry {
  readonly mark: number;
  /** undefined: the virtual server's. */
  readonly family: 4 | 6 | undefined;
}

/** Which packets a virtual server is for. */
export interface ServiceMatch {
  readonly ranges: readonly AddressRange[];
  readonly marks: readonly MarkEntry[];
}

/** How the encapsulation of a tunnel is made. */
export interface Tunnel {
  readonly type: "ipip" | "gue" | "gre";
  /** Of GUE; else 0. */
  readonly port: number;
  readonly checksum: "nocsum" | "csum" | "remcsum";
}

/** How packets reach a real server. */
export interface ForwardingMethod {
  readonly method: "NAT" | "DR" | "TUN";
  readonly tunnel: Tunnel;
}

/** What checkers of a server have when they say nothing themselves, as written; for dumps, checkers are complete. */
export interface CheckingDefaults {
  readonly connectTimeoutMs: number;
  readonly delayLoopMs: number;
  readonly delayBeforeRetryMs: number | undefined;
  readonly warmupMs: number | undefined;
  readonly retries: number | undefined;
  readonly alpha: boolean;
  readonly virtualhost: string | undefined;
  readonly snmpName: string | undefined;
}

/** `virtual_server_group`. */
export interface ServerGroup extends ServiceMatch {
  readonly name: string;
}

/** A server behind a virtual one. */
export interface RealServer {
  /** As logs, scripts and pipes name it: `[10.0.0.2]:tcp:80`. */
  readonly name: string;
  readonly address: ServerAddress;
  readonly forwarding: ForwardingMethod;
  /** 0 … 2147483647; 0 gets no new connections. */
  readonly weight: number;
  /** Connections at which it gets no more, and below which it gets some again; 0: no bound. */
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  /** A failed server stays, with weight 0. */
  readonly inhibitOnFailure: boolean;
  /** Its checkers' changes of mind are told by mail. */
  readonly smtpAlert: boolean;
  readonly notifyUp: Command | undefined;
  readonly notifyDown: Command | undefined;
  readonly checkers: readonly Checker[];
  readonly checking: CheckingDefaults;
  readonly at: Position;
  readonly where: Where;
}

/** What serves while there is no quorum. */
export interface SorryServer {
  readonly name: string;
  readonly address: ServerAddress;
  readonly forwarding: ForwardingMethod;
  /** It stays when it is not needed, with weight 0. */
  readonly inhibit: boolean;
}

/** Bits of a scheduler: `ops`, and three whose meaning is the scheduler's. */
export interface SchedulerFlags {
  readonly onePacket: boolean;
  /** `flag-1`; of sh and mh: fallback. */
  readonly first: boolean;
  /** `flag-2`; of sh and mh: the port is hashed, too. */
  readonly second: boolean;
  readonly third: boolean;
}

/** One client, one server, for a time. */
export interface Persistence {
  readonly timeoutS: number;
  /** IPv4: bits of the netmask, as a number; IPv6: length of the prefix. */
  readonly granularity: number;
  readonly engine: string | undefined;
}

export type Protocol = "tcp" | "udp" | "sctp";

/** `virtual_server`. */
export interface VirtualServer {
  /** As logs, scripts and pipes name it: `[10.0.0.1]:tcp:80`, `FWM 7`, `[GROUP]:0`. */
  readonly name: string;
  readonly kind: "address" | "mark" | "group";
  readonly match: ServiceMatch;
  /** undefined: both, which only a group can be. */
  readonly family: 4 | 6 | undefined;
  /** undefined: all, because packets are known by their mark. */
  readonly protocol: Protocol | undefined;
  readonly scheduler: string;
  readonly flags: SchedulerFlags;
  readonly persistence: Persistence | undefined;
  /** Checks only while its address is on this machine. */
  readonly haSuspend: boolean;
  /** Notifies go out when the program stops, too. */
  readonly omega: boolean;
  /** Quorum lost and gained is told by mail. */
  readonly smtpAlert: boolean;
  /** Weight that must be alive. */
  readonly quorum: number;
  readonly hysteresis: number;
  readonly quorumUp: Command | undefined;
  readonly quorumDown: Command | undefined;
  readonly sorryServer: SorryServer | undefined;
  readonly realServers: readonly RealServer[];
  readonly checking: CheckingDefaults;
  readonly inhibitOnFailure: boolean;
  /** How packets reach real servers that don't say. */
  readonly forwarding: ForwardingMethod;
  readonly at: Position;
  readonly where: Where;
}

/** What every checker that connects is told about its connection. */
export interface CheckerConnection {
  readonly destination: ServerAddress;
  /** undefined: the system's choice. */
  readonly source: { readonly ip: IpAddress | undefined; readonly port: number } | undefined;
  readonly interface: string | undefined;
  readonly mark: number;
  readonly timeoutMs: number;
}

/** What every checker has that looks from time to time. */
export interface CheckerTiming {
  /** Down until it has succeeded once. */
  readonly alpha: boolean;
  readonly retries: number;
  readonly delayBeforeRetryMs: number;
  /** The first check comes after a random part of this. */
  readonly warmupMs: number;
  readonly delayLoopMs: number;
  /** Failures that are retried are logged, too. */
  readonly logAllFailures: boolean;
}

/** One `url` of HTTP_GET or SSL_GET. */
export interface CheckedUrl {
  readonly path: string;
  /** MD5 of the body, 16 bytes. */
  readonly digest: Bytes | undefined;
  /** Ranges of good status codes. */
  readonly statusCodes: readonly (readonly [from: number, to: number])[];
  readonly virtualHost: string | undefined;
  readonly regex: CheckedRegex | undefined;
}

/** What a body must hold, or must not. */
export interface CheckedRegex {
  readonly pattern: string;
  /** Names of `regex_options`. */
  readonly options: readonly string[];
  readonly mustNotMatch: boolean;
  /** Bytes of the body in which a match may begin; `maxOffset` undefined: to its end. */
  readonly minOffset: number;
  readonly maxOffset: number | undefined;
}

/** HTTP_GET and SSL_GET. */
export interface HttpChecker extends CheckerTiming {
  readonly kind: "HTTP_GET" | "SSL_GET";
  readonly connection: CheckerConnection;
  readonly protocol: "1.0" | "1.0C" | "1.1";
  readonly urls: readonly CheckedUrl[];
  /** For `Host`, unless the url has its own: the checker's, the real or the virtual server's. */
  readonly virtualHost: string | undefined;
  /** Name for TLS, by url; undefined: none is sent. */
  readonly serverNames: readonly (string | undefined)[];
  /** Whether TLS is ended with an alert, by url. */
  readonly saysGoodbye: readonly boolean[];
  /** The next url, and the next try of one that has failed, come at once. */
  readonly fastRecovery: boolean;
}

export interface TcpChecker extends CheckerTiming {
  readonly kind: "TCP_CHECK";
  readonly connection: CheckerConnection;
}

export interface PingChecker extends CheckerTiming {
  readonly kind: "PING_CHECK";
  readonly connection: CheckerConnection;
}

export interface SmtpChecker extends CheckerTiming {
  readonly kind: "SMTP_CHECK";
  readonly connection: CheckerConnection;
  readonly heloName: string;
}

export interface DnsChecker extends CheckerTiming {
  readonly kind: "DNS_CHECK";
  readonly connection: CheckerConnection;
  /** Number of the record type. */
  readonly type: number;
  readonly name: string;
}

export interface UdpChecker extends CheckerTiming {
  readonly kind: "UDP_CHECK";
  readonly connection: CheckerConnection;
  readonly payload: Bytes | undefined;
  /** undefined: silence is good, only an ICMP error is not. */
  readonly reply: UdpReply | undefined;
}

/** What a UDP server must answer. */
export interface UdpReply {
  /** Compared as far as both go. */
  readonly bytes: Bytes;
  /** Bits that are not compared; as long as `bytes`. */
  readonly mask: Bytes;
  readonly minBytes: number;
  readonly maxBytes: number;
}

export interface MiscChecker extends CheckerTiming {
  readonly kind: "MISC_CHECK";
  readonly command: Command;
  readonly timeoutMs: number;
  /** The exit status is a weight. */
  readonly dynamic: boolean;
}

export interface FileChecker {
  readonly kind: "FILE_CHECK";
  /** Name of a `track_file`. */
  readonly file: string;
  /** 0: a number other than 0 is a failure. */
  readonly weight: number;
  readonly weightReverse: boolean;
}

export interface BfdChecker {
  readonly kind: "BFD_CHECK";
  /** Name of a `bfd_instance`. */
  readonly session: string;
  readonly alpha: boolean;
}

/** Whatever finds out how a real server is. */
export type Checker =
  | BfdChecker
  | HttpChecker
  | TcpChecker
  | PingChecker
  | SmtpChecker
  | DnsChecker
  | UdpChecker
  | MiscChecker
  | FileChecker;

/** `SSL { … }`: what SSL_GET shows and trusts. */
export interface CheckerTls {
  readonly password: string | undefined;
  readonly authorities: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

/** `lvs_timeouts`, seconds; 0: the kernel's. */
export interface ConnectionTimeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

/** What concerns virtual servers of `global_defs`, and of the file as a whole. */
export interface LvsGlobals {
  readonly logAllFailures: boolean;
  /** `no_checker_emails`: no mail about a checker that changes nothing of its real server. */
  readonly isWithoutCheckerMail: boolean;
  /** `rs_init_notifies`: real servers that are up from the start are told about. */
  readonly initialNotifies: boolean;
  readonly timeouts: ConnectionTimeouts;
  /** `lvs_flush`: what others have set is removed at the start. */
  readonly flushAtStart: boolean;
  readonly flushAtStop: "no" | "own" | "all";
  readonly tls: CheckerTls;
}
