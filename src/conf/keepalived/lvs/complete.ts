/**
 * Virtual servers with their defaults, and keepalived's rules about what goes together, in its words. keepalived:
 * link_vsg_to_vs and validate_check_config.
 */
import { equalBytes } from "../../../base/bytes.ts";
import { printIp } from "../../../base/ip.ts";
import { freezeCommand } from "../commands.ts";
import type { ConfigDraft } from "../drafts.ts";
import { serverAlertOf } from "../mail.ts";
import type { Report } from "../report.ts";
import { printServer } from "./addresses.ts";
import type { CheckingDraft } from "./checking.ts";
import { completeChecker, DEFAULT_DELAY_MS, DEFAULT_TIMEOUT_MS } from "./complete-checker.ts";
import type {
  CheckingDefaults,
  ForwardingMethod,
  Persistence,
  RealServer,
  ServerGroup,
  ServiceMatch,
  SorryServer,
  VirtualServer,
} from "./config.ts";
import type { AddressDraft, RealServerDraft, ServerGroupDraft, VirtualServerDraft } from "./drafts.ts";
import { DEFAULT_FORWARDING } from "./forwarding.ts";
import { groupFamilies } from "./group.ts";
import { DEFAULT_PERSISTENCE_S } from "./virtual-server.ts";

const DEFAULT_SCHEDULER = "wlc";
const MAX_U32 = 0xffff_ffff;

/** A virtual server on its way: the group it names is found, its place among that group's servers counted. */
interface Linked {
  readonly draft: VirtualServerDraft;
  readonly group: ServerGroupDraft | undefined;
  readonly member: number;
}

type Complain = (message: string) => void;

/** All virtual servers that make sense. `checkScripts` may take checkers out, of those servers that stay. */
export function completeVirtualServers(
  config: ConfigDraft,
  report: Report,
  checkScripts: (servers: readonly VirtualServerDraft[]) => void,
): readonly VirtualServer[] {
  const warn: Complain = (message) => report("warn", message);
  const linked = linkGroups(config, (message) => report("info", message)).filter((one) => {
    if (one.draft.realServers.length > 0) return true;
    warn(`Virtual server ${nameOf(one)} has no real servers - ignoring`);
    return false;
  });
  checkScripts(linked.map(({ draft }) => draft));
  return Object.freeze(linked.map((one) => completeServer(one, config, warn)));
}

/** Servers whose group exists and has their family. */
function linkGroups(config: ConfigDraft, say: Complain): Linked[] {
  const members = new Map<string, number>();
  return config.virtualServers.flatMap((draft): Linked[] => {
    if (draft.group === undefined) return [{ draft, group: undefined, member: 0 }];
    const name = `[${draft.group}]:0`;
    const group = config.serverGroups.find((candidate) => candidate.name === draft.group);
    if (group === undefined) {
      say(`Virtual server group ${draft.group} specified but not configured - ignoring virtual server ${name}`);
      return [];
    }
    const families = groupFamilies(group);
    const [first] = families;
    if (families.size === 2 && draft.family !== undefined) {
      const subject = "virtual server group with IPv4 & IPv6 doesn't match virtual server";
      say(`${draft.group}: ${subject} ${name} - ignoring`);
      return [];
    }
    if (families.size === 1 && draft.family !== undefined && draft.family !== first) {
      say(`${draft.group}: address family doesn't match virtual server ${name} - ignoring`);
      return [];
    }
    if (families.size === 1 && first !== undefined) draft.family ??= first;
    if (families.size === 0 && draft.family === undefined) {
      say(`${draft.group}: Virtual server ${name} address family cannot be determined, defaulting to IPv4`);
      draft.family = 4;
    }
    const member = members.get(draft.group) ?? 0;
    members.set(draft.group, member + 1);
    return [{ draft, group, member }];
  });
}

/** How keepalived names the server, with what is known of its protocol by now. */
function nameOf({ draft, member }: Linked): string {
  if (draft.group !== undefined) return `[${draft.group}]:${member}`;
  if (draft.mark !== undefined) return `FWM ${draft.mark}`;
  return printServer(draft.address as AddressDraft, draft.protocol);
}

