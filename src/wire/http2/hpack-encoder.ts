/** Field blocks as bytes, RFC 7541 §6. Texts have one byte a character; names are in lower case already. */
import type { Bytes } from "../../base/bytes.ts";
import { writeLatin1 } from "../../base/bytes.ts";
import { ENTRY_OVERHEAD_BYTES, LARGEST_TABLE_BYTES } from "./dynamic-table.ts";
import { writeInteger } from "./hpack-integer.ts";
import { encodeHuffman, huffmanBytes } from "./huffman.ts";
import { DEFAULT_TABLE_BYTES } from "./protocol.ts";
import { STATIC_FIELDS } from "./static-table.ts";

/** What is to become of a field: remembered when it can be, passed on without, or a secret that nobody may remember. */
export const REMEMBER = 0;
export const PASS = 1;
export const SECRET = 2;
export type Indexing = number;

const STATIC_COUNT = STATIC_FIELDS.length;
const SEPARATOR = "\0";
const STATIC_NAMES = new Map([...STATIC_FIELDS].reverse().map(([name], i) => [name, STATIC_COUNT - i]));
const STATIC_WHOLE = new Map(STATIC_FIELDS.map(([name, value], i) => [name + SEPARATOR + value, i + 1]));

const MAX_INTEGER_BYTES = 6;

/** Bytes that a field takes at most. */
export function fieldRoom(name: string, value: string): number {
  return name.length + value.length + 3 * MAX_INTEGER_BYTES;
}

/** Bytes that `begin` writes at most. */
export const BEGIN_ROOM = 2 * MAX_INTEGER_BYTES;

interface Entry {
  readonly name: string;
  readonly whole: string;
  readonly sizeBytes: number;
}

/** Encodes one direction of a connection. Blocks must be sent in the order in which they are encoded. */
export class HpackEncoder {
  private readonly wanted: number;
  private limit: number;
  private sizeBytes = 0;
  /** The smallest limit since the last block; undefined: nothing to tell the peer of. */
  private lowest: number | undefined;
  /** Oldest first; the last one has the number `added`. */
  private readonly entries: Entry[] = [];
  private added = 0;
  /** Numbers of entries by name, and by name and value. */
  private readonly names = new Map<string, number>();
  private readonly wholes = new Map<string, number>();

  /** `wantedBytes`: how much is remembered at most, whatever the peer allows. */
  constructor(wantedBytes: number = DEFAULT_TABLE_BYTES) {
    this.wanted = Math.min(wantedBytes, LARGEST_TABLE_BYTES);
    this.limit = Math.min(this.wanted, DEFAULT_TABLE_BYTES);
    this.lowest = this.limit === DEFAULT_TABLE_BYTES ? undefined : this.limit;
  }

  /** The peer's HEADER_TABLE_SIZE. */
  setAllowed(bytes: number): void {
    const limit = Math.min(bytes, this.wanted);
    if (limit === this.limit) return;
    this.lowest = Math.min(this.lowest ?? limit, limit);
    this.limit = limit;
    this.evictTo(limit);
  }

  /** Begins a block: tells of a table size that has changed (§4.2). Returns the offset behind. */
  begin(target: Bytes, at: number): number {
    const { lowest, limit } = this;
    if (lowest === undefined) return at;
    this.lowest = undefined;
    if (lowest < limit) at = writeInteger(target, at, lowest, 5, 0x20);
    return writeInteger(target, at, limit, 5, 0x20);
  }

  /** One field; returns the offset behind. */
  field(target: Bytes, at: number, name: string, value: string, indexing: Indexing): number {
    const whole = name + SEPARATOR + value;
    if (indexing !== SECRET) {
      const known = STATIC_WHOLE.get(whole) ?? this.indexOf(this.wholes.get(whole));
      if (known > 0) return writeInteger(target, at, known, 7, 0x80);
    }
    const nameIndex = STATIC_NAMES.get(name) ?? this.indexOf(this.names.get(name));
    const sizeBytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    const isRemembered = indexing === REMEMBER && sizeBytes <= this.limit;
    if (isRemembered) {
      at = writeInteger(target, at, nameIndex, 6, 0x40);
      this.remember({ name, whole, sizeBytes });
    } else at = writeInteger(target, at, nameIndex, 4, indexing === SECRET ? 0x10 : 0);
    if (nameIndex === 0) at = writeString(target, at, name);
    return writeString(target, at, value);
  }

  /** 0: there is none. */
  private indexOf(number: number | undefined): number {
    return number === undefined ? 0 : STATIC_COUNT + 1 + this.added - number;
  }

  private remember(entry: Entry): void {
    this.evictTo(this.limit - entry.sizeBytes);
    this.entries.push(entry);
    this.sizeBytes += entry.sizeBytes;
    this.added++;
    this.names.set(entry.name, this.added);
    this.wholes.set(entry.whole, this.added);
  }

  private evictTo(sizeBytes: number): void {
    while (this.sizeBytes > sizeBytes) {
      const oldest = this.entries.shift();
      if (oldest === undefined) return;
      const number = this.added - this.entries.length;
      this.sizeBytes -= oldest.sizeBytes;
      if (this.names.get(oldest.name) === number) this.names.delete(oldest.name);
      if (this.wholes.get(oldest.whole) === number) this.wholes.delete(oldest.whole);
    }
  }
}

/** A string, by Huffman where that is shorter (§5.2). */
function writeString(target: Bytes, at: number, text: string): number {
  const short = huffmanBytes(text);
  if (short < text.length) return encodeHuffman(target, writeInteger(target, at, short, 7, 0x80), text);
  return writeLatin1(target, text, writeInteger(target, at, text.length, 7, 0));
}
