/** Filters that cut ranges out of a body, RFC 9110 §14. nginx: ngx_http_range_body_filter_module. */
import type { ByteRange } from "../wire/http1/range.ts";
import { type BodyFilter, type Chunk, ORDER_RANGE, subChunk, textChunk } from "./body.ts";
import type { Request } from "./request.ts";

/** Cuts one range out of a body that may come in pieces. */
export class SinglePart implements BodyFilter {
  readonly order = ORDER_RANGE;
  readonly takesPieces = false;
  readonly range: ByteRange;
  private offset: number;

  /** `offset`: where in the whole the body begins. */
  constructor(range: ByteRange, offset: number) {
    this.range = range;
    this.offset = offset;
  }

  filter(_request: Request, chunks: readonly Chunk[]): readonly Chunk[] {
    const out: Chunk[] = [];
    this.offset = cutRange(out, chunks, this.offset, this.range);
    return out;
  }
}

/** Adds what of a range is in the chunks, which begin at an offset of the body. The offset behind them. */
function cutRange(out: Chunk[], chunks: readonly Chunk[], offset: number, range: ByteRange): number {
  let start = offset;
  for (const chunk of chunks) {
    const size = chunk.end - chunk.start;
    const from = Math.max(range.start - start, 0);
    const to = Math.min(range.end - start, size);
    if (from < to) out.push(subChunk(chunk, from, to));
    start += size;
  }
  return start;
}

/** Puts several ranges into parts. The body comes at once: only such answers allow more than one. */
export class MultiPart implements BodyFilter {
  readonly order = ORDER_RANGE;
  readonly takesPieces = false;
  private readonly ranges: readonly ByteRange[];
  private readonly heads: readonly string[];
  private readonly end: string;

  constructor(ranges: readonly ByteRange[], heads: readonly string[], end: string) {
    this.ranges = ranges;
    this.heads = heads;
    this.end = end;
  }

  filter(_request: Request, chunks: readonly Chunk[]): readonly Chunk[] {
    if (chunks.length === 0) return chunks;
    const out: Chunk[] = [];
    this.ranges.forEach((range, index) => {
      out.push(textChunk(this.heads[index] as string));
      cutRange(out, chunks, 0, range);
    });
    out.push(textChunk(this.end));
    return out;
  }
}
