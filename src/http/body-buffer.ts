/**
 * The whole body of a request, in memory or in a temporary file when it is larger than `client_body_buffer_size`.
 * Counterpart in nginx: ngx_http_read_client_request_body.
 */
import { type Bytes, latin1 } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { BodyReader } from "./body.ts";
import { type BodyMemory, NO_BODY_MEMORY } from "./body-memory.ts";
import { testExpect } from "./engine.ts";
import type { Request } from "./request.ts";
import { TemporaryFile, type TemporaryFolder } from "./temporary-file.ts";

const FIRST_BYTES = 1024;
const ENOMEM = 12;

/** Told when the body is whole (0) or can't be had (the status to answer). */
export interface BodyTaker {
  onBody(request: Request, status: number): void;
}

/** Collects one body. `memory.bytes[0, length)`, or the file when there is one. */
export class BodyBuffer implements BodyReader {
  memory: Memory = NO_BODY_MEMORY;
  length = 0;
  file: TemporaryFile | undefined = undefined;
  private readonly request: Request;
  private readonly taker: BodyTaker;
  /** Whether it goes into a file in any case, and whether that stays. */
  private readonly inFileOnly: "off" | "on" | "clean";
  /** Somebody wants it in a file to have it there: nothing to be told. */
  private readonly quiet: boolean;
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
    const { client_body_buffer_size: limit } = request.location.core;
    if (expected > 0 && expected <= limit) this.memory = this.take(expected);
  }

  /** What has gone wrong: the status to answer, 0 for nothing. */
  get failed(): number {
    return this.failure;
  }

  /** Nothing, and the body has failed, when the system has no memory. */
  private take(sizeBytes: number): Memory {
    const memory = this.pool.tryTake(sizeBytes);
    if (memory !== undefined) return memory;
    this.request.connection.logError("emerg", `malloc(${sizeBytes}) failed`, ENOMEM);
    this.failure = 500;
    return NO_BODY_MEMORY;
  }

  private get pool(): BodyMemory {
    return this.request.connection.worker.bodyMemory;
  }

  /** True when it lies in a file. */
  get inFile(): boolean {
    return this.file !== undefined;
  }

  /** The body as `$request_body`; undefined when it is in a file. */
  get text(): string | undefined {
    return this.file === undefined && (this.length > 0 || this.isWhole)
      ? latin1(this.memory.bytes, 0, this.length)
      : undefined;
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
    const total = this.length + end - start;
    if (total > this.memory.bytes.length) {
      const { client_body_buffer_size: limit } = this.request.location.core;
      const larger = this.take(Math.min(limit, Math.max(total, this.memory.bytes.length * 2)));
      if (this.failure !== 0) return;
      larger.bytes.set(this.memory.bytes.subarray(0, this.length), 0);
      this.forgetBytes();
      this.memory = larger;
    }
    this.memory.bytes.set(bytes.subarray(start, end), this.length);
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
    this.check(file.append(this.memory, 0, this.length), "pwrite()");
    this.forgetBytes();
  }

  private forgetBytes(): void {
    this.pool.give(this.memory);
    this.memory = NO_BODY_MEMORY;
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
      this.length = this.settledLength;
    }
    this.taker.onBody(request, status === 0 ? this.failure : status);
  }

  /** All of it has been given. */
  complete(): void {
    this.isWhole = true;
    // The real length of a chunked body is known now (`$proxy_internal_body_length`).
    if (this.failure === 0 && this.request.chunkedBody) this.request.contentLength = this.length;
  }

  /** The request is over: nobody sends its body any more. */
  release(): void {
    this.forgetBytes();
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
