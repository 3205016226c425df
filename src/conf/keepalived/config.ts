/**
 * What a keepalived.conf means: frozen, typed, completed. Every default is filled in and every global value is already
 * folded into the instances, so that a service never asks where a value came from. `where` remembers it for people:
 * keyword → file and line. Times are milliseconds, addresses are bytes in network order.
 */
import type { Bytes } from "../../base/bytes.ts";
import type { IpAddress } from "../../base/ip.ts";
import type { LvsGlobals, ServerGroup, VirtualServer } from "./lvs/config.ts";
import type { ConfiguredRoute, ConfiguredRule } from "./route-types.ts";

/** Where a value is written. */
export interface Position {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
}

/** keyword → where it was written (the last time); a keyword that is missing here has its default. */
export type Where = ReadonlyMap<string, Position>;

/** The whole configuration, in the order of the file. */
export interface KeepalivedConfig {
  readonly globals: Globals;
  readonly scripts: readonly VrrpScript[];
  readonly trackProcesses: readonly VrrpTrackProcess[];
  readonly trackFiles: readonly TrackFile[];
  readonly bfds: readonly BfdInstance[];
  readonly syncGroups: readonly SyncGroup[];
  readonly instances: readonly VrrpInstance[];
  readonly statics: Statics;
  readonly linkDelays: readonly LinkDelay[];
  readonly garpGroups: readonly GarpGroup[];
  readonly virtualServers: readonly VirtualServer[];
  readonly serverGroups: readonly ServerGroup[];
}

/** A line of `interface_up_down_delays`. */
export interface LinkDelay {
  readonly name: string;
  readonly downMs: number;
  readonly upMs: number;
}

/** What the node has from its start on. */
export interface Statics {
  readonly addresses: readonly VirtualAddress[];
  readonly routes: readonly ConfiguredRoute[];
  readonly rules: readonly ConfiguredRule[];
}

/** User and group names a script runs as; undefined means the default script user of `Globals`. */
export interface ScriptUser {
  readonly user: string;
  readonly group: string | undefined;
}

/** A program and its arguments, never a shell line (keepalived: split with quotes, then execve). */
export interface Command {
  /** As written, for logs. */
  readonly text: string;
  readonly argv: readonly string[];
  readonly user: ScriptUser | undefined;
  readonly at: Position;
}

/** A named pipe that state changes are written to, and the program that reads it. */
export interface NotifyFifo {
  readonly path: string;
  readonly user: ScriptUser | undefined;
  readonly script: Command | undefined;
  readonly at: Position;
}

/** `global_defs` and the keywords outside blocks that concern the process. */
export interface Globals {
  /** `router_id`; undefined: the host name. */
  readonly routerId: string | undefined;
  /** `script_user`; undefined: `keepalived_script` when there is such a user, else root. */
  readonly scriptUser: ScriptUser | undefined;
  readonly enableScriptSecurity: boolean;
  readonly startupScript: Command | undefined;
  readonly startupScriptTimeoutMs: number;
  readonly shutdownScript: Command | undefined;
  readonly shutdownScriptTimeoutMs: number;
  readonly notifyFifo: NotifyFifo | undefined;
  readonly vrrpNotifyFifo: NotifyFifo | undefined;
  readonly lvsNotifyFifo: NotifyFifo | undefined;
  readonly writeStatesToFifoOnReload: boolean;
  readonly notifyPriorityChanges: boolean;
  /** `vrrp_startup_delay`: how long all instances wait after the start. */
  readonly startupDelayMs: number;
  /** `vrrp_delay_after_boot`: the same, counted from the start of the machine. */
  readonly delayAfterBootMs: number;
  readonly dynamicInterfaces: boolean;
  readonly allowInterfaceChanges: boolean;
  readonly disableLocalIgmp: boolean;
  readonly logUnknownVrids: boolean;
  readonly childWaitMs: number;
  readonly process: ProcessSettings;
  readonly lvs: LvsGlobals;
  readonly umask: number | undefined;
  readonly reload: ReloadSettings;
  readonly instanceName: string | undefined;
  /** Pid files are in a folder of the program's own. */
  readonly usesPidFolder: boolean;
  /** The network namespace to be in; undefined: where it was started. */
  readonly netNamespace: string | undefined;
  /** The one of virtual servers; a name that is undefined: where the program was started. */
  readonly netNamespaceIpvs: { readonly name: string | undefined } | undefined;
  readonly dumpFiles: DumpFiles;
  readonly mail: MailSettings;
  readonly peer: PeerSettings;
  readonly flight: FlightSettings;
  readonly where: Where;
}

