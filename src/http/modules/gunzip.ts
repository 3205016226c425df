/** Unpacks answers for clients that don't take gzip. nginx: ngx_http_gunzip_filter_module. */
import { buffers, flag } from "../../conf/slots.ts";
import type { Inflater } from "../../io/compression.ts";
import { type GzipRules, mayGzip } from "../accepts-gzip.ts";
import {
  type BodyFilter,
  bytesChunk,
  type Chunk,
  copyChunk,
  LAST,
  type Mark,
  ORDER_GUNZIP,
  subChunk,
} from "../body.ts";
import type { HeaderFilter } from "../location.ts";
import { httpModule } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import { gzip, gzipRules } from "./gzip.ts";

const EVERYWHERE = "http, server, location";
const NOTHING: readonly Chunk[] = [];
const NO_BYTES = new Uint8Array(0);
/** zlib's number for a stream that has no end. */
const Z_BUF_ERROR = -5;

const directives = {
  gunzip: flag(false, { in: EVERYWHERE, doc: "Unpacks answers for clients that do not take gzip." }),
  gunzip_buffers: buffers("32 4k", {
    in: EVERYWHERE,
    doc: "Accepted without effect: 64 KB are unpacked at once, and no more while the client is slow.",
  }),
};

/** Unpacks one answer, which may be a thousand times as large as what comes in: one output memory at a time. */
class Gunzip implements BodyFilter {
  readonly order = ORDER_GUNZIP;
  readonly takesPieces = true;
  hasMore = false;
  private inflater: Inflater | undefined = undefined;
  private isOver = false;
  /** What has come in and was not unpacked yet. */
  private readonly waiting: Chunk[] = [];

  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    if (this.isOver) return NOTHING;
    this.inflater ??= request.connection.worker.ports.compression.inflater();
    if (this.inflater === undefined) return this.fail(request, "alert", "inflateInit2() failed");
    const { waiting } = this;
    waiting.push(...chunks);
    const given = this.inflate(request, this.inflater);
    if (this.isOver) return NOTHING;
    if (this.hasMore) for (let i = 0; i < waiting.length; i++) waiting[i] = copyChunk(waiting[i] as Chunk);
    else if (mark === LAST) {
      if (!this.inflater.isOver)
        return this.fail(request, "error", `inflate() returned ${Z_BUF_ERROR} on response end`);
      this.release();
    }
    return given;
  }

  /** Until there is some output or no input. */
  private inflate(request: Request, inflater: Inflater): readonly Chunk[] {
    const { waiting } = this;
    do {
      const chunk = waiting[0];
      const length = inflater.run(chunk?.bytes ?? NO_BYTES, chunk?.start ?? 0, chunk?.end ?? 0);
      if (length < 0) return this.fail(request, "error", `inflate() failed: 0, ${length}`);
      if (chunk !== undefined) {
        if (chunk.start + inflater.taken === chunk.end) waiting.shift();
        else waiting[0] = subChunk(chunk, inflater.taken, chunk.end - chunk.start);
      }
      this.hasMore = inflater.isFull || waiting.length > 0;
      if (length > 0) return [bytesChunk(inflater.output, 0, length)];
    } while (this.hasMore);
    return NOTHING;
  }

  private fail(request: Request, level: "error" | "alert", message: string): readonly Chunk[] {
    this.release();
    request.connection.logError(level, message);
    request.connection.terminate(0);
    return NOTHING;
  }

  release(): void {
    this.isOver = true;
    this.hasMore = false;
    this.waiting.length = 0;
    this.inflater?.release();
    this.inflater = undefined;
  }
}

function build(rules: GzipRules, vary: boolean): HeaderFilter {
  return (request) => {
    const index = request.contentEncodingIndex;
    if (index < 0 || (request.headerValues[index] as string).toLowerCase() !== "gzip") return OK;
    request.varies = vary;
    if (mayGzip(request, rules)) return OK;
    request.dropHeader(index);
    request.contentEncodingIndex = -1;
    request.changeEntity();
    request.addBodyFilter(new Gunzip());
    return OK;
  };
}

export const gunzip = httpModule({
  name: "gunzip",
  directives,
  filtersSubrequests: true,
  headerFilter: (conf, place) => {
    if (!conf.gunzip) return undefined;
    const general = place.scope.conf(gzip);
    return build(gzipRules(general), general.gzip_vary);
  },
});
