/** One instance: defaults, and keepalived's rules about what goes together. keepalived: vrrp_complete_instance. */
import { fromUtf8 } from "../../base/bytes.ts";
import type { IpAddress } from "../../base/ip.ts";
import { type AddressDraft, completeAddress } from "./addresses.ts";
import { completeHmac, isSigning } from "./auth-hmac.ts";
import { announceSettings, multicastGroupOf } from "./complete-globals.ts";
import type { AssignedLinks, LinkAssignment } from "./complete-virtual-links.ts";
import type { AnnounceSettings, Authentication, Track, Tracks, VirtualAddress, VrrpInstance } from "./config.ts";
import type { ConfigDraft, GlobalsDraft, InstanceDraft, TrackDraft, TracksDraft } from "./drafts.ts";
import { completeFlapDamping } from "./flap-damping.ts";
import { DEFAULT_PRIORITY, PASSWORD_BYTES } from "./instance.ts";
import { alertOf } from "./mail.ts";
import { completeNotifies } from "./notifies.ts";
import type { Report } from "./report.ts";
import { completeSplitBrain } from "./split-brain.ts";
import { linksOfItems } from "./statics.ts";

/** The priority that owns the addresses. */
export const OWNER_PRIORITY = 255;
/** Addresses that fit an advert: one octet counts them; IPv6 fills a packet of 1500 octets before that. */
const MAX_ADDRESSES = { 4: 255, 6: 89 } as const;
/** A trailer takes the room of two more. */
const MAX_SIGNED_ADDRESSES = { 4: 255, 6: 88 } as const;
const DOWN_TIMER_ADVERTS = 3;
const DEFAULT_RECEIVE_MULTIPLIER = 3;
/** Of an advert without addresses, and of what is around it. */
const ADVERT_BYTES = 8;
const IPV4_BYTES = 20;
const IPV4_AND_AH_BYTES = 44;
const TRAILER_BYTES = 28;
const MAX_V2_SECONDS = 255;
const MAX_V3_CENTISECONDS = 4095;

type Warn = (message: string) => void;

interface Role {
  readonly initialState: "MASTER" | "BACKUP";
  readonly priority: number;
}

