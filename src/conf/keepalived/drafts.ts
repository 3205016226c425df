/** The configuration while it is read: what was written, by keyword, before defaults and rules complete it. */
import type { IpAddress } from "../../base/ip.ts";
import type { Position } from "../diagnostics.ts";
import type { AddressDraft } from "./addresses.ts";
import type { HmacDraft } from "./auth-hmac.ts";
import type { CommandDraft } from "./commands.ts";
import type { GarpGroup, LinkDelay, ScriptUser, UnicastPeer } from "./config.ts";
import type { FlapDampingDraft } from "./flap-damping.ts";
import type { Draft } from "./interpreter.ts";
import type { ServerGroupDraft, SslDraft, VirtualServerDraft } from "./lvs/drafts.ts";
import type { ConfiguredRoute, ConfiguredRule } from "./route-types.ts";
import { newRulePriorities, type RulePriorities } from "./rules.ts";
import type { SplitBrainDraft } from "./split-brain.ts";
import type { TrackGroupDraft } from "./statics.ts";
import type { IpvlanDraft, VmacDraft } from "./virtual-links.ts";

/** A draft that belongs to a block. */
export interface BlockDraft extends Draft {
  readonly name: string;
  /** Where the block begins. */
  readonly at: Position;
}

export interface GlobalsDraft extends Draft {
  routerId?: string;
  instanceName?: string;
  scriptUser?: ScriptUser;
  enableScriptSecurity?: boolean;
  startupScript?: CommandDraft;
  startupScriptTimeoutMs?: number;
  shutdownScript?: CommandDraft;
  shutdownScriptTimeoutMs?: number;
  notifyFifo?: FifoDraft;
  notifyFifoScript?: CommandDraft;
  vrrpNotifyFifo?: FifoDraft;
  vrrpNotifyFifoScript?: CommandDraft;
  writeStatesToFifoOnReload?: boolean;
  notifyPriorityChanges?: boolean;
  startupDelayMs?: number;
  delayAfterBootMs?: number;
  dynamicInterfaces?: boolean;
  allowInterfaceChanges?: boolean;
  disableLocalIgmp?: boolean;
  logUnknownVrids?: boolean;
  childWaitMs?: number;
  processName?: string;
  vrrpProcessName?: string;
  checkerProcessName?: string;
  checkerNiceness?: number;
  checkerRealtimePriority?: number;
  checkerCpuAffinity?: readonly number[];
  checkerLogAllFailures?: boolean;
  rsInitNotifies?: boolean;
  lvsTcpTimeoutS?: number;
  lvsTcpFinTimeoutS?: number;
  lvsUdpTimeoutS?: number;
  lvsFlush?: boolean;
  lvsFlushOnStop?: "own" | "all";
  lvsNotifyFifo?: FifoDraft;
  lvsNotifyFifoScript?: CommandDraft;
  niceness?: number;
  realtimePriority?: number;
  cpuAffinity?: readonly number[];
  umask?: number;
  stateDumpFile?: string;
  statsDumpFile?: string;
  jsonDumpFile?: string;
  jsonVersion?: number;
  mailTo?: readonly string[];
  mailFrom?: string;
  smtpServer?: string;
  smtpPort?: number;
  smtpHeloName?: string;
  smtpConnectTimeoutMs?: number;
  smtpAlert?: boolean;
  smtpAlertVrrp?: boolean;
  reloadCheck?: { readonly log: string | undefined };
  reloadTimeFile?: string;
  reloadRepeats?: boolean;
  reloadFile?: { readonly path: string | undefined };
  netNamespace?: string;
  netNamespaceIpvs?: { readonly name: string | undefined };
  usesPidFolder?: boolean;
  smtpAlertChecker?: boolean;
  isWithoutCheckerMail?: boolean;
  isWithoutFaultMail?: boolean;
  smtpUser?: string;
  smtpPassword?: string;
  smtpTls?: "off" | "starttls" | "implicit";
  smtpTlsCa?: string;
  isSmtpTlsUnverified?: boolean;
  peerKey?: string;
  peerPort?: number;
  handoverLimitMs?: number;
  flightFolder?: string;
  flightFiles?: number;
  flapDamping?: FlapDampingDraft;
  version?: number;
  multicastGroup4?: IpAddress;
  multicastGroup6?: IpAddress;
  minGarp?: boolean;
  garpDelayMs?: number;
  garpRepeat?: number;
  garpRefreshMs?: number;
  garpRefreshRepeat?: number;
  garpLowerPriorityDelayMs?: number;
  garpLowerPriorityRepeat?: number;
  garpIntervalMs?: number;
  gnaIntervalMs?: number;
  extraGarp?: { readonly intervalMs: number; readonly isEverywhere: boolean };
  defaultInterface?: string;
  vmacPrefix?: string;
  vmacAddressPrefix?: string;
  downTimerAdverts?: number;
  lowerPriorityNoAdvert?: boolean;
  higherPrioritySendAdvert?: boolean;
  checkUnicastSource?: boolean;
  skipCheckAdvertAddresses?: boolean;
  v3ChecksumAsV2?: boolean;
  strict?: boolean;
  ownerIgnoresAdverts?: boolean;
  receivePolicy?: "MTU" | "ADVERT" | { readonly bytes: number };
  receiveMultiplier?: number;
}

