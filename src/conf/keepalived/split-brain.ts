/** Keywords of `vrrp_instance` against two owners at once: extensions, keepalived knows none of them. See docs/split-brain.md. */
import { type IpAddress, parseIp } from "../../base/ip.ts";
import type { SplitBrainSettings, Witness } from "./config.ts";
import type { InstanceDraft } from "./drafts.ts";
import type { Interpreter, Keywords, Line } from "./interpreter.ts";
import type { Report } from "./report.ts";
import { keyword, slotsOf } from "./slots.ts";

const slots = slotsOf<InstanceDraft>();

const DEFAULT_TIMEOUT_MS = 3000;
const MAX_TIMEOUT_S = 60;
const OWNER_PRIORITY = 255;
const DEFAULT_PORTS = { tcp: undefined, http: 80, dns: 53, etcd: 2379 } as const;

/** Their names, for whoever says that a file uses them. */
export const SPLIT_BRAIN_KEYWORDS = [
  "split_brain_policy",
  "split_brain_gateway",
  "split_brain_witness",
  "split_brain_timeout",
] as const;

/** As it is written. */
export interface SplitBrainDraft {
  policy?: "available" | "safe";
  gateway?: IpAddress;
  witness?: Witness;
}

export const splitBrainKeywords: Keywords<InstanceDraft> = {
  split_brain_policy: keyword(
    {
      syntax: "available|safe",
      default: "available",
      doc: "With safe, the instance is active only while something says that the network is whole. An extension of Tandem's.",
    },
    (draft, line, scope) => {
      const word = scope.word(line, 1);
      if (word === "available" || word === "safe") draftOf(draft).policy = word;
      else if (word !== undefined) complain(draft, line, scope, `unknown split_brain_policy '${word}'`);
    },
  ),
  split_brain_gateway: keyword(
    {
      syntax: "ADDRESS",
      doc: "With split_brain_policy safe: this neighbour on the interface has to answer ARP or neighbour discovery. An extension of Tandem's.",
    },
    (draft, line, scope) => {
      const word = scope.word(line, 1);
      const gateway = word === undefined ? undefined : parseIp(word);
      if (gateway !== undefined) draftOf(draft).gateway = gateway;
      else if (word !== undefined) complain(draft, line, scope, `split_brain_gateway '${word}' is no address`);
    },
  ),
  split_brain_witness: keyword(
    {
      syntax: "tcp://HOST:PORT | http://HOST[:PORT]/PATH | dns://SERVER[:PORT]/NAME | etcd://HOST[:PORT]/KEY",
      doc: "With split_brain_policy safe: this has to answer; of etcd a lease has to be held, which only one node can. An extension of Tandem's.",
    },
    (draft, line, scope) => {
      const word = scope.word(line, 1);
      const witness = word === undefined ? undefined : readWitness(word);
      if (witness !== undefined) draftOf(draft).witness = witness;
      else if (word !== undefined) complain(draft, line, scope, `cannot understand split_brain_witness '${word}'`);
    },
  ),
  split_brain_timeout: slots.wholeSeconds("splitBrainTimeoutMs", {
    min: 1,
    max: MAX_TIMEOUT_S,
    default: String(DEFAULT_TIMEOUT_MS / 1000),
    doc: "Seconds for which an answer counts, and that a backup waits longer because of that. An extension of Tandem's.",
    invalid: (text, { name }) => `(${name}) split_brain_timeout '${text}' must be in [1, ${MAX_TIMEOUT_S}] - ignoring`,
  }),
};

function draftOf(draft: InstanceDraft): SplitBrainDraft {
  draft.splitBrain ??= {};
  return draft.splitBrain;
}

/** A guard that was asked for and is not there must not be started without. */
function complain({ name }: InstanceDraft, line: Line, scope: Interpreter, text: string): void {
  scope.report("error", `(${name}) ${text}`, line.position);
}

/** `scheme://host[:port][/path]`; an IPv6 address stands in brackets. */
export function readWitness(text: string): Witness | undefined {
  const match = /^(tcp|http|dns|etcd):\/\/(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?(\/\S*)?$/.exec(text);
  if (match === null) return undefined;
  const kind = match[1] as Witness["kind"];
  const host = (match[2] ?? match[3]) as string;
  const port = match[4] === undefined ? DEFAULT_PORTS[kind] : Number(match[4]);
  const path = match[5] ?? "";
  if (port === undefined || port === 0 || port > 65_535 || (match[2] !== undefined && parseIp(host) === undefined))
    return undefined;
  const needsPath = kind === "dns" || kind === "etcd";
  if (kind === "tcp" ? path !== "" : needsPath && path.length < 2) return undefined;
  return Object.freeze({ kind, host, port, path: kind === "http" ? path || "/" : path.slice(1), text });
}

/** What counts; undefined: nothing is asked, as keepalived does it. */
export function completeSplitBrain(
  draft: InstanceDraft,
  priority: number,
  report: Report,
): SplitBrainSettings | undefined {
  const { policy, gateway, witness } = draft.splitBrain ?? {};
  const { name } = draft;
  if (policy !== "safe") {
    if (gateway !== undefined || witness !== undefined || draft.splitBrainTimeoutMs !== undefined)
      report("warn", `(${name}) split_brain_… has no effect without split_brain_policy safe`);
    return undefined;
  }
  if (gateway === undefined && witness === undefined)
    report("error", `(${name}) split_brain_policy safe needs a split_brain_gateway or a split_brain_witness`);
  if (priority === OWNER_PRIORITY) {
    report("error", `(${name}) split_brain_policy safe is incompatible with priority ${OWNER_PRIORITY}`);
    return undefined;
  }
  return Object.freeze({ gateway, witness, validMs: draft.splitBrainTimeoutMs ?? DEFAULT_TIMEOUT_MS });
}