/** Completes one instance. */
export function completeInstance(
  draft: InstanceDraft,
  config: ConfigDraft,
  assignment: LinkAssignment,
  report: Report,
): VrrpInstance {
  const { globals } = config;
  const warn = (message: string): void => report("warn", `(${draft.name}) ${message}`);
  const family = draft.family ?? 4;
  const version = versionOf(draft, globals.version, warn);
  const unicast = draft.unicastPeers.length > 0;
  const strict = draft.strict ?? globals.strict ?? false;
  const items = { routes: Object.freeze([...draft.routes]), rules: Object.freeze([...draft.rules]) };
  if (draft.interface === undefined) report("error", `(${draft.name}) Unknown interface!`);
  if (strict && draft.isWithoutAddresses === true)
    warn("no_virtual_ipaddress and strict mode incompatible, clearing no_virtual_ipaddress");
  if (draft.addresses.length === 0 && (strict || draft.isWithoutAddresses !== true)) {
    const isRequired = version === 3 || strict;
    const message = `(${draft.name}) No VIP specified; at least one is ${isRequired ? "required" : "sensible"}`;
    report(isRequired ? "error" : "warn", message);
  }
  checkUnicast(draft, unicast, warn);
  const { interfaceOf, ...links } = assignment.assign(draft, strict, report);
  const { addresses, excludedAddresses } = completeAddresses(draft, family, interfaceOf, report);
  const [first] = addresses;
  if (strict && family === 6 && !unicast && first !== undefined && !isLinkLocal(first.address))
    warn("the first IPv6 VIP address must be link local");
  const role = roleOf(draft, strict, warn);
  const { priority } = role;
  const advertIntervalMs = advertInterval(draft, version, warn);
  const authHmac = completeHmac(draft, advertIntervalMs, strict, warn);
  const authentication = authenticationOf(draft, version, { strict, isSigned: draft.hmac !== undefined }, warn);
  const initialState = stateWithAh(role, authentication, warn);
  const { nopreempt, preemptDelayMs } = preemption(draft, initialState, priority, strict, warn);
  return Object.freeze({
    name: draft.name,
    initialState,
    interface: draft.interface,
    ...links,
    virtualRouterId: draft.virtualRouterId ?? 0,
    priority,
    version,
    family,
    advertIntervalMs,
    sourceAddress: draft.sourceAddress,
    multicastGroup: draft.multicastGroup ?? multicastGroupOf(globals, family),
    unicast,
    unicastPeers: Object.freeze([...draft.unicastPeers]),
    unicastTtl: (unicast ? draft.unicastTtl : undefined) ?? (family === 4 ? 255 : undefined),
    checkUnicastSource:
      draft.checkUnicastSource ??
      (globals.checkUnicastSource === true || draft.unicastPeers.some(({ minTtl, maxTtl }) => minTtl ?? maxTtl)),
    unicastFaultWithoutPeer: draft.unicastFaultWithoutPeer ?? false,
    authentication,
    authHmac,
    strict,
    addresses,
    excludedAddresses,
    ...items,
    itemLinks: linksOfItems(draft.name, items, config),
    nopreempt,
    preemptDelayMs,
    tracks: completeTracks(draft, priority, config, warn),
    trackPrimary: draft.dontTrackPrimary !== true,
    trackSourceAddress: draft.trackSourceAddress ?? false,
    ...electionSettings(draft, globals, { strict, version, isOwner: priority === OWNER_PRIORITY }, warn),
    announce: strictAnnouncements(announceSettings(draft, globals), draft, strict, warn),
    skipCheckAdvertAddresses: draft.skipCheckAdvertAddresses ?? globals.skipCheckAdvertAddresses ?? false,
    v3ChecksumAsV2: draft.v3ChecksumAsV2 ?? globals.v3ChecksumAsV2 ?? false,
    unicastChecksum: draft.unicastChecksum ?? "auto",
    highestOtherPriority: otherPriority(draft, nopreempt, warn),
    promoteSecondaries: draft.promoteSecondaries === true && (draft.vmac ?? draft.ipvlan) === undefined,
    receiveBuffer: receiveBufferOf(draft, globals, { version, family, count: addresses.length, authentication }),
    notifies: completeNotifies(draft),
    smtpAlert: alertOf(draft, globals),
    notifyPriorityChanges: draft.notifyPriorityChanges ?? globals.notifyPriorityChanges ?? false,
    splitBrain: completeSplitBrain(draft, priority, report),
    flapDamping: completeFlapDamping(draft.flapDamping, globals.flapDamping, { name: draft.name, priority }, report),
    syncGroup: undefined,
    at: draft.at,
    where: draft.where,
  });
}

function versionOf(draft: InstanceDraft, global: number | undefined, warn: (message: string) => void): 2 | 3 {
  if (draft.family === 6) {
    if (draft.version === 2) warn("cannot use IPv6 with VRRP version 2; setting version 3");
    return 3;
  }
  return (draft.version ?? global ?? 2) === 3 ? 3 : 2;
}

function checkUnicast(draft: InstanceDraft, unicast: boolean, warn: (message: string) => void): void {
  if (unicast) {
    if (draft.multicastGroup !== undefined) warn("multicast destination specified with unicast - ignoring");
    return;
  }
  if (draft.wantsUnicast === true && draft.unicastFaultWithoutPeer !== true)
    warn(
      "A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.",
    );
}

/** An owner wants to be MASTER unless it says otherwise, and who wants to be MASTER and says no priority is owner. */
function roleOf(draft: InstanceDraft, strict: boolean, warn: Warn): Role {
  const priority = draft.priority ?? (draft.state === "MASTER" ? OWNER_PRIORITY : DEFAULT_PRIORITY);
  const natural = priority === OWNER_PRIORITY ? "MASTER" : "BACKUP";
  if (!strict || draft.state === undefined || draft.state === natural)
    return { priority, initialState: draft.state ?? natural };
  warn("State MASTER must match being address owner");
  return { priority, initialState: natural };
}

/** A sequence number has to be heard before it can be continued, so nobody begins as MASTER. */
function stateWithAh(
  { initialState, priority }: Role,
  authentication: Authentication | undefined,
  warn: Warn,
): Role["initialState"] {
  if (authentication?.type !== "AH" || initialState !== "MASTER" || priority === OWNER_PRIORITY) return initialState;
  warn("Initial state master is incompatible with AH authentication - clearing");
  return "BACKUP";
}

