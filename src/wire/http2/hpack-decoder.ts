/**
 * Field blocks, RFC 7541 §3 and §6: decoded field by field into memory of the caller. Whatever the caller has no room for is still
 * remembered where the block says so, since both ends must remember the same.
 */
import { type Bytes, fromLatin1 } from "../../base/bytes.ts";
import { DynamicTable, LARGEST_TABLE_BYTES } from "./dynamic-table.ts";
import { IntegerReader } from "./hpack-integer.ts";
import { decodeHuffman, HUFFMAN_MALFORMED, HUFFMAN_NO_ROOM } from "./huffman.ts";
import { DEFAULT_TABLE_BYTES } from "./protocol.ts";
import { STATIC_FIELDS } from "./static-table.ts";

/** What `next` says: the block is at its end; */
export const HPACK_END = 0;
/** a field has been decoded; */
export const HPACK_FIELD = 1;
/** a field had no room: the ones behind it may; */
export const HPACK_NO_ROOM = 2;
/** the block is malformed, for `reason`: a connection error, COMPRESSION_ERROR. */
export const HPACK_FAULT = 3;
export type HpackResult = number;

const STATIC = STATIC_FIELDS.map(([name, value]) => ({ name: fromLatin1(name), value: fromLatin1(value) }));

// The first byte of a representation (§6).
const INDEXED = 0x80;
const INDEXED_BITS = 7;
const REMEMBERED = 0x40;
const REMEMBERED_BITS = 6;
const SIZE_UPDATE = 0x20;
const SIZE_UPDATE_BITS = 5;
const NEVER_INDEXED = 0x10;
const LITERAL_BITS = 4;
const HUFFMAN = 0x80;
const LENGTH_BITS = 7;

/** A string of the block. */
class Literal {
  start = 0;
  end = 0;
  isHuffman = false;
}

/** Decodes one direction of a connection. */
export class HpackDecoder {
  /** HPACK_FIELD: where the field lies in the memory that `next` was given. */
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Index of the name in the static table when the block said so, 0 otherwise: known names need no comparing. */
  staticName = 0;
  /** The field is a secret: whoever passes it on may not remember it either (§7.1.3). */
  isNeverIndexed = false;
  reason = "";

  readonly table: DynamicTable;
  /** What our SETTINGS allow, once the peer has acknowledged them. */
  private allowed: number;
  /** The peer has to say that it remembers less before anything else. */
  private mustShrink = false;
  private block: Bytes = new Uint8Array(0);
  private at = 0;
  private end = 0;
  private isBegun = false;
  private readonly integer = new IntegerReader();
  private readonly name = new Literal();
  private readonly value = new Literal();

  /** `allowedBytes`: our HEADER_TABLE_SIZE. */
  constructor(allowedBytes: number = DEFAULT_TABLE_BYTES) {
    this.table = new DynamicTable(allowedBytes);
    this.allowed = this.table.limitBytes;
  }

  /** The peer has acknowledged another HEADER_TABLE_SIZE, LARGEST_TABLE_BYTES at most. */
  setAllowed(bytes: number): void {
    this.allowed = Math.min(bytes, LARGEST_TABLE_BYTES);
    this.mustShrink = this.allowed < this.table.limitBytes;
  }

  /** The next block, whole: `bytes[start, end)`. It must stay until its end has been told. */
  begin(bytes: Bytes, start: number, end: number): void {
    this.block = bytes;
    this.at = start;
    this.end = end;
    this.isBegun = false;
  }

  /** Decodes a field to `target[at, limit)`. */
  next(target: Bytes, at: number, limit: number = target.length): HpackResult {
    while (this.at < this.end) {
      const first = this.block[this.at] as number;
      if ((first & 0xe0) === SIZE_UPDATE) {
        if (!this.updateSize()) return HPACK_FAULT;
        continue;
      }
      if (this.mustShrink) return this.fault("the table was not made smaller");
      this.isBegun = true;
      return (first & INDEXED) !== 0 ? this.indexed(target, at, limit) : this.literal(first, target, at, limit);
    }
    return HPACK_END;
  }

  private updateSize(): boolean {
    if (this.isBegun) this.fault("a table size within a block");
    else if (!this.read(SIZE_UPDATE_BITS)) this.fault("a malformed table size");
    else if (this.integer.value > this.allowed) this.fault("a table size that is too large");
    else {
      this.table.setLimit(this.integer.value);
      this.mustShrink = false;
      return true;
    }
    return false;
  }

  private read(prefixBits: number): boolean {
    if (!this.integer.read(this.block, this.at, this.end, prefixBits)) return false;
    this.at = this.integer.position;
    return true;
  }