/** The peer channel of Tandem nodes, an extension. */
export interface PeerSettings {
  /** `peer_key`; undefined: no channel. */
  readonly key: string | undefined;
  readonly port: number;
  /** `handover_limit`: how long connections go on at the old owner. */
  readonly handoverLimitMs: number;
}

/** Where flight records are saved, an extension. */
export interface FlightSettings {
  /** `flight_recorder_dir`; undefined: the usual folder, if it exists. */
  readonly folder: string | undefined;
  /** `flight_recorder_files`. */
  readonly files: number;
}

/** How the processes are called and scheduled. */
export interface ProcessSettings {
  /** Title of the parent, `process_name`. */
  readonly name: string | undefined;
  /** Title of the VRRP process, `vrrp_process_name`. */
  readonly vrrpName: string | undefined;
  /** `vrrp_priority`: nice value -20 … 19. */
  readonly niceness: number | undefined;
  /** `vrrp_rt_priority`: SCHED_RR priority 1 … 99. */
  readonly realtimePriority: number | undefined;
  /** `vrrp_cpu_affinity`: CPU numbers; empty: any. */
  readonly cpuAffinity: readonly number[];
  /** The same for the checker process, `checker_…`; without a real-time priority it has none. */
  readonly checker: {
    readonly name: string | undefined;
    readonly niceness: number | undefined;
    readonly realtimePriority: number | undefined;
    readonly cpuAffinity: readonly number[];
  };
}

/** Where SIGUSR1, SIGUSR2 and the JSON signal write; undefined: keepalived's places in /tmp. */
export interface DumpFiles {
  readonly state: string | undefined;
  readonly stats: string | undefined;
  readonly json: string | undefined;
  readonly jsonVersion: 1 | 2;
}

/** Where mail goes, and how. */
export interface MailSettings {
  readonly to: readonly string[];
  readonly from: string | undefined;
  readonly server: string | undefined;
  readonly port: number;
  readonly heloName: string | undefined;
  readonly connectTimeoutMs: number;
  /** `no_email_faults`. */
  readonly isWithoutFaults: boolean;
  /** An extension, as all below. `password`: `file:PATH` names a file that it is in. */
  readonly auth: { readonly user: string; readonly password: string } | undefined;
  readonly tls: "off" | "starttls" | "implicit";
  /** Path of certificates; undefined: Node's own. */
  readonly tlsCa: string | undefined;
  readonly isTlsUnverified: boolean;
}

/** `vrrp_script`. */
export interface VrrpScript {
  readonly name: string;
  readonly command: Command;
  readonly intervalMs: number;
  /** After this the script is ended and has failed. */
  readonly timeoutMs: number;
  /** 0: a failure is a fault. Positive: added while it succeeds; negative: while it fails. */
  readonly weight: number;
  /** `weight N reverse`: succeeding and failing change places. */
  readonly weightReverse: boolean;
  readonly rise: number;
  readonly fall: number;
  /** `init_fail`: failed until the first result; otherwise the first result decides alone. */
  readonly initFail: boolean;
  readonly at: Position;
  readonly where: Where;
}

/** `vrrp_track_process`. */
export interface VrrpTrackProcess {
  readonly name: string;
  /** Name of the executable (without directory, as the kernel shows it, unless `fullCommand`). */
  readonly process: string;
  readonly parameters: readonly string[];
  readonly parameterMatch: "any" | "exact" | "initial" | "partial";
  readonly weight: number;
  readonly weightReverse: boolean;
  /** At least this many processes… */
  readonly quorum: number;
  /** … and at most this many. */
  readonly quorumMax: number;
  readonly forkDelayMs: number;
  readonly terminateDelayMs: number;
  readonly fullCommand: boolean;
  readonly at: Position;
  readonly where: Where;
}

/** `track_file` / `vrrp_track_file`: a number in a file, times a weight, is added to the priority. */
export interface TrackFile {
  readonly name: string;
  readonly path: string;
  /** 0: a number other than 0 is a fault. */
  readonly weight: number;
  readonly weightReverse: boolean;
  /** `init_file`: what to write when the file is missing (or always, with `overwrite`). */
  readonly initialise: { readonly value: number; readonly overwrite: boolean } | undefined;
  readonly at: Position;
  readonly where: Where;
}

