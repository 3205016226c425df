/** Ranges, RFC 9110 §14: one part or multipart/byteranges. nginx: ngx_http_range_filter_module. */
import { parseHttpDate } from "../../wire/http1/date.ts";
import { IF_RANGE, RANGE } from "../../wire/http1/fields.ts";
import { type ByteRange, parseRanges } from "../../wire/http1/range.ts";
import { type BodyFilter, type Chunk, ORDER_RANGE, subChunk, textChunk } from "../body.ts";
import { httpModule } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";

/** Cuts one range out of a body that may come in pieces. */
class SinglePart implements BodyFilter {
  readonly order = ORDER_RANGE;
  readonly takesPieces = false;
  private readonly range: ByteRange;
  private offset = 0;

  constructor(range: ByteRange) {
    this.range = range;
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
class MultiPart implements BodyFilter {
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

/** Whether If-Range lets the range pass. */
function isCurrent(request: Request): boolean {
  const condition = request.head.knownValue(IF_RANGE);
  if (condition === undefined) return true;
  if (condition.length >= 2 && condition.endsWith('"')) return condition === request.etag;
  return request.lastModified >= 0 && parseHttpDate(condition) === request.lastModified;
}

function filter(request: Request): number {
  if (request.status !== 200 || !request.allowRanges || request.version < 1000 || request.answerLength < 0) return OK;
  const { max_ranges: maxRanges } = request.location.core;
  if (maxRanges === 0) return OK;
  const field = request.head.known[RANGE] === -1 ? undefined : request.head.knownValue(RANGE);
  if (field === undefined || field.length < 7 || field.slice(0, 6).toLowerCase() !== "bytes=" || !isCurrent(request)) {
    return acceptRanges(request);
  }
  const ranges = parseRanges(field.slice(6), request.answerLength, request.singleRange ? 1 : maxRanges);
  if (ranges === "whole") return acceptRanges(request);
  if (ranges === "unsatisfiable") {
    dropContentRange(request);
    request.addHeader("Content-Range", `bytes */${request.answerLength}`);
    request.answerLength = -1;
    request.status = 416;
    request.statusText = "";
    return 416;
  }
  request.status = 206;
  request.statusText = "";
  if (ranges.length === 1) singlePart(request, ranges[0] as ByteRange);
  else multiPart(request, ranges);
  return OK;
}

/** An answer has one range: that of an error page does not stand beside that of the error. */
function dropContentRange({ headerCount, headerNames }: Request): void {
  for (let i = 0; i < headerCount; i++) if (headerNames[i]?.toLowerCase() === "content-range") headerNames[i] = "";
}

function acceptRanges(request: Request): number {
  request.acceptRangesIndex = request.addHeader("Accept-Ranges", "bytes");
  return OK;
}

function singlePart(request: Request, range: ByteRange): void {
  dropContentRange(request);
  request.addHeader("Content-Range", `bytes ${range.start}-${range.end - 1}/${request.answerLength}`);
  request.answerLength = range.end - range.start;
  request.addBodyFilter(new SinglePart(range));
}

function multiPart(request: Request, ranges: readonly ByteRange[]): void {
  dropContentRange(request);
  const boundary = String(request.connection.worker.temporary()).padStart(20, "0");
  const type = request.contentType === "" ? "" : `Content-Type: ${request.fullContentType}\r\n`;
  const total = request.answerLength;
  const heads = ranges.map(
    ({ start, end }) => `\r\n--${boundary}\r\n${type}Content-Range: bytes ${start}-${end - 1}/${total}\r\n\r\n`,
  );
  const end = `\r\n--${boundary}--\r\n`;
  request.contentType = `multipart/byteranges; boundary=${boundary}`;
  request.charset = "";
  request.answerLength = ranges.reduce(
    (sum, range, index) => sum + (heads[index] as string).length + range.end - range.start,
    end.length,
  );
  request.addBodyFilter(new MultiPart(ranges, heads, end));
}

export const range = httpModule({ name: "range", directives: {}, headerFilter: () => filter });
