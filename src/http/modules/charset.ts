/** Names the charset of answers, and changes it by a map. nginx: ngx_http_charset_filter_module. */
import type { Report, Situation, Use } from "../../conf/slot.ts";
import { flag, list, raw } from "../../conf/slots.ts";
import { type BodyFilter, bytesChunk, type Chunk, type Mark, ORDER_CHARSET } from "../body.ts";
import { type CharsetMap, CharsetMapBuilder, findTable, LONGEST_UTF8, Recoder } from "../charset-maps.ts";
import type { HeaderFilter } from "../location.ts";
import { hasMediaType, mediaTypes } from "../media-types.ts";
import { httpModule, type Place } from "../module.ts";
import { ERROR, OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import type { Getter } from "../variables.ts";

const EVERYWHERE = "http, server, location, if in location";
const UTF8 = "utf-8";
const STANDARD_TYPES = [
  "text/html",
  "text/xml",
  "text/plain",
  "text/vnd.wap.wml",
  "application/javascript",
  "application/rss+xml",
];
const MOVED_PERMANENTLY = 301;
const FOUND = 302;

/** A charset by its name, or the variable that has it. */
type Charset = { readonly name: string } | { readonly variable: string };

function parseCharset(use: Use): Charset | undefined {
  const word = use.args[0] as string;
  if (!word.startsWith("$")) return { name: word };
  if (word.length === 1) return use.fail(`invalid variable name "${word}"`);
  // All of the word is the name: braces would belong to it.
  const variable = word.slice(1).toLowerCase();
  use.refer(variable);
  return { variable };
}

function parseDestination(use: Use): Charset | "off" | undefined {
  return use.args[0] === "off" ? "off" : parseCharset(use);
}

function parseMap(use: Use): CharsetMap | undefined {
  const [source = "", target = ""] = use.args;
  const names = [source.toLowerCase(), target.toLowerCase()] as const;
  const shown = `"${source}" and "${target}"`;
  if (names[0] === names[1]) return use.fail(`"charset_map" between the same charsets ${shown}`);
  if (names[0] === UTF8) return use.fail('"charset_map" with "utf-8" charset should be given in the second column');
  const builder = new CharsetMapBuilder(names[1] === UTF8);
  let isSound = true;
  for (const entry of use.entries) if (!readEntry(entry, builder, names[1] === UTF8)) isSound = false;
  return isSound ? builder.build(...names) : undefined;
}

function readEntry(entry: Use, builder: CharsetMapBuilder, isUtf8: boolean): boolean {
  const [word = ""] = entry.args;
  const refuse = (value: string): false => {
    entry.fail(`invalid value "${value}"`);
    return false;
  };
  if (entry.args.length !== 1) {
    entry.fail("invalid parameters number");
    return false;
  }
  const byte = hex(entry.name);
  if (byte === undefined || byte > 255) return refuse(entry.name);
  if (!isUtf8) {
    const other = hex(word);
    if (other === undefined || other > 255) return refuse(word);
    return builder.add(byte, Uint8Array.of(other));
  }
  const digits = word.match(/../g) ?? [];
  const bytes = digits.map(hex);
  if (word.length % 2 !== 0 || word.length / 2 > LONGEST_UTF8 || bytes.includes(undefined)) return refuse(word);
  return builder.add(byte, Uint8Array.from(bytes as number[])) || refuse(word);
}

function hex(word: string): number | undefined {
  return /^[\da-f]+$/i.test(word) ? Number.parseInt(word, 16) : undefined;
}

const directives = {
  charset: raw<Charset | "off", "off">("off", parseDestination, {
    in: EVERYWHERE,
    syntax: "charset | off",
    defaultText: "off",
    doc: "The charset that answers are in, or are changed to.",
  }),
  source_charset: raw<Charset, undefined>(undefined, parseCharset, {
    in: EVERYWHERE,
    syntax: "charset",
    doc: "The charset of what answers are made of.",
  }),
  override_charset: flag(false, { in: EVERYWHERE, doc: "Changes the charset of answers that upstreams have named." }),
  charset_types: mediaTypes({
    doc: "Media types of answers that get a charset; `*` for any.",
    standard: STANDARD_TYPES,
  }),
  charset_map: list(parseMap, {
    in: "http",
    args: 2,
    block: true,
    syntax: "charset1 charset2 { ... }",
    doc: "What bytes of one charset are in another.",
  }),
};

class Recoding implements BodyFilter {
  readonly order = ORDER_CHARSET;
  readonly takesPieces = true;
  private readonly recoder: Recoder;

  constructor(recoder: Recoder) {
    this.recoder = recoder;
  }

  filter(_request: Request, chunks: readonly Chunk[], _mark: Mark): readonly Chunk[] {
    const out: Chunk[] = [];
    for (const { bytes, start, end } of chunks) {
      const recoded = this.recoder.recode((bytes ?? NO_BYTES).subarray(start, end));
      if (recoded.length > 0) out.push(bytesChunk(recoded));
    }
    return out;
  }
}
const NO_BYTES = new Uint8Array(0);

/** The charset of the main request's answer rules those of its subrequests. */
function nameAnswer(request: Request, name: string): void {
  if (request.parent !== undefined) return;
  // Old browsers took it for the charset of the page that they were led to.
  const { status } = request;
  request.charset = status === MOVED_PERMANENTLY || status === FOUND ? "" : name;
  request.charsetText = "";
}

/** What to do with the two names. */
function change(request: Request, source: string, target: string, maps: readonly CharsetMap[]): void {
  const from = source.toLowerCase();
  const to = target.toLowerCase();
  if (from === to) {
    nameAnswer(request, target);
    return;
  }
  const { contentEncodingIndex } = request;
  const isEncoded = contentEncodingIndex >= 0 && request.headerValues[contentEncodingIndex] !== "";
  const table = findTable(maps, from, to);
  if (table === undefined) {
    request.connection.logError("error", `no "charset_map" between the charsets "${source}" and "${target}"`);
    return;
  }
  if (isEncoded) return;
  nameAnswer(request, target);
  request.addBodyFilter(new Recoding(new Recoder(table)));
  if (table.kind !== "bytes" && request.parent === undefined) request.answerLength = -1;
}

/** What an upstream asks for; undefined when nobody knows it. */
function overriding(request: Request, known: ReadonlySet<string>): string | undefined {
  const { overridingCharset: name } = request;
  if (known.has(name.toLowerCase())) return name;
  request.connection.logError("error", `unknown charset "${name}" to override`);
  return undefined;
}

function getter(charset: Charset, place: Place): Getter {
  if ("variable" in charset) return place.getter(charset.variable);
  const { name } = charset;
  return () => name;
}

export const charset = httpModule({
  name: "charset",
  directives,
  filtersSubrequests: true,
  check(conf, { scope, own }, report) {
    checkMaps({ scope, own }, report);
    const { charset: target, source_charset: source } = conf;
    if (own.charset === undefined && own.source_charset === undefined) return;
    if (target === "off" || source === undefined || "variable" in target || "variable" in source) return;
    const [from, to] = [source.name.toLowerCase(), target.name.toLowerCase()];
    if (from === to || findTable(conf.charset_map, from, to) !== undefined) return;
    report("emerg", `no "charset_map" between the charsets "${source.name}" and "${target.name}"`);
  },
  headerFilter: (conf, place) => {
    const { charset: destination, source_charset: source, override_charset: overrides, charset_types: types } = conf;
    const maps = conf.charset_map;
    const sourceOf = source && getter(source, place);
    const targetOf = destination === "off" ? undefined : getter(destination, place);
    if (targetOf === undefined && sourceOf === undefined && maps.length === 0) return undefined;
    const known = new Set(maps.flatMap((map) => [map.source, map.target]));
    for (const one of [destination, source]) {
      if (typeof one === "object" && "name" in one) known.add(one.name.toLowerCase());
    }
    const filter: HeaderFilter = (request) => {
      let target: string | undefined;
      if (request.parent !== undefined) target = request.main.charset;
      else {
        if (request.contentType === "") return OK;
        if (request.overridingCharset !== "") target = overriding(request, known);
        else {
          if (targetOf === undefined) return OK;
          if (request.charset !== "" ? !overrides : !hasMediaType(request, types)) return OK;
          target = targetOf(request);
          if (target === undefined) return ERROR;
        }
      }
      if (target === undefined || (target === "" && request.parent !== undefined)) return OK;
      const named = request.charset !== "" ? request.charset : sourceOf?.(request);
      if (named !== undefined) change(request, named, target, maps);
      else if (sourceOf === undefined) nameAnswer(request, target);
      else return ERROR;
      return OK;
    };
    return filter;
  },
});

/** Two maps between the same charsets contradict each other. */
function checkMaps({ own, scope }: Pick<Situation<typeof directives>, "own" | "scope">, report: Report): void {
  const maps = own.charset_map ?? [];
  maps.forEach((map, index) => {
    const before = maps.slice(0, index);
    if (findTable(before, map.source, map.target) === undefined) return;
    const position = scope.origin(charset, "charset_map")?.positions[index];
    report("emerg", `duplicate "charset_map" between "${map.source}" and "${map.target}"`, position);
  });
}
