/**
 * The body of an upstream's answer on its way to the client: counted, taken out of its chunks, and kept in memory or in a
 * temporary file while the client is slow. Counterpart in nginx: ngx_event_pipe.c and the input filters of ngx_http_proxy_module.c.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import { CHUNK_DATA, CHUNK_DONE, CHUNK_MORE, ChunkedDecoder } from "../wire/http1/chunked.ts";
import { bytesChunk, type Chunk, FLUSH, fileChunk, MORE } from "./body.ts";
import { Gathered } from "./gathered.ts";
import type { Request } from "./request.ts";
import { TemporaryFile } from "./temporary-file.ts";
import { type AnswerReader, READ_DATA, READ_DONE, READ_FAILED } from "./upstream-protocol.ts";
import type { UpstreamRules } from "./upstream-rules.ts";
import { AnswerTrailers, TRAILERS_BAD, TRAILERS_MORE } from "./upstream-trailers.ts";

/** What `consume` says: more is to come, it is whole, it is whole and more came behind it, or it is malformed. */
export const BODY_MORE = 0;
export const BODY_DONE = 1;
export const BODY_EXCESS = 2;
export const BODY_INVALID = 3;
/** A file of ours can't be written. */
export const BODY_FAILED = 4;
/** Its trailers are not what they should be; `trailers` says why. */
export const BODY_BAD_TRAILERS = 5;
export type BodyResult = number;

/** The length of a body that ends with the connection. */
export const UNTIL_CLOSE = -1;

/** Bytes that have come. */
export interface Piece {
  /** What the kernel knows these bytes by, if it does. */
  readonly memory: Memory | undefined;
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
}

/** A copy of an answer while it passes. */
export interface AnswerCopy {
  /** False when the answer must end with it; the reason has been logged. */
  append(memory: Memory | undefined, bytes: Bytes, start: number, end: number): boolean;
  /** It is not wanted. */
  drop(): void;
}

export class AnswerBody {
  /** The client's queue is as long as it may be: read no more before it is empty. */
  full = false;
  chunked = false;
  /** Bytes to come, -1 when the end of the connection is the end of the body. */
  private left = 0;
  private buffered = false;
  private failed = false;
  /** Bytes in memory that have been given to a client that was busy. */
  private waitingBytes = 0;
  /** What waits behind them. */
  private readonly gathered = new Gathered();
  private file: TemporaryFile | undefined = undefined;
  private decoder: ChunkedDecoder | undefined = undefined;
  /** Trailers behind a chunked body, where they are passed on. */
  trailers: AnswerTrailers | undefined = undefined;
  private passesTrailers = false;
  /** Takes the body out of the form that the upstream's protocol has for it. */
  private reader: AnswerReader | undefined = undefined;
  /** A copy is kept, too. */
  copy: AnswerCopy | undefined = undefined;

  /** A new body: chunked, of so many bytes, or until the end (-1). */
  begin(length: number, chunked: boolean, buffered: boolean, passesTrailers: boolean): void {
    this.passesTrailers = passesTrailers;
    this.reader = undefined;
    this.trailers = undefined;
    this.chunked = chunked;
    this.left = length;
    this.buffered = buffered;
    this.full = false;
    this.failed = false;
    this.waitingBytes = 0;
    if (!chunked) return;
    this.decoder ??= new ChunkedDecoder();
    this.decoder.reset(passesTrailers);
  }

  /** A new body of a protocol that is not HTTP/1. */
  beginRead(reader: AnswerReader, length: number, buffered: boolean, isOptional: boolean): void {
    this.begin(isOptional && length > 0 ? UNTIL_CLOSE : length, false, buffered, false);
    if (!reader.framesBody) return;
    reader.beginBody(length, buffered, isOptional);
    this.reader = reader;
    this.chunked = true;
  }

  /** Nothing is to come. */
  get whole(): boolean {
    return !this.chunked && this.left === 0;
  }

  /** The end of the connection ends it well. */
  get endsWithConnection(): boolean {
    return this.reader?.endsWithConnection ?? (!this.chunked && this.left === UNTIL_CLOSE);
  }

  /** Sends a piece on. */
  consume(request: Request, rules: UpstreamRules, piece: Piece): BodyResult {
    return this.chunked ? this.consumeChunks(request, rules, piece) : this.consumePlain(request, rules, piece);
  }

  private consumePlain(request: Request, rules: UpstreamRules, piece: Piece): BodyResult {
    const { memory, bytes, start, end } = piece;
    const size = this.left === UNTIL_CLOSE ? end - start : Math.min(this.left, end - start);
    if (this.left !== UNTIL_CLOSE) this.left -= size;
    if (size > 0) this.deliver(request, rules, memory, bytes, start, start + size);
    if (this.failed) return BODY_FAILED;
    if (this.left !== 0) return BODY_MORE;
    return start + size < end ? BODY_EXCESS : BODY_DONE;
  }