/** `bfd_instance`: a session with one neighbour. Intervals are microseconds, as they are on the wire. */
export interface BfdInstance {
  readonly name: string;
  readonly neighbor: IpAddress;
  /** undefined: the kernel's choice. */
  readonly source: IpAddress | undefined;
  readonly minRxUs: number;
  readonly minTxUs: number;
  /** Between packets while the session is not up. */
  readonly idleTxUs: number;
  readonly multiplier: number;
  /** It waits until the neighbour speaks. */
  readonly passive: boolean;
  /** TTL or hop limit of our packets, and, less `maxHops`, the least of the neighbour's. */
  readonly ttl: number;
  /** 255: as many as it likes. */
  readonly maxHops: number;
  /** RFC 5883: another port. */
  readonly multihop: boolean;
  /** What a `track_bfd` without a weight of its own counts. */
  readonly weight: number;
  readonly weightReverse: boolean;
  readonly at: Position;
  readonly where: Where;
}

/** One line of a `track_*` block: something watched by its name, with the weight that counts here. */
export interface Track {
  /** Name of the script, interface, process, file, BFD session or upstream. */
  readonly name: string;
  /** Resolved: the line's own weight, else that of the tracked thing. 0: its failure is a fault. */
  readonly weight: number;
  readonly weightReverse: boolean;
  readonly at: Position;
}

/** What an instance or a group watches. */
export interface Tracks {
  readonly scripts: readonly Track[];
  readonly interfaces: readonly Track[];
  readonly processes: readonly Track[];
  readonly files: readonly Track[];
  readonly bfds: readonly Track[];
  /** Names are those of nginx.conf. */
  readonly upstreams: readonly Track[];
}

/** What is run on a change of state; `any` gets type, name, state and priority as arguments. */
export interface Notifies {
  readonly master: Command | undefined;
  readonly backup: Command | undefined;
  readonly fault: Command | undefined;
  readonly stop: Command | undefined;
  /** `notify_deleted`: true alone means: say DELETED instead of FAULT. */
  readonly deleted: Command | boolean;
  readonly any: Command | undefined;
  readonly masterRxLowerPriority: Command | undefined;
}

/** `vrrp_sync_group`: instances that change state together. */
export interface SyncGroup {
  readonly name: string;
  /** Names of instances that exist, in the order of the file. */
  readonly members: readonly string[];
  readonly tracks: Tracks;
  readonly notifies: Notifies;
  /** Its changes of state are told by mail. */
  readonly smtpAlert: boolean;
  readonly notifyPriorityChanges: boolean;
  /** `sync_group_tracking_weight`: members may keep differing weights. */
  readonly trackingWeight: boolean;
  readonly at: Position;
  readonly where: Where;
}

/** One address of `virtual_ipaddress`, with the options of `ip address`. */
export interface VirtualAddress {
  readonly address: IpAddress;
  /** 32 and 128 when none is written. */
  readonly prefixLength: number;
  /** `dev`, or the instance's interface; undefined only for an instance without interface. */
  readonly interface: string | undefined;
  /** `brd ADDRESS`, `brd +` and `brd -` computed. */
  readonly broadcast: IpAddress | undefined;
  /** rtnetlink scope number: 0 global, 253 link, 254 host. */
  readonly scope: number;
  readonly label: string | undefined;
  readonly peer: IpAddress | undefined;
  readonly home: boolean;
  readonly noDad: boolean;
  readonly manageTemporary: boolean;
  readonly noPrefixRoute: boolean;
  readonly autoJoin: boolean;
  /** The instance does not fault when the address's interface does. */
  readonly noTrack: boolean;
  /** Seconds; 0: deprecated (keepalived's default for a /128); undefined: for ever. */
  readonly preferredLifetimeS: number | undefined;
  readonly at: Position;
}

/** A link that an instance makes on top of another one: `use_vmac`, `use_ipvlan`. */
export interface VirtualLink {
  readonly name: string;
  readonly kind: "macvlan" | "ipvlan";
  /** The interface underneath. */
  readonly base: string;
  /** Whose addresses it carries. */
  readonly family: 4 | 6;
  /** Of a macvlan; an ipvlan has that of its base. */
  readonly mac: Bytes;
  readonly ipvlanType: "bridge" | "private" | "vepa";
  /** Its own address, which adverts come from: of an ipvlan. */
  readonly address: { readonly address: IpAddress; readonly prefixLength: number } | undefined;
  /** Adverts leave by it: an IPv6 link needs an address to send from. */
  readonly carriesAdverts: boolean;
  /** Group of links; undefined: that of the base. */
  readonly group: number | undefined;
  /** `netlink_notify_msg`: listeners are told of the base's promiscuity. */
  readonly forcesNotification: boolean;
}

