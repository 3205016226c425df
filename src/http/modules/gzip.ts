/** Compresses answers. nginx: ngx_http_gzip_filter_module, and what the core says about gzip. */

import { parsePattern } from "../../conf/pattern.ts";
import type { ConfOf, Use } from "../../conf/slot.ts";
import { bits, buffers, choice, flag, fold, num, single, size } from "../../conf/slots.ts";
import { sizeBytes } from "../../conf/values.ts";
import type { DeflateSettings, Encoder, Flush } from "../../io/compression.ts";
import { type GzipRules, mayGzip } from "../accepts-gzip.ts";
import { type Chunk, copyChunk, type Mark, MORE, ORDER_GZIP } from "../body.ts";
import { mediaTypes } from "../media-types.ts";
import { httpModule } from "../module.ts";
import { type Coding, PackedBody, packAnswers, packedRatio, roundedRatio } from "../packing.ts";
import type { Request } from "../request.ts";

const EVERYWHERE = "http, server, location";
/** The smallest window and the smallest table. */
const LEAST_BYTES = 512;
/** A table of 512 bytes is zlib's memory level 1. */
const LEVEL_BASE = 8;
/** zlib's window is smaller than its name says by so much. */
const WINDOW_LOSS_BYTES = 262;
/** What zlib takes for one answer (nginx asks for as much). */
const DEFLATER_BYTES = 268_000;

/** Accepts powers of two only. */
function power(largest: number, complaint: string): (bytes: number, use: Use) => number | undefined {
  return (bytes, use) =>
    bytes >= LEAST_BYTES && bytes <= largest && Number.isInteger(Math.log2(bytes)) ? bytes : use.invalid(complaint);
}

interface Disabled {
  readonly msie6: boolean;
  readonly patterns: readonly RegExp[];
}

function parseDisable(use: Use, current: Disabled | undefined): Disabled | undefined {
  let { msie6, patterns } = current ?? { msie6: false, patterns: [] };
  for (const word of use.args) {
    if (word === "msie6") {
      msie6 = true;
      continue;
    }
    const pattern = parsePattern(use, word, true);
    if (pattern === undefined) return undefined;
    patterns = [...patterns, pattern.regexp];
  }
  return { msie6, patterns };
}

const directives = {
  gzip: flag(false, { in: `${EVERYWHERE}, if in location`, doc: "Compresses answers." }),
  gzip_buffers: buffers("32 4k", {
    in: EVERYWHERE,
    doc: "Accepted without effect: what is compressed goes to the client at once, and waits in its connection if it is slow.",
  }),
  gzip_types: mediaTypes({ doc: "Media types of answers that are compressed; `*` for any." }),
  gzip_comp_level: num(1, { in: EVERYWHERE, min: 1, max: 9, doc: "From fast (1) to small (9)." }),
  gzip_window: single(sizeBytes, "32k", {
    in: EVERYWHERE,
    doc: "Bytes in which repetitions are found.",
    validate: power(32_768, "must be 512, 1k, 2k, 4k, 8k, 16k, or 32k"),
  }),
  gzip_hash: single(sizeBytes, "64k", {
    in: EVERYWHERE,
    doc: "Bytes of the table in which repetitions are looked up.",
    validate: power(131_072, "must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k"),
  }),
  postpone_gzipping: size("0", { in: EVERYWHERE, doc: "Bytes to wait for before an answer is compressed." }),
  gzip_no_buffer: flag(false, {
    in: EVERYWHERE,
    doc: "Accepted without effect: what is compressed always goes to the client at once.",
  }),
  gzip_min_length: size("20", { in: EVERYWHERE, doc: "Least length of an answer that is compressed." }),
  gzip_vary: flag(false, { in: EVERYWHERE, doc: "Says `Vary: Accept-Encoding` with answers that may be compressed." }),
  gzip_http_version: choice("1.1", ["1.0", "1.1"], { in: EVERYWHERE, doc: "Least version of requests." }),
  gzip_proxied: bits(
    ["off"],
    ["off", "expired", "no-cache", "no-store", "private", "no_last_modified", "no_etag", "auth", "any"],
    { in: EVERYWHERE, doc: "Which answers to requests of proxies are compressed." },
  ),
  gzip_disable: fold<Disabled, undefined>(undefined, parseDisable, {
    in: EVERYWHERE,
    args: [1, Number.POSITIVE_INFINITY],
    syntax: "regex ... | msie6",
    doc: "Browsers whose answers are not compressed.",
  }),
};

