/**
 * Compression by the zlib that node carries, called directly: node's own `zlib` module is either asynchronous or takes a whole
 * body at once (decision 10). Streams that are over are kept for the next answer with the same settings: a deflate state has
 * 270 KB, and setting one back costs a fraction of making one.
 */
import type { Bytes } from "../base/bytes.ts";
import {
  type BrotliSettings,
  type Compression,
  type DeflateSettings,
  type Encoder,
  type Flush,
  type Gzip,
  type Inflater,
  NO_FLUSH,
  type OptionalCoding,
  SYNC_FLUSH,
} from "../io/compression.ts";
import type { Memory } from "../io/memory.ts";
import { type BrotliEncoders, openBrotliEncoders } from "./brotli.ts";
import { NodeCompression } from "./compression-node.ts";
import { LACKS_BROTLI, openBrotli } from "./ffi/brotli.ts";
import { PAGE_BYTES } from "./ffi/memory.ts";
import {
  AVAIL_IN,
  AVAIL_OUT,
  GZIP_WRAPPER,
  NEXT_IN,
  NEXT_OUT,
  openZlib,
  Z_BUF_ERROR,
  Z_DEFLATED,
  Z_OK,
  Z_STREAM_BYTES,
  Z_STREAM_END,
  type Zlib,
} from "./ffi/zlib.ts";
import { LACKS_ZSTD, openZstd } from "./ffi/zstd.ts";
import { allocateMemory } from "./memory.ts";
import { openZstdEncoders, type ZstdEncoders } from "./zstd.ts";

/** Streams of one setting that are kept; more than that at once are freed when they are over. */
const KEPT_STREAMS = 16;
const INPUT_BYTES = 32 * 1024;
const OUTPUT_BYTES = 64 * 1024;
/** A z_stream and what keeps the next one on a cache line of its own. */
const SLOT_BYTES = 128;
/** `gunzip` takes what anybody may have packed. */
const LARGEST_WINDOW_BITS = 15;
const HIGH_WORD = 2 ** 32;

/** The compression of a worker. */
export function openCompression(): Compression {
  return new WorkerCompression();
}

/** Libraries of codings that nobody asks for are not looked for. */
class WorkerCompression implements Compression {
  readonly #gzip: Gzip;
  #brotli: BrotliEncoders | undefined = undefined;
  #zstd: ZstdEncoders | undefined = undefined;

  constructor() {
    const zlib = openZlib();
    this.#gzip = zlib === undefined ? new NodeCompression() : new NativeCompression(zlib);
  }

  deflater(settings: DeflateSettings): Encoder | undefined {
    return this.#gzip.deflater(settings);
  }

  inflater(): Inflater | undefined {
    return this.#gzip.inflater();
  }

  brotli(settings: BrotliSettings): Encoder | undefined {
    this.#brotli ??= openBrotliEncoders();
    return this.#brotli?.encoder(settings);
  }

  zstd(level: number): Encoder | undefined {
    this.#zstd ??= openZstdEncoders();
    return this.#zstd?.encoder(level);
  }
}

/** What this machine lacks for a coding, as a part of a sentence; undefined when it has everything. */
export function lackOf(coding: OptionalCoding): string | undefined {
  if (coding === "brotli") return openBrotli() === undefined ? LACKS_BROTLI : undefined;
  return openZstd() === undefined ? LACKS_ZSTD : undefined;
}

/** What all streams of a worker share: only one runs at a time. */
export class NativeCompression implements Gzip {
  private readonly zlib: Zlib;
  private readonly version: string;
  private readonly deflaters = new Map<number, NativeDeflater[]>();
  private readonly inflaters: NativeInflater[] = [];
  private readonly freeSlots: Memory[] = [];
  private shared: Shared | undefined = undefined;

  constructor(zlib: Zlib) {
    this.zlib = zlib;
    this.version = zlib.version();
  }

  deflater({ level, windowBits, memoryLevel }: DeflateSettings): Encoder | undefined {
    const key = level * 256 + windowBits * 16 + memoryLevel;
    let kept = this.deflaters.get(key);
    if (kept === undefined) {
      kept = [];
      this.deflaters.set(key, kept);
    }
    const waiting = kept.pop();
    if (waiting !== undefined) return waiting;
    const { zlib, version } = this;
    const slot = this.takeSlot();
    const wrapped = windowBits + GZIP_WRAPPER;
    const rc = zlib.deflateInit2(slot.address, level, Z_DEFLATED, wrapped, memoryLevel, 0, version, Z_STREAM_BYTES);
    if (rc === Z_OK) return new NativeDeflater(zlib, this.streamIn(slot), kept);
    this.freeSlots.push(slot);
    return undefined;
  }

  inflater(): Inflater | undefined {
    const waiting = this.inflaters.pop();
    if (waiting !== undefined) return waiting;
    const { zlib, version } = this;
    const slot = this.takeSlot();
    const rc = zlib.inflateInit2(slot.address, LARGEST_WINDOW_BITS + GZIP_WRAPPER, version, Z_STREAM_BYTES);
    if (rc === Z_OK) return new NativeInflater(zlib, this.streamIn(slot), this.inflaters);
    this.freeSlots.push(slot);
    return undefined;
  }

