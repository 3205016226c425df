/**
 * The binary base of `geo { ranges; include FILE; }`: FILE.bin, which nginx writes when FILE has more than 100,000 ranges, and
 * reads instead of FILE as long as it is not older. Both ways as a 64-bit nginx on a machine with the low byte first has it:
 *
 *   header  GEORNG, version 0, bytes of a pointer, 0x12345678, CRC-32 of all that follows
 *   values  length and flags, pointer to the text, the text, padded to 8; a value without pointer ends them
 *   index   for each upper half of an address a pointer to its ranges, or 0
 *   ranges  pointer to the value, lower halves of both ends, padded to 8; a null pointer ends those of an upper half
 *
 * Pointers are offsets from the beginning of the file. Counterpart in nginx: ngx_http_geo_create_binary_base.
 */
import { type Bytes, fromLatin1, latin1 } from "../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../base/decoded.ts";
import { crc32 } from "../base/hash-crc32.ts";

/** Addresses with one upper half that have a value: the lower halves of both ends. */
export interface GeoPiece {
  readonly first: number;
  readonly last: number;
  readonly value: string;
}

/** By the upper half of the addresses; each list ascending. */
export type GeoPieces = ReadonlyMap<number, readonly GeoPiece[]>;

/** A base beside a file that is included: its ranges, or what is wrong with it. */
export type GeoBase =
  | { readonly file: string; readonly pieces: GeoPieces }
  | { readonly file: string; readonly pieces?: undefined; readonly fault: string };

const MAGIC = Uint8Array.of(0x47, 0x45, 0x4f, 0x52, 0x4e, 0x47, 0, 8, 0x78, 0x56, 0x34, 0x12);
const HEADER_BYTES = 16;
const POINTER_BYTES = 8;
const VALUE_BYTES = 16;
const RANGE_BYTES = 16;
const UPPER_HALVES = 0x10000;
const LENGTH_BITS = 28;
/** The flag of a value that is one. */
const VALID = 1 << LENGTH_BITS;
/** Files are smaller than what 32 bits can point to. */
const MAX_BYTES = 2 ** 32;

const INCOMPATIBLE = malformed("incompatible");

/** Reads a base. The reason stands in front of nginx's `binary geo range base "FILE"`. */
export function decodeGeoBase(bytes: Bytes): Decoded<GeoPieces> {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_BYTES) return INCOMPATIBLE;
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return INCOMPATIBLE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (crc32(bytes, HEADER_BYTES) !== view.getUint32(12, true)) return malformed("CRC32 mismatch in");
  return new BaseReader(bytes, view).read() ?? INCOMPATIBLE;
}

/** Reads what a checksum has vouched for; undefined when it makes no sense all the same. */
class BaseReader {
  private readonly bytes: Bytes;
  private readonly view: DataView;
  private readonly values = new Map<number, string>();
  /** Each range stands in the file once. */
  private rangesLeft: number;

  constructor(bytes: Bytes, view: DataView) {
    this.bytes = bytes;
    this.view = view;
    this.rangesLeft = Math.floor(bytes.length / RANGE_BYTES);
  }

  read(): Decoded<GeoPieces> | undefined {
    const index = this.readValues();
    if (index === undefined || index + UPPER_HALVES * POINTER_BYTES > this.bytes.length) return undefined;
    const pieces = new Map<number, readonly GeoPiece[]>();
    for (let upper = 0; upper < UPPER_HALVES; upper++) {
      const at = this.pointer(index + upper * POINTER_BYTES);
      if (at === 0) continue;
      const list = at === undefined ? undefined : this.readPieces(at);
      if (list === undefined) return undefined;
      pieces.set(upper, list);
    }
    return decoded(pieces);
  }

  /** The offset behind the values. */
  private readValues(): number | undefined {
    let at = HEADER_BYTES;
    for (;;) {
      const text = this.pointer(at + POINTER_BYTES);
      if (text === undefined) return undefined;
      if (text === 0) return at + VALUE_BYTES;
      const length = this.view.getUint32(at, true) & (VALID - 1);
      if (text + length > this.bytes.length) return undefined;
      this.values.set(at, latin1(this.bytes, text, text + length));
      at += align(VALUE_BYTES + length);
    }
  }

  private readPieces(start: number): GeoPiece[] | undefined {
    const list: GeoPiece[] = [];
    for (let at = start; ; at += RANGE_BYTES) {
      const pointer = this.pointer(at);
      if (pointer === 0) return list;
      const value = pointer === undefined ? undefined : this.values.get(pointer);
      if (value === undefined || at + RANGE_BYTES > this.bytes.length || --this.rangesLeft < 0) return undefined;
      const first = this.view.getUint16(at + POINTER_BYTES, true);
      list.push({ first, last: this.view.getUint16(at + POINTER_BYTES + 2, true), value });
    }
  }

  private pointer(at: number): number | undefined {
    if (at + POINTER_BYTES > this.bytes.length) return undefined;
    return this.view.getUint32(at + 4, true) === 0 ? this.view.getUint32(at, true) : undefined;
  }
}

/** Writes a base. */
export function encodeGeoBase(pieces: GeoPieces): Bytes {
  const offsets = new Map<string, number>();
  let at = HEADER_BYTES;
  for (const list of pieces.values())
    for (const { value } of list) {
      if (offsets.has(value)) continue;
      offsets.set(value, at);
      at += align(VALUE_BYTES + value.length);
    }
  const index = at + VALUE_BYTES;
  let end = index + UPPER_HALVES * POINTER_BYTES;
  for (const list of pieces.values()) if (list.length > 0) end += list.length * RANGE_BYTES + POINTER_BYTES;
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  for (const [value, offset] of offsets) {
    view.setUint32(offset, value.length | VALID, true);
    view.setUint32(offset + POINTER_BYTES, offset + VALUE_BYTES, true);
    bytes.set(fromLatin1(value), offset + VALUE_BYTES);
  }
  at = index + UPPER_HALVES * POINTER_BYTES;
  for (const [upper, list] of pieces) {
    if (list.length === 0) continue;
    view.setUint32(index + upper * POINTER_BYTES, at, true);
    for (const { first, last, value } of list) {
      view.setUint32(at, offsets.get(value) as number, true);
      view.setUint16(at + POINTER_BYTES, first, true);
      view.setUint16(at + POINTER_BYTES + 2, last, true);
      at += RANGE_BYTES;
    }
    at += POINTER_BYTES;
  }
  view.setUint32(12, crc32(bytes, HEADER_BYTES), true);
  return bytes;
}

function align(size: number): number {
  return Math.ceil(size / POINTER_BYTES) * POINTER_BYTES;
}