/** Compresses one answer, perhaps not before there is enough of it. */
class Gzip extends PackedBody {
  /** Bytes to wait for. */
  private postpone: number;
  private postponed: Chunk[] = [];

  constructor(coding: Coding, postpone: number) {
    super(coding);
    this.postpone = postpone;
  }

  override filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    if (this.postpone <= 0 || this.isOver) return super.filter(request, chunks, mark);
    if (mark === MORE && this.collect(chunks)) return [];
    this.postpone = 0;
    const { postponed } = this;
    this.postponed = [];
    return super.filter(request, [...postponed, ...chunks], mark);
  }

  /** Keeps chunks; false when it is enough. */
  private collect(chunks: readonly Chunk[]): boolean {
    for (const { start, end } of chunks) this.postpone -= end - start;
    if (this.postpone < 0) return false;
    this.postponed.push(...chunks.map(copyChunk));
    return true;
  }

  override release(): void {
    this.postponed = [];
    super.release();
  }
}

/** Deflate with these settings. */
class Deflate implements Coding {
  readonly openFailure = "deflateInit2() failed";
  private readonly settings: DeflateSettings;

  constructor(settings: DeflateSettings) {
    this.settings = settings;
  }

  open(request: Request): Encoder | undefined {
    const { guard, ports } = request.connection.worker;
    guard.claim(DEFLATER_BYTES);
    return ports.compression.deflater(this.settings);
  }

  runFailure(flush: Flush, code: number): string {
    return `deflate() failed: ${flush}, ${code}`;
  }
}

/** A small answer needs no large window. */
function settingsFor(settings: DeflateSettings, length: number): DeflateSettings {
  if (length <= 0 || length >= 2 ** (settings.windowBits - 1) - WINDOW_LOSS_BYTES) return settings;
  let { windowBits, memoryLevel } = settings;
  while (length < 2 ** (windowBits - 1) - WINDOW_LOSS_BYTES) {
    windowBits--;
    memoryLevel--;
  }
  return { level: settings.level, windowBits, memoryLevel: Math.max(1, memoryLevel) };
}

/** `$gzip_ratio`, with two digits; undefined for an answer that was not compressed. */
function ratio(request: Request): string | undefined {
  const filter = request.main.chain?.find(ORDER_GZIP);
  const thousandths = filter instanceof Gzip ? packedRatio(filter) : undefined;
  return thousandths === undefined ? undefined : roundedRatio(thousandths);
}

export const gzip = httpModule({
  name: "gzip",
  directives,
  variables: [{ name: "gzip_ratio", get: ratio, doc: "How many times smaller the body became by compression." }],
  headerFilter: (conf) => {
    if (!conf.gzip) return undefined;
    const settings = {
      level: conf.gzip_comp_level,
      windowBits: Math.log2(conf.gzip_window),
      memoryLevel: Math.log2(conf.gzip_hash) - LEVEL_BASE,
    };
    const rules = gzipRules(conf);
    return packAnswers({
      name: "gzip",
      types: conf.gzip_types,
      minLength: conf.gzip_min_length,
      vary: conf.gzip_vary,
      isTaken: (request) => mayGzip(request, rules),
      body: (length) => new Gzip(new Deflate(settingsFor(settings, length)), conf.postpone_gzipping),
    });
  },
});

type GzipConf = ConfOf<typeof directives>;

/** To whom a location gives compressed answers. */
export function gzipRules(conf: GzipConf): GzipRules {
  return {
    leastVersion: conf.gzip_http_version === "1.0" ? 1000 : 1001,
    proxied: conf.gzip_proxied,
    disabled: conf.gzip_disable?.patterns ?? [],
    notMsie6: conf.gzip_disable?.msie6 ?? false,
  };
}
