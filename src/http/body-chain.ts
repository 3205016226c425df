/**
 * The filters of one answer and what waits in front of them. Back-pressure without a promise: pieces go through one after
 * another until the client is slow; the rest waits here, as lent bytes that were copied or as a part of a file that is not
 * read yet, and goes on when the client has taken everything. Counterpart in nginx: ngx_output_chain.c and the body filters.
 *
 * The last position in front of the filters that belong to the whole answer is that of the postponement (postpone.ts).
 */
import {
  type BodyFilter,
  bytesChunk,
  type Chunk,
  copyChunk,
  FLUSH,
  type Mark,
  MORE,
  ORDER_COPY,
  ORDER_POSTPONE,
  PIECE_BYTES,
  subChunk,
} from "./body.ts";
import { postpone } from "./postpone.ts";
import type { Request } from "./request.ts";

const NOTHING: readonly Chunk[] = [];
/** What goes into the filters and what comes out of them together while it is another request's turn. nginx: output_buffers. */
const AHEAD_BYTES = 4 * PIECE_BYTES;

export class BodyChain {
  private readonly request: Request;
  private readonly filters: BodyFilter[] = [];
  /** For each filter that has more to give: the mark that goes on behind it. */
  private readonly marks: Mark[] = [];
  /** Index of the first filter behind ORDER_COPY and behind ORDER_POSTPONE. */
  private copyAt = 0;
  private postponeAt = 0;
  private takesPieces = false;
  /** No filter ever stops. */
  private isDirect = true;
  private readonly waiting: Chunk[] = [];
  private waitingMark: Mark = MORE;
  private pumping = false;
  /** Something of the body has come. */
  carried = false;
  /** The filter that may wait, and whether one runs ahead. */
  private waiter: BodyFilter | undefined = undefined;
  private runsAhead = false;
  private aheadBytes = 0;

  constructor(request: Request) {
    this.request = request;
  }

  add(filter: BodyFilter): void {
    const { filters } = this;
    let at = filters.length;
    while (at > 0 && (filters[at - 1] as BodyFilter).order > filter.order) at--;
    filters.splice(at, 0, filter);
    this.marks.push(MORE);
    if (filter.order < ORDER_COPY) this.copyAt++;
    if (filter.order < ORDER_POSTPONE) this.postponeAt++;
    if (filter.takesPieces) this.takesPieces = true;
    if (filter.takesPieces || filter.hasMore !== undefined) this.isDirect = false;
    if (filter.waits !== undefined) this.waiter = filter;
    if (filter.runsAhead === true) this.runsAhead = true;
  }

  /** The filter at one of the positions. */
  find(order: number): BodyFilter | undefined {
    return this.filters.find((filter) => filter.order === order);
  }

  /** Something of the answer has not reached the client's connection. */
  get holds(): boolean {
    const { request, waiting } = this;
    if (waiting.length > 0 || this.waitingMark !== MORE || request.postponed !== undefined) return true;
    if (request.main.active !== request) return true;
    for (let i = 0; i < this.filters.length; i++) if (this.filters[i]?.hasMore === true) return true;
    return request !== request.main && request.main.chain?.tailHasMore === true;
  }

  /** Sends a part of the body. Bytes are lent unless the connection was blocked before. */
  send(chunks: readonly Chunk[], mark: Mark): void {
    const { request, waiting } = this;
    if (chunks.length > 0) this.carried = true;
    let passed = chunks;
    for (let i = 0; i < this.copyAt; i++) passed = (this.filters[i] as BodyFilter).filter(request, passed, mark);
    if (this.isDirect && request.main.children === undefined) {
      this.run(this.copyAt, passed, mark, false);
      return;
    }
    const wasBlocked = request.connection.isBlocked(request);
    for (const chunk of passed) if (chunk.start < chunk.end) waiting.push(chunk);
    if (mark > this.waitingMark) this.waitingMark = mark;
    this.pump();
    if (wasBlocked) return;
    for (let i = 0; i < waiting.length; i++) waiting[i] = copyChunk(waiting[i] as Chunk);
  }