  private consumeChunks(request: Request, rules: UpstreamRules, piece: Piece): BodyResult {
    const { memory, bytes, start, end } = piece;
    const decoder = this.decoder as ChunkedDecoder;
    const { exchange } = request;
    let at = start;
    if (this.reader !== undefined) return this.consumeRead(this.reader, request, rules, piece);
    if (this.trailers !== undefined) return this.readTrailers(this.trailers, bytes, start, end);
    while (at < end) {
      const result = decoder.next(bytes, at, end);
      at = decoder.position;
      if (result === CHUNK_DATA) {
        this.deliver(request, rules, memory, bytes, decoder.dataStart, at);
        if (this.failed) return BODY_FAILED;
        if (exchange?.active !== true) return BODY_MORE;
      } else if (result === CHUNK_DONE && this.passesTrailers) {
        this.trailers = new AnswerTrailers(rules.bufferSize);
        return this.readTrailers(this.trailers, bytes, at, end);
      } else if (result === CHUNK_DONE) {
        this.chunked = false;
        this.left = 0;
        return at < end ? BODY_EXCESS : BODY_DONE;
      } else if (result !== CHUNK_MORE) return BODY_INVALID;
    }
    return BODY_MORE;
  }

  private consumeRead(reader: AnswerReader, request: Request, rules: UpstreamRules, piece: Piece): BodyResult {
    const { memory, bytes, end } = piece;
    const { exchange } = request;
    for (let at = piece.start; at < end; at = reader.position) {
      const result = reader.readBody(bytes, at, end);
      if (result === READ_FAILED) return BODY_FAILED;
      if (result === READ_DATA) {
        this.deliver(request, rules, memory, bytes, reader.dataStart, reader.position);
        if (this.failed) return BODY_FAILED;
        if (exchange?.active !== true) return BODY_MORE;
      } else if (result === READ_DONE) {
        this.chunked = false;
        this.left = 0;
        return BODY_DONE;
      }
    }
    return BODY_MORE;
  }

  private readTrailers(trailers: AnswerTrailers, bytes: Bytes, start: number, end: number): BodyResult {
    const { result, position } = trailers.read(bytes, start, end);
    if (result === TRAILERS_MORE) return BODY_MORE;
    if (result === TRAILERS_BAD) return BODY_BAD_TRAILERS;
    this.chunked = false;
    this.left = 0;
    return position < end ? BODY_EXCESS : BODY_DONE;
  }

  private deliver(
    request: Request,
    rules: UpstreamRules,
    memory: Memory | undefined,
    bytes: Bytes,
    start: number,
    end: number,
  ): void {
    const { connection } = request;
    const size = end - start;
    if (this.gathered.length > 0 && !connection.isBlocked(request)) this.giveGathered(request);
    if (this.copy !== undefined && !this.copy.append(memory, bytes, start, end)) {
      this.failed = true;
      return;
    }
    if (request.headerOnly) return;
    if (!connection.isBlocked(request)) {
      emit(request, bytesChunk(bytes, start, end), this.buffered);
      if (!connection.isBlocked(request)) return;
      this.waitingBytes += size;
      if (!this.buffered) this.full = true;
      return;
    }
    connection.worker.guard.claim(size);
    // Not `slice`: that of a Buffer is a view.
    const own = new Uint8Array(bytes.subarray(start, end));
    if (!this.buffered || (this.gathered.length === 0 && this.waitingBytes + size <= rules.busyBytes)) {
      emit(request, bytesChunk(own), this.buffered);
      this.waitingBytes += size;
      if (!this.buffered) this.full = true;
      return;
    }
    this.gathered.add(own);
    if (this.gathered.length > rules.memoryBytes - rules.busyBytes) this.makeRoom(request, rules);
  }

  /** Memory is full: what has been gathered goes into the temporary file, or nothing more is read. */
  private makeRoom(request: Request, rules: UpstreamRules): void {
    if ((this.file?.length ?? 0) + this.gathered.length > rules.maxTempFileSize) {
      this.full = true;
      return;
    }
    const file = this.file ?? this.openFile(request, rules);
    if (file === undefined) return;
    const from = file.length;
    const errno = this.gathered.write(file, request.connection.worker.scratch, rules.fileWriteBytes);
    if (errno !== 0) {
      request.connection.logError("crit", `pwrite() "${file.path}" failed`, errno);
      this.failed = true;
      return;
    }
    emit(request, fileChunk(file.fd, from, file.length), true);
  }

  /** The client has taken what it was given, or nothing more comes: what has been gathered is its next. */
  giveGathered(request: Request): void {
    const bytes = this.gathered.take();
    if (bytes.length === 0) return;
    emit(request, bytesChunk(bytes), true);
    if (request.connection.isBlocked(request)) this.waitingBytes += bytes.length;
  }

  private openFile(request: Request, rules: UpstreamRules): TemporaryFile | undefined {
    const { connection } = request;
    const file = TemporaryFile.create(connection.worker, rules.temporaryFolder, false);
    if (file instanceof TemporaryFile) {
      connection.logError("warn", `an upstream response is buffered to a temporary file ${file.path}`);
      this.file = file;
      return file;
    }
    connection.logError("crit", `${file.call} "${file.path}" failed`, file.errno);
    this.failed = true;
    return undefined;
  }

  /** The client has taken everything that it was given. */
  drained(request: Request): void {
    this.waitingBytes = 0;
    this.full = false;
    this.giveGathered(request);
  }

  dropCopy(): void {
    this.copy?.drop();
    this.copy = undefined;
  }

  /** The request is over. */
  release(): void {
    this.trailers = undefined;
    this.gathered.clear();
    this.file?.close();
    this.file = undefined;
  }
}

function emit(request: Request, chunk: Chunk, buffered: boolean): void {
  if (request.headerOnly) return;
  if (request.chain === undefined) request.connection.emit(request, chunk);
  else request.chain.send([chunk], buffered ? MORE : FLUSH);
}
