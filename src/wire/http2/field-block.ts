/** The fragments of a field block until it is whole, RFC 9113 §4.3: one that comes in a single frame is not copied. */
import type { Bytes } from "../../base/bytes.ts";

const NOTHING: Bytes = new Uint8Array(0);

export class FieldBlock {
  /** Where the block lies when it is whole. */
  bytes: Bytes = NOTHING;
  start = 0;
  end = 0;
  private readonly limitBytes: number;
  private used = 0;

  /** `limitBytes`: a block of several fragments that is longer is refused. */
  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** The next fragment; false when the block becomes too long. With the last one `bytes[start, end)` is the block. */
  add(bytes: Bytes, start: number, end: number, isLast: boolean): boolean {
    const size = end - start;
    if (this.used === 0 && isLast) {
      this.bytes = bytes;
      this.start = start;
      this.end = end;
      return size <= this.limitBytes;
    }
    if (this.used + size > this.limitBytes) return false;
    if (this.used === 0) this.bytes = NOTHING;
    if (this.used + size > this.bytes.length) {
      const grown = new Uint8Array(Math.min(this.limitBytes, Math.max(1024, 2 * (this.used + size))));
      grown.set(this.bytes.subarray(0, this.used));
      this.bytes = grown;
    }
    this.bytes.set(bytes.subarray(start, end), this.used);
    this.used += size;
    this.start = 0;
    this.end = this.used;
    if (isLast) this.used = 0;
    return true;
  }
}