  /** Goes on until the client is slow or nothing waits. */
  pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (!this.blocked && this.step());
    this.pumping = false;
  }

  private get blocked(): boolean {
    const { request } = this;
    const { connection, main } = request;
    if (this.waiter?.waits === true) return true;
    // What is kept in memory has nothing to do with the client, but for its having gone.
    if (request.memory !== undefined) return connection.request !== main;
    if (connection.full) return true;
    return !this.isTurn && !(this.runsAhead && this.aheadBytes < AHEAD_BYTES);
  }

  /** What comes out of the filters goes on at once. */
  private get isTurn(): boolean {
    const { request } = this;
    return request.main.active === request && request.postponed === undefined;
  }

  /** Moves one piece, the foremost first. False when there was none. */
  private step(): boolean {
    const { request, waiting } = this;
    if (this.aheadBytes > 0 && this.isTurn) this.aheadBytes = 0;
    if (!request.connection.full && request.main.chain?.stepTail() === true) return true;
    for (let i = this.postponeAt - 1; i >= 0; i--) if (this.stepFilter(i, false)) return true;
    if (waiting.length === 0 && this.waitingMark === MORE) return false;
    const piece = waiting.length === 0 ? NOTHING : this.nextPiece();
    if (piece === undefined) return false;
    let mark: Mark = MORE;
    if (waiting.length === 0) {
      mark = this.waitingMark;
      this.waitingMark = MORE;
    }
    this.countAhead(piece);
    this.run(this.copyAt, piece, mark, false);
    return true;
  }

  private countAhead(chunks: readonly Chunk[]): void {
    if (!this.runsAhead || this.isTurn) return;
    for (const { start, end } of chunks) this.aheadBytes += end - start;
  }

  private stepTail(): boolean {
    for (let i = this.filters.length - 1; i >= this.postponeAt; i--) if (this.stepFilter(i, true)) return true;
    return false;
  }

  private get tailHasMore(): boolean {
    for (let i = this.postponeAt; i < this.filters.length; i++) if (this.filters[i]?.hasMore === true) return true;
    return false;
  }

  private stepFilter(index: number, isBehind: boolean): boolean {
    if (this.filters[index]?.hasMore !== true) return false;
    this.run(index, NOTHING, this.marks[index] as Mark, isBehind);
    return true;
  }

  /** The beginning of what waits, in memory if a filter wants it there; undefined when the file can't be read, which has ended the connection. */
  private nextPiece(): readonly Chunk[] | undefined {
    const { request, waiting } = this;
    const chunk = waiting[0] as Chunk;
    const size = chunk.end - chunk.start;
    if (!this.takesPieces && request.main.chain?.takesPieces !== true) {
      waiting.shift();
      return [chunk];
    }
    const part = Math.min(size, PIECE_BYTES);
    if (part === size) waiting.shift();
    else waiting[0] = subChunk(chunk, part, size);
    if (chunk.bytes !== undefined) return [bytesChunk(chunk.bytes, chunk.start, chunk.start + part)];
    const { worker } = request.connection;
    const { pieceMemory } = worker;
    const read = worker.ports.files.read(chunk.fd, pieceMemory, 0, part, chunk.start);
    if (read === part) return [bytesChunk(pieceMemory.bytes, 0, part)];
    request.connection.fileFailed(request, read);
    return undefined;
  }

  /** From one filter to the end of the chain. `isBehind`: behind the postponement already. */
  private run(from: number, chunks: readonly Chunk[], mark: Mark, isBehind: boolean): void {
    const { connection } = this.request;
    const { filtering } = connection;
    connection.filtering = true;
    this.filter(from, chunks, mark, isBehind);
    connection.filtering = filtering;
  }

  private filter(from: number, chunks: readonly Chunk[], mark: Mark, isBehind: boolean): void {
    const { filters, request, postponeAt } = this;
    let passed = chunks;
    let passedMark = mark;
    for (let i = from; i <= filters.length; i++) {
      if (i === postponeAt && !isBehind && request.main.children !== undefined) {
        if (request.memory !== undefined) return;
        this.countAhead(passed);
        postpone(request, passed, passedMark);
        return;
      }
      if (i === filters.length) break;
      const filter = filters[i] as BodyFilter;
      passed = filter.filter(request, passed, passedMark);
      if (filter.hasMore === true) {
        this.marks[i] = passedMark;
        if (passedMark === FLUSH) request.connection.urgent = true;
        passedMark = MORE;
      }
      if (passed.length === 0 && passedMark === MORE) return;
    }
    this.emit(passed);
  }

  /** What comes out of the postponement, the main request's or a subrequest's. */
  deliver(chunks: readonly Chunk[], mark: Mark): void {
    this.run(this.postponeAt, chunks, mark, true);
  }

  private emit(chunks: readonly Chunk[]): void {
    const { connection, main } = this.request;
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i] as Chunk;
      connection.emit(main, this.takesPieces && connection.keeps(main) ? copyChunk(chunk) : chunk);
    }
  }

  /** The answer is over. */
  release(): void {
    for (const filter of this.filters) filter.release?.();
    this.waiting.length = 0;
    this.waitingMark = MORE;
  }
}
