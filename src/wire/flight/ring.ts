/**
 * The memory of a flight recorder: a ring of records in bytes that two processes share, one that writes and one that reads. What the
 * writer has appended outlives it, whatever ends it.
 *
 *     0  head   32 bits: bytes that were ever appended, modulo 2^32      4  tail   the oldest record that is whole
 *     8  ring   a power of two of bytes; records are aligned to 4, none crosses the end
 *
 *     record:  0  its length (16 bits)   2  kind, 0: filling up to the end   4  instant, a double   12  payload
 *
 * The tail moves before its record is overwritten, the head behind what is written: so the reader, who copies everything, knows which
 * records of its copy are whole.
 */
import { assert } from "../../base/assert.ts";
import type { Bytes } from "../../base/bytes.ts";

const CONTROL_BYTES = 8;
const HEADER_BYTES = 12;
const ALIGNMENT_BYTES = 4;
const FILLING = 0;
/** Largest payload. */
export const MAX_PAYLOAD_BYTES = 2048;
const MAX_RECORD_BYTES = HEADER_BYTES + MAX_PAYLOAD_BYTES;

/** A record as it was appended. */
export interface RingRecord {
  readonly kind: number;
  readonly atMs: number;
  readonly payload: Bytes;
}

/** Bytes of memory that a ring of so many bytes needs. */
export function ringMemoryBytes(ringBytes: number): number {
  return CONTROL_BYTES + ringBytes;
}

interface Parts {
  readonly control: Int32Array;
  readonly data: Bytes;
  readonly view: DataView;
}

function partsOf(memory: Bytes): Parts {
  const sizeBytes = memory.length - CONTROL_BYTES;
  assert(sizeBytes >= 2 * MAX_RECORD_BYTES && (sizeBytes & (sizeBytes - 1)) === 0, "a ring is a power of two of bytes");
  const { buffer, byteOffset } = memory;
  return {
    control: new Int32Array(buffer, byteOffset, 2),
    data: memory.subarray(CONTROL_BYTES),
    view: new DataView(buffer, byteOffset + CONTROL_BYTES, sizeBytes),
  };
}

/** The writing end. It goes on where another one, in the same memory, has ended. */
export class RingWriter {
  readonly #parts: Parts;
  readonly #mask: number;
  #head: number;
  #tail: number;

  /** `memory`: of `ringMemoryBytes`, aligned to 4 bytes, zeros at first. */
  constructor(memory: Bytes) {
    this.#parts = partsOf(memory);
    this.#mask = this.#parts.data.length - 1;
    this.#head = Atomics.load(this.#parts.control, 0) >>> 0;
    this.#tail = Atomics.load(this.#parts.control, 1) >>> 0;
  }

  /** A payload that is too long is cut. */
  append(kind: number, atMs: number, payload: Bytes): void {
    const { data, view } = this.#parts;
    const body = payload.length > MAX_PAYLOAD_BYTES ? payload.subarray(0, MAX_PAYLOAD_BYTES) : payload;
    const length = HEADER_BYTES + body.length;
    const room = data.length - (this.#head & this.#mask);
    if (room < length) {
      this.#clear(room);
      view.setUint16(this.#head & this.#mask, room, true);
      data[(this.#head & this.#mask) + 2] = FILLING;
      this.#advance(room);
    }
    this.#clear(aligned(length));
    const at = this.#head & this.#mask;
    view.setUint16(at, length, true);
    data[at + 2] = kind;
    view.setFloat64(at + 4, atMs, true);
    data.set(body, at + HEADER_BYTES);
    this.#advance(aligned(length));
  }

  /** Forgets as many of the oldest records as so many new bytes need. */
  #clear(sizeBytes: number): void {
    const { data, view, control } = this.#parts;
    while (((this.#head - this.#tail) >>> 0) + sizeBytes > data.length)
      this.#tail = (this.#tail + aligned(view.getUint16(this.#tail & this.#mask, true))) >>> 0;
    Atomics.store(control, 1, this.#tail | 0);
  }

  #advance(sizeBytes: number): void {
    this.#head = (this.#head + sizeBytes) >>> 0;
    Atomics.store(this.#parts.control, 0, this.#head | 0);
  }
}

function aligned(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** All records that are there, oldest first, while somebody may be writing. */
export function readRing(memory: Bytes): readonly RingRecord[] {
  const { control, data } = partsOf(memory);
  const head = Atomics.load(control, 0) >>> 0;
  const copy = data.slice();
  let at = Atomics.load(control, 1) >>> 0;
  const view = new DataView(copy.buffer);
  const records: RingRecord[] = [];
  const mask = copy.length - 1;
  // The writer may have overtaken the head that was read first: nothing of the copy is whole then.
  let left = (head - at) | 0;
  if (left > copy.length) return [];
  while (left > 0) {
    const offset = at & mask;
    if (offset + ALIGNMENT_BYTES > copy.length) break;
    const length = view.getUint16(offset, true);
    const kind = copy[offset + 2] as number;
    const step = aligned(length);
    if (step === 0 || step > left || offset + step > copy.length) break; // memory that no writer has written
    if (kind !== FILLING && length >= HEADER_BYTES)
      records.push({
        kind,
        atMs: view.getFloat64(offset + 4, true),
        payload: copy.subarray(offset + HEADER_BYTES, offset + length),
      });
    at = (at + step) >>> 0;
    left -= step;
  }
  return records;
}
