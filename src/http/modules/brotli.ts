/** Compresses answers with brotli. The directives are those of ngx_brotli (ngx_http_brotli_filter_module). */
import { buffers, flag, num, single, size } from "../../conf/slots.ts";
import { sizeBytes } from "../../conf/values.ts";
import type { BrotliSettings, Encoder } from "../../io/compression.ts";
import { ORDER_GZIP } from "../body.ts";
import { mediaTypes } from "../media-types.ts";
import { httpModule } from "../module.ts";
import { takes } from "../packed-files.ts";
import { type Coding, PackedBody, packAnswers, packedRatio, roundedRatio } from "../packing.ts";
import type { Request } from "../request.ts";
import { gzip } from "./gzip.ts";

const EVERYWHERE = "http, server, location";
const LEAST_WINDOW_BITS = 10;
const MOST_WINDOW_BITS = 24;

const directives = {
  brotli: flag(false, {
    in: `${EVERYWHERE}, if in location`,
    doc: "Compresses answers with brotli.",
    validate: (isOn, use) => {
      const lack = isOn ? use.environment.lackOf?.("brotli") : undefined;
      return lack === undefined ? isOn : use.invalid(lack);
    },
  }),
  brotli_buffers: buffers("32 4k", {
    in: EVERYWHERE,
    doc: "Accepted for compatibility: what is compressed goes to the client at once, and waits in its connection if it is slow.",
  }),
  brotli_types: mediaTypes({ doc: "Media types of answers that are compressed; `*` for any." }),
  brotli_comp_level: num(6, { in: EVERYWHERE, min: 0, max: 11, doc: "From fast (0) to small (11)." }),
  brotli_window: single(sizeBytes, "512k", {
    in: EVERYWHERE,
    doc: "Bytes in which repetitions are found.",
    validate: (bytes, use) =>
      Number.isInteger(Math.log2(bytes)) && bytes >= 2 ** LEAST_WINDOW_BITS && bytes <= 2 ** MOST_WINDOW_BITS
        ? bytes
        : use.invalid("must be 1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, 512k, 1m, 2m, 4m, 8m or 16m"),
  }),
  brotli_min_length: size("20", { in: EVERYWHERE, doc: "Least length of an answer that is compressed." }),
};

/** What an encoder takes before it has seen anything, about; windows and tables come with what it is given. */
const ENCODER_BYTES = 1024 * 1024;

/** Brotli with these settings. */
class Brotli implements Coding {
  readonly openFailure = "OOM / BrotliEncoderCreateInstance";
  private readonly settings: BrotliSettings;

  constructor(settings: BrotliSettings) {
    this.settings = settings;
  }

  open(request: Request): Encoder | undefined {
    const { guard, ports } = request.connection.worker;
    guard.claim(ENCODER_BYTES);
    return ports.compression.brotli(this.settings);
  }

  runFailure(): string {
    return "BrotliEncoderCompressStream() failed";
  }
}

/** A small answer needs no large window. */
function windowFor(windowBits: number, length: number): number {
  if (length <= 0) return windowBits;
  return Math.min(windowBits, Math.max(LEAST_WINDOW_BITS, Math.ceil(Math.log2(length))));
}

/** `$brotli_ratio`, with two digits; undefined for an answer that was not compressed to its end. */
function ratio(request: Request): string | undefined {
  const filter = request.main.chain?.find(ORDER_GZIP);
  if (!(filter instanceof PackedBody && filter.coding instanceof Brotli && filter.isWhole)) return undefined;
  const thousandths = packedRatio(filter);
  return thousandths === undefined ? undefined : roundedRatio(thousandths);
}

export const brotli = httpModule({
  name: "brotli",
  directives,
  variables: [{ name: "brotli_ratio", get: ratio, doc: "How many times smaller the body became by brotli." }],
  headerFilter: (conf, place) => {
    if (!conf.brotli) return undefined;
    const { brotli_comp_level: quality } = conf;
    const windowBits = Math.log2(conf.brotli_window);
    return packAnswers({
      name: "br",
      types: conf.brotli_types,
      minLength: conf.brotli_min_length,
      vary: place.scope.conf(gzip).gzip_vary,
      isTaken: (request) => takes(request, "br"),
      body: (length) => new PackedBody(new Brotli({ quality, windowBits: windowFor(windowBits, length) })),
    });
  },
});