export interface FifoDraft {
  readonly path: string;
  readonly user: ScriptUser | undefined;
  readonly at: Position;
}

export interface ScriptDraft extends BlockDraft {
  command?: CommandDraft;
  user?: ScriptUser;
  intervalMs?: number;
  timeoutMs?: number;
  weight?: number;
  weightReverse?: boolean;
  rise?: number;
  fall?: number;
  initFail?: boolean;
  end: Position;
}

export interface ProcessDraft extends BlockDraft {
  process?: string;
  parameters?: readonly string[];
  parameterMatch?: "any" | "exact" | "initial" | "partial";
  weight?: number;
  weightReverse?: boolean;
  quorum?: number;
  quorumMax?: number;
  forkDelayMs?: number;
  terminateDelayMs?: number;
  fullCommand?: boolean;
}

export interface FileDraft extends BlockDraft {
  path?: string;
  weight?: number;
  weightReverse?: boolean;
  initialise?: { readonly value: number; readonly overwrite: boolean };
}

export interface BfdDraft extends BlockDraft {
  neighbor?: IpAddress;
  source?: IpAddress;
  minRxUs?: number;
  minTxUs?: number;
  idleTxUs?: number;
  multiplier?: number;
  passive?: boolean;
  ttl?: number;
  /** -1: any number. */
  maxHops?: number;
  multihop?: boolean;
  weight?: number;
  weightReverse?: boolean;
  isForVrrp?: boolean;
  isForChecker?: boolean;
  /** The session is ignored, its name is not. */
  isBroken?: boolean;
}

/** A line of a `track_*` block. */
export interface TrackDraft {
  readonly name: string;
  readonly weight: number | undefined;
  readonly weightReverse: boolean | undefined;
  readonly at: Position;
}

export interface TracksDraft {
  readonly scripts: TrackDraft[];
  readonly interfaces: TrackDraft[];
  readonly processes: TrackDraft[];
  readonly files: TrackDraft[];
  readonly bfds: TrackDraft[];
  readonly upstreams: TrackDraft[];
}

export interface NotifyDraft {
  notifyMaster?: CommandDraft;
  notifyBackup?: CommandDraft;
  notifyFault?: CommandDraft;
  notifyStop?: CommandDraft;
  notifyDeleted?: CommandDraft | true;
  notifyAny?: CommandDraft;
  notifyMasterRxLowerPriority?: CommandDraft;
  notifyPriorityChanges?: boolean;
  smtpAlert?: boolean;
}

export interface GroupDraft extends BlockDraft, NotifyDraft {
  members?: readonly string[];
  readonly tracks: TracksDraft;
  trackingWeight?: boolean;
}

