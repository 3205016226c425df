/** Lines of `virtual_routes` and `static_routes`: `ip route` in keepalived's spelling. keepalived: vrrp_iproute.c. */
import type { IpAddress } from "../../base/ip.ts";
import type { IpNetwork } from "../../base/ip-route.ts";
import type { Interpreter, Line } from "./interpreter.ts";
import { IprouteNames } from "./iproute-names.ts";
import { BadLine, OptionLine } from "./option-line.ts";
import type { ConfiguredRoute, NamedNextHop } from "./route-types.ts";
import type { TrackContext } from "./tracks.ts";

/** RTPROT_KEEPALIVED: what is tracked bears it. */
export const PROTOCOL_KEEPALIVED = 18;
const TABLE_MAIN = 254;
const MAX_U32 = 0xffff_ffff;
/** RTN_*. */
export const ROUTE_TYPES: Readonly<Record<string, number>> = {
  local: 2,
  nat: 10,
  broadcast: 3,
  brd: 3,
  anycast: 4,
  multicast: 5,
  prohibit: 8,
  unreachable: 7,
  blackhole: 6,
  xresolve: 11,
  unicast: 1,
  throw: 9,
};
const UNICAST = 1;
/** RTAX_*: name in messages, number, whether `lock` may stand in front. */
const METRICS: Readonly<Record<string, readonly [name: string, type: number, canLock: boolean, max: number]>> = {
  mtu: ["MTU", 2, true, MAX_U32],
  window: ["window value", 3, false, MAX_U32],
  ssthresh: ["ssthresh value", 6, true, MAX_U32],
  cwnd: ["cwnd value", 7, true, MAX_U32],
  advmss: ["advmss", 8, true, MAX_U32],
  reordering: ["reordering value", 9, true, MAX_U32],
  hoplimit: ["hoplimit", 10, false, 255],
  initcwnd: ["initcwnd value", 11, false, MAX_U32],
  initrwnd: ["initrwnd value", 14, false, MAX_U32],
  quickack: ["quickack value", 15, false, 1],
  fastopen_no_cookie: ["fastopen_no_cookie value", 17, false, 1],
};
/** RTAX_* that are times: number, units in a millisecond. */
const TIMES: Readonly<Record<string, readonly [type: number, perMs: number, word: string]>> = {
  rtt: [4, 8, "rtt"],
  rttvar: [5, 4, "rttvar"],
  rto_min: [13, 1, "rto_min value"],
};
const MAX_TIME_MS = 120_000;
const RTAX_FEATURES = 12;
const FEATURE_ECN = 1;
const RTAX_CC_ALGO = 16;
const PREFERENCES: Readonly<Record<string, number>> = { low: 3, medium: 0, high: 1 };
const MIXED = "Cannot mix IPv4 and IPv6 addresses for route";

type Draft = { -readonly [K in keyof ConfiguredRoute]?: ConfiguredRoute[K] } & {
  metrics: (readonly [number, number])[];
  nextHops: NamedNextHop[];
  locks: number;
};

/** Reads one line; undefined when the route is not to be used, which has then been reported. */
export function readRoute(
  line: Line,
  scope: Interpreter,
  context: TrackContext,
  isStatic: boolean,
): ConfiguredRoute | undefined {
  const options = new OptionLine(line, scope, context, new IprouteNames(context.reader));
  const draft: Draft = { metrics: [], nextHops: [], locks: 0 };
  try {
    readOptions(options, draft, isStatic);
    return complete(options, draft);
  } catch (error) {
    if (error instanceof BadLine) return undefined;
    throw error;
  }
}

function readOptions(options: OptionLine, draft: Draft, isStatic: boolean): void {
  while (!options.isAtEnd) {
    const word = options.next();
    if (word === "nexthop") {
      if (draft.nextHops.length > 0) options.fail('Cannot specify nexthops with "or" route');
      readNextHops(options, draft);
      return;
    }
    if (isStatic && word === "track_group") readTrackGroup(options, draft, "Route has trailing nonsense - ");
    else if (!readWay(options, draft, word) && !readKind(options, draft, word) && !readMetric(options, draft, word))
      readDestination(options, draft, word);
  }
}

