/**
 * Compression by the zlib that node carries, called directly: node's own `zlib` module is either asynchronous or takes a whole
 * body at once (decision 10). Streams that are over are kept for the next answer with the same settings: a deflate state has
 * 270 KB, and setting one back costs a fraction of making one.
 */
import type { Bytes } from "../base/bytes.ts";
import { type Compression, type Deflater, type DeflateSettings, type Flush, NO_FLUSH } from "../io/compression.ts";
import type { Memory } from "../io/memory.ts";
import { NodeCompression } from "./compression-node.ts";
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
import { allocateMemory } from "./memory.ts";

/** Streams of one setting that are kept; more than that at once are freed when they are over. */
const KEPT_STREAMS = 16;
const INPUT_BYTES = 32 * 1024;
const OUTPUT_BYTES = 64 * 1024;
/** A z_stream and what keeps the next one on a cache line of its own. */
const SLOT_BYTES = 128;
const HIGH_WORD = 2 ** 32;

/** The compression of a worker. */
export function openCompression(): Compression {
  const zlib = openZlib();
  return zlib === undefined ? new NodeCompression() : new NativeCompression(zlib);
}

/** What all streams of a worker share: only one runs at a time. */
export class NativeCompression implements Compression {
  readonly zlib: Zlib;
  private readonly version: string;
  private readonly kept = new Map<number, NativeDeflater[]>();
  private readonly freeSlots: Memory[] = [];
  private inputMemory: Memory | undefined = undefined;
  private outputMemory: Memory | undefined = undefined;

  constructor(zlib: Zlib) {
    this.zlib = zlib;
    this.version = zlib.version();
  }

  get input(): Memory {
    this.inputMemory ??= allocateMemory(INPUT_BYTES);
    return this.inputMemory;
  }

  get output(): Memory {
    this.outputMemory ??= allocateMemory(OUTPUT_BYTES);
    return this.outputMemory;
  }

  deflater({ level, windowBits, memoryLevel }: DeflateSettings): Deflater | undefined {
    const key = level * 256 + windowBits * 16 + memoryLevel;
    const waiting = this.kept.get(key)?.pop();
    if (waiting !== undefined) return waiting;
    const slot = this.takeSlot();
    const { zlib, version } = this;
    const wrapped = windowBits + GZIP_WRAPPER;
    const rc = zlib.deflateInit2(slot.address, level, Z_DEFLATED, wrapped, memoryLevel, 0, version, Z_STREAM_BYTES);
    if (rc === Z_OK) return new NativeDeflater(this, slot, key);
    this.freeSlots.push(slot);
    return undefined;
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

  /** A stream is over: it begins anew, or its memory is freed. */
  giveBack(deflater: NativeDeflater, slot: Memory, key: number): void {
    const kept = this.kept.get(key) ?? [];
    this.kept.set(key, kept);
    if (kept.length < KEPT_STREAMS && this.zlib.deflateReset(slot.address) === Z_OK) {
      kept.push(deflater);
      return;
    }
    this.zlib.deflateEnd(slot.address);
    this.freeSlots.push(slot);
  }
}

class NativeDeflater implements Deflater {
  taken = 0;
  isFull = false;
  readonly output: Bytes;
  private readonly owner: NativeCompression;
  private readonly slot: Memory;
  private readonly words: Uint32Array;
  private readonly key: number;

  constructor(owner: NativeCompression, slot: Memory, key: number) {
    this.owner = owner;
    this.slot = slot;
    this.key = key;
    this.output = owner.output.bytes;
    this.words = new Uint32Array(slot.bytes.buffer, slot.bytes.byteOffset, SLOT_BYTES / 4);
  }

  run(bytes: Bytes, start: number, end: number, flush: Flush): number {
    const { owner, words } = this;
    const size = Math.min(end - start, INPUT_BYTES);
    if (size > 0) owner.input.bytes.set(bytes.subarray(start, start + size), 0);
    this.point(NEXT_IN, owner.input.address);
    this.point(NEXT_OUT, owner.output.address);
    words[AVAIL_IN] = size;
    words[AVAIL_OUT] = OUTPUT_BYTES;
    const isAll = start + size === end;
    const rc = owner.zlib.deflate(this.slot.address, isAll ? flush : NO_FLUSH);
    this.taken = size - (words[AVAIL_IN] as number);
    const room = words[AVAIL_OUT] as number;
    this.isFull = rc !== Z_STREAM_END && (room === 0 || !isAll);
    return rc < 0 && rc !== Z_BUF_ERROR ? rc : OUTPUT_BYTES - room;
  }

  private point(field: number, address: number): void {
    this.words[field] = address % HIGH_WORD;
    this.words[field + 1] = Math.floor(address / HIGH_WORD);
  }

  release(): void {
    this.owner.giveBack(this, this.slot, this.key);
  }
}
