/** Ranges, RFC 9110 §14: one part or multipart/byteranges. nginx: ngx_http_range_filter_module. */
import { parseHttpDate } from "../../wire/http1/date.ts";
import { IF_RANGE, RANGE } from "../../wire/http1/fields.ts";
import { type ByteRange, parseRanges } from "../../wire/http1/range.ts";
import { ORDER_RANGE } from "../body.ts";
import { httpModule } from "../module.ts";
import { OK } from "../outcome.ts";
import { MultiPart, SinglePart } from "../range-parts.ts";
import type { Request } from "../request.ts";

/** Whether If-Range lets the range pass. */
function isCurrent(request: Request): boolean {
  const condition = request.head.knownValue(IF_RANGE);
  if (condition === undefined) return true;
  if (condition.length >= 2 && condition.endsWith('"')) return condition === request.etag;
  return request.lastModified >= 0 && parseHttpDate(condition) === request.lastModified;
}

/** A slice of an answer is a subrequest's: of it the client gets what lies in the range of the whole. */
function cutSlice(request: Request): number {
  const part = request.subrequestRanges ? request.main.chain?.find(ORDER_RANGE) : undefined;
  if (part instanceof SinglePart) request.addBodyFilter(new SinglePart(part.range, request.contentOffset));
  return OK;
}

function filter(request: Request): number {
  if (request.parent !== undefined) return cutSlice(request);
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
  request.addBodyFilter(new SinglePart(range, request.contentOffset));
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

export const range = httpModule({
  name: "range",
  directives: {},
  headerFilter: () => filter,
  filtersSubrequests: true,
});