function preemption(
  draft: InstanceDraft,
  initialState: "MASTER" | "BACKUP",
  priority: number,
  strict: boolean,
  warn: Warn,
): { nopreempt: boolean; preemptDelayMs: number } {
  let nopreempt = draft.nopreempt ?? false;
  let preemptDelayMs = draft.preemptDelayMs ?? 0;
  if (nopreempt && priority === OWNER_PRIORITY) {
    warn(`nopreempt is incompatible with priority ${OWNER_PRIORITY}. resetting nopreempt`);
    nopreempt = false;
  }
  if (nopreempt && initialState === "MASTER") {
    warn("Warning - nopreempt will not work with initial state MASTER - clearing");
    nopreempt = false;
  }
  if (preemptDelayMs > 0 && initialState === "MASTER") {
    warn("Warning - preempt delay will not work with initial state MASTER - clearing");
    preemptDelayMs = 0;
  }
  if (preemptDelayMs > 0 && strict) {
    warn("preempt_delay is incompatible with strict mode - resetting");
    preemptDelayMs = 0;
  }
  if (preemptDelayMs > 0 && nopreempt) {
    warn("preempt_delay is incompatible with nopreempt mode - resetting");
    preemptDelayMs = 0;
  }
  return { nopreempt, preemptDelayMs };
}

/** Without nopreempt the priorities decide, late or not. */
function otherPriority({ highestOtherPriority }: InstanceDraft, nopreempt: boolean, warn: Warn): number | undefined {
  if (highestOtherPriority === undefined || nopreempt) return highestOtherPriority;
  warn("expired_timer_backup requires nopreempt - resetting");
  return undefined;
}

/** Version 2 counts whole seconds, version 3 hundredths, at most 40.95 seconds. */
function advertInterval(draft: InstanceDraft, version: 2 | 3, warn: (message: string) => void): number {
  const ms = draft.advertIntervalMs ?? 1000;
  const seconds = ms / 1000;
  if (version === 2) {
    if (ms % 1000 === 0) return ms;
    warn(`VRRPv2 advertisement interval ${seconds.toFixed(6)}s must be an integer. rounding`);
    return Math.min(MAX_V2_SECONDS, Math.max(1, Math.round(seconds))) * 1000;
  }
  if (ms > MAX_V3_CENTISECONDS * 10) {
    const limits = "Must be less than 40.96s. Setting to 40.95s";
    warn(`VRRPv3 advertisement interval ${seconds.toFixed(2)}s is out of range. ${limits}`);
    return MAX_V3_CENTISECONDS * 10;
  }
  if (ms % 10 === 0) return ms;
  warn(`VRRPv3 advertisement interval ${seconds.toFixed(6)}s must be in units of 10ms - rounding`);
  return Math.max(1, Math.round(ms / 10)) * 10;
}

function authenticationOf(
  draft: InstanceDraft,
  version: 2 | 3,
  { strict, isSigned }: { readonly strict: boolean; readonly isSigned: boolean },
  warn: Warn,
): Authentication | undefined {
  const { authenticationType: type } = draft;
  if (type === undefined) return undefined;
  if (strict) {
    warn("Strict mode does not support authentication. Ignoring.");
    return undefined;
  }
  if (version === 3) {
    warn("VRRP version 3 does not support authentication. Ignoring.");
    return undefined;
  }
  if (draft.password === undefined || draft.password === "") {
    warn("Authentication specified but no password given. Ignoring");
    return undefined;
  }
  if (isSigned) {
    warn("auth_hmac cannot be combined with authentication, dropping legacy auth");
    return undefined;
  }
  const password = new Uint8Array(PASSWORD_BYTES);
  password.set(fromUtf8(draft.password).subarray(0, PASSWORD_BYTES));
  return Object.freeze({ type, password });
}

interface Strictness {
  readonly strict: boolean;
  readonly version: 2 | 3;
  readonly isOwner: boolean;
}