function completeServer(linked: Linked, config: ConfigDraft, warn: Complain): VirtualServer {
  const { draft, group } = linked;
  checkService(linked, warn);
  const name = nameOf(linked);
  dropDuplicates(draft, name, warn);
  const method = completeMethods(draft, name, warn);
  checkSorry(draft, name, warn);
  const { quorum, hysteresis } = completeQuorum(draft, name, warn);
  checkPorts(linked, name, warn);
  const { protocol, scheduler = DEFAULT_SCHEDULER } = draft;
  return Object.freeze({
    name,
    kind: group !== undefined ? "group" : draft.mark !== undefined ? "mark" : "address",
    match: matchOf(linked),
    family: draft.family,
    protocol,
    scheduler,
    flags: Object.freeze({
      onePacket: draft.isOnePacket ?? false,
      first: draft.isFlag1 ?? false,
      second: draft.isFlag2 ?? false,
      third: draft.isFlag3 ?? false,
    }),
    persistence: persistenceOf(draft),
    haSuspend: draft.haSuspend ?? false,
    omega: draft.omega ?? false,
    smtpAlert: serverAlertOf(draft, config.globals, false),
    quorum,
    hysteresis,
    quorumUp: draft.quorumUp && freezeCommand(draft.quorumUp),
    quorumDown: draft.quorumDown && freezeCommand(draft.quorumDown),
    sorryServer: sorryOf(draft, method),
    checking: checkingOf(draft, undefined),
    inhibitOnFailure: draft.inhibit ?? false,
    forwarding: method,
    realServers: Object.freeze(draft.realServers.map((one) => completeRealServer(one, draft, method, config))),
    at: draft.at,
    where: draft.where,
  });
}

/** `above`: the virtual server, whose words count where a real server is silent. */
function checkingOf(
  draft: CheckingDraft & { readonly alpha?: boolean },
  above: VirtualServerDraft | undefined,
): CheckingDefaults {
  return Object.freeze({
    connectTimeoutMs: draft.connectTimeoutMs ?? above?.connectTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    delayLoopMs: draft.delayLoopMs ?? above?.delayLoopMs ?? DEFAULT_DELAY_MS,
    delayBeforeRetryMs: draft.delayBeforeRetryMs ?? above?.delayBeforeRetryMs,
    warmupMs: draft.warmupMs ?? above?.warmupMs,
    retries: draft.retries ?? above?.retries,
    alpha: draft.alpha ?? above?.alpha ?? false,
    virtualhost: draft.virtualhost,
    snmpName: draft.snmpName,
  });
}

/** All groups, whoever uses them. */
export function completeServerGroups({ serverGroups }: ConfigDraft): readonly ServerGroup[] {
  return Object.freeze(
    serverGroups.map(({ name, ranges, marks }) =>
      Object.freeze({ name, ranges: Object.freeze([...ranges]), marks: Object.freeze([...marks]) }),
    ),
  );
}

function matchOf({ draft, group }: Linked): ServiceMatch {
  if (group !== undefined)
    return Object.freeze({ ranges: Object.freeze([...group.ranges]), marks: Object.freeze([...group.marks]) });
  if (draft.mark !== undefined)
    return Object.freeze({
      ranges: [],
      marks: Object.freeze([Object.freeze({ mark: draft.mark, family: undefined })]),
    });
  const { ip, port } = draft.address as AddressDraft;
  return Object.freeze({ ranges: Object.freeze([Object.freeze({ ip, port, end: ip })]), marks: [] });
}

function persistenceOf(draft: VirtualServerDraft): Persistence | undefined {
  if (draft.persistenceTimeoutS === undefined) return undefined;
  return Object.freeze({
    timeoutS: draft.persistenceTimeoutS,
    granularity: draft.persistenceGranularity ?? (draft.family === 6 ? 128 : MAX_U32),
    engine: draft.persistenceEngine,
  });
}

