/** Virtual servers while they are read, before defaults and rules complete them. */
import type { Bytes } from "../../../base/bytes.ts";
import type { IpAddress } from "../../../base/ip.ts";
import type { Position } from "../../diagnostics.ts";
import type { CommandDraft } from "../commands.ts";
import type { ScriptUser } from "../config.ts";
import type { Draft } from "../interpreter.ts";
import type { CheckingDraft } from "./checking.ts";
import type { AddressRange, ForwardingMethod, MarkEntry, Protocol } from "./config.ts";

/** An address with its port, which completion may change. */
export interface AddressDraft {
  ip: IpAddress;
  /** 0: none was written. */
  port: number;
}

export interface ServerGroupDraft extends Draft {
  readonly name: string;
  readonly at: Position;
  readonly ranges: AddressRange[];
  readonly marks: MarkEntry[];
}

export interface SslDraft extends Draft {
  password?: string;
  ca?: string;
  certificate?: string;
  key?: string;
}

export interface VirtualServerDraft extends CheckingDraft {
  readonly at: Position;
  /** One of these three. */
  readonly address: AddressDraft | undefined;
  readonly mark: number | undefined;
  readonly group: string | undefined;
  family?: 4 | 6;
  protocol?: Protocol;
  scheduler?: string;
  isOnePacket?: boolean;
  isFlag1?: boolean;
  isFlag2?: boolean;
  isFlag3?: boolean;
  forwarding?: ForwardingMethod;
  persistenceTimeoutS?: number;
  persistenceEngine?: string;
  persistenceGranularity?: number;
  haSuspend?: boolean;
  alpha?: boolean;
  omega?: boolean;
  inhibit?: boolean;
  quorum?: number;
  hysteresis?: number;
  quorumUp?: CommandDraft;
  quorumDown?: CommandDraft;
  weight?: number;
  sorryServer?: SorryServerDraft;
  readonly realServers: RealServerDraft[];
}

export interface SorryServerDraft {
  readonly address: AddressDraft;
  forwarding?: ForwardingMethod;
  inhibit: boolean;
}

export interface RealServerDraft extends CheckingDraft {
  readonly at: Position;
  readonly address: AddressDraft;
  /** Its virtual server, for names in messages. */
  readonly server: VirtualServerDraft;
  forwarding?: ForwardingMethod;
  weight?: number;
  upperThreshold?: number;
  lowerThreshold?: number;
  inhibit?: boolean;
  alpha?: boolean;
  notifyUp?: CommandDraft;
  notifyDown?: CommandDraft;
  readonly checkers: CheckerDraft[];
}

/** What is written of a connection; what is not is the real server's. */
export interface ConnectionDraft {
  destinationIp?: IpAddress | undefined;
  /** `connect_ip` was refused: keepalived knows none then, not even the real server's. */
  isDestinationBad?: boolean;
  destinationPort?: number;
  sourceIp?: IpAddress | undefined;
  sourcePort?: number;
  interface?: string;
  mark?: number;
  connectTimeoutMs?: number;
}

/** What is written of the times of a checker. */
export interface TimingDraft {
  retries?: number;
  delayBeforeRetryMs?: number;
  warmupMs?: number;
  delayLoopMs?: number;
  alpha?: boolean;
  logAllFailures?: boolean;
}

interface CheckerBase extends Draft, ConnectionDraft, TimingDraft {
  readonly at: Position;
  readonly realServer: RealServerDraft;
}

export interface PlainCheckerDraft extends CheckerBase {
  readonly kind: "TCP_CHECK" | "PING_CHECK";
}

export interface HttpCheckerDraft extends CheckerBase {
  readonly kind: "HTTP_GET" | "SSL_GET";
  virtualhost?: string;
  protocol?: "1.0" | "1.0C" | "1.1";
  sni?: boolean;
  sniName?: string;
  tlsCompliant?: boolean;
  fastRecovery?: boolean;
  readonly urls: UrlDraft[];
}

export interface UrlDraft extends Draft {
  path?: string;
  digest?: Bytes;
  readonly statusCodes: (readonly [number, number])[];
  virtualhost?: string;
  pattern?: string;
  readonly regexOptions: string[];
  regexNoMatch?: boolean;
  regexMinOffset?: number;
  regexMaxOffset?: number;
  regexStack?: boolean;
  tlsCompliant?: boolean;
}

export interface SmtpCheckerDraft extends CheckerBase {
  readonly kind: "SMTP_CHECK";
  heloName?: string;
  /** `host` blocks, an old form of several checkers. */
  readonly hosts: HostDraft[];
}

/** A `host` block: where else to connect. */
export interface HostDraft extends Draft, ConnectionDraft, TimingDraft {
  readonly realServer: RealServerDraft;
}

export interface DnsCheckerDraft extends CheckerBase {
  readonly kind: "DNS_CHECK";
  type?: number;
  name?: string;
}

export interface UdpCheckerDraft extends CheckerBase {
  readonly kind: "UDP_CHECK";
  payload?: Bytes;
  requireReply?: boolean;
  reply?: HexPattern;
  minReplyBytes?: number;
  maxReplyBytes?: number;
}

/** Bytes of which some halves are not compared. */
export interface HexPattern {
  readonly bytes: Bytes;
  readonly mask: Bytes;
}

export interface MiscCheckerDraft extends CheckerBase {
  readonly kind: "MISC_CHECK";
  command?: CommandDraft;
  timeoutMs?: number;
  dynamic?: boolean;
  user?: ScriptUser;
  /** Where its block ends. */
  end: Position;
  /** Its user does not exist: it is left out. */
  isRemoved?: boolean;
}

export interface FileCheckerDraft extends Draft {
  readonly kind: "FILE_CHECK";
  readonly at: Position;
  file?: string;
  weight?: number;
  weightReverse?: boolean;
}

export interface BfdCheckerDraft extends Draft {
  readonly kind: "BFD_CHECK";
  readonly at: Position;
  readonly realServer: RealServerDraft;
  session?: string;
  alpha?: boolean;
  isRemoved?: boolean;
}

export type ConnectingCheckerDraft =
  | PlainCheckerDraft
  | HttpCheckerDraft
  | SmtpCheckerDraft
  | DnsCheckerDraft
  | UdpCheckerDraft;
export type CheckerDraft = ConnectingCheckerDraft | MiscCheckerDraft | FileCheckerDraft | BfdCheckerDraft;