  private streamIn(slot: Memory): ZStream {
    this.shared ??= { input: allocateMemory(INPUT_BYTES), output: allocateMemory(OUTPUT_BYTES) };
    return new ZStream(slot, this.shared, this.freeSlots);
  }

  private takeSlot(): Memory {
    const free = this.freeSlots.pop();
    if (free !== undefined) {
      free.bytes.fill(0);
      return free;
    }
    const { bytes, address } = allocateMemory(PAGE_BYTES);
    for (let at = SLOT_BYTES; at + SLOT_BYTES <= PAGE_BYTES; at += SLOT_BYTES) {
      this.freeSlots.push({ bytes: bytes.subarray(at, at + SLOT_BYTES), address: address + at });
    }
    return { bytes: bytes.subarray(0, SLOT_BYTES), address };
  }
}

interface Shared {
  readonly input: Memory;
  readonly output: Memory;
}

/** A z_stream in memory that zlib can see. */
class ZStream {
  readonly address: number;
  readonly output: Bytes;
  /** Of the last step. */
  taken = 0;
  given = 0;
  private readonly slot: Memory;
  private readonly shared: Shared;
  private readonly freeSlots: Memory[];
  private readonly words: Uint32Array;

  constructor(slot: Memory, shared: Shared, freeSlots: Memory[]) {
    this.slot = slot;
    this.shared = shared;
    this.freeSlots = freeSlots;
    this.address = slot.address;
    this.output = shared.output.bytes;
    this.words = new Uint32Array(slot.bytes.buffer, slot.bytes.byteOffset, SLOT_BYTES / 4);
  }

  /** Lays out input, at most what the shared memory holds, and the whole output. Returns its size. */
  begin(bytes: Bytes, start: number, end: number): number {
    const { shared, words } = this;
    const size = Math.min(end - start, INPUT_BYTES);
    if (size > 0) shared.input.bytes.set(bytes.subarray(start, start + size), 0);
    this.point(NEXT_IN, shared.input.address);
    this.point(NEXT_OUT, shared.output.address);
    words[AVAIL_IN] = size;
    words[AVAIL_OUT] = OUTPUT_BYTES;
    return size;
  }

  /** Sees what became of it. */
  end(size: number): void {
    this.taken = size - (this.words[AVAIL_IN] as number);
    this.given = OUTPUT_BYTES - (this.words[AVAIL_OUT] as number);
  }

  private point(field: number, address: number): void {
    this.words[field] = address % HIGH_WORD;
    this.words[field + 1] = Math.floor(address / HIGH_WORD);
  }

  free(): void {
    this.freeSlots.push(this.slot);
  }
}

/** zlib has failed, and not only for want of bytes or room. */
function isFailure(rc: number): boolean {
  return rc < 0 && rc !== Z_BUF_ERROR;
}

class NativeDeflater implements Encoder {
  taken = 0;
  isFull = false;
  readonly output: Bytes;
  private readonly zlib: Zlib;
  private readonly stream: ZStream;
  private readonly kept: NativeDeflater[];

  constructor(zlib: Zlib, stream: ZStream, kept: NativeDeflater[]) {
    this.zlib = zlib;
    this.stream = stream;
    this.kept = kept;
    this.output = stream.output;
  }

  run(bytes: Bytes, start: number, end: number, flush: Flush): number {
    const { stream } = this;
    const size = stream.begin(bytes, start, end);
    const isAll = start + size === end;
    const rc = this.zlib.deflate(stream.address, isAll ? flush : NO_FLUSH);
    stream.end(size);
    this.taken = stream.taken;
    this.isFull = rc !== Z_STREAM_END && (stream.given === OUTPUT_BYTES || !isAll);
    return isFailure(rc) ? rc : stream.given;
  }

  release(): void {
    const { kept, stream } = this;
    if (kept.length < KEPT_STREAMS && this.zlib.deflateReset(stream.address) === Z_OK) {
      kept.push(this);
      return;
    }
    this.zlib.deflateEnd(stream.address);
    stream.free();
  }
}

class NativeInflater implements Inflater {
  taken = 0;
  isFull = false;
  isOver = false;
  readonly output: Bytes;
  private readonly zlib: Zlib;
  private readonly stream: ZStream;
  private readonly kept: NativeInflater[];

  constructor(zlib: Zlib, stream: ZStream, kept: NativeInflater[]) {
    this.zlib = zlib;
    this.stream = stream;
    this.kept = kept;
    this.output = stream.output;
  }

  run(bytes: Bytes, start: number, end: number): number {
    const { stream, zlib } = this;
    if (this.isOver && start < end) {
      this.isOver = false;
      zlib.inflateReset(stream.address);
    }
    const size = stream.begin(bytes, start, end);
    const rc = zlib.inflate(stream.address, SYNC_FLUSH);
    stream.end(size);
    this.taken = stream.taken;
    this.isOver = this.isOver || rc === Z_STREAM_END;
    this.isFull = rc !== Z_STREAM_END && stream.given === OUTPUT_BYTES;
    return isFailure(rc) ? rc : stream.given;
  }

  release(): void {
    const { kept, stream } = this;
    this.isOver = false;
    if (kept.length < KEPT_STREAMS && this.zlib.inflateReset(stream.address) === Z_OK) {
      kept.push(this);
      return;
    }
    this.zlib.inflateEnd(stream.address);
    stream.free();
  }
}
