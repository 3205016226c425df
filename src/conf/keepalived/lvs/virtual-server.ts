/** Keywords of `virtual_server`. keepalived: check_parser.c. */
import { printIp } from "../../../base/ip.ts";
import { command } from "../commands.ts";
import type { Interpreter, Keyword, Keywords, Line } from "../interpreter.ts";
import { readInteger } from "../numbers.ts";
import { keyword, number, slotsOf } from "../slots.ts";
import { portText, readServerAddress } from "./addresses.ts";
import type { CheckerContext } from "./checkers.ts";
import { checkingKeywords } from "./checking.ts";
import type { Protocol } from "./config.ts";
import type { VirtualServerDraft } from "./drafts.ts";
import { readForwarding } from "./forwarding.ts";
import { realServerKeyword } from "./real-server.ts";
import { MAX_U32, MAX_WEIGHT } from "./slots.ts";

const slots = slotsOf<VirtualServerDraft>();

/** Seconds that a client stays with its server when `persistence_timeout` says no number. */
export const DEFAULT_PERSISTENCE_S = 360;
/** 31 days. */
const MAX_PERSISTENCE_S = 86_400 * 31;
/** Longest name of a persistence engine, IP_VS_PENAME_MAXLEN without its zero. */
const MAX_ENGINE_NAME = 15;

const SCHEDULERS = "rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos".split(" ");

function schedulerKeyword(doc: string): Keyword<VirtualServerDraft> {
  return keyword({ syntax: SCHEDULERS.join("|"), default: "wlc", doc }, (draft, line, scope) => {
    const name = scope.word(line, 1);
    if (name === undefined) return;
    if (SCHEDULERS.includes(name)) draft.scheduler = name;
    else scope.report("warn", `Invalid lvs_scheduler '${name}' - ignoring`, line.position);
  });
}

/** sh and mh call their flags by name, and only when the scheduler has been named before. */
function flagKeyword(doc: string): Keyword<VirtualServerDraft> {
  return keyword({ doc }, (draft, line, scope) => {
    const [name = ""] = line.words;
    if (name === "ops") draft.isOnePacket = true;
    else if (name === "flag-1") draft.isFlag1 = true;
    else if (name === "flag-2") draft.isFlag2 = true;
    else if (name === "flag-3") draft.isFlag3 = true;
    else if (draft.scheduler === "sh" || draft.scheduler === "mh") {
      if (name === `${draft.scheduler}-fallback`) draft.isFlag1 = true;
      if (name === `${draft.scheduler}-port`) draft.isFlag2 = true;
    } else scope.report("warn", `${name} only applies to sh scheduler - ignoring`, line.position);
  });
}

function methodKeyword(doc: string): Keyword<VirtualServerDraft> {
  return keyword(
    { syntax: "NAT|DR|TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]", default: "NAT", doc },
    (draft, line, scope) => {
      const forwarding = readForwarding(line, scope, "virtual", draft.forwarding);
      if (forwarding !== undefined) draft.forwarding = forwarding;
    },
  );
}

function readFamily(draft: VirtualServerDraft, line: Line, scope: Interpreter): void {
  const word = scope.word(line, 1);
  if (word === undefined) return;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  if (word !== "inet" && word !== "inet6") {
    warn(`unknown address family ${word}`);
    return;
  }
  const family = word === "inet" ? 4 : 6;
  if (draft.family !== undefined && draft.family !== family) {
    warn(`Virtual server specified family ${word} conflicts with server family`);
    return;
  }
  draft.family = family;
}

/** An IPv4 netmask in any form that inet_aton(3) reads: the last part fills what is left. */
function parseNetmask(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length > 4 || parts.some((part) => !/^[0-9]{1,10}$/.test(part))) return undefined;
  const numbers = parts.map(Number);
  const last = numbers.pop() as number;
  const left = 4 - numbers.length;
  if (numbers.some((number) => number > 0xff) || last >= 256 ** left) return undefined;
  return numbers.reduce((sum, number, index) => sum + number * 256 ** (3 - index), last);
}

function readGranularity(draft: VirtualServerDraft, line: Line, scope: Interpreter): void {
  const word = scope.word(line, 1);
  if (word === undefined) return;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  const family = draft.family ?? (word.includes(".") ? 4 : 6);
  if (family === 6) {
    const read = readInteger(word, 1, 128);
    if (!read.ok) {
      warn(read.reason);
      warn(`Invalid IPv6 persistence_granularity specified - ${word}`);
      return;
    }
    draft.persistenceGranularity = read.value;
  } else {
    const mask = parseNetmask(word);
    if (mask === undefined) {
      warn(`Invalid IPv4 persistence_granularity specified - ${word}`);
      return;
    }
    draft.persistenceGranularity = mask;
  }
  draft.family ??= family;
  draft.persistenceTimeoutS ??= DEFAULT_PERSISTENCE_S;
}