/** `track_group NAME`; a second one ends the line. */
export function readTrackGroup(
  options: OptionLine,
  draft: { trackGroup?: string | undefined },
  nonsense: string,
): void {
  const name = options.next();
  if (draft.trackGroup !== undefined) {
    options.warn(`track_group ${name} is a duplicate`);
    options.fail(`${nonsense}${name}`);
  }
  if (options.hasTrackGroup(name)) draft.trackGroup = name;
  else options.warn(`track_group ${name} not found`);
}

/** Where packets go. */
function readWay(options: OptionLine, draft: Draft, word: string): boolean {
  switch (word) {
    case "inet":
    case "inet6":
      options.settle(word === "inet" ? 4 : 6, `${word} specified for IPv${word === "inet" ? 6 : 4} route`);
      return true;
    case "src":
      draft.preferredSource = readAddress(options, options.next(), "route src");
      return true;
    case "gw":
      options.warn('"gw" for routes is deprecated. Please use "via"');
      draft.gateway = readVia(options);
      return true;
    case "via":
      draft.gateway = readVia(options);
      return true;
    case "or":
      readOr(options, draft);
      return true;
    case "from":
      draft.source = readSource(options);
      return true;
    case "dev":
    case "oif":
      draft.interface = options.link("VROUTE nexthop");
      return true;
    case "onlink":
      draft.onlink = true;
      return true;
    case "encap":
      return options.refuse("'encap' of a route is refused: tunnels of a route need kernel modules");
    case "as":
      options.takes("to");
      options.next();
      options.warn('"as to" for MPLS only - ignoring');
      return true;
    case "vrf":
      return options.vrf();
    default:
      return false;
  }
}

function readAddress(options: OptionLine, text: string, what: string): IpAddress {
  const address = options.address(text, (bad) => `invalid ${what} address ${bad}`);
  options.settle(address.length === 4 ? 4 : 6, MIXED);
  return address;
}

function readVia(options: OptionLine): IpAddress {
  if (options.takes("inet")) options.settle(4, MIXED);
  else if (options.takes("inet6")) options.settle(6, MIXED);
  return readAddress(options, options.next(), "route via");
}

/** The old spelling of two next hops. */
function readOr(options: OptionLine, draft: Draft): void {
  options.warn('"or" for routes is deprecated. Please use "nexthop"');
  const text = options.next();
  if (draft.nextHops.length > 0) {
    options.warn('"or" route already specified - ignoring subsequent');
    return;
  }
  const other = options.address(text, (bad) => `Invalid "or" address ${bad}`);
  for (const gateway of [draft.gateway, other])
    draft.nextHops.push({ gateway, interface: undefined, weight: 1, onlink: false, realms: 0 });
  draft.gateway = undefined;
}

function readSource(options: OptionLine): IpNetwork {
  const text = options.next();
  const { family, ...network } = options.network(text, (bad) => `invalid route from address ${bad}`);
  if (family !== 6) options.fail(`route from address only supported with IPv6 (${text})`);
  options.settle(6, MIXED);
  return network;
}

