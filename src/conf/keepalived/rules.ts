/** Lines of `virtual_rules` and `static_rules`: `ip rule` in keepalived's spelling. keepalived: vrrp_iprule.c. */

import type { IpNetwork } from "../../base/ip-route.ts";
import type { Interpreter, Line } from "./interpreter.ts";
import { IprouteNames, parseNumber } from "./iproute-names.ts";
import { readInteger } from "./numbers.ts";
import { BadLine, OptionLine } from "./option-line.ts";
import type { ConfiguredRule } from "./route-types.ts";
import { PROTOCOL_KEEPALIVED, ROUTE_TYPES, readTrackGroup } from "./routes.ts";
import type { TrackContext } from "./tracks.ts";

const MAX_U32 = 0xffff_ffff;
/** FR_ACT_*. */
const ACTION = { table: 1, goto: 2, nop: 3 } as const;
const ACTIONS: ReadonlySet<string> = new Set(["blackhole", "unreachable", "prohibit"]);
/** Names of /etc/protocols that rules are made of. */
const IP_PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  "ipv6-icmp": 58,
  ospf: 89,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
};
const ONE_ACTION = "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable";
const MIXED = "rule specification has mixed IPv4 and IPv6";

type Draft = { -readonly [K in keyof ConfiguredRule]?: ConfiguredRule[K] } & { needsTable?: boolean };

/** Priorities for rules without one: each family counts down from here. */
export interface RulePriorities {
  4: number;
  6: number;
}

/** Where keepalived begins. */
export function newRulePriorities(): RulePriorities {
  return { 4: 16_384, 6: 16_384 };
}

/** Reads one line; undefined when the rule is not to be used, which has then been reported. */
export function readRule(
  line: Line,
  scope: Interpreter,
  context: TrackContext,
  isStatic: boolean,
): ConfiguredRule | undefined {
  const options = new OptionLine(line, scope, context, new IprouteNames(context.reader));
  const draft: Draft = {};
  try {
    while (!options.isAtEnd) {
      const word = options.next();
      if (isStatic && word === "track_group") readTrackGroup(options, draft, "Rule has trailing nonsense - ");
      else if (!readSelector(options, draft, word) && !readDetail(options, draft, word))
        readAction(options, draft, word);
    }
    return complete(options, draft, context.config.rulePriorities);
  } catch (error) {
    if (error instanceof BadLine) return undefined;
    throw error;
  }
}

/** What packets it is about. */
function readSelector(options: OptionLine, draft: Draft, word: string): boolean {
  switch (word) {
    case "inet":
    case "inet6":
      options.settle(word === "inet" ? 4 : 6, `${word} specified for IPv${word === "inet" ? 6 : 4} rule`);
      return true;
    case "from":
      draft.source = readNetwork(options, "from");
      return true;
    case "to":
      draft.destination = readNetwork(options, "to");
      return true;
    case "not":
      draft.isInverted = true;
      return true;
    case "tos":
    case "dsfield":
      draft.typeOfService = options.named("rt_dsfield", (text) => `TOS value ${text} is invalid`);
      return true;
    case "fwmark":
      readMark(options, draft);
      return true;
    case "dev":
    case "iif":
      draft.inputInterface = options.link("rule");
      return true;
    case "oif":
      draft.outputInterface = options.link("rule");
      return true;
    case "tunnel-id":
      draft.tunnelId = options.number(Number.MAX_SAFE_INTEGER, () => "Invalid tunnel-id tunnel-id specified");
      return true;
    case "uidrange":
      draft.users = readRange(options.next(), MAX_U32) ?? options.fail("Invalid uidrange uidrange specified");
      return true;
    case "ipproto":
      readIpProtocol(options, draft);
      return true;
    case "sport":
    case "dport":
      readPorts(options, draft, word);
      return true;
    default:
      return false;
  }
}

function readNetwork(options: OptionLine, which: "from" | "to"): IpNetwork {
  const { family, ...network } = options.network(options.next(), (bad) => `Invalid rule ${which} address ${bad}`);
  options.settle(family, MIXED);
  return network;
}

function readMark(options: OptionLine, draft: Draft): void {
  const text = options.next();
  const [mark, mask, more] = text.split("/");
  const value = parseNumber(mark ?? "");
  const maskValue = mask === undefined ? undefined : parseNumber(mask);
  const isBad = value === undefined || value > MAX_U32 || more !== undefined;
  if (isBad || (mask !== undefined && (maskValue === undefined || maskValue > MAX_U32)))
    options.fail(`Invalid rule fwmark ${text} specified`);
  draft.mark = value;
  draft.markMask = maskValue;
}

function readRange(text: string, max: number): readonly [number, number] | undefined {
  const match = /^([0-9]+)-([0-9]+)$/.exec(text);
  const range = [Number(match?.[1]), Number(match?.[2])] as const;
  return match !== null && range[0] <= max && range[1] <= max ? range : undefined;
}

function readIpProtocol(options: OptionLine, draft: Draft): void {
  const text = options.next();
  const number = parseNumber(text) ?? IP_PROTOCOLS[text];
  if (number === undefined || number > 255) options.warn(`Invalid ipproto ${text}`);
  else draft.ipProtocol = number;
}

function readPorts(options: OptionLine, draft: Draft, word: "sport" | "dport"): void {
  const text = options.next();
  const range = readRange(text, 0xffff);
  if (range === undefined) options.warn(`invalid ${word} range ${text}`);
  else if (word === "sport") draft.sourcePorts = range;
  else draft.destinationPorts = range;
}

