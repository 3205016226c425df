/**
 * The whole body of a request, in memory or in a temporary file when it is larger than `client_body_buffer_size`.
 * Counterpart in nginx: ngx_http_read_client_request_body.
 */
import { type Bytes, latin1 } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { KeptMemory } from "../io/stream.ts";
import type { BodyReader } from "./body.ts";
import { testExpect } from "./engine.ts";
import type { Output } from "./output.ts";
import type { Request } from "./request.ts";
import { TemporaryFile, type TemporaryFolder } from "./temporary-file.ts";

const FIRST_BYTES = 1024;
/** A piece of this size is kept where it was received, if the stream lets us; copying a smaller one costs less. */
const KEPT_BYTES = 8192;
const ENOMEM = 12;

/** Told when the body is whole (0) or can't be had (the status to answer). */
export interface BodyTaker {
  onBody(request: Request, status: number): void;
}

/** A part of a body: `memory.bytes[start, end)`. */
export interface BodyPiece {
  readonly memory: Memory;
  readonly start: number;
  end: number;
  /** Whose memory it is; undefined: the worker's for bodies, and there may be room behind `end`. */
  readonly kept: KeptMemory | undefined;
}

/** Collects one body: pieces in memory, or the file when there is one. */
export class BodyBuffer implements BodyReader {
  pieces: BodyPiece[] = [];
  length = 0;
  file: TemporaryFile | undefined = undefined;
  private readonly request: Request;
  private readonly taker: BodyTaker;
  /** Whether it goes into a file in any case, and whether that stays. */
  private readonly inFileOnly: "off" | "on" | "clean";
  /** Somebody wants it in a file to have it there: nothing to be told. */
  private readonly quiet: boolean;
  /** How long it is going to be, as far as that is known. */
  private readonly expected: number;
  private failure = 0;
  /** Of the bytes, those of the reads that brought nothing wrong. */
  private settledLength = 0;
  /** All of it has come, even if that is nothing; a request that announces no body has none. */
  private isWhole = false;

  constructor(
    request: Request,
    taker: BodyTaker,
    expected = request.chunkedBody ? FIRST_BYTES : request.contentLength,
    asFile = false,
  ) {
    this.request = request;
    this.taker = taker;
    this.inFileOnly = asFile ? "clean" : request.location.core.client_body_in_file_only;
    this.quiet = asFile;
    this.expected = expected;
  }

  /** What has gone wrong: the status to answer, 0 for nothing. */
  get failed(): number {
    return this.failure;
  }

  /** True when it lies in a file. */
  get inFile(): boolean {
    return this.file !== undefined;
  }

  /** The body as `$request_body`; undefined when it is in a file. */
  get text(): string | undefined {
    if (this.file !== undefined || (this.length === 0 && !this.isWhole)) return undefined;
    return this.pieces.map(({ memory, start, end }) => latin1(memory.bytes, start, end)).join("");
  }

  /** Appends all of it, which is in memory and has room there. */
  copyTo(output: Output): void {
    for (const { memory, start, end } of this.pieces) output.copy(memory.bytes, start, end);
  }

  onBody(bytes: Bytes, start: number, end: number): number {
    if (this.failure !== 0) return this.failure;
    const { core } = this.request.location;
    const size = end - start;
    const total = this.length + size;
    if (this.file === undefined && total > core.client_body_buffer_size) this.spill();
    if (this.file !== undefined) this.check(this.file.appendCopy(bytes, start, end), "pwrite()");
    else if (this.failure === 0) this.keep(bytes, start, end);
    this.length = total;
    return this.failure;
  }

  private keep(bytes: Bytes, start: number, end: number): void {
    const { connection } = this.request;
    const kept = end - start < KEPT_BYTES ? undefined : connection.stream.keep(bytes);
    if (kept !== undefined) {
      this.pieces.push({ memory: kept.memory, start, end, kept });
      return;
    }
    const copied = this.fillLast(bytes, start, end);
    if (copied === end) return;
    const memory = this.take(end - copied);
    if (memory === undefined) return;
    memory.bytes.set(bytes.subarray(copied, end), 0);
    this.pieces.push({ memory, start: 0, end: end - copied, kept: undefined });
  }

  /** Copies what has room behind the last piece: how far it came. */
  private fillLast(bytes: Bytes, start: number, end: number): number {
    const last = this.pieces.at(-1);
    if (last === undefined || last.kept !== undefined) return start;
    const size = Math.min(end - start, last.memory.bytes.length - last.end);
    last.memory.bytes.set(bytes.subarray(start, start + size), last.end);
    last.end += size;
    return start + size;
  }