export interface InstanceDraft extends BlockDraft, NotifyDraft {
  /** The family of the first address that was read, wherever; all others must agree. */
  family?: 4 | 6;
  state?: "MASTER" | "BACKUP";
  interface?: string;
  virtualRouterId?: number;
  priority?: number;
  version?: number;
  advertIntervalMs?: number;
  sourceAddress?: IpAddress;
  multicastGroup?: IpAddress;
  /** A keyword for unicast was written, even if no peer was. */
  wantsUnicast?: boolean;
  readonly unicastPeers: UnicastPeer[];
  unicastTtl?: number;
  checkUnicastSource?: boolean;
  unicastFaultWithoutPeer?: boolean;
  authenticationType?: "PASS" | "AH";
  password?: string;
  hmac?: HmacDraft;
  strict?: boolean;
  ownerIgnoresAdverts?: boolean;
  readonly addresses: AddressDraft[];
  readonly excludedAddresses: AddressDraft[];
  readonly routes: ConfiguredRoute[];
  readonly rules: ConfiguredRule[];
  isWithoutAddresses?: boolean;
  nopreempt?: boolean;
  preemptDelayMs?: number;
  readonly tracks: TracksDraft;
  dontTrackPrimary?: boolean;
  trackSourceAddress?: boolean;
  accept?: boolean;
  downTimerAdverts?: number;
  garpDelayMs?: number;
  garpRepeat?: number;
  garpRefreshMs?: number;
  garpRefreshRepeat?: number;
  garpLowerPriorityDelayMs?: number;
  garpLowerPriorityRepeat?: number;
  lowerPriorityNoAdvert?: boolean;
  higherPrioritySendAdvert?: boolean;
  skipCheckAdvertAddresses?: boolean;
  v3ChecksumAsV2?: boolean;
  unicastChecksum?: "old" | "never";
  highestOtherPriority?: number;
  promoteSecondaries?: boolean;
  vmac?: VmacDraft;
  ipvlan?: IpvlanDraft;
  usesVmacForAddresses?: boolean;
  sendsFromBase?: boolean;
  extraGarp?: { readonly intervalMs: number; readonly isEverywhere: boolean };
  kernelReceiveBufferBytes?: number;
  splitBrain?: SplitBrainDraft;
  splitBrainTimeoutMs?: number;
  flapDamping?: FlapDampingDraft;
}

/** Everything, in the order of the file. */
export interface ConfigDraft extends Draft {
  readonly globals: GlobalsDraft;
  readonly scripts: ScriptDraft[];
  readonly processes: ProcessDraft[];
  readonly files: FileDraft[];
  readonly bfds: BfdDraft[];
  readonly groups: GroupDraft[];
  readonly instances: InstanceDraft[];
  readonly staticAddresses: AddressDraft[];
  readonly staticRoutes: ConfiguredRoute[];
  readonly staticRules: ConfiguredRule[];
  readonly trackGroups: TrackGroupDraft[];
  readonly linkDelays: LinkDelay[];
  readonly garpGroups: GarpGroup[];
  readonly rulePriorities: RulePriorities;
  readonly serverGroups: ServerGroupDraft[];
  readonly virtualServers: VirtualServerDraft[];
  ssl?: SslDraft;
  isTrackedInterfaceMissing?: boolean;
  /** A file with a key may be read by others. */
  isSecretOpen?: boolean;
  /** keepalived says once only that there is nobody to run scripts. */
  isMissingUserReported?: boolean;
}

/** Nothing has been read yet. */
export function newConfig(globals: GlobalsDraft = { where: new Map() }): ConfigDraft {
  return {
    where: new Map(),
    globals,
    scripts: [],
    processes: [],
    files: [],
    bfds: [],
    groups: [],
    instances: [],
    staticAddresses: [],
    staticRoutes: [],
    staticRules: [],
    trackGroups: [],
    linkDelays: [],
    garpGroups: [],
    rulePriorities: newRulePriorities(),
    serverGroups: [],
    virtualServers: [],
  };
}

/** An empty list for each kind of tracking. */
export function newTracks(): TracksDraft {
  return { scripts: [], interfaces: [], processes: [], files: [], bfds: [], upstreams: [] };
}
