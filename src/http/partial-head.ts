/** A head that comes in pieces is kept in memory of its own, which grows no further than the header buffers allow. */
import type { HeadLimits } from "../wire/http1/head-results.ts";
import type { RequestHead } from "../wire/http1/request-head.ts";
import type { Input } from "./input.ts";

/** Room for a little more behind what is there. */
const SPARE_BYTES = 256;

/** Moves what there is of a head out of borrowed memory. */
export function keepHead(head: RequestHead, limits: HeadLimits): void {
  const length = head.scanned;
  const buffer = new Uint8Array(Math.max(limits.bufferSize, length + SPARE_BYTES));
  buffer.set(head.bytes.subarray(head.base, head.base + length));
  head.bytes = buffer;
  head.base = 0;
}

/** Appends input to a kept head and returns how many bytes were taken: never more than any head may have. */
export function extendHead(head: RequestHead, input: Input, limits: HeadLimits): number {
  const before = head.scanned;
  // The parser refuses what exceeds the header buffers, so this bound is met once at most.
  const { largeBuffers, largeBufferSize } = limits.choose?.() ?? limits;
  const largest = limits.bufferSize + largeBuffers * largeBufferSize + 1;
  const length = Math.min(input.end - input.at, Math.max(1, largest - before));
  let buffer = head.bytes;
  if (before + length > buffer.length) {
    buffer = new Uint8Array(Math.max(before + length, Math.min(buffer.length * 2, largest)));
    buffer.set(head.bytes.subarray(0, before));
    head.bytes = buffer;
  }
  buffer.set(input.bytes.subarray(input.at, input.at + length), before);
  return length;
}
