/** One instance: defaults, and keepalived's rules about what goes together. keepalived: vrrp_complete_instance. */
import { fromUtf8 } from "../../base/bytes.ts";
import { type AddressDraft, completeAddress } from "./addresses.ts";
import { announceSettings, multicastGroupOf } from "./complete-globals.ts";
import type { Authentication, Track, Tracks, VirtualAddress, VrrpInstance } from "./config.ts";
import type { ConfigDraft, InstanceDraft, TrackDraft, TracksDraft } from "./drafts.ts";
import { DEFAULT_PRIORITY, PASSWORD_BYTES } from "./instance.ts";
import { completeNotifies } from "./notifies.ts";
import type { Report } from "./report.ts";

/** The priority that owns the addresses. */
export const OWNER_PRIORITY = 255;
/** Addresses that fit an advert: one octet counts them; IPv6 fills a packet of 1500 octets before that. */
const MAX_ADDRESSES = { 4: 255, 6: 89 } as const;
const MAX_V2_SECONDS = 255;
const MAX_V3_CENTISECONDS = 4095;

/** Completes one instance. */
export function completeInstance(draft: InstanceDraft, config: ConfigDraft, report: Report): VrrpInstance {
  const { globals } = config;
  const warn = (message: string): void => report("warn", `(${draft.name}) ${message}`);
  const family = draft.family ?? 4;
  const version = versionOf(draft, globals.version, warn);
  const unicast = draft.unicastPeers.length > 0;
  if (draft.interface === undefined) report("error", `(${draft.name}) Unknown interface!`);
  if (draft.addresses.length === 0 && draft.isWithoutAddresses !== true) {
    const isRequired = version === 3;
    const message = `(${draft.name}) No VIP specified; at least one is ${isRequired ? "required" : "sensible"}`;
    report(isRequired ? "error" : "warn", message);
  }
  checkUnicast(draft, unicast, warn);
  const { addresses, excludedAddresses } = completeAddresses(draft, family, report);
  const { initialState, priority } = roleOf(draft);
  const { nopreempt, preemptDelayMs } = preemption(draft, initialState, priority, warn);
  return Object.freeze({
    name: draft.name,
    initialState,
    interface: draft.interface,
    virtualRouterId: draft.virtualRouterId ?? 0,
    priority,
    version,
    family,
    advertIntervalMs: advertInterval(draft, version, warn),
    sourceAddress: draft.sourceAddress,
    multicastGroup: draft.multicastGroup ?? multicastGroupOf(globals, family),
    unicast,
    unicastPeers: Object.freeze([...draft.unicastPeers]),
    unicastTtl: (unicast ? draft.unicastTtl : undefined) ?? (family === 4 ? 255 : undefined),
    checkUnicastSource:
      draft.checkUnicastSource ??
      (globals.checkUnicastSource === true || draft.unicastPeers.some(({ minTtl, maxTtl }) => minTtl ?? maxTtl)),
    unicastFaultWithoutPeer: draft.unicastFaultWithoutPeer ?? false,
    authentication: authenticationOf(draft, version, warn),
    addresses,
    excludedAddresses,
    nopreempt,
    preemptDelayMs,
    tracks: completeTracks(draft, priority, config, warn),
    trackPrimary: draft.dontTrackPrimary !== true,
    trackSourceAddress: draft.trackSourceAddress ?? false,
    accept: draft.accept ?? true,
    downTimerAdverts: draft.downTimerAdverts ?? globals.downTimerAdverts ?? 3,
    announce: announceSettings(draft, globals),
    lowerPriorityNoAdvert: draft.lowerPriorityNoAdvert ?? globals.lowerPriorityNoAdvert ?? false,
    higherPrioritySendAdvert: draft.higherPrioritySendAdvert ?? globals.higherPrioritySendAdvert ?? false,
    skipCheckAdvertAddresses: draft.skipCheckAdvertAddresses ?? globals.skipCheckAdvertAddresses ?? false,
    v3ChecksumAsV2: draft.v3ChecksumAsV2 ?? globals.v3ChecksumAsV2 ?? false,
    promoteSecondaries: draft.promoteSecondaries ?? false,
    kernelReceiveBufferBytes: draft.kernelReceiveBufferBytes,
    notifies: completeNotifies(draft),
    notifyPriorityChanges: draft.notifyPriorityChanges ?? globals.notifyPriorityChanges ?? false,
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
function roleOf(draft: InstanceDraft): { initialState: "MASTER" | "BACKUP"; priority: number } {
  const priority = draft.priority ?? (draft.state === "MASTER" ? OWNER_PRIORITY : DEFAULT_PRIORITY);
  return { priority, initialState: draft.state ?? (priority === OWNER_PRIORITY ? "MASTER" : "BACKUP") };
}

function preemption(
  draft: InstanceDraft,
  initialState: "MASTER" | "BACKUP",
  priority: number,
  warn: (message: string) => void,
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
  if (preemptDelayMs > 0 && nopreempt) {
    warn("preempt_delay is incompatible with nopreempt mode - resetting");
    preemptDelayMs = 0;
  }
  return { nopreempt, preemptDelayMs };
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
  warn: (message: string) => void,
): Authentication | undefined {
  if (draft.authenticationType === undefined) return undefined;
  if (version === 3) {
    warn("VRRP version 3 does not support authentication. Ignoring.");
    return undefined;
  }
  if (draft.password === undefined || draft.password === "") {
    warn("Authentication specified but no password given. Ignoring");
    return undefined;
  }
  const password = new Uint8Array(PASSWORD_BYTES);
  password.set(fromUtf8(draft.password).subarray(0, PASSWORD_BYTES));
  return Object.freeze({ type: "PASS", password });
}

function completeAddresses(
  draft: InstanceDraft,
  family: 4 | 6,
  report: Report,
): { addresses: readonly VirtualAddress[]; excludedAddresses: readonly VirtualAddress[] } {
  const finish = (address: AddressDraft): VirtualAddress =>
    completeAddress(address, draft.interface, (message) => report("warn", message, address.at));
  const addresses = draft.addresses.map(finish);
  const max = MAX_ADDRESSES[family];
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