/** Its place among others, and what belongs to its table. */
function readDetail(options: OptionLine, draft: Draft, word: string): boolean {
  switch (word) {
    case "preference":
    case "order":
    case "priority":
      draft.priority = readPriority(options, word);
      return true;
    case "realms":
      draft.realms = options.realms((text) => `invalid realms ${text} for rule`);
      draft.needsTable = true;
      options.settle(4, "realms is only valid for IPv4");
      return true;
    case "suppress_prefixlength":
    case "sup_pl":
      draft.suppressPrefixLength = options.number(0x7fff_ffff, () => `Invalid suppress_prefixlength ${word} specified`);
      draft.needsTable = true;
      return true;
    case "suppress_ifgroup":
    case "sup_group":
      draft.suppressGroup = options.named("group", (text) => `suppress_group ${text} is invalid`);
      draft.needsTable = true;
      return true;
    case "protocol":
      readProtocol(options, draft);
      return true;
    case "no_track":
      draft.noTrack = true;
      return true;
    default:
      return false;
  }
}

function readPriority(options: OptionLine, word: string): number {
  const text = options.next();
  const number = /^0/.test(text) ? parseNumber(text) : undefined;
  if (number !== undefined && number <= MAX_U32) return number;
  const read = readInteger(text, 0, MAX_U32);
  if (read.ok) return read.value;
  options.warn(read.reason);
  options.fail(`Invalid rule preference ${word} specified`);
}

function readProtocol(options: OptionLine, draft: Draft): void {
  const text = options.next();
  const read = readInteger(text, 0, 255);
  if (read.ok) draft.protocol = read.value;
  else {
    options.warn(read.reason);
    options.warn(`Invalid protocol ${text}`);
  }
}

/** What becomes of the packets. */
function readAction(options: OptionLine, draft: Draft, first: string): void {
  if (first === "table" || first === "lookup") {
    draft.table = options.named("rt_tables", (text) => `Routing table ${text} not found for rule`);
    if (draft.table === 0) options.fail("Table 0 is not valid");
    if (draft.action !== undefined) options.fail(`${ONE_ACTION} for rule`);
    draft.action = ACTION.table;
    return;
  }
  if (first === "l3mdev") {
    if (draft.action !== undefined) options.fail("Cannot specify l3mdev with other action");
    draft.isL3mdev = true;
    draft.action = ACTION.table;
    return;
  }
  const word = first === "type" ? options.next() : first;
  let action: number;
  if (word === "goto") {
    draft.target = options.number(MAX_U32, () => "Invalid target goto specified");
    action = ACTION.goto;
  } else if (word === "nop") action = ACTION.nop;
  else {
    const known = ROUTE_TYPES[word] ?? (parseNumber(word) !== undefined ? 0 : undefined);
    if (known === undefined) options.fail(`Unknown rule option ${word}`);
    if (!ACTIONS.has(word)) options.fail(`Invalid rule action ${word}`);
    action = known;
  }
  if (draft.action !== undefined) options.fail(`${ONE_ACTION}/l3mdev for rule`);
  draft.action = action;
}

function complete(options: OptionLine, draft: Draft, priorities: RulePriorities): ConfiguredRule {
  const { action, target, isL3mdev = false, noTrack = false } = draft;
  if (action === ACTION.goto) {
    if (draft.priority === undefined) options.fail(`Invalid rule - goto target ${target} specified without preference`);
    if (draft.priority >= (target ?? 0))
      options.fail(`Invalid rule - preference ${draft.priority} >= goto target ${target}`);
  }
  if (action === undefined) options.fail("No action specified for rule - ignoring");
  if (action !== ACTION.table && draft.needsTable === true)
    options.fail("suppressor/realm specified for non table action - skipping");
  let { protocol, trackGroup } = draft;
  if (!noTrack) {
    const number = PROTOCOL_KEEPALIVED;
    if (protocol !== undefined && protocol !== number)
      options.warn(`Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(${number}), resetting protocol`);
    protocol = number;
  }
  if (trackGroup !== undefined && draft.inputInterface === undefined) {
    options.warn("Static rule cannot have track_group if dev/iif not specified");
    trackGroup = undefined;
  }
  const family = options.family ?? 4;
  let { priority } = draft;
  if (priority === undefined) {
    priority = priorities[family]--;
    options.warn(`Rule has no preference specified - setting to ${priority}. This is probably not what you want.`);
  }
  return Object.freeze({
    family,
    isInverted: draft.isInverted ?? false,
    source: draft.source,
    destination: draft.destination,
    typeOfService: draft.typeOfService ?? 0,
    inputInterface: draft.inputInterface,
    outputInterface: draft.outputInterface,
    action,
    table: draft.table ?? 0,
    target,
    priority,
    mark: draft.mark,
    markMask: draft.markMask,
    realms: draft.realms ?? 0,
    suppressPrefixLength: draft.suppressPrefixLength,
    suppressGroup: draft.suppressGroup,
    tunnelId: draft.tunnelId,
    users: draft.users,
    isL3mdev,
    protocol,
    ipProtocol: draft.ipProtocol,
    sourcePorts: draft.sourcePorts,
    destinationPorts: draft.destinationPorts,
    noTrack,
    trackGroup,
    text: options.line.words.join(" "),
    at: options.line.position,
  });
}
