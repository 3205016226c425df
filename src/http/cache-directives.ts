/** Directives of upstreams about their cache, a family like those of upstream-directives.ts. nginx: ngx_http_file_cache_set_slot and the cache part of ngx_http_proxy_module. */
import { printPosition } from "../conf/diagnostics.ts";
import type { ConfOf, Use } from "../conf/slot.ts";
import { bits, flag, fold, fullName, msec, num, offset, raw, template } from "../conf/slots.ts";
import { constantOf, type Template } from "../conf/template.ts";
import { parseMsec, parseNumber, parseOffset, parseSec, parseSize } from "../conf/units.ts";
import { MIN_CACHE_ZONE_BYTES } from "../conf/zones.ts";
import { parsePredicates } from "./predicates.ts";

/** Levels of folders below that of a cache. */
const MAX_LEVELS = 3;

/** How many files are worked on before others get their turn, and for how long it rests. */
export interface WorkPace {
  readonly files: number;
  readonly sleepMs: number;
  readonly thresholdMs: number;
}

/** `…_cache_path`: a cache. */
export interface CacheLine {
  /** The name of its zone, and its own. */
  readonly zone: string;
  readonly path: string;
  /** Characters of the names of its levels of folders. */
  readonly levels: readonly number[];
  /** Its files are written in `…_temp_path` first, not beside their place. */
  readonly useTempPath: boolean;
  readonly inactiveS: number;
  readonly maxSizeBytes: number;
  readonly minFreeBytes: number;
  readonly loader: WorkPace;
  readonly manager: WorkPace;
  /** `file:line` */
  readonly place: string;
}

interface Draft {
  levels: readonly number[];
  useTempPath: boolean;
  zone: string;
  sizeBytes: number;
  inactiveS: number;
  maxSizeBytes: number;
  minFreeBytes: number;
  readonly loader: { -readonly [K in keyof WorkPace]: WorkPace[K] };
  readonly manager: { -readonly [K in keyof WorkPace]: WorkPace[K] };
}

function emptyDraft(): Draft {
  return {
    levels: [],
    useTempPath: true,
    zone: "",
    sizeBytes: 0,
    inactiveS: 600,
    maxSizeBytes: Number.POSITIVE_INFINITY,
    minFreeBytes: 0,
    loader: { files: 100, sleepMs: 50, thresholdMs: 200 },
    manager: { files: 100, sleepMs: 50, thresholdMs: 200 },
  };
}

/** Reads one parameter into the draft: false when its value is malformed, a text when nginx says something else about it. */
type ReadParameter = (draft: Draft, value: string) => boolean | string;

function numeric(
  parse: (text: string) => number | undefined,
  set: (draft: Draft, value: number) => void,
): ReadParameter {
  return (draft, value) => {
    const parsed = parse(value);
    if (parsed !== undefined) set(draft, parsed);
    return parsed !== undefined;
  };
}

/** `loader_files` and its like. */
function paceParameters(of: "loader" | "manager"): Readonly<Record<string, ReadParameter>> {
  return {
    [`${of}_files`]: numeric(parseNumber, (draft, value) => {
      draft[of].files = value;
    }),
    [`${of}_sleep`]: numeric(parseMsec, (draft, value) => {
      draft[of].sleepMs = value;
    }),
    [`${of}_threshold`]: numeric(parseMsec, (draft, value) => {
      draft[of].thresholdMs = value;
    }),
  };
}