  private indexed(target: Bytes, at: number, limit: number): HpackResult {
    if (!this.read(INDEXED_BITS)) return this.fault("a malformed index");
    const index = this.integer.value;
    if (!this.isKnown(index)) return this.fault("an index of nothing");
    this.isNeverIndexed = false;
    this.staticName = index <= STATIC.length ? index : 0;
    const valueStart = this.copyName(index, target, at, limit);
    if (valueStart < 0) return HPACK_NO_ROOM;
    const known = STATIC[index - 1];
    const older = index - STATIC.length - 1;
    const size = known === undefined ? this.table.valueBytes(older) : known.value.length;
    if (valueStart + size > limit) return HPACK_NO_ROOM;
    if (known === undefined) this.table.copyValue(older, target, valueStart);
    else target.set(known.value, valueStart);
    return this.found(at, valueStart, valueStart + size);
  }

  private isKnown(index: number): boolean {
    return index > 0 && index <= STATIC.length + this.table.count;
  }

  /** Copies a name; the offset behind it, negative when there is no room. */
  private copyName(index: number, target: Bytes, at: number, limit: number): number {
    const known = STATIC[index - 1];
    const older = index - STATIC.length - 1;
    const size = known === undefined ? this.table.nameBytes(older) : known.name.length;
    if (at + size > limit) return HUFFMAN_NO_ROOM;
    if (known === undefined) return this.table.copyName(older, target, at);
    target.set(known.name, at);
    return at + size;
  }

  private literal(first: number, target: Bytes, at: number, limit: number): HpackResult {
    const isRemembered = (first & REMEMBERED) !== 0;
    if (!this.read(isRemembered ? REMEMBERED_BITS : LITERAL_BITS)) return this.fault("a malformed index");
    const index = this.integer.value;
    if (index > 0 && !this.isKnown(index)) return this.fault("an index of nothing");
    if (index === 0 && !this.readString(this.name)) return this.fault("a malformed name");
    if (!this.readString(this.value)) return this.fault("a malformed value");
    this.isNeverIndexed = !isRemembered && (first & NEVER_INDEXED) !== 0;
    this.staticName = index <= STATIC.length ? index : 0;
    const end = this.materialise(index, target, at, limit);
    if (end === HUFFMAN_MALFORMED) return this.fault("a malformed string");
    if (end >= 0) {
      if (isRemembered) this.table.add(target, at, this.nameEnd, this.nameEnd, end);
      return this.found(at, this.nameEnd, end);
    }
    return isRemembered ? this.rememberUntold(index) : HPACK_NO_ROOM;
  }

  /** The caller has no room for it, the table may. */
  private rememberUntold(index: number): HpackResult {
    const scratch = new Uint8Array(this.table.limitBytes);
    const end = this.materialise(index, scratch, 0, scratch.length);
    if (end === HUFFMAN_MALFORMED) return this.fault("a malformed string");
    if (end >= 0) this.table.add(scratch, 0, this.nameEnd, this.nameEnd, end);
    // A field that is larger than the table empties it (§4.4).
    else this.table.clear();
    return HPACK_NO_ROOM;
  }

  /** Writes name and value one behind the other, `nameEnd` between them; the offset behind, or what decodeHuffman returns. */
  private materialise(index: number, target: Bytes, at: number, limit: number): number {
    this.nameEnd =
      index > 0 ? this.copyName(index, target, at, limit) : this.decodeString(this.name, target, at, limit);
    return this.nameEnd < 0 ? this.nameEnd : this.decodeString(this.value, target, this.nameEnd, limit);
  }

  private readString(string: Literal): boolean {
    if (this.at >= this.end) return false;
    string.isHuffman = ((this.block[this.at] as number) & HUFFMAN) !== 0;
    if (!this.read(LENGTH_BITS) || this.integer.value > this.end - this.at) return false;
    string.start = this.at;
    this.at += this.integer.value;
    string.end = this.at;
    return true;
  }

  private decodeString({ start, end, isHuffman }: Literal, target: Bytes, at: number, limit: number): number {
    if (isHuffman) return decodeHuffman(this.block, start, end, target, at, limit);
    if (at + end - start > limit) return HUFFMAN_NO_ROOM;
    for (let i = start; i < end; i++) target[at++] = this.block[i] as number;
    return at;
  }

  private found(start: number, nameEnd: number, end: number): HpackResult {
    this.nameStart = start;
    this.nameEnd = nameEnd;
    this.valueStart = nameEnd;
    this.valueEnd = end;
    return HPACK_FIELD;
  }

  private fault(reason: string): HpackResult {
    this.reason = reason;
    this.at = this.end;
    return HPACK_FAULT;
  }
}
