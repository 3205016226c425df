/**
 * Fetches a large answer in slices of one size, each by a subrequest for a range, so that a cache keeps them one by one.
 * nginx: ngx_http_slice_filter_module.
 */
import { size } from "../../conf/slots.ts";
import { IF_RANGE, RANGE } from "../../wire/http1/fields.ts";
import { type BodyFilter, type Chunk, LAST, type Mark, ORDER_RANGE, ORDER_SLICE } from "../body.ts";
import type { HeaderFilter } from "../location.ts";
import { httpModule } from "../module.ts";
import { ERROR, OK } from "../outcome.ts";
import { SinglePart } from "../range-parts.ts";
import type { Request } from "../request.ts";
import { subrequest } from "../subrequest.ts";

/** Key of the notes of a request and of its subrequests, which share one `Slices`. */
const SLICES = {};
const NOTHING: readonly Chunk[] = [];
const PARTIAL_CONTENT = 206;
const LARGEST = 0x7fffffff * 0x100000000;

/** Where a request has got in an answer. */
class Slices {
  readonly sizeBytes: number;
  /** Where the next slice begins, and where the answer ends. */
  start: number;
  end = 0;
  /** `$slice_range` */
  range = "";
  etag = "";
  /** The slice that was asked for last has begun to come. */
  active = false;

  constructor(sizeBytes: number, start: number) {
    this.sizeBytes = sizeBytes;
    this.start = start;
    this.ask();
  }

  ask(): void {
    this.range = `bytes=${this.start}-${this.start + this.sizeBytes - 1}`;
    this.active = false;
  }
}

const slicesOf = ({ notes }: Request): Slices | undefined => notes?.get(SLICES) as Slices | undefined;

/** The first byte that the client wants, as far as that is worth looking at. */
function firstByte({ head }: Request): number {
  if (head.known[IF_RANGE] !== -1 || head.known[RANGE] === -1) return 0;
  const field = head.knownValue(RANGE) ?? "";
  const match = /^bytes= *(\d+)/i.exec(field);
  const first = match === null || field.includes(",") ? 0 : Number(match[1]);
  return first >= LARGEST ? 0 : first;
}

interface ContentRange {
  readonly start: number;
  readonly end: number;
  /** -1: unknown. */
  readonly complete: number;
}

function contentRangeOf(request: Request): { readonly line: number; readonly range: ContentRange | undefined } {
  let line = -1;
  for (let i = 0; i < request.headerCount; i++) if (request.headerNames[i]?.toLowerCase() === "content-range") line = i;
  const match = /^bytes *(\d+) *- *(\d+) *\/ *(\d+|\*) *$/.exec(line < 0 ? "" : (request.headerValues[line] as string));
  if (match === null) return { line, range: undefined };
  const [, first, last, complete] = match;
  return {
    line,
    range: { start: Number(first), end: Number(last) + 1, complete: complete === "*" ? -1 : Number(complete) },
  };
}

function refuse(request: Request, message: string): number {
  request.connection.logErrorOf(request, "error", message);
  return ERROR;
}

const filterHeader: HeaderFilter = (request) => {
  const slices = slicesOf(request);
  if (slices === undefined) return OK;
  if (request.status !== PARTIAL_CONTENT) {
    if (request.parent !== undefined)
      return refuse(request, `unexpected status code ${request.status} in slice response`);
    request.notes?.delete(SLICES);
    return OK;
  }
  const { etag } = request;
  if (slices.etag !== "" && slices.etag !== etag) return refuse(request, "etag mismatch in slice response");
  slices.etag = etag ?? slices.etag;
  const { line, range } = contentRangeOf(request);
  if (range === undefined) return refuse(request, "invalid range in slice response");
  if (range.complete < 0) return refuse(request, "no complete length in slice response");
  const end = Math.min(range.start + slices.sizeBytes, range.complete);
  if (range.start !== slices.start || range.end !== end)
    return refuse(
      request,
      `unexpected range in slice response: ${range.start}-${range.end}, expected: ${slices.start}-${end}`,
    );
  slices.start = end;
  slices.active = true;
  request.status = 200;
  request.statusText = "";
  request.answerLength = range.complete;
  request.contentOffset = range.start;
  request.dropHeader(line);
  request.dropHeader(request.acceptRangesIndex);
  request.acceptRangesIndex = -1;
  request.allowRanges = true;
  request.subrequestRanges = true;
  request.singleRange = true;
  if (request.parent === undefined) {
    slices.end = range.complete;
    request.addBodyFilter(new SliceFilter(slices));
  }
  return OK;
};

/** Behind the body of the first slice come the others, before the answer ends. */
class SliceFilter implements BodyFilter {
  readonly order = ORDER_SLICE;
  readonly takesPieces = false;
  hasMore = false;
  private readonly slices: Slices;
  private asked: Request | undefined = undefined;

  constructor(slices: Slices) {
    this.slices = slices;
  }

  get waits(): boolean {
    return this.asked !== undefined && !this.asked.complete;
  }

  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    const { slices } = this;
    if (this.hasMore) this.goOn(request);
    // What is answered is an error, and no slices.
    else if (mark === LAST && slicesOf(request) === slices) {
      this.hasMore = true;
      this.limit(request);
    }
    return this.hasMore && chunks.length === 0 ? NOTHING : chunks;
  }

  /** The client wants a range: slices ahead of it and behind it are not fetched. */
  private limit(request: Request): void {
    const { slices } = this;
    const part = request.chain?.find(ORDER_RANGE);
    if (!(part instanceof SinglePart)) return;
    const { start, end } = part.range;
    if (slices.start + slices.sizeBytes <= start)
      slices.start = slices.sizeBytes * Math.floor(start / slices.sizeBytes);
    slices.end = end;
  }

  private goOn(request: Request): void {
    const { slices } = this;
    if (!slices.active) {
      refuse(request, "missing slice response");
      request.connection.terminate(0);
      return;
    }
    if (slices.start >= slices.end) {
      this.hasMore = false;
      request.notes?.delete(SLICES);
      return;
    }
    const { uri, args } = request;
    this.asked = subrequest(request, uri, { args, clone: true });
    if (this.asked === undefined) {
      request.connection.terminate(0);
      return;
    }
    this.asked.notes = new Map([[SLICES, slices]]);
    slices.ask();
  }
}

const directives = {
  slice: size("0", {
    in: "http, server, location",
    doc: "Bytes of the slices that answers are fetched in; 0: whole. The request to the server must say `Range: $slice_range`.",
  }),
};

export const slice = httpModule({
  name: "slice",
  directives,
  prepare: (conf) => (conf.slice === 0 ? undefined : conf.slice),
  variables: [
    {
      name: "slice_range",
      doc: "The range of the present slice, as a Range line has it.",
      get(request) {
        const known = slicesOf(request);
        if (known !== undefined) return known.range;
        const sizeBytes = request.location.prepared.get(slice) as number | undefined;
        if (sizeBytes === undefined || request.parent !== undefined || request.status !== 0) return undefined;
        const slices = new Slices(sizeBytes, sizeBytes * Math.floor(firstByte(request) / sizeBytes));
        request.notes ??= new Map();
        request.notes.set(SLICES, slices);
        return slices.range;
      },
    },
  ],
  headerFilter: (conf) => (conf.slice === 0 ? undefined : filterHeader),
  filtersSubrequests: true,
});