  /**
   * Memory for a next piece: for all that is still to come, or as much as there is already. Undefined, and the body has failed, when the system
   * has none.
   */
  private take(sizeBytes: number): Memory | undefined {
    const { connection, location } = this.request;
    const left = location.core.client_body_buffer_size - this.length;
    const wanted = this.expected > 0 ? this.expected - this.length : Math.max(FIRST_BYTES, this.length);
    const takenBytes = Math.max(sizeBytes, Math.min(left, wanted));
    const memory = connection.worker.bodyMemory.tryTake(takenBytes);
    if (memory !== undefined) return memory;
    connection.logError("emerg", `malloc(${takenBytes}) failed`, ENOMEM);
    this.failure = 500;
    return undefined;
  }

  /** What is in memory goes into a file. */
  private spill(): void {
    const { location, connection } = this.request;
    const { inFileOnly: mode } = this;
    const folder = location.core.client_body_temp_path as TemporaryFolder;
    const file = TemporaryFile.create(connection.worker, folder, mode !== "off");
    if (!(file instanceof TemporaryFile)) {
      connection.logError("crit", `${file.call} "${file.path}" failed`, file.errno);
      this.failure = 500;
      return;
    }
    this.file = file;
    const level = mode === "off" ? "warn" : "notice";
    // Of an empty body, which only `client_body_in_file_only` puts into a file, nginx says nothing.
    if (!this.quiet && (!this.isWhole || this.length > 0))
      connection.logError(level, `a client request body is buffered to a temporary file ${file.path}`);
    for (const { memory, start, end } of this.pieces)
      if (this.failure === 0) this.check(file.append(memory, start, end), "pwrite()");
    this.forgetPieces();
  }

  private forgetPieces(): void {
    const { bodyMemory } = this.request.connection.worker;
    for (const { memory, kept } of this.pieces)
      if (kept === undefined) bodyMemory.give(memory);
      else kept.release();
    this.pieces = [];
  }

  private check(errno: number, call: string): void {
    if (errno === 0) return;
    this.request.connection.logError("crit", `${call} "${this.file?.path}" failed`, errno);
    this.failure = 500;
  }

  onBodyPart(): void {
    this.settledLength = this.length;
  }

  onBodyEnd(status: number): void {
    const { request } = this;
    if (status === 0) {
      this.complete();
      if (this.file === undefined && this.inFileOnly !== "off") this.spill();
    } else if (this.file === undefined) {
      // What has come in one read with something wrong is not taken for a part of the body.
      this.cutTo(this.settledLength);
    }
    this.taker.onBody(request, status === 0 ? this.failure : status);
  }

  private cutTo(length: number): void {
    let surplus = this.length - length;
    for (const piece of this.pieces.toReversed()) {
      const size = Math.min(surplus, piece.end - piece.start);
      piece.end -= size;
      surplus -= size;
    }
    this.length = length;
  }

  /** All of it has been given. */
  complete(): void {
    this.isWhole = true;
    // The real length of a chunked body is known now (`$proxy_internal_body_length`).
    if (this.failure === 0 && this.request.chunkedBody) this.request.contentLength = this.length;
  }

  /** The request is over: nobody sends its body any more. */
  release(): void {
    this.forgetPieces();
    const { file } = this;
    if (file === undefined) return;
    this.file = undefined;
    if (this.inFileOnly !== "on") file.unlink();
    file.close();
  }
}

const NOBODY: BodyTaker = { onBody: () => {} };

/** What a subrequest has that shall not see the client's body. */
export function emptyBody(request: Request): BodyBuffer {
  return new BodyBuffer(request, NOBODY, 0);
}

/**
 * Reads the body and tells the taker, perhaps within this call. A request without a body has no `body` afterwards. `asFile`: into a
 * file that the taker may move away; an empty body is one too.
 */
export function readRequestBody(request: Request, taker: BodyTaker, asFile = false): void {
  const isRead = request.parent !== undefined || request.bodyDiscarded || request.body !== undefined;
  if (isRead || !(request.chunkedBody || request.contentLength >= 0)) {
    taker.onBody(request, 0);
    return;
  }
  testExpect(request);
  const body = new BodyBuffer(request, taker, undefined, asFile);
  request.body = body;
  if (body.failed !== 0) {
    taker.onBody(request, body.failed);
    return;
  }
  request.connection.readBody(request, body);
}