/** A member of `unicast_peer`. */
export interface UnicastPeer {
  readonly address: IpAddress;
  readonly minTtl: number | undefined;
  readonly maxTtl: number | undefined;
  readonly at: Position;
}

/** `authentication`: VRRP version 2 only. */
export interface Authentication {
  /** PASS: the password travels in clear. AH: adverts travel in an IPsec authentication header that it is the key of. */
  readonly type: "PASS" | "AH";
  /** Exactly 8 bytes, cut or filled with zeros. */
  readonly password: Bytes;
}

export interface HmacKey {
  /** 1 … 255; names the key in a trailer. */
  readonly id: number;
  /** 32 … 64 of them. */
  readonly bytes: Bytes;
}

/** `auth_hmac`: adverts of either version have a signed trailer. */
export interface AuthHmac {
  /** Those that a trailer may be signed with. */
  readonly keys: readonly HmacKey[];
  /** The one that ours are signed with. */
  readonly activeKey: HmacKey;
  /** time: a trailer is good for `windowS` and once; monotonic: it has to be later than the last one. */
  readonly antiReplay: "time" | "monotonic";
  readonly windowS: number;
  /** receive-only: ours have none; permissive: others need none; enforce: everybody's has one. */
  readonly mode: "enforce" | "permissive" | "receive-only";
}

/** How a reload is done. */
export interface ReloadSettings {
  /** `reload_check_config`: only what passes the check is taken over; `log`: where the check's complaints go. */
  readonly check: { readonly log: string | undefined } | undefined;
  /** `reload_time_file`, and whether it stays. */
  readonly time: { readonly path: string; readonly repeats: boolean } | undefined;
  /** `reload_file`: there while files are read; a path that is undefined: the standard one. */
  readonly file: { readonly path: string | undefined } | undefined;
}

/** `garp_group`: the least time between two announcements on any of these interfaces, milliseconds; 0: none. */
export interface GarpGroup {
  readonly garpIntervalMs: number;
  readonly gnaIntervalMs: number;
  readonly interfaces: readonly string[];
}

/** Gratuitous ARP and unsolicited neighbour advertisements after a take-over. */
export interface AnnounceSettings {
  /** `garp_master_delay`: the second burst, this long after the first; 0: none. */
  readonly delayMs: number;
  /** `garp_master_repeat`: messages per address and burst. */
  readonly repeat: number;
  /** `garp_master_refresh`: repeat for as long as active; 0: never. */
  readonly refreshMs: number;
  readonly refreshRepeat: number;
  /** Bursts after an advert of lower priority was heard. */
  readonly lowerPriorityDelayMs: number;
  readonly lowerPriorityRepeat: number;
  /** Least time between two gratuitous ARP messages on one interface; 0: none. */
  readonly garpIntervalMs: number;
  /** The same for neighbour advertisements. */
  readonly gnaIntervalMs: number;
  /** `garp_extra_if`: messages on links that adverts don't pass, so that switches remember the MAC address; 0: none. */
  readonly extraIntervalMs: number;
  /** Also on links that the instance has not made. */
  readonly extraEverywhere: boolean;
}

/** Something elsewhere that tells whether the network is whole. */
export interface Witness {
  readonly kind: "tcp" | "http" | "dns" | "etcd";
  readonly host: string;
  readonly port: number;
  /** http: the path; dns: the name to ask for; etcd: the key of the lease. */
  readonly path: string;
  /** As written. */
  readonly text: string;
}

/** `split_brain_policy safe`, an extension: what has to answer while the instance is active. */
export interface SplitBrainSettings {
  readonly gateway: IpAddress | undefined;
  readonly witness: Witness | undefined;
  /** How long an answer counts. */
  readonly validMs: number;
}

/** `flap_damping`, an extension: how priority that health keeps taking is given back. Penalties are thousandths of falls. */
export interface FlapDamping {
  /** upstreams: only what `track_upstream` takes, because nobody has asked for more. */
  readonly scope: "all" | "upstreams";
  /** In this time half of the penalty is forgotten. */
  readonly halfLifeMs: number;
  /** From this penalty on nothing is given back, until it has sunk to `reuse`. */
  readonly suppress: number;
  readonly reuse: number;
  /** Nothing is held back for longer behind the last fall. */
  readonly maxSuppressMs: number;
}

