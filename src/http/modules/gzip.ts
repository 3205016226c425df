/** Compresses answers. nginx: ngx_http_gzip_filter_module, and what the core says about gzip. */
import type { ConfOf, Use } from "../../conf/slot.ts";
import { bits, buffers, choice, flag, fold, num, single, size } from "../../conf/slots.ts";
import { sizeBytes } from "../../conf/values.ts";
import { type Deflater, type DeflateSettings, FINISH, type Flush, NO_FLUSH, SYNC_FLUSH } from "../../io/compression.ts";
import { type GzipRules, mayGzip } from "../accepts-gzip.ts";
import { type BodyFilter, bytesChunk, type Chunk, copyChunk, LAST, type Mark, MORE, ORDER_GZIP } from "../body.ts";
import type { HeaderFilter } from "../location.ts";
import { hasMediaType, type MediaTypes, mediaTypes } from "../media-types.ts";
import { httpModule } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import { parsePattern } from "./core.ts";

const EVERYWHERE = "http, server, location";
/** The smallest window and the smallest table. */
const LEAST_BYTES = 512;
/** A table of 512 bytes is zlib's memory level 1. */
const LEVEL_BASE = 8;
/** zlib's window is smaller than its name says by so much. */
const WINDOW_LOSS_BYTES = 262;
const NOTHING = new Uint8Array(0);

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
    doc: "Accepted for compatibility: what is compressed goes to the client at once, and waits in its connection if it is slow.",
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
    doc: "Accepted for compatibility: what is compressed always goes to the client at once.",
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

/** Compresses one answer. */
class Gzip implements BodyFilter {
  readonly order = ORDER_GZIP;
  readonly takesPieces = true;
  totalIn = 0;
  totalOut = 0;
  private readonly settings: DeflateSettings;
  /** Bytes to wait for. */
  private postpone: number;
  private postponed: Chunk[] = [];
  private deflater: Deflater | undefined = undefined;
  private isOver = false;
  private readonly out: Chunk[] = [];

  constructor(settings: DeflateSettings, postpone: number) {
    this.settings = settings;
    this.postpone = postpone;
  }

  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    const { out } = this;
    out.length = 0;
    if (this.isOver) return out;
    if (this.postpone > 0) {
      if (mark === MORE && this.collect(chunks)) return out;
      this.postpone = 0;
      const { postponed } = this;
      this.postponed = [];
      this.deflateAll(request, [...postponed, ...chunks], mark);
    } else this.deflateAll(request, chunks, mark);
    if (mark === LAST) this.release();
    return out;
  }

  /** Keeps chunks; false when it is enough. */
  private collect(chunks: readonly Chunk[]): boolean {
    for (const { start, end } of chunks) this.postpone -= end - start;
    if (this.postpone < 0) return false;
    this.postponed.push(...chunks.map(copyChunk));
    return true;
  }

  private deflateAll(request: Request, chunks: readonly Chunk[], mark: Mark): void {
    const flush = mark === LAST ? FINISH : mark === MORE ? NO_FLUSH : SYNC_FLUSH;
    this.deflater ??= request.connection.worker.ports.compression.deflater(this.settings);
    if (this.deflater === undefined) {
      this.fail(request, "deflateInit2() failed");
      return;
    }
    const last = chunks.length - 1;
    for (let i = 0; i < last; i++) this.deflate(request, this.deflater, chunks[i] as Chunk, NO_FLUSH);
    if (last >= 0) this.deflate(request, this.deflater, chunks[last] as Chunk, flush);
    else if (flush !== NO_FLUSH) this.deflate(request, this.deflater, EMPTY, flush);
  }

  private deflate(request: Request, deflater: Deflater, chunk: Chunk, flush: Flush): void {
    const { out } = this;
    let at = chunk.start;
    do {
      // What the last call has left in the output is overwritten now.
      const before = out.length - 1;
      if (before >= 0) out[before] = copyChunk(out[before] as Chunk);
      const length = deflater.run(chunk.bytes ?? NOTHING, at, chunk.end, flush);
      if (length < 0) {
        this.fail(request, `deflate() failed: ${flush}, ${length}`);
        return;
      }
      at += deflater.taken;
      this.totalIn += deflater.taken;
      this.totalOut += length;
      if (length > 0) out.push(bytesChunk(deflater.output, 0, length));
    } while (deflater.isFull);
  }

  private fail(request: Request, message: string): void {
    this.isOver = true;
    this.out.length = 0;
    request.connection.logError("alert", message);
    request.connection.terminate(0);
  }

  release(): void {
    this.isOver = true;
    this.postponed = [];
    this.deflater?.release();
    this.deflater = undefined;
  }
}
const EMPTY = bytesChunk(NOTHING);

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

interface Conf {
  readonly types: MediaTypes;
  readonly minLength: number;
  readonly vary: boolean;
  readonly settings: DeflateSettings;
  readonly postpone: number;
}

function build(conf: Conf, rules: GzipRules): HeaderFilter {
  const { types, minLength, vary, settings, postpone } = conf;
  return (request) => {
    const { status, answerLength } = request;
    if (status !== 200 && status !== 403 && status !== 404) return OK;
    if (answerLength >= 0 && answerLength < minLength) return OK;
    if (request.contentEncodingIndex >= 0 && request.headerValues[request.contentEncodingIndex] !== "") return OK;
    if (request.headerOnly || !hasMediaType(request, types)) return OK;
    request.varies = vary;
    if (!mayGzip(request, rules)) return OK;
    request.contentEncodingIndex = request.addHeader("Content-Encoding", "gzip");
    request.addBodyFilter(new Gzip(settingsFor(settings, answerLength), postpone));
    request.changeEntity();
    return OK;
  };
}

/** `$gzip_ratio`, with two digits; undefined for an answer that was not compressed. */
function ratio(request: Request): string | undefined {
  const filter = request.main.chain?.find(ORDER_GZIP);
  if (!(filter instanceof Gzip) || filter.totalOut === 0) return undefined;
  const thousandths = Math.floor((filter.totalIn * 1000) / filter.totalOut);
  return (Math.floor((thousandths + 5) / 10) / 100).toFixed(2);
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
    const { gzip_types: types, gzip_min_length: minLength, gzip_vary: vary, postpone_gzipping: postpone } = conf;
    return build({ types, minLength, vary, settings, postpone }, gzipRules(conf));
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