/** What kind of a route it is. */
function readKind(options: OptionLine, draft: Draft, word: string): boolean {
  switch (word) {
    case "tos":
    case "dsfield":
      draft.typeOfService = options.named("rt_dsfield", (text) => `TOS value ${text} is invalid`);
      return true;
    case "table":
      draft.table = options.named("rt_tables", (text) => `Routing table ${text} not found for route`);
      return true;
    case "protocol":
      draft.protocol = options.named("rt_protos", (text) => `Protocol ${text} not found or invalid for route`);
      return true;
    case "scope":
      draft.scope = options.named("rt_scopes", (text) => `Scope ${text} not found or invalid for route`);
      return true;
    case "metric":
    case "priority":
    case "preference":
      draft.metric = options.number(MAX_U32, (text) => `Invalid metric ${text} specified for route`);
      return true;
    case "realms":
      draft.realms = options.realms((text) => `Invalid realms ${text} for route`);
      options.settle(4, "realms are only valid for IPv4");
      return true;
    case "expires":
      if (options.family === 4) options.fail("expires is only valid for IPv6");
      options.family = 6;
      draft.expiresS = options.number(MAX_U32, (text) => `Invalid expires time ${text} specified for route`);
      return true;
    case "pref":
      readPreference(options, draft);
      return true;
    case "ttl-propagate":
      readTtlPropagate(options, draft);
      return true;
    case "add":
    case "append":
    case "prepend":
      draft.mode = word;
      return true;
    case "no_track":
      draft.noTrack = true;
      return true;
    default:
      return false;
  }
}

function readPreference(options: OptionLine, draft: Draft): void {
  if (options.family === 4) options.fail("pref is only valid for IPv6");
  options.family = 6;
  const known = PREFERENCES[options.peeked ?? ""];
  draft.preference = known ?? options.number(255, (text) => `Invalid pref value ${text} specified for route`);
  if (known !== undefined) options.next();
}

function readTtlPropagate(options: OptionLine, draft: Draft): void {
  const text = options.next();
  if (text === "enabled" || text === "disabled") draft.ttlPropagate = text === "enabled" ? 1 : 0;
  else options.warn(`ttl-propagate value ${text} not recognised`);
}

/** How TCP and IP behave by it. */
function readMetric(options: OptionLine, draft: Draft, word: string): boolean {
  const lock = (type: number): void => {
    if (options.takes("lock")) draft.locks |= 1 << type;
  };
  const metric = METRICS[word];
  const time = TIMES[word];
  if (metric !== undefined) {
    const [name, type, canLock, max] = metric;
    if (canLock) lock(type);
    draft.metrics.push([type, options.number(max, (text) => `Invalid ${name} ${text} specified for route`)]);
  } else if (time !== undefined) {
    const [type, perMs, name] = time;
    lock(type);
    const invalid = (text: string): string =>
      word === "rto_min" ? `Invalid ${name} ${text} specified for route` : `Invalid ${name} ${text} for route`;
    draft.metrics.push([type, readTime(options, perMs, invalid)]);
  } else if (word === "features") {
    const feature = options.next();
    if (feature === "ecn") draft.metrics.push([RTAX_FEATURES, FEATURE_ECN]);
    else options.warn(`feature ${feature} not supported`);
  } else if (word === "congctl") {
    lock(RTAX_CC_ALGO);
    draft.congestionControl = options.next();
  } else return false;
  return true;
}

/** `N` in the kernel's units, `Nms`, `N.NNNs`. */
function readTime(options: OptionLine, perMs: number, invalid: (text: string) => string): number {
  const text = options.next();
  const unit = /^(.+?)(m?)s(?:ecs?)?$/i.exec(text);
  const digits = unit?.[1] ?? text;
  const decimals = unit !== null && unit[2] === "" ? 3 : 0;
  if (digits.startsWith("-")) {
    options.warn(`negative number '${digits}'`);
    options.fail(invalid(text));
  }
  const match = /^([0-9]*)(?:\.([0-9]*))?$/.exec(digits);
  if (match === null || digits === "" || digits === ".") {
    options.warn(`invalid number '${digits}'`);
    options.fail(invalid(text));
  }
  if ((match[2] ?? "").replace(/0+$/, "").length > decimals)
    options.warn(`number '${digits}' has too many decimal places`);
  const value = Math.floor(Number(digits) * 10 ** decimals);
  const units = unit === null ? value : value * perMs;
  if (units <= MAX_TIME_MS * perMs) return units;
  options.fail(invalid(text));
}