/** Which packets, and to whom they go. */
const scheduling: Keywords<VirtualServerDraft> = {
  ip_family: keyword(
    { syntax: "inet|inet6", doc: "Family of a mark whose real servers are reached through tunnels." },
    readFamily,
  ),
  protocol: keyword(
    { syntax: "TCP|UDP|SCTP", default: "UDP", doc: "Protocol of the service." },
    (draft, line, scope) => {
      const word = scope.word(line, 1);
      if (word === undefined) return;
      if (/^(tcp|udp|sctp)$/i.test(word)) draft.protocol = word.toLowerCase() as Protocol;
      else scope.report("warn", `Unknown protocol ${word} - ignoring`, line.position);
    },
  ),
  lvs_sched: schedulerKeyword("Which real server a new connection goes to; without IPVS rr, wrr, sh and mh."),
  lb_algo: schedulerKeyword("Old spelling of lvs_sched."),
  hashed: flagKeyword("No effect of its own."),
  ops: flagKeyword("Every UDP packet is scheduled by itself; needs IPVS."),
  "flag-1": flagKeyword("First flag of the scheduler."),
  "flag-2": flagKeyword("Second flag of the scheduler."),
  "flag-3": flagKeyword("Third flag of the scheduler."),
  "sh-port": flagKeyword("With sh, the client's port is hashed, too."),
  "sh-fallback": flagKeyword("With sh, another server is taken when the first one takes no connections."),
  "mh-port": flagKeyword("With mh, the client's port is hashed, too."),
  "mh-fallback": flagKeyword("With mh, another server is taken when the first one takes no connections."),
  lvs_method: methodKeyword("How packets reach the real servers; without IPVS NAT and DR."),
  lb_kind: methodKeyword("Old spelling of lvs_method."),
  persistence_timeout: keyword(
    { syntax: `[1…${MAX_PERSISTENCE_S}]`, doc: "Seconds that a client stays with its server; 360 when bare." },
    (draft, line, scope) => {
      if (line.words.length < 2) draft.persistenceTimeoutS = DEFAULT_PERSISTENCE_S;
      else {
        const about = { min: 1, max: MAX_PERSISTENCE_S, invalid: () => "persistence_timeout invalid" };
        const value = number(line, scope, about, draft);
        if (value !== undefined) draft.persistenceTimeoutS = value;
      }
    },
  ),
  persistence_engine: keyword(
    { syntax: "NAME", doc: "What knows a client, `sip`; needs IPVS." },
    (draft, line, scope) => {
      const name = scope.word(line, 1);
      if (name === undefined) return;
      if (name.length > MAX_ENGINE_NAME)
        scope.report("warn", `persistence_name too long, truncating - ${name}`, line.position);
      draft.persistenceEngine = name.slice(0, MAX_ENGINE_NAME);
    },
  ),
  persistence_granularity: keyword(
    { syntax: "NETMASK|1…128", doc: "Clients of one network are one client." },
    readGranularity,
  ),
};