/** What decides elections, with what `strict_mode` allows of it. */
function electionSettings(
  draft: InstanceDraft,
  globals: GlobalsDraft,
  { strict, version, isOwner }: Strictness,
  warn: Warn,
): Pick<
  VrrpInstance,
  "accept" | "downTimerAdverts" | "lowerPriorityNoAdvert" | "higherPrioritySendAdvert" | "ownerIgnoresAdverts"
> {
  let downTimerAdverts = draft.downTimerAdverts ?? globals.downTimerAdverts ?? DOWN_TIMER_ADVERTS;
  if (strict && downTimerAdverts !== DOWN_TIMER_ADVERTS) {
    warn("down_timer_adverts is incompatible with strict mode - resetting");
    downTimerAdverts = DOWN_TIMER_ADVERTS;
  }
  let accept = draft.accept ?? (isOwner || !strict);
  if (strict && accept && !isOwner && version === 2) {
    warn("warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting");
    accept = false;
  }
  if (strict && draft.lowerPriorityNoAdvert === false) warn("Strict mode requires no lower priority advert. resetting");
  if (strict && draft.higherPrioritySendAdvert === true)
    warn("strict mode requires higher_prio_send_advert to be clear. resetting");
  if (draft.ownerIgnoresAdverts === true && !isOwner)
    warn(`ignoring owner_ignore_adverts since priority is not ${OWNER_PRIORITY}`);
  if (strict && isOwner && draft.ownerIgnoresAdverts === false)
    warn(`strict_mode with priority ${OWNER_PRIORITY} requires owner_ignore_adverts`);
  return {
    accept,
    downTimerAdverts,
    lowerPriorityNoAdvert: strict || (draft.lowerPriorityNoAdvert ?? globals.lowerPriorityNoAdvert ?? false),
    higherPrioritySendAdvert: !strict && (draft.higherPrioritySendAdvert ?? globals.higherPrioritySendAdvert ?? false),
    ownerIgnoresAdverts: isOwner && (strict || (draft.ownerIgnoresAdverts ?? globals.ownerIgnoresAdverts ?? false)),
  };
}

/** The RFC knows no messages because of an advert of lower priority. */
function strictAnnouncements(
  announce: AnnounceSettings,
  draft: InstanceDraft,
  strict: boolean,
  warn: Warn,
): AnnounceSettings {
  if (!strict) return announce;
  if ((draft.garpLowerPriorityRepeat ?? 0) > 0) warn("Strict mode requires no repeat garps. resetting");
  if ((draft.garpLowerPriorityDelayMs ?? 0) > 0) warn("Strict mode requires no repeat garp delay. resetting");
  return Object.freeze({ ...announce, lowerPriorityRepeat: 0, lowerPriorityDelayMs: 0 });
}

/** An instance's share of its socket's receive buffer. */
function receiveBufferOf(
  draft: InstanceDraft,
  { receivePolicy, receiveMultiplier = DEFAULT_RECEIVE_MULTIPLIER }: GlobalsDraft,
  advert: Pick<VrrpInstance, "version" | "family" | "authentication"> & { readonly count: number },
): VrrpInstance["receiveBuffer"] {
  const own = draft.kernelReceiveBufferBytes ?? 0;
  if (own > 0) return { bytes: own };
  if (receivePolicy === "MTU") return { mtus: receiveMultiplier };
  if (receivePolicy === "ADVERT") {
    const password = advert.version === 2 ? PASSWORD_BYTES : 0;
    const message = ADVERT_BYTES + password + advert.count * (advert.family === 4 ? 4 : 16);
    const header = advert.family === 6 ? 0 : advert.authentication?.type === "AH" ? IPV4_AND_AH_BYTES : IPV4_BYTES;
    return { bytes: receiveMultiplier * (header + message + (isSigning(draft) ? TRAILER_BYTES : 0)) };
  }
  return receivePolicy === undefined || receivePolicy.bytes === 0 ? undefined : receivePolicy;
}

function isLinkLocal(ip: IpAddress): boolean {
  return ip[0] === 0xfe && ((ip[1] as number) & 0xc0) === 0x80;
}

