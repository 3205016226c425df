/** Compresses answers with Zstandard. The directives are those of zstd-nginx-module (ngx_http_zstd_filter_module), but for dictionaries. */
import type { Use } from "../../conf/slot.ts";
import { buffers, flag, single, size } from "../../conf/slots.ts";
import type { Encoder, Flush } from "../../io/compression.ts";
import { ORDER_GZIP } from "../body.ts";
import { mediaTypes } from "../media-types.ts";
import { httpModule } from "../module.ts";
import { takes } from "../packed-files.ts";
import { type Coding, PackedBody, packAnswers, packedRatio } from "../packing.ts";
import type { Request } from "../request.ts";
import { gzip } from "./gzip.ts";

const EVERYWHERE = "http, server, location";
/** As the library has them: ZSTD_minCLevel(), ZSTD_maxCLevel(). */
const LEAST_LEVEL = -131_072;
const MOST_LEVEL = 22;

const levels = {
  syntax: "level",
  complaint: "invalid number",
  parse: (text: string) => (/^-?\d{1,15}$/.test(text) ? Number(text) : undefined),
};

function checkLevel(level: number, use: Use): number | undefined {
  if (level !== 0 && level >= LEAST_LEVEL && level <= MOST_LEVEL) return level;
  return use.fail(`zstd compress level must between ${LEAST_LEVEL} and ${MOST_LEVEL} excluding 0`);
}

const directives = {
  zstd: flag(false, {
    in: `${EVERYWHERE}, if in location`,
    doc: "Compresses answers with Zstandard.",
    validate: (isOn, use) => {
      const lack = isOn ? use.environment.lackOf?.("zstd") : undefined;
      return lack === undefined ? isOn : use.invalid(lack);
    },
  }),
  zstd_comp_level: single(levels, "1", {
    in: EVERYWHERE,
    doc: "From fast (negative) to small (22).",
    validate: checkLevel,
  }),
  zstd_types: mediaTypes({ doc: "Media types of answers that are compressed; `*` for any." }),
  zstd_buffers: buffers("32 4k", {
    in: EVERYWHERE,
    doc: "Accepted for compatibility: what is compressed goes to the client at once, and waits in its connection if it is slow.",
  }),
  zstd_min_length: size("20", { in: EVERYWHERE, doc: "Least length of an answer that is compressed." }),
};

/** What a context of the first levels takes, about. */
const ENCODER_BYTES = 1024 * 1024;

/** Zstandard of a level. */
class Zstd implements Coding {
  readonly openFailure = "ZSTD_createCCtx() failed";
  private readonly level: number;

  constructor(level: number) {
    this.level = level;
  }

  open(request: Request): Encoder | undefined {
    const { guard, ports } = request.connection.worker;
    guard.claim(ENCODER_BYTES);
    return ports.compression.zstd(this.level);
  }

  runFailure(_flush: Flush, code: number): string {
    return `ZSTD_compressStream2() failed: ${-code}`;
  }
}

/** `$zstd_ratio`, with three digits; undefined for an answer that was not compressed to its end. */
function ratio(request: Request): string | undefined {
  const filter = request.main.chain?.find(ORDER_GZIP);
  if (!(filter instanceof PackedBody && filter.coding instanceof Zstd && filter.isWhole)) return undefined;
  const thousandths = packedRatio(filter);
  return thousandths === undefined ? undefined : (thousandths / 1000).toFixed(3);
}

export const zstd = httpModule({
  name: "zstd",
  directives,
  variables: [{ name: "zstd_ratio", get: ratio, doc: "How many times smaller the body became by Zstandard." }],
  headerFilter: (conf, place) => {
    if (!conf.zstd) return undefined;
    const coding = new Zstd(conf.zstd_comp_level);
    return packAnswers({
      name: "zstd",
      types: conf.zstd_types,
      minLength: conf.zstd_min_length,
      vary: place.scope.conf(gzip).gzip_vary,
      isTaken: (request) => takes(request, "zstd"),
      body: () => new PackedBody(coding),
    });
  },
});