const PARAMETERS: Readonly<Record<string, ReadParameter>> = {
  levels: (draft, value) => {
    if (!/^[12](:[12]){0,2}$/.test(value)) return `invalid "levels" "levels=${value}"`;
    draft.levels = value.split(":").slice(0, MAX_LEVELS).map(Number);
    return true;
  },
  use_temp_path: (draft, value) => {
    draft.useTempPath = value === "on";
    if (value === "on" || value === "off") return true;
    return `invalid use_temp_path value "use_temp_path=${value}", it must be "on" or "off"`;
  },
  keys_zone: (draft, value) => {
    const colon = value.indexOf(":");
    const sizeBytes = colon < 0 ? undefined : parseSize(value.slice(colon + 1));
    if (sizeBytes === undefined) return `invalid keys zone size "keys_zone=${value}"`;
    if (sizeBytes < MIN_CACHE_ZONE_BYTES) return `keys zone "keys_zone=${value}" is too small`;
    draft.zone = value.slice(0, colon);
    draft.sizeBytes = sizeBytes;
    return true;
  },
  inactive: numeric(parseSec, (draft, value) => {
    draft.inactiveS = value;
  }),
  max_size: numeric(parseOffset, (draft, value) => {
    draft.maxSizeBytes = value;
  }),
  min_free: numeric(parseOffset, (draft, value) => {
    draft.minFreeBytes = value;
  }),
  ...paceParameters("loader"),
  ...paceParameters("manager"),
};

/** Parameters that nginx Plus has. */
const PLUS = /^purger(_files|_sleep|_threshold)?=/;

function parseCachePath(use: Use, current: readonly CacheLine[] = []): readonly CacheLine[] | undefined {
  const [first = "", ...words] = use.args;
  const draft = emptyDraft();
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = word.slice(0, Math.max(0, equals));
    const read = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
    if (read === undefined && PLUS.test(word))
      return use.fail(`invalid parameter "${word}": purging a cache is a part of nginx Plus`);
    if (read === undefined) return use.fail(`invalid parameter "${word}"`);
    const result = read(draft, word.slice(equals + 1));
    if (result === false) return use.fail(`invalid ${name} value "${word}"`);
    if (typeof result === "string") return use.fail(result);
  }
  if (draft.zone === "") return use.fail(`"${use.name}" must have "keys_zone" parameter`);
  const path = fullName(first.endsWith("/") ? first.slice(0, -1) : first, use.environment.prefix);
  const same = current.find((line) => line.path === path);
  if (same !== undefined) return use.fail(`the same path name "${path}" used in ${same.place} and`);
  const line = declare(use, path, draft);
  return line === undefined ? undefined : [...current, line];
}

function declare(use: Use, path: string, draft: Draft): CacheLine | undefined {
  const { zone: name, levels } = draft;
  // A zone is for one family: `fastcgi_cache` can't use that of a `proxy_cache_path`.
  const zone = use.zone(name, draft.sizeBytes, use.name.replace(/_path$/, ""));
  if (zone === undefined) return undefined;
  if (zone.key !== undefined) return use.fail(`duplicate zone "${name}"`);
  const key = `${path} ${levels.join(":")}`;
  const complain = (other: string): string => {
    const otherPath = other.slice(0, other.lastIndexOf(" "));
    if (otherPath === path) return `cache "${name}" had previously different levels`;
    return `cache "${name}" uses the "${path}" cache path while previously it used the "${otherPath}" cache path`;
  };
  zone.key = { text: key, complain };
  const { sizeBytes: _, ...rest } = draft;
  return { ...rest, path, place: printPosition(use.position) };
}

/** `…_cache`: a zone, or a text that names one for each request. */
export type CacheChoice = "off" | { readonly zone: string } | { readonly text: Template };

function parseCache(use: Use): CacheChoice | undefined {
  const word = use.args[0] as string;
  if (word === "off") return "off";
  const text = use.template(word);
  if (text === undefined) return undefined;
  const name = constantOf(text);
  if (name === undefined) return { text };
  return use.zone(name, 0, use.name) === undefined ? undefined : { zone: name };
}

/** `…_cache_valid`: how long answers of some statuses are fresh. */
export interface ValidLine {
  /** "any": of all that no line before has named. */
  readonly statuses: readonly number[] | "any";
  readonly validS: number;
}

const USUAL_STATUSES = [200, 301, 302] as const;