/** Protocol, ports and scheduler. */
function checkService(linked: Linked, warn: Complain): void {
  const { draft, group } = linked;
  const say = (message: string): void => warn(`Virtual server ${nameOf(linked)}: ${message}`);
  const hasMarks = draft.mark !== undefined || (group?.marks.length ?? 0) > 0;
  const hasAddresses = draft.address !== undefined || (group?.ranges.length ?? 0) > 0;
  if (draft.haSuspend === true && hasMarks) {
    say("cannot use ha_suspend with fwmarks - clearing ha_suspend");
    draft.haSuspend = false;
  }
  if (hasAddresses) {
    if (draft.protocol === undefined) {
      say("no protocol set - defaulting to UDP");
      draft.protocol = "udp";
    }
    if (draft.isOnePacket === true && draft.protocol !== "udp") {
      say("one packet scheduling requires UDP - resetting");
      draft.isOnePacket = false;
    }
  }
  const isPortless = draft.address?.port === 0 || (group?.ranges.some(({ port }) => port === 0) ?? false);
  if (draft.persistenceTimeoutS === undefined && isPortless) {
    say("zero port only valid for persistent services - setting");
    draft.persistenceTimeoutS = DEFAULT_PERSISTENCE_S;
  }
  if (draft.protocol !== undefined && hasMarks && !hasAddresses) {
    warn(`Warning: Virtual server ${nameOf(linked)}: protocol specified for fwmark - protocol will be ignored`);
    delete draft.protocol;
  }
  if (draft.scheduler === undefined) {
    say(`no scheduler set, setting default '${DEFAULT_SCHEDULER}'`);
    draft.scheduler = DEFAULT_SCHEDULER;
  }
}

function isSame(a: AddressDraft, b: AddressDraft): boolean {
  return a.port === b.port && equalBytes(a.ip, b.ip);
}

function dropDuplicates(draft: VirtualServerDraft, name: string, warn: Complain): void {
  const { realServers, protocol } = draft;
  for (let index = 0; index < realServers.length; ) {
    const { address } = realServers[index] as RealServerDraft;
    if (!realServers.slice(0, index).some((earlier) => isSame(earlier.address, address))) index++;
    else {
      warn(`VS ${name}: real server ${printServer(address, protocol)} is duplicated - removing second rs`);
      realServers.splice(index, 1);
    }
  }
}

/** The method of servers that say none. */
function completeMethods(draft: VirtualServerDraft, name: string, warn: Complain): ForwardingMethod {
  const isAsked = [...draft.realServers, ...(draft.sorryServer ? [draft.sorryServer] : [])].some(
    ({ forwarding }) => forwarding === undefined,
  );
  if (draft.forwarding === undefined && isAsked)
    warn(`Virtual server ${name}: no forwarding method set, setting default NAT`);
  const method = draft.forwarding ?? DEFAULT_FORWARDING;
  for (const server of draft.realServers) server.forwarding ??= method;
  if (draft.sorryServer !== undefined) draft.sorryServer.forwarding ??= method;
  return method;
}

/** A sorry server that is a real server, too, is inhibited as that one. */
function checkSorry(draft: VirtualServerDraft, name: string, warn: Complain): void {
  const { sorryServer: sorry, protocol } = draft;
  for (const server of draft.realServers) {
    const inhibit = server.inhibit ?? draft.inhibit ?? false;
    if (sorry === undefined || !isSame(server.address, sorry.address) || sorry.inhibit === inhibit) continue;
    const subject = `real server ${printServer(server.address, protocol)} matches sorry server`;
    const outcome = `${inhibit ? "sett" : "clear"}ing on sorry server`;
    warn(`Virtual server ${name}: ${subject}, but inhibit setting differs, ${outcome}`);
    sorry.inhibit = inhibit;
  }
}

function sorryOf(
  { sorryServer: sorry, protocol }: VirtualServerDraft,
  method: ForwardingMethod,
): SorryServer | undefined {
  if (sorry === undefined) return undefined;
  const { address, forwarding = method, inhibit } = sorry;
  return Object.freeze({
    name: printServer(address, protocol),
    address: Object.freeze({ ...address }),
    forwarding,
    inhibit,
  });
}

function weightOf(server: RealServerDraft, draft: VirtualServerDraft): number {
  return server.weight ?? draft.weight ?? 1;
}

/** More than all servers have can't be asked for. */
function completeQuorum(
  draft: VirtualServerDraft,
  name: string,
  warn: Complain,
): { readonly quorum: number; readonly hysteresis: number } {
  const total = draft.realServers.reduce((sum, server) => sum + weightOf(server, draft), 0) % (MAX_U32 + 1);
  let { quorum = 1, hysteresis = 0 } = draft;
  if (quorum > total) {
    const outcome = `exceeds total weight of real servers ${total}, reducing quorum to ${total}`;
    warn(`Warning - quorum ${quorum} for ${name} ${outcome}`);
    quorum = total;
  }
  if (hysteresis >= quorum) {
    // Below nothing keepalived's numbers begin again at the other end.
    const mended = quorum === 0 ? MAX_U32 : quorum - 1;
    const outcome = `hysteresis ${hysteresis} >= quorum ${quorum}; setting hysteresis to ${mended}`;
    warn(`Virtual server ${name}: ${outcome}`);
    hysteresis = Math.max(0, quorum - 1);
  }
  // Without any weight there is never a quorum.
  return { quorum: Math.max(1, quorum), hysteresis };
}

