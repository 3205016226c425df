/**
 * Blocks that say what an instance or a group tracks: `track_script`, `track_interface`, `track_process`, `track_file`; and
 * `track_upstream`, which keepalived doesn't have.
 */

import type { ConfigReader } from "../nginx/load.ts";
import { isForVrrp } from "./bfd.ts";
import type { ConfigDraft, TrackDraft, TracksDraft } from "./drafts.ts";
import type { Draft, Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import type { Machine } from "./machine.ts";
import { readInteger } from "./numbers.ts";
import { keyword } from "./slots.ts";

/** A draft with a name and things that it tracks. */
interface TrackingDraft extends Draft {
  readonly name: string;
  readonly tracks: TracksDraft;
}

/** What is needed besides the block itself: what was declared before, and the node. */
export interface TrackContext {
  readonly config: ConfigDraft;
  readonly machine: Machine | undefined;
  /** `dynamic_interfaces`: one that is missing may come. */
  readonly isDynamic: boolean;
  /** For secrets that are kept in files; without it there are none. */
  readonly reader: ConfigReader | undefined;
}

/** keepalived's words for one kind of tracking. */
interface Kind {
  readonly keyword: string;
  readonly list: keyof TracksDraft;
  readonly maxWeight: number;
  readonly doc: string;
  /** Word for it in `unknown … option`; keepalived spells some with a blank. */
  readonly optionWord: string;
  readonly weightWord: string;
  readonly noun: string;
  readonly notFound: (name: string) => string;
  readonly badWeight: (name: string, text: string) => string;
  /** Names itself in every message; an odd option spoils the whole line, and 254 is as bad as any other number. */
  readonly isStrict?: boolean;
}

const KINDS: readonly Kind[] = [
  {
    keyword: "track_script",
    list: "scripts",
    maxWeight: 253,
    doc: "Scripts whose result counts.",
    optionWord: "track script",
    weightWord: "track_script",
    noun: "track script",
    notFound: (name) => `track script ${name} not found, ignoring...`,
    badWeight: (name) => `track script ${name}: weight must be between [-253..253] inclusive, ignoring...`,
  },
  {
    keyword: "track_interface",
    list: "interfaces",
    maxWeight: 253,
    doc: "Interfaces that must be up.",
    optionWord: "track_interface",
    weightWord: "track_interace",
    noun: "track_interface",
    notFound: (name) => `tracked interface ${name} doesn't exist`,
    badWeight: (name, text) => `weight ${text} for ${name} must be between [-253..253] inclusive. Ignoring...`,
  },
  {
    keyword: "track_process",
    list: "processes",
    maxWeight: 254,
    doc: "Processes that must run.",
    optionWord: "track process",
    weightWord: "track_process",
    noun: "track process",
    notFound: (name) => `track process ${name} not found, ignoring...`,
    badWeight: (name) => `weight for track process ${name} must be in [-254..254] inclusive. Ignoring...`,
  },
  {
    keyword: "track_file",
    list: "files",
    maxWeight: 254,
    doc: "Files whose number counts.",
    optionWord: "track file",
    weightWord: "track file",
    noun: "track file",
    notFound: (name) => `track file ${name} not found, ignoring...`,
    badWeight: (name) => `weight for track file ${name} must be in [-254..254] inclusive. Ignoring...`,
  },
];

/** The youngest of keepalived's. */
const BFD: Kind = {
  keyword: "track_bfd",
  list: "bfds",
  maxWeight: 253,
  doc: "BFD sessions that must be up.",
  optionWord: "track bfd",
  weightWord: "track bfd",
  noun: "track bfd",
  notFound: (name) => `track bfd ${name} not found, ignoring...`,
  badWeight: (name) => `weight for track bfd ${name} must be in [-253..253] inclusive. Ignoring...`,
  isStrict: true,
};

/** The peers of an upstream of nginx.conf. Names are looked up when both halves are there: see vrrp/upstreams.ts. */
const UPSTREAM: Kind = {
  keyword: "track_upstream",
  list: "upstreams",
  maxWeight: 253,
  doc: "Upstreams of nginx.conf: the weight counts by the share of their peers that are healthy. An extension of Tandem's.",
  optionWord: "track upstream",
  weightWord: "track_upstream",
  noun: "track upstream",
  notFound: (name) => `track upstream ${name} not found, ignoring...`,
  badWeight: (name) => `weight for track upstream ${name} must be in [-253..253] inclusive. Ignoring...`,
};

/** The keywords, for instances and groups alike. */
export function trackKeywords<D extends TrackingDraft>(context: TrackContext): Keywords<D> {
  return {
    ...Object.fromEntries(KINDS.map((kind) => [kind.keyword, trackBlock<D>(kind, context)])),
    [UPSTREAM.keyword]: trackUpstream<D>(context),
    [BFD.keyword]: trackBlock<D>(BFD, context),
  };
}

function trackBlock<D extends TrackingDraft>(kind: Kind, context: TrackContext): Keyword<D> {
  const syntax = "{ NAME [weight N] [reverse|noreverse] }";
  return keyword({ syntax, doc: kind.doc }, (draft, _line, scope) => {
    scope.list((line) => {
      const track = readTrack(kind, draft, line, scope, context);
      if (track !== undefined) draft.tracks[kind.list].push(track);
    });
  });
}

/** A block as the others have it, or a line of its own: `track_upstream NAME weight N`. */
function trackUpstream<D extends TrackingDraft>(context: TrackContext): Keyword<D> {
  const block = trackBlock<D>(UPSTREAM, context);
  return {
    ...block,
    syntax: `NAME [weight N] [reverse|noreverse] | ${block.syntax}`,
    read: (draft, line, scope) => {
      if (line.words.length === 1) {
        block.read(draft, line, scope);
        return;
      }
      const track = readTrack(UPSTREAM, draft, { ...line, words: line.words.slice(1) }, scope, context);
      if (track !== undefined) draft.tracks.upstreams.push(track);
    },
  };
}

function readTrack(
  kind: Kind,
  draft: TrackingDraft,
  line: Line,
  scope: Interpreter,
  { config, machine, isDynamic }: TrackContext,
): TrackDraft | undefined {
  const [name = ""] = line.words;
  const say = (message: string): void => scope.report("warn", message, line.position);
  const warn = (message: string): void => say(`(${draft.name}) ${message}`);
  const isKnown =
    kind.list === "interfaces"
      ? isDynamic || machine?.interfaceState(name) !== "absent"
      : kind.list === "upstreams" || knownTo(config, kind.list).some((known) => known.name === name);
  if (!isKnown) {
    if (kind.list === "interfaces") config.isTrackedInterfaceMissing = true;
    warn(kind.notFound(name));
    return undefined;
  }
  if (draft.tracks[kind.list].some((known) => known.name === name)) {
    warn(`duplicate ${kind.keyword} ${name} - ignoring`);
    return undefined;
  }
  const weight = readWeight(kind, line.words, warn, say);
  return weight === undefined ? undefined : { name, ...weight, at: line.position };
}

function knownTo(config: ConfigDraft, list: "scripts" | "processes" | "files" | "bfds"): readonly { name: string }[] {
  return list === "bfds" ? config.bfds.filter(isForVrrp) : config[list];
}

/** `[weight N [reverse|noreverse]]`; undefined when the whole line is ignored, and either has been reported. */
function readWeight(
  kind: Kind,
  [name = "", first, text, option]: readonly string[],
  warn: (message: string) => void,
  say: (message: string) => void,
): Pick<TrackDraft, "weight" | "weightReverse"> | undefined {
  const none = { weight: undefined, weightReverse: undefined };
  if (first === undefined) return none;
  if (first !== "weight") {
    const named = kind.list === "interfaces" || kind.isStrict === true ? `${name} ` : "";
    warn(`unknown ${kind.optionWord} ${named}option ${first} - ignoring`);
    return undefined;
  }
  if (text === undefined) {
    warn(`weight without value specified for ${kind.noun} ${name} - ignoring`);
    return undefined;
  }
  const bound = kind.isStrict === true ? kind.maxWeight : 254;
  const read = readInteger(text, -bound, bound);
  if (!read.ok) {
    say(read.reason);
    warn(kind.badWeight(name, text));
    return none;
  }
  if (option !== undefined && option !== "reverse" && option !== "noreverse") {
    warn(`unknown ${kind.weightWord} ${name} weight option ${option} - ignoring`);
    if (kind.isStrict === true) return undefined;
  }
  let weight = read.value;
  if (Math.abs(weight) > kind.maxWeight) {
    warn(`weight for ${name} cannot be +/-254. Setting to +/-253`);
    weight = Math.sign(weight) * kind.maxWeight;
  }
  return { weight, weightReverse: option === "reverse" ? true : option === "noreverse" ? false : undefined };
}
