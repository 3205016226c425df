/**
 * The memory in which a worker composes answers before they are offered to a socket, shared by all its connections: it
 * belongs to one of them at a time and is empty when the turn passes on.
 */
import { type Bytes, writeLatin1 } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import { type Block, viewOf, writeBlock } from "../wire/http1/words.ts";

/** Enough for the header of an answer; larger ones are refused by `MAX_ANSWER_HEADERS` long before. */
export const OUTPUT_BYTES = 128 * 1024;
/** Below this many bytes a loop beats the call of a native copy. */
const SHORT_COPY = 48;

/** Where the next byte goes. */
export class Output {
  readonly memory: Memory;
  readonly bytes: Bytes;
  readonly size: number;
  private readonly view: DataView;
  used = 0;

  constructor(memory: Memory, size: number) {
    this.memory = memory;
    this.bytes = memory.bytes;
    this.view = viewOf(memory.bytes);
    this.size = size;
  }

  get room(): number {
    return this.size - this.used;
  }

  /** Appends bytes that fit. */
  copy(source: Bytes, start: number, end: number): void {
    const length = end - start;
    const target = this.bytes;
    const at = this.used;
    if (length <= SHORT_COPY) for (let i = 0; i < length; i++) target[at + i] = source[start + i] as number;
    else if (start === 0 && end === source.length) target.set(source, at);
    else target.set(source.subarray(start, end), at);
    this.used = at + length;
  }

  /** Appends a block that fits. */
  block(block: Block): void {
    this.used = writeBlock(this.view, block, this.used);
  }

  /** Appends a text that fits, one byte a character. */
  text(text: string): void {
    this.used = writeLatin1(this.bytes, text, this.used);
  }
}