/** Only NAT can change a port. */
function checkPorts(linked: Linked, name: string, warn: Complain): void {
  const { draft, group } = linked;
  const { protocol } = draft;
  const sorry = draft.sorryServer;
  const isNat = ({ forwarding }: { readonly forwarding?: ForwardingMethod }): boolean => forwarding?.method === "NAT";
  const printed = (server: RealServerDraft): string => `real server ${printServer(server.address, protocol)}`;
  if (group !== undefined) {
    checkGroupPorts(linked, name, warn);
    return;
  }
  const service = draft.address?.port ?? 0;
  for (const server of draft.realServers) {
    const { address } = server;
    if (draft.mark !== undefined) {
      if (isNat(server) || address.port === 0) continue;
      warn(`WARNING - fwmark virtual server ${name}, ${printed(server)} has port specified - clearing`);
      address.port = 0;
    } else if (address.port === 0) address.port = service;
    else if (!isNat(server) && address.port !== service) {
      warn(`WARNING - virtual server ${name} and ${printed(server)} ports don't match - resetting`);
      address.port = service;
    }
  }
  if (sorry === undefined || isNat(sorry)) return;
  const { address } = sorry;
  if (draft.mark !== undefined) {
    if (address.port !== 0) warn(`WARNING - virtual server ${name}, sorry server has port specified - clearing`);
    address.port = 0;
  } else {
    if (address.port !== 0 && address.port !== service)
      warn(`WARNING - virtual server ${name} and sorry server ports don't match - resetting`);
    address.port = service;
  }
}

function checkGroupPorts({ draft, group }: Linked, name: string, warn: Complain): void {
  const { ranges = [], marks = [] } = group ?? {};
  const { protocol, sorryServer: sorry } = draft;
  const fixed = draft.realServers.filter(
    ({ forwarding, address }) => forwarding?.method !== "NAT" && address.port !== 0,
  );
  const isSorryFixed = sorry !== undefined && sorry.forwarding?.method !== "NAT" && sorry.address.port !== 0;
  const ignored = "has port specified - port will be ignored";
  if (marks.length > 0) {
    for (const { address } of fixed)
      warn(`WARNING - fwmark virtual server ${name}, real server ${printServer(address, protocol)} ${ignored}`);
    if (isSorryFixed) warn(`WARNING - fwmark virtual server ${name}, sorry server ${ignored}`);
  }
  for (const range of ranges) {
    for (const { address } of fixed) {
      if (address.port === range.port) continue;
      const servers = `${name}:[${printRange(range)}] and real server ${printServer(address, protocol)}`;
      warn(`virtual server ${servers} ports don't match`);
    }
    if (isSorryFixed && sorry.address.port !== range.port)
      warn(`WARNING - virtual server ${name}, sorry server ${ignored}`);
  }
}

function printRange({ ip, end, port }: ServerGroupDraft["ranges"][number]): string {
  return equalBytes(ip, end) ? `${printIp(ip)},${port}` : `${printIp(ip)}-${printIp(end)},${port}`;
}

function completeRealServer(
  server: RealServerDraft,
  draft: VirtualServerDraft,
  method: ForwardingMethod,
  config: ConfigDraft,
): RealServer {
  return Object.freeze({
    name: printServer(server.address, draft.protocol),
    address: Object.freeze({ ...server.address }),
    forwarding: server.forwarding ?? method,
    weight: weightOf(server, draft),
    upperThreshold: server.upperThreshold ?? 0,
    lowerThreshold: server.lowerThreshold ?? 0,
    inhibitOnFailure: server.inhibit ?? draft.inhibit ?? false,
    smtpAlert: serverAlertOf(server, config.globals, true),
    notifyUp: server.notifyUp && freezeCommand(server.notifyUp),
    notifyDown: server.notifyDown && freezeCommand(server.notifyDown),
    checking: checkingOf(server, draft),
    checkers: Object.freeze(server.checkers.flatMap((one) => completeChecker(one, server, draft, config))),
    at: server.at,
    where: server.where,
  });
}