/** `vrrp_instance`. */
export interface VrrpInstance {
  readonly name: string;
  /** `state`: a wish only; every instance starts as backup and waits its down timer, unless it owns the addresses. */
  readonly initialState: "MASTER" | "BACKUP";
  /** undefined only in a configuration that is not usable. */
  readonly interface: string | undefined;
  /** `use_vmac`, `use_ipvlan`: the link that it makes for itself. */
  readonly virtualLink: VirtualLink | undefined;
  /** Links that it makes for single addresses: `use_vmac_addr`, `use_vmac` of an address. */
  readonly addressLinks: readonly VirtualLink[];
  /** Where adverts are heard: its own link, or the interface. */
  readonly advertInterface: string | undefined;
  /** `vmac_xmit_base`: they leave by the interface nevertheless. */
  readonly sendsFromBase: boolean;
  readonly virtualRouterId: number;
  /** 1 … 255; 255 owns the addresses. */
  readonly priority: number;
  readonly version: 2 | 3;
  readonly family: 4 | 6;
  /** Version 2: whole seconds; version 3: a multiple of 10 ms, at most 40950. */
  readonly advertIntervalMs: number;
  /** `mcast_src_ip` or `unicast_src_ip`; undefined: the interface's primary (IPv6: link-local) address. */
  readonly sourceAddress: IpAddress | undefined;
  /** The group for this family, `mcast_dst_ip` or the global one. Unused when `unicast`. */
  readonly multicastGroup: IpAddress;
  /** True: adverts go to `unicastPeers` only, and no group is joined. */
  readonly unicast: boolean;
  readonly unicastPeers: readonly UnicastPeer[];
  /** undefined: 255 for IPv4, the kernel's for IPv6. */
  readonly unicastTtl: number | undefined;
  /** Adverts from others than `unicastPeers` are dropped. */
  readonly checkUnicastSource: boolean;
  readonly unicastFaultWithoutPeer: boolean;
  readonly authentication: Authentication | undefined;
  readonly authHmac: AuthHmac | undefined;
  /** `strict_mode`: the RFC to the letter; what follows from it is folded into the other fields. */
  readonly strict: boolean;
  /** In adverts, in this order; all of `family`. */
  readonly addresses: readonly VirtualAddress[];
  /** Configured while active but not in adverts; either family. */
  readonly excludedAddresses: readonly VirtualAddress[];
  /** `virtual_routes`, `virtual_rules`: set while active. */
  readonly routes: readonly ConfiguredRoute[];
  readonly rules: readonly ConfiguredRule[];
  /** Links of these, and of static items that it tracks: when one is down the instance is in fault. */
  readonly itemLinks: readonly string[];
  readonly nopreempt: boolean;
  readonly preemptDelayMs: number;
  readonly tracks: Tracks;
  /** False: `dont_track_primary`. */
  readonly trackPrimary: boolean;
  readonly trackSourceAddress: boolean;
  /** False: packets to the virtual addresses are dropped, `no_accept`. */
  readonly accept: boolean;
  readonly downTimerAdverts: number;
  readonly announce: AnnounceSettings;
  readonly lowerPriorityNoAdvert: boolean;
  readonly higherPrioritySendAdvert: boolean;
  readonly skipCheckAdvertAddresses: boolean;
  /** An owner (priority 255) does not listen to anybody. */
  readonly ownerIgnoresAdverts: boolean;
  /** IPv4 version 3 without pseudo-header in the checksum. */
  readonly v3ChecksumAsV2: boolean;
  /**
   * `old_unicast_checksum`: keepalived before 1.3.6 summed up the multicast group instead of the peer's address (IPv4, version 3).
   * auto: as a peer does it.
   */
  readonly unicastChecksum: "auto" | "old" | "never";
  /** `timer_expired_backup`: the highest priority that another router can have; undefined: being late changes nothing. */
  readonly highestOtherPriority: number | undefined;
  readonly promoteSecondaries: boolean;
  /** Of its share of the socket: bytes, or multiples of the link's MTU; undefined: the kernel's usual size. */
  readonly receiveBuffer: { readonly bytes: number } | { readonly mtus: number } | undefined;
  readonly notifies: Notifies;
  /** Its changes of state are told by mail. */
  readonly smtpAlert: boolean;
  readonly notifyPriorityChanges: boolean;
  /** undefined: `available`, nothing is asked. */
  readonly splitBrain: SplitBrainSettings | undefined;
  /** undefined: nothing is damped. */
  readonly flapDamping: FlapDamping | undefined;
  /** Name of the group that it belongs to. */
  readonly syncGroup: string | undefined;
  readonly at: Position;
  readonly where: Where;
}