function readDestination(options: OptionLine, draft: Draft, word: string): void {
  let text = word === "to" ? options.next() : word;
  const type = word === "to" ? undefined : ROUTE_TYPES[text];
  if (type !== undefined) {
    draft.type = type;
    text = options.next();
  }
  const { family, ...network } = options.network(text, (bad) => `unknown route keyword ${bad}`);
  options.settle(family, `${MIXED} (${text})`);
  draft.destination = network;
  draft.text = text;
}

function readNextHops(options: OptionLine, draft: Draft): void {
  for (let isFirst = true; isFirst || options.takes("nexthop"); isFirst = false)
    draft.nextHops.push(readNextHop(options));
  if (!options.isAtEnd) options.fail(`Route has trailing nonsense after nexthops - ${options.peeked}`);
}

function readNextHop(options: OptionLine): NamedNextHop {
  const hop: { -readonly [K in keyof NamedNextHop]: NamedNextHop[K] } = {
    gateway: undefined,
    interface: undefined,
    weight: 1,
    onlink: false,
    realms: 0,
  };
  for (;;) {
    if (options.takes("via")) hop.gateway = readHopGateway(options);
    else if (options.takes("dev")) hop.interface = options.link("VROUTE nexthop");
    else if (options.takes("weight")) {
      hop.weight = options.number(256, (text) => `Invalid weight ${text} specified for route`);
      if (hop.weight === 0) options.fail("Invalid weight 0 specified for route");
    } else if (options.takes("onlink")) hop.onlink = true;
    else if (options.takes("realms")) {
      hop.realms = options.realms((text) => `Invalid realms ${text} for route`);
      options.settle(4, "realms are only supported for IPv4");
    } else if (options.takes("encap"))
      options.refuse("'encap' of a route is refused: tunnels of a route need kernel modules");
    else if (options.takes("as")) options.fail("'as [to]' (nat) not supported");
    else return Object.freeze(hop);
  }
}

function readHopGateway(options: OptionLine): IpAddress {
  if (options.takes("inet")) options.settle(4, "IPv4/6 mismatch for nexthop");
  else if (options.takes("inet6")) options.settle(6, "IPv4/6 mismatch for nexthop");
  const gateway = options.address(options.next(), (bad) => `invalid nexthop address ${bad}`);
  options.settle(gateway.length === 4 ? 4 : 6, "Address family mismatch for next hop");
  return gateway;
}

function complete(options: OptionLine, draft: Draft): ConfiguredRoute {
  const { destination, text = "" } = draft;
  if (destination === undefined) options.fail("Route must have a destination");
  let { noTrack = false, protocol = PROTOCOL_KEEPALIVED, trackGroup } = draft;
  if (!noTrack) {
    const number = PROTOCOL_KEEPALIVED;
    if (protocol !== number)
      options.warn(`Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(${number}), resetting protocol`);
    protocol = number;
    if (draft.interface === undefined) {
      options.warn(`Warning - cannot track route ${text} with no interface specified, not tracking`);
      noTrack = true;
    }
  }
  if (trackGroup !== undefined && draft.interface === undefined) {
    options.warn("Static route cannot have track group if no oif specified");
    trackGroup = undefined;
  }
  return Object.freeze({
    family: options.family ?? 4,
    type: draft.type ?? UNICAST,
    destination: Object.freeze(destination),
    source: draft.source,
    preferredSource: draft.preferredSource,
    gateway: draft.gateway,
    interface: draft.interface,
    table: draft.table ?? TABLE_MAIN,
    protocol,
    scope: draft.scope,
    metric: draft.metric,
    typeOfService: draft.typeOfService ?? 0,
    onlink: draft.onlink ?? false,
    realms: draft.realms ?? 0,
    expiresS: draft.expiresS,
    preference: draft.preference,
    ttlPropagate: draft.ttlPropagate,
    metrics: Object.freeze(draft.metrics),
    locks: draft.locks,
    congestionControl: draft.congestionControl,
    nextHops: Object.freeze(draft.nextHops),
    mode: draft.mode ?? "prepend",
    noTrack,
    trackGroup,
    text: options.line.words.join(" "),
    at: options.line.position,
  });
}
