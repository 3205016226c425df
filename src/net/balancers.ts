/**
 * Directives of balancing methods, the same for every service: `hash`, `least_conn`, `least_time`, `random`. What a method needs of a
 * service is told by the module that declares it there. nginx: ngx_http_upstream_hash_module and its like, ngx_stream_….
 */
import { ConsistentHash, Hash } from "../balance/hash.ts";
import { LeastConn } from "../balance/least_conn.ts";
import { LeastTime, type TimeMode } from "../balance/least_time.ts";
import { Random, type RandomBelow, RandomTwo } from "../balance/random.ts";
import { type Bytes, fromLatin1 } from "../base/bytes.ts";
import type { Use } from "../conf/slot.ts";
import { fold } from "../conf/slots.ts";
import type { Template } from "../conf/template.ts";
import { parseSize } from "../conf/units.ts";
import { MIN_ZONE_BYTES, type ZoneDeclaration } from "../conf/zones.ts";
import type { BalancerRules } from "./upstreams.ts";
import type { TextPlace } from "./variables.ts";

/** Where upstreams stand. */
export type UpstreamContext = "upstream" | "stream upstream";

/** What a service's word for a time of `least_time` means. */
export interface TimeWord {
  readonly mode: TimeMode;
  /** The time of a "header" is that of the connection (stream: `connect`). */
  readonly isOfConnection: boolean;
}

/** A method without words. */
export interface MethodLine {
  readonly order: number;
}

export interface HashLine extends MethodLine {
  readonly key: Template;
  readonly consistent: boolean;
}

function parseHash(use: Use): HashLine | undefined {
  const [text = "", word] = use.args;
  const key = use.template(text);
  if (key !== undefined && word !== undefined && word !== "consistent") return use.fail(`invalid parameter "${word}"`);
  return key === undefined ? undefined : { key, consistent: word !== undefined, order: use.order };
}

/** `hash`: a key decides. */
export function hashSlot(context: UpstreamContext) {
  return fold<HashLine, undefined>(undefined, parseHash, {
    in: context,
    args: [1, 2],
    inherit: "none",
    syntax: "key [consistent]",
    doc: "Gives requests with the same key to the same server.",
  });
}

export function hashRules<S>({ key, consistent, order }: HashLine, place: TextPlace<S>): BalancerRules<S> {
  const text = place.compile(key);
  return {
    order,
    withoutBackup: true,
    create: (group) => (consistent ? new ConsistentHash(group) : new Hash(group)),
    keyOf: (subject) => fromLatin1(text(subject)),
  };
}

/** `least_conn`: the server with the fewest active connections. */
export function leastConnSlot(context: UpstreamContext) {
  return fold<MethodLine, undefined>(undefined, ({ order }) => ({ order }), {
    in: context,
    args: 0,
    inherit: "none",
    syntax: "",
    doc: "Chooses the server with the fewest active connections for its weight.",
  });
}

export function leastConnRules<S>({ order }: MethodLine): BalancerRules<S> {
  return { order, create: (group) => new LeastConn(group) };
}

export interface LeastTimeLine extends MethodLine {
  readonly time: TimeWord;
  readonly inflight: boolean;
}

/** `least_time`: the server that will probably answer first. `timeOf` knows the service's words for what is measured. */
export function leastTimeSlot(
  context: UpstreamContext,
  {
    timeOf,
    syntax,
    doc,
  }: { timeOf(word: string): TimeWord | undefined; readonly syntax: string; readonly doc: string },
) {
  const parse = (use: Use): LeastTimeLine | undefined => {
    const [word = "", option] = use.args;
    const time = timeOf(word.toLowerCase());
    if (option !== undefined && option !== "inflight") return use.fail(`invalid parameter "${option}"`);
    if (time === undefined) return use.fail(`invalid value "${word}"`);
    return { time, inflight: option !== undefined, order: use.order };
  };
  return fold<LeastTimeLine, undefined>(undefined, parse, {
    in: context,
    args: [1, 2],
    inherit: "none",
    syntax,
    doc,
  });
}

export function leastTimeRules<S>({ order, time, inflight }: LeastTimeLine): BalancerRules<S> {
  return {
    order,
    timesConnection: time.isOfConnection,
    create: (group) => new LeastTime(group, time.mode, inflight),
  };
}

export interface RandomLine extends MethodLine {
  readonly two: boolean;
  /** `least_time=`; undefined: connections are compared. */
  readonly time: TimeWord | undefined;
}

const LEAST_TIME = "least_time=";

/** `random`: a server by chance, or the better of two. `timeOf` knows the service's words for what is measured. */
export function randomSlot(
  context: UpstreamContext,
  { timeOf, syntax }: { timeOf(word: string): TimeWord | undefined; readonly syntax: string },
) {
  const parse = (use: Use): RandomLine | undefined => {
    const [two, method] = use.args;
    if (two !== undefined && two !== "two") return use.fail(`invalid parameter "${two}"`);
    const time = method?.startsWith(LEAST_TIME) === true ? timeOf(method.slice(LEAST_TIME.length)) : undefined;
    if (method !== undefined && method !== "least_conn" && time === undefined)
      return use.fail(`invalid parameter "${method}"`);
    return { two: two !== undefined, time, order: use.order };
  };
  return fold<RandomLine, undefined>(undefined, parse, {
    in: context,
    args: [0, 2],
    inherit: "none",
    syntax,
    doc: "Chooses a server by chance, by weight; with `two` the better of two: fewer connections, or less time.",
  });
}

const RANDOM_BYTES = 4;

/** `random` gives so many bytes of the kernel's generator. */
export function randomRules<S>(
  { order, two, time }: RandomLine,
  random: (sizeBytes: number) => Bytes,
): BalancerRules<S> {
  const below: RandomBelow = (bound) =>
    random(RANDOM_BYTES).reduce((sum, byte) => (sum * 256 + byte) % 2 ** 32, 0) % bound;
  return {
    order,
    withoutBackup: true,
    timesConnection: time?.isOfConnection === true,
    create: (group) => (two ? new RandomTwo(group, below, time?.mode) : new Random(group, below)),
  };
}

/** `zone` of an upstream: its peers live in memory that all workers share. `purpose`: zones of several services are not the same. */
export function upstreamZoneSlot(context: UpstreamContext, purpose: string) {
  const parse = (use: Use): ZoneDeclaration | undefined => {
    const [name = "", size] = use.args;
    if (name === "") return use.fail(`invalid zone name "${name}"`);
    const sizeBytes = size === undefined ? 0 : parseSize(size);
    if (sizeBytes === undefined) return use.fail(`invalid zone size "${size}"`);
    if (size !== undefined && sizeBytes < MIN_ZONE_BYTES) return use.fail(`zone "${name}" is too small`);
    const zone = use.zone(name, sizeBytes, purpose);
    if (zone !== undefined) zone.isRenewed = true;
    return zone;
  };
  return fold<ZoneDeclaration, undefined>(undefined, parse, {
    in: context,
    args: [1, 2],
    inherit: "none",
    syntax: "name [size]",
    doc: "Memory in which all workers share what they know of the group's servers.",
  });
}
