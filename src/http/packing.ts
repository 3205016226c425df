/**
 * Compressed answers, in whatever coding: which answers are compressed, and their bodies on the way through an encoder. Counterpart in nginx:
 * what ngx_http_gzip_filter_module, ngx_brotli and zstd-nginx-module have in common.
 */
import { type Encoder, FINISH, type Flush, NO_FLUSH, SYNC_FLUSH } from "../io/compression.ts";
import { type BodyFilter, bytesChunk, type Chunk, copyChunk, LAST, type Mark, MORE, ORDER_GZIP } from "./body.ts";
import type { HeaderFilter } from "./location.ts";
import { hasMediaType, type MediaTypes } from "./media-types.ts";
import { OK } from "./outcome.ts";
import type { Request } from "./request.ts";

const NOTHING = new Uint8Array(0);
const EMPTY = bytesChunk(NOTHING);

/** Where the encoders of a coding come from, and what the log says when they fail. */
export interface Coding {
  open(request: Request): Encoder | undefined;
  readonly openFailure: string;
  runFailure(flush: Flush, code: number): string;
}

/** Compresses one answer. No answer passes two of these. */
export class PackedBody implements BodyFilter {
  readonly order = ORDER_GZIP;
  readonly takesPieces = true;
  totalIn = 0;
  totalOut = 0;
  /** The last byte has been given. */
  isWhole = false;
  readonly coding: Coding;
  protected isOver = false;
  private encoder: Encoder | undefined = undefined;
  private readonly out: Chunk[] = [];

  constructor(coding: Coding) {
    this.coding = coding;
  }

  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    const { out } = this;
    out.length = 0;
    if (this.isOver) return out;
    this.encodeAll(request, chunks, mark);
    if (mark === LAST && !this.isOver) {
      this.isWhole = true;
      this.release();
    }
    return out;
  }

  private encodeAll(request: Request, chunks: readonly Chunk[], mark: Mark): void {
    const flush = mark === LAST ? FINISH : mark === MORE ? NO_FLUSH : SYNC_FLUSH;
    this.encoder ??= this.coding.open(request);
    const { encoder } = this;
    if (encoder === undefined) {
      this.fail(request, this.coding.openFailure);
      return;
    }
    const last = chunks.length - 1;
    for (let i = 0; i < last; i++) this.encode(request, encoder, chunks[i] as Chunk, NO_FLUSH);
    if (last >= 0) this.encode(request, encoder, chunks[last] as Chunk, flush);
    else if (flush !== NO_FLUSH) this.encode(request, encoder, EMPTY, flush);
  }

  private encode(request: Request, encoder: Encoder, chunk: Chunk, flush: Flush): void {
    const { out } = this;
    if (this.isOver) return;
    let at = chunk.start;
    do {
      // What the last call has left in the output is overwritten now.
      const before = out.length - 1;
      if (before >= 0) out[before] = copyChunk(out[before] as Chunk);
      const length = encoder.run(chunk.bytes ?? NOTHING, at, chunk.end, flush);
      if (length < 0) {
        this.fail(request, this.coding.runFailure(flush, length));
        return;
      }
      at += encoder.taken;
      this.totalIn += encoder.taken;
      this.totalOut += length;
      if (length > 0) out.push(bytesChunk(encoder.output, 0, length));
    } while (encoder.isFull);
  }

  private fail(request: Request, message: string): void {
    this.isOver = true;
    this.out.length = 0;
    request.connection.logError("alert", message);
    request.connection.terminate(0);
  }

  release(): void {
    this.isOver = true;
    this.encoder?.release();
    this.encoder = undefined;
  }
}

/** Which answers of a location are compressed, and how. */
export interface Packing {
  /** As in Content-Encoding. */
  readonly name: string;
  readonly types: MediaTypes;
  readonly minLength: number;
  /** gzip_vary */
  readonly vary: boolean;
  /** The client takes it. */
  isTaken(request: Request): boolean;
  /** `length`: of the answer, -1 when it is unknown. */
  body(length: number): PackedBody;
}

/** Compresses the answers of a location that are worth it, for clients that take them. */
export function packAnswers({ name, types, minLength, vary, isTaken, body }: Packing): HeaderFilter {
  return (request) => {
    const { status, answerLength } = request;
    if (status !== 200 && status !== 403 && status !== 404) return OK;
    if (answerLength >= 0 && answerLength < minLength) return OK;
    if (request.contentEncodingIndex >= 0 && request.headerValues[request.contentEncodingIndex] !== "") return OK;
    if (request.headerOnly || !hasMediaType(request, types)) return OK;
    request.varies = vary;
    if (!isTaken(request)) return OK;
    request.contentEncodingIndex = request.addHeader("Content-Encoding", name);
    request.addBodyFilter(body(answerLength));
    request.changeEntity();
    return OK;
  };
}

/** How many thousandths the body was before for each of its bytes now; undefined when nothing has come out. */
export function packedRatio({ totalIn, totalOut }: PackedBody): number | undefined {
  return totalOut === 0 ? undefined : Math.floor((totalIn * 1000) / totalOut);
}

/** Thousandths as a number with two digits, rounded. */
export function roundedRatio(thousandths: number): string {
  return (Math.floor((thousandths + 5) / 10) / 100).toFixed(2);
}
