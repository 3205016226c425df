/** Keywords of `bfd_instance`, and what they mean together. keepalived: bfd_parser.c, bfd_data.c. */
import { equalBytes } from "../../base/bytes.ts";
import { type IpAddress, parseIp, printIp } from "../../base/ip.ts";
import type { BfdInstance } from "./config.ts";
import type { BfdDraft, ConfigDraft } from "./drafts.ts";
import type { Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { readBoolean, readDecimal, readInteger } from "./numbers.ts";
import { keyword, slotsOf } from "./slots.ts";

const slots = slotsOf<BfdDraft>();

/** Longest name, keepalived's buffer without its zero. */
const MAX_NAME = 31;
const MAX_WEIGHT = 253;
const MAX_TTL = 255;
/** Milliseconds that fit 32 bits of microseconds. */
const MAX_MS = 4_294_967;
/** Above this keepalived wonders whether it was meant. */
const MAX_SENSIBLE_MS = 10_000;
const DEFAULT_MS = 10;
const DEFAULT_IDLE_MS = 1000;
const DEFAULT_MULTIPLIER = 5;
/** Without `ttl`: RFC 5881 wants 255 of both families; keepalived has the kernel's usual hop limit for IPv6. */
const DEFAULT_TTL = { 4: 255, 6: 64 } as const;

/** What a keyword of a session that is ignored as a whole would say is not said. */
function unlessBroken(
  about: { readonly syntax?: string; readonly default?: string; readonly doc: string },
  read: Keyword<BfdDraft>["read"],
): Keyword<BfdDraft> {
  return keyword(about, (draft, line, scope) => {
    if (draft.isBroken !== true) read(draft, line, scope);
  });
}

const neighbor = unlessBroken({ syntax: "ADDRESS", doc: "The neighbour." }, (draft, line, scope) => {
  const text = scope.word(line, 1);
  if (text === undefined) return;
  const address = readAddress(text);
  if (address !== undefined) draft.neighbor = address;
  else {
    draft.isBroken = true;
    const what = `malformed neighbor address ${text}, ignoring instance`;
    scope.report("warn", `Configuration error: BFD instance ${draft.name} has ${what}`, line.position);
  }
});

/** All keywords of `bfd_instance`. */
export const bfdKeywords: Keywords<BfdDraft> = {
  neighbor_ip: neighbor,
  neighbour_ip: neighbor,
  source_ip: unlessBroken(
    { syntax: "ADDRESS", default: "the kernel's choice", doc: "Our address." },
    (draft, line, scope) => {
      const text = scope.word(line, 1);
      if (text === undefined) return;
      const address = readAddress(text);
      if (address !== undefined) draft.source = address;
      else {
        const what = `malformed source address ${text}, ignoring`;
        scope.report("warn", `Configuration error: BFD instance ${draft.name} has ${what}`, line.position);
      }
    },
  ),
  min_rx: interval(
    "minRxUs",
    "min_rx",
    1,
    DEFAULT_MS,
    "Milliseconds between packets of the neighbour: no less will do.",
  ),
  min_tx: interval("minTxUs", "min_tx", 1, DEFAULT_MS, "Milliseconds between packets of ours."),
  idle_tx: interval("idleTxUs", "idle_tx", 1000, DEFAULT_IDLE_MS, "The same while the session is not up."),
  multiplier: whole(
    "multiplier",
    "multiplier",
    1,
    255,
    String(DEFAULT_MULTIPLIER),
    "Packets of ours that the neighbour may miss.",
  ),
  passive: unlessBroken({ doc: "It waits until the neighbour speaks." }, (draft) => {
    draft.passive = true;
  }),
  ttl: whole("ttl", "ttl/hoplimit", 1, MAX_TTL, "255, 64 for IPv6", "TTL or hop limit of our packets."),
  hoplimit: whole("ttl", "ttl/hoplimit", 1, MAX_TTL, "255, 64 for IPv6", "The same as ttl."),
  max_hops: whole(
    "maxHops",
    "max_hops",
    -1,
    MAX_TTL,
    "0",
    "Routers that the neighbour's packets may have passed; -1: any number.",
  ),
  multihop: unlessBroken(
    { syntax: "[on|off]", default: "off", doc: "RFC 5883: UDP port 4784 instead of 3784." },
    (draft, line, scope) => {
      const [, word] = line.words;
      const value = word === undefined ? true : readBoolean(word);
      if (value !== undefined) draft.multihop = value;
      else
        scope.report(
          "warn",
          `Configuration error: BFD instance ${draft.name} multihop setting not valid - ${word}`,
          line.position,
        );
    },
  ),
  weight: keyword(
    {
      syntax: `-${MAX_WEIGHT}…${MAX_WEIGHT} [reverse]`,
      default: "0",
      doc: "0: down is a fault; above 0: added to the priority while up; below 0: while down.",
    },
    readWeight,
  ),
  vrrp: slots.flag("isForVrrp", { doc: "VRRP is told of the session's state; with checker alone it is not." }),
  checker: slots.flag("isForChecker", { doc: "Checkers are told of it." }),
};

/** keepalived cuts ranges and masks off. */
function readAddress(text: string): IpAddress | undefined {
  return parseIp(text.replace(/[-/].*$/, ""));
}

function interval(
  key: "minRxUs" | "minTxUs" | "idleTxUs",
  name: string,
  min: number,
  defaultMs: number,
  doc: string,
): Keyword<BfdDraft> {
  const about = { syntax: `${min}…${MAX_MS}`, default: String(defaultMs), doc };
  return unlessBroken(about, (draft, line, scope) => {
    const text = scope.word(line, 1);
    if (text === undefined) return;
    const fine = /^(\+?[0-9]*\.[0-9]{3})[0-9]+$/.exec(text);
    if (fine !== null) scope.report("warn", `number '${text}' has too many decimal places`, line.position);
    const read = readDecimal(fine?.[1] ?? text, min, MAX_MS, 3);
    if (!read.ok) {
      scope.report("warn", read.reason, line.position);
      const what = `${name} value ${text} is not valid (must be in range [${min}-${MAX_MS}]), ignoring`;
      scope.report("warn", `Configuration error: BFD instance ${draft.name} ${what}`, line.position);
      return;
    }
    draft[key] = Math.round(read.value * 1000);
    if (read.value <= MAX_SENSIBLE_MS) return;
    const what = `${name} value ${text} is larger than max sensible (${MAX_SENSIBLE_MS})`;
    scope.report("info", `Configuration warning: BFD instance ${draft.name} ${what}`, line.position);
  });
}

function whole(
  key: "multiplier" | "ttl" | "maxHops",
  name: string,
  min: number,
  max: number,
  fallback: string,
  doc: string,
): Keyword<BfdDraft> {
  return unlessBroken({ syntax: `${min}…${max}`, default: fallback, doc }, (draft, line, scope) => {
    const text = scope.word(line, 1);
    if (text === undefined) return;
    const read = readInteger(text, min, max);
    if (read.ok) draft[key] = read.value;
    else {
      scope.report("warn", read.reason, line.position);
      const what = `${name} value ${text} not valid (must be in range [${min}-${max}]), ignoring`;
      scope.report("warn", `Configuration error: BFD instance ${draft.name} ${what}`, line.position);
    }
  });
}

function readWeight(draft: BfdDraft, line: Line, scope: Interpreter): void {
  const text = scope.word(line, 1);
  if (text === undefined) return;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  const about = `Configuration error: BFD instance ${draft.name}`;
  const read = readInteger(text, -MAX_WEIGHT, MAX_WEIGHT);
  if (read.ok) draft.weight = read.value;
  else {
    warn(read.reason);
    warn(`${about} weight value ${text} not valid (must be in range [-${MAX_WEIGHT}-${MAX_WEIGHT}]), ignoring`);
  }
  const [, , option] = line.words;
  if (option === "reverse") draft.weightReverse = true;
  else if (option !== undefined) warn(`${about} unknown weight option ${option}`);
}

/** Reads a whole block into the configuration. */
export function readBfd(config: ConfigDraft, line: Line, scope: Interpreter): void {
  const name = scope.word(line, 1);
  if (name === undefined) return;
  const refuse = (...messages: readonly string[]): void => {
    for (const message of messages) scope.report("warn", message, line.position);
    scope.skipBlock();
  };
  const about = `Configuration error: BFD instance ${name}`;
  if (name.length > MAX_NAME) {
    const limit = `name too long (maximum length is ${MAX_NAME} characters) - ignoring`;
    refuse(`BFD name ${name} too long`, `${about} ${limit}`);
    return;
  }
  if (config.bfds.some((known) => known.name === name)) {
    refuse(`BFD ${name} already specified`, `${about} already configured - ignoring`);
    return;
  }
  const draft: BfdDraft = { name, at: line.position, where: new Map() };
  const end = scope.block(bfdKeywords, draft);
  const fault = draft.isBroken === true ? undefined : faultOf(draft, config.bfds);
  if (fault !== undefined) {
    scope.report("warn", `${about} ${fault}`, end);
    draft.isBroken = true;
  }
  // VRRP knows an ignored session by its name, and waits for it in vain.
  config.bfds.push(draft);
  const { neighbor: address, maxHops = 0 } = draft;
  if (draft.isBroken === true || address === undefined || maxHops <= ttlOf(draft, address)) return;
  scope.report("warn", `BFD instance ${name}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit`, end);
  draft.maxHops = ttlOf(draft, address);
}

/** Why the session as a whole can't be; undefined when it can. */
function faultOf({ neighbor: address, source, multihop }: BfdDraft, known: readonly BfdDraft[]): string | undefined {
  if (address === undefined) return "has no neighbor address set, disabling instance";
  if (source !== undefined && source.length !== address.length)
    return `source address ${printIp(source)} and neighbor address ${printIp(address)} are not of the same family, disabling instance`;
  const twin = known.find(
    (other) =>
      other.isBroken !== true &&
      other.neighbor !== undefined &&
      equalBytes(other.neighbor, address) &&
      (other.multihop ?? false) === (multihop ?? false) &&
      (other.source === undefined || source === undefined || equalBytes(other.source, source)),
  );
  if (twin === undefined) return undefined;
  return source === undefined
    ? `has duplicate neighbor address ${printIp(address)}, ignoring instance`
    : `has duplicate source/neighbor address ${printIp(source)}/${printIp(address)}, ignoring instance`;
}

function ttlOf({ ttl }: BfdDraft, address: IpAddress): number {
  return ttl ?? DEFAULT_TTL[address.length === 4 ? 4 : 6];
}

/** The sessions that can be. */
export function completeBfds(drafts: readonly BfdDraft[]): readonly BfdInstance[] {
  return Object.freeze(
    drafts.flatMap((draft): BfdInstance[] => {
      const { neighbor: address } = draft;
      if (draft.isBroken === true || address === undefined) return [];
      const { maxHops = 0 } = draft;
      return [
        Object.freeze({
          name: draft.name,
          neighbor: address,
          source: draft.source,
          minRxUs: draft.minRxUs ?? DEFAULT_MS * 1000,
          minTxUs: draft.minTxUs ?? DEFAULT_MS * 1000,
          idleTxUs: draft.idleTxUs ?? DEFAULT_IDLE_MS * 1000,
          multiplier: draft.multiplier ?? DEFAULT_MULTIPLIER,
          passive: draft.passive ?? false,
          ttl: ttlOf(draft, address),
          maxHops: maxHops < 0 ? MAX_TTL : maxHops,
          multihop: draft.multihop ?? false,
          weight: draft.weight ?? 0,
          weightReverse: draft.weightReverse ?? false,
          at: draft.at,
          where: draft.where,
        }),
      ];
    }),
  );
}

/** Checkers hear of a session unless only VRRP is to. */
export function isForChecker({ isForVrrp: vrrp, isForChecker: checker }: BfdDraft): boolean {
  return checker === true || vrrp !== true;
}

/** VRRP hears of a session unless only checkers are to. */
export function isForVrrp({ isForVrrp: vrrp, isForChecker: checker }: BfdDraft): boolean {
  return vrrp === true || checker !== true;
}