function parseValid(use: Use, current: readonly ValidLine[] | undefined): readonly ValidLine[] | undefined {
  const words = use.args.slice(0, -1);
  const time = use.args.at(-1) as string;
  const validS = parseSec(time);
  if (validS === undefined) return use.fail(`invalid time value "${time}"`);
  if (words.length === 0) return [...(current ?? []), { statuses: USUAL_STATUSES, validS }];
  const lines: ValidLine[] = [];
  for (const word of words) {
    const status = word === "any" ? 0 : (parseNumber(word) ?? 0);
    if (word !== "any" && (status < 100 || status > 599)) return use.fail(`invalid status "${word}"`);
    lines.push({ statuses: word === "any" ? "any" : [status], validS });
  }
  return [...(current ?? []), ...lines];
}

const MANY = Number.POSITIVE_INFINITY;

/** Why an old answer may be used, or the next server is asked: all words that any family has. */
export const NEXT_WORDS = [
  "error",
  "timeout",
  "invalid_header",
  "non_idempotent",
  "http_500",
  "http_502",
  "http_503",
  "http_504",
  "http_403",
  "http_404",
  "http_429",
  "updating",
  "off",
] as const;
export type NextWord = (typeof NEXT_WORDS)[number];

/** The cache's directives of the family `p`, whose `…_next_upstream` has these words; without the prefix. */
export function cacheDirectives(p: string, words: readonly NextWord[]) {
  return {
    cache_path: fold<readonly CacheLine[], readonly CacheLine[]>([], parseCachePath, {
      in: "http",
      args: [2, MANY],
      syntax:
        "path [levels=levels] [use_temp_path=on|off] keys_zone=name:size [inactive=time] [max_size=size] [min_free=size] [manager_files=number] [manager_sleep=time] [manager_threshold=time] [loader_files=number] [loader_sleep=time] [loader_threshold=time]",
      doc: "A cache: a folder for its files, and the zone in which workers share what they know of them.",
    }),
    cache: raw<CacheChoice, "off">("off", parseCache, {
      syntax: "zone | off",
      defaultText: "off",
      doc: "The cache that answers are kept in; a text with variables chooses one for each request.",
    }),
    cache_key: template(undefined, {
      doc:
        p === "proxy"
          ? "What tells answers apart; `$scheme$proxy_host$uri$is_args$args` without, with the URI as the server gets it."
          : "What tells answers apart; a cache needs one.",
    }),
    cache_valid: fold<readonly ValidLine[], readonly ValidLine[]>([], parseValid, {
      args: [1, MANY],
      syntax: "[code ...] time",
      doc: "How long answers are fresh that don't say so themselves; without codes: 200, 301 and 302.",
    }),
    cache_bypass: fold<readonly Template[], readonly Template[]>([], parsePredicates, {
      args: [1, MANY],
      syntax: "string ...",
      doc: "Does not answer from the cache when one of the strings is neither empty nor `0`.",
    }),
    no_cache: fold<readonly Template[], readonly Template[]>([], parsePredicates, {
      args: [1, MANY],
      syntax: "string ...",
      doc: "Does not keep an answer when one of the strings is neither empty nor `0`.",
    }),
    cache_methods: bits(["GET", "HEAD"], ["GET", "HEAD", "POST"], {
      doc: "Methods whose answers are kept; GET and HEAD always are.",
    }),
    cache_min_uses: num(1, { doc: "Requests after which an answer is kept." }),
    cache_max_range_offset: offset(undefined, {
      doc: "Requests for a range that begins at this byte or later are passed as they are.",
    }),
    cache_use_stale: bits<NextWord>(["off"], words, {
      doc: "When an answer may be used that is fresh no longer.",
    }),
    cache_background_update: flag(false, {
      doc: `Renews an old answer in the background while it is used; needs \`${p}_cache_use_stale updating\`, or an answer that allows it.`,
    }),
    cache_revalidate: flag(false, { doc: "Asks whether an old answer has changed before it is fetched again." }),
    cache_lock: flag(false, { doc: "Lets one request at a time fetch an answer that is not there; others wait." }),
    cache_lock_age: msec("5s", { doc: "Time after which one more request is let through." }),
    cache_lock_timeout: msec("5s", {
      doc: "Longest that a request waits; then it goes to the server, and its answer is not kept.",
    }),
  };
}

export type CacheConf = ConfOf<ReturnType<typeof cacheDirectives>>;