/** What becomes of real servers that fail. */
const availability: Keywords<VirtualServerDraft> = {
  ha_suspend: slots.flag("haSuspend", { doc: "Checks only while the virtual server's address is on this machine." }),
  alpha: slots.flag("alpha", { doc: "Real servers are down until they have passed their checks." }),
  omega: slots.flag("omega", { doc: "Notifies of real servers and quorum also when the program stops." }),
  inhibit_on_failure: slots.flag("inhibit", { doc: "A failed real server stays, with weight 0." }),
  quorum: keyword(
    { syntax: `1…${MAX_U32}`, default: "1", doc: "Weight of real servers that must be alive." },
    (draft, line, scope) => {
      const invalid = (word: string): string => `Quorum ${word} must be in [1, ${MAX_U32}]. Setting to 1.`;
      if (scope.word(line, 1) !== undefined)
        draft.quorum = number(line, scope, { min: 1, max: MAX_U32, invalid }, draft) ?? 1;
    },
  ),
  hysteresis: slots.integer("hysteresis", {
    min: 0,
    max: MAX_U32,
    default: "0",
    doc: "Weight by which quorum is missed or exceeded before it is lost or gained.",
    invalid: (word) => `Hysteresis ${word} must be in [0, ${MAX_U32}] - ignoring`,
  }),
  quorum_up: command("quorumUp", {
    isDeferred: true,
    doc: "Run when quorum is gained.",
    already: (word, { group }) => `(${group ?? "(null)"}) quorum_up script already specified - ignoring ${word}`,
  }),
  quorum_down: command("quorumDown", {
    isDeferred: true,
    doc: "Run when quorum is lost.",
    already: (word, { group }) => `(${group ?? "(null)"}) quorum_down script already specified - ignoring ${word}`,
  }),
  weight: slots.integer("weight", {
    min: 1,
    max: MAX_WEIGHT,
    default: "1",
    doc: "Weight of real servers that don't say.",
    invalid: (word) => `Virtual server weight ${word} is outside range 1-${MAX_WEIGHT}`,
  }),
  sorry_server: keyword({ syntax: "ADDRESS [PORT]", doc: "Serves while there is no quorum." }, (draft, line, scope) => {
    const word = scope.word(line, 1);
    if (word === undefined) return;
    const warn = (message: string): void => scope.report("warn", message, line.position);
    const address = readServerAddress(word, portText(line.words[2]), warn);
    if (address === undefined) return warn(`Invalid sorry server IP address ${word} - skipping`);
    const { forwarding } = draft;
    draft.sorryServer = { address, inhibit: false, ...(forwarding === undefined ? {} : { forwarding }) };
  }),
  sorry_server_inhibit: keyword(
    { doc: "The sorry server stays when it is not needed, with weight 0." },
    (draft, line, scope) => {
      if (draft.sorryServer !== undefined) draft.sorryServer.inhibit = true;
      else {
        const message = "Ignoring sorry_server inhibit used before or without sorry_server";
        scope.report("warn", message, line.position);
      }
    },
  ),
  sorry_server_lvs_method: keyword(
    { syntax: "NAT|DR|TUN …", default: "lvs_method", doc: "How packets reach the sorry server." },
    (draft, line, scope) => {
      const { sorryServer } = draft;
      if (sorryServer === undefined) {
        scope.report("warn", "sorry_server forwarding used without sorry_server", line.position);
        return;
      }
      const forwarding = readForwarding(line, scope, "sorry", sorryServer.forwarding);
      if (forwarding !== undefined) sorryServer.forwarding = forwarding;
    },
  ),
};

/** All keywords of `virtual_server`. */
export function virtualServerKeywords(context: CheckerContext): Keywords<VirtualServerDraft> {
  return { ...scheduling, ...availability, ...checkingKeywords("virtual"), real_server: realServerKeyword(context) };
}

/** Reads the words behind `virtual_server`; undefined when they name none, which has been said. */
export function beginVirtualServer(line: Line, scope: Interpreter): VirtualServerDraft | undefined {
  const warn = (message: string): void => scope.report("warn", message, line.position);
  const first = scope.word(line, 1);
  if (first === undefined) return undefined;
  const base = { at: line.position, where: new Map(), realServers: [] };
  if (first === "group" || first === "fwmark") {
    const second = scope.word(line, 2);
    if (second === undefined) return undefined;
    if (first === "group") return { ...base, group: second, address: undefined, mark: undefined };
    const read = readInteger(second, 0, MAX_U32);
    if (read.ok) return { ...base, mark: read.value, address: undefined, group: undefined };
    warn(read.reason);
    warn(`virtual server fwmark '${second}' must be in [0, ${MAX_U32}] - ignoring`);
    return undefined;
  }
  const port = portText(line.words[2]);
  const address = readServerAddress(first, port, warn);
  if (address !== undefined)
    return { ...base, address, mark: undefined, group: undefined, family: address.ip.length === 4 ? 4 : 6 };
  const [label, at] = port === undefined ? ["", ""] : ["/port", `/${port}`];
  warn(`Invalid virtual server IP address${label} ${first}${at} - skipping`);
  return undefined;
}

/** What the end of the block settles: the families of servers and sorry server. */
export function endVirtualServer(draft: VirtualServerDraft, report: (message: string) => void): void {
  const { sorryServer } = draft;
  const familyOf = (ip: Uint8Array): 4 | 6 => (ip.length === 4 ? 4 : 6);
  if (sorryServer !== undefined && sorryServer.forwarding?.method !== "TUN") {
    const family = familyOf(sorryServer.address.ip);
    draft.family ??= family;
    if (draft.family !== family) {
      const subject = `sorry server ${printIp(sorryServer.address.ip)}`;
      report(`Address family of virtual server and ${subject} don't match - skipping sorry server.`);
      delete draft.sorryServer;
    }
  }
  if (draft.family !== undefined || draft.group !== undefined) return;
  // Everything goes through tunnels: the servers' family when all have the same, else IPv4.
  const all = [...draft.realServers.map(({ address }) => address), ...(sorryServer ? [sorryServer.address] : [])];
  const families = new Set(all.map(({ ip }) => familyOf(ip)));
  draft.family = families.size === 1 ? ([...families][0] as 4 | 6) : 4;
}