function completeAddresses(
  draft: InstanceDraft,
  family: 4 | 6,
  interfaceOf: AssignedLinks["interfaceOf"],
  report: Report,
): { addresses: readonly VirtualAddress[]; excludedAddresses: readonly VirtualAddress[] } {
  const finish = (address: AddressDraft): VirtualAddress =>
    completeAddress(address, interfaceOf(address), (message) => report("warn", message, address.at));
  const addresses = draft.addresses.map(finish);
  const max = (isSigning(draft) ? MAX_SIGNED_ADDRESSES : MAX_ADDRESSES)[family];
  if (addresses.length > max)
    report(
      "warn",
      `(${draft.name}) Number of VIPs (${addresses.length}) exceeds maximum/space available in packet (max ${max} addresses) - excess moved to eVIPs`,
    );
  return {
    addresses: Object.freeze(addresses.slice(0, max)),
    excludedAddresses: Object.freeze([...addresses.slice(max), ...draft.excludedAddresses.map(finish)]),
  };
}

/** What is tracked, with the weights that count. */
function completeTracks(
  draft: InstanceDraft,
  priority: number,
  config: ConfigDraft,
  warn: (message: string) => void,
): Tracks {
  const group = config.groups.find((candidate) => candidate.members?.includes(draft.name) === true);
  const isGrouped = group !== undefined && group.trackingWeight !== true;
  const isOwner = priority === OWNER_PRIORITY;
  const own = draft.tracks.interfaces.find(({ name }) => name === draft.interface);
  if (own !== undefined) warn(`Ignoring track_interface ${own.name} since own interface`);
  const interfaces = draft.tracks.interfaces.filter((track) => track !== own);
  const resolved = resolveTracks({ ...draft.tracks, interfaces }, config);
  if (!isOwner && !isGrouped) return resolved;
  const why = isGrouped ? "SYNC group" : "address_owner";
  const hasWeight = (track: Track): boolean => track.weight !== 0;
  const clear = (track: Track): Track => Object.freeze({ ...track, weight: 0 });
  for (const { name } of resolved.scripts.filter(hasWeight))
    warn(`ignoring tracked script ${name} with weights due to ${why}`);
  for (const { name, weight } of resolved.bfds.filter(hasWeight))
    warn(`ignoring tracked bfd ${name} with weight ${weight} due to ${why}`);
  for (const { name } of resolved.upstreams.filter(hasWeight))
    warn(`ignoring tracked upstream ${name} with weight due to ${why}`);
  for (const { name } of resolved.files.filter(hasWeight))
    warn(`ignoring weight from tracked file ${name} due to ${why}. specify weight 0`);
  for (const { name } of resolved.interfaces.filter(hasWeight))
    warn(`ignoring ${name} tracked interface ${isGrouped ? "weight due to SYNC group" : "due to address owner"}`);
  return Object.freeze({
    scripts: Object.freeze(resolved.scripts.filter((track) => !hasWeight(track))),
    interfaces: Object.freeze(
      isOwner ? resolved.interfaces.filter((track) => !hasWeight(track)) : resolved.interfaces.map(clear),
    ),
    processes: Object.freeze(resolved.processes.map(clear)),
    files: Object.freeze(resolved.files.map(clear)),
    bfds: Object.freeze(resolved.bfds.filter((track) => !hasWeight(track))),
    upstreams: Object.freeze(resolved.upstreams.filter((track) => !hasWeight(track))),
  });
}

/** Weights of the lines, else of what they name. */
export function resolveTracks(draft: TracksDraft, config: ConfigDraft): Tracks {
  const resolve = (
    tracks: readonly TrackDraft[],
    known: readonly { name: string; weight?: number; weightReverse?: boolean }[],
    fallback: number,
  ): readonly Track[] =>
    Object.freeze(
      tracks.map(({ name, weight, weightReverse, at }) => {
        const thing = known.find((candidate) => candidate.name === name);
        return Object.freeze({
          name,
          weight: weight ?? thing?.weight ?? fallback,
          weightReverse: weightReverse ?? thing?.weightReverse ?? false,
          at,
        });
      }),
    );
  return Object.freeze({
    scripts: resolve(draft.scripts, config.scripts, 0),
    interfaces: resolve(draft.interfaces, [], 0),
    processes: resolve(draft.processes, config.processes, 0),
    files: resolve(draft.files, config.files, 1),
    bfds: resolve(draft.bfds, config.bfds, 0),
    upstreams: resolve(draft.upstreams, [], 0),
  });
}
