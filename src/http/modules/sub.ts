/** Replaces texts in bodies. nginx: ngx_http_sub_filter_module. */
import { type Bytes, concatBytes, latin1 } from "../../base/bytes.ts";
import type { Use } from "../../conf/slot.ts";
import { flag, fold } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { type BodyFilter, bytesChunk, type Chunk, LAST, type Mark, ORDER_SUB, textChunk } from "../body.ts";
import type { HeaderFilter } from "../location.ts";
import { hasMediaType, type MediaTypes, mediaTypes } from "../media-types.ts";
import { httpModule, type Place } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import { comesFirst, lowerAscii, Patterns, type Place as Spot } from "../substitutions.ts";
import type { Text } from "../variables.ts";

const EVERYWHERE = "http, server, location";
const MAX_PAIRS = 255;
const NO_BYTES: Bytes = new Uint8Array(0);

/** More than that are joined: each costs every filter behind a call. */
const FEW_CHUNKS = 3;

function join(chunks: readonly Chunk[]): Chunk {
  return bytesChunk(concatBytes(chunks.map(({ bytes = NO_BYTES, start, end }) => bytes.subarray(start, end))));
}

interface Pair {
  readonly match: Template;
  readonly value: Template;
}

function parsePair(use: Use, current: readonly Pair[] | undefined): readonly Pair[] | undefined {
  const [match = "", value = ""] = use.args;
  if (match === "") return use.fail("empty search pattern");
  if (current?.length === MAX_PAIRS) return use.fail(`number of search patterns exceeds ${MAX_PAIRS}`);
  const pair = { match: use.template(lowerAscii(match)), value: use.template(value) };
  if (pair.match === undefined || pair.value === undefined) return undefined;
  return [...(current ?? []), pair as Pair];
}

const directives = {
  sub_filter: fold<readonly Pair[], readonly Pair[]>([], parsePair, {
    in: EVERYWHERE,
    args: 2,
    syntax: "string replacement",
    doc: "Replaces a text in answers, without regard to case.",
  }),
  sub_filter_types: mediaTypes({ doc: "Media types of answers in which texts are replaced; `*` for any." }),
  sub_filter_once: flag(true, { in: EVERYWHERE, doc: "Replaces each text only where it stands first." }),
  sub_filter_last_modified: flag(false, { in: EVERYWHERE, doc: "Keeps Last-Modified and, weakened, ETag." }),
};

/** Replaces texts in one answer. */
export class Substitution implements BodyFilter {
  readonly order = ORDER_SUB;
  readonly takesPieces = true;
  private readonly patterns: Patterns;
  private readonly values: readonly Text[];
  private readonly once: boolean;
  /** Replacements that were made before. */
  private readonly made: (Chunk | undefined)[] = [];
  private readonly used = new Set<number>();
  private readonly whole: Spot = { index: 0, start: 0, end: 0 };
  private readonly open: Spot = { index: 0, start: 0, end: 0 };
  /** The end of what has come: it may be the beginning of a pattern. */
  private held: Bytes = NO_BYTES;

  constructor(patterns: Patterns, values: readonly Text[], once: boolean) {
    this.patterns = patterns;
    this.values = values;
    this.once = once;
  }

  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    const out: Chunk[] = [];
    for (const chunk of chunks) this.replace(request, chunk, out);
    if (mark === LAST && this.held.length > 0) {
      out.push(bytesChunk(this.held));
      this.held = NO_BYTES;
    }
    return out.length <= FEW_CHUNKS ? out : [join(out)];
  }

  private get isDone(): boolean {
    return this.once && this.used.size === this.patterns.count;
  }

  private replace(request: Request, chunk: Chunk, out: Chunk[]): void {
    let { bytes = NO_BYTES, start, end } = chunk;
    if (this.held.length > 0) {
      bytes = concatBytes([this.held, bytes.subarray(start, end)]);
      start = 0;
      end = bytes.length;
      this.held = NO_BYTES;
    }
    const at = start + this.replaceIn(request, bytes, start, end, out);
    const kept = end - this.held.length;
    if (at < kept) out.push(bytesChunk(bytes, at, kept));
  }

  /** Puts out everything up to the last text that fits, and holds the end that is not decided. How far it has come. */
  private replaceIn(request: Request, bytes: Bytes, start: number, end: number, out: Chunk[]): number {
    const { patterns, used, whole, open } = this;
    if (this.isDone) return 0;
    const text = latin1(bytes, start, end);
    let at = 0;
    let isOpen = patterns.findOpen(text, 0, used, open);
    while (!this.isDone) {
      const isWhole = patterns.findWhole(text, at, used, whole);
      if (isOpen && !(isWhole && comesFirst(whole, open))) {
        this.held = new Uint8Array(bytes.subarray(start + open.start, end));
        break;
      }
      if (!isWhole) break;
      if (whole.start > at) out.push(bytesChunk(bytes, start + at, start + whole.start));
      out.push(this.replacement(request, whole.index));
      if (this.once) used.add(whole.index);
      at = whole.end;
      if (isOpen && (this.once || open.start < at)) isOpen = patterns.findOpen(text, at, used, open);
    }
    return at;
  }

  private replacement(request: Request, index: number): Chunk {
    const made = this.made[index] ?? textChunk((this.values[index] as Text)(request));
    this.made[index] = made;
    return made;
  }
}

/** What a request looks for. */
interface Search {
  readonly patterns: Patterns;
  readonly values: readonly Text[];
}

function compile(pairs: readonly Pair[], place: Place): (request: Request) => Search | undefined {
  const values = pairs.map(({ value }) => place.compile(value));
  const constants = pairs.map(({ match }) => constantOf(match));
  if (constants.every((one) => one !== undefined)) {
    const search = { patterns: new Patterns(constants.map(lowerAscii)), values };
    return () => search;
  }
  const texts = pairs.map(({ match }) => place.compile(match));
  return (request) => {
    const made = texts.map((text, index) => ({ pattern: lowerAscii(text(request)), value: values[index] as Text }));
    const wanted = made.filter(({ pattern }) => pattern !== "");
    if (wanted.length === 0) return undefined;
    return { patterns: new Patterns(wanted.map(({ pattern }) => pattern)), values: wanted.map(({ value }) => value) };
  };
}

interface Conf {
  readonly types: MediaTypes;
  readonly once: boolean;
  readonly keepsDate: boolean;
}

function build(searchOf: (request: Request) => Search | undefined, { types, once, keepsDate }: Conf): HeaderFilter {
  return (request) => {
    if (request.answerLength === 0 || !hasMediaType(request, types)) return OK;
    const search = searchOf(request);
    if (search === undefined) return OK;
    request.addBodyFilter(new Substitution(search.patterns, search.values, once));
    if (request.parent !== undefined) return OK;
    request.answerLength = -1;
    if (keepsDate) request.weakenEtag();
    else request.clearValidators();
    return OK;
  };
}

export const sub = httpModule({
  name: "sub",
  directives,
  filtersSubrequests: true,
  headerFilter: (conf, place) => {
    if (conf.sub_filter.length === 0) return undefined;
    return build(compile(conf.sub_filter, place), {
      types: conf.sub_filter_types,
      once: conf.sub_filter_once,
      keepsDate: conf.sub_filter_last_modified,
    });
  },
});
