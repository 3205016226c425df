/** Tables between two charsets, of one byte a character or UTF-8, and bodies that pass through them piece by piece. nginx: `charset_map`. */
import { type Bytes, concatBytes, fromLatin1 } from "../base/bytes.ts";

const QUESTION = 0x3f;
const FIRST_BYTES = 128;
/** Longest sequence that `charset_map` takes. */
export const LONGEST_UTF8 = 3;

/** What becomes of a byte, or of a code point. */
export type CharsetTable =
  | { readonly kind: "bytes"; readonly to: Bytes }
  | { readonly kind: "to utf-8"; readonly to: readonly Bytes[] }
  | { readonly kind: "from utf-8"; readonly to: ReadonlyMap<number, number> };

/** One `charset_map`: names in lower case, tables in both directions. */
export interface CharsetMap {
  readonly source: string;
  readonly target: string;
  readonly forward: CharsetTable;
  readonly backward: CharsetTable;
}

/** The table between two charsets; undefined when there is none. */
export function findTable(maps: readonly CharsetMap[], source: string, target: string): CharsetTable | undefined {
  for (const map of maps) {
    if (map.source === source && map.target === target) return map.forward;
    if (map.source === target && map.target === source) return map.backward;
  }
  return undefined;
}

/** Collects the lines of a map; ASCII stands for itself, what isn't told becomes `?`. */
export class CharsetMapBuilder {
  private readonly isUtf8: boolean;
  private readonly forward = Uint8Array.from({ length: 256 }, (_, byte) => (byte < FIRST_BYTES ? byte : QUESTION));
  private readonly backward = this.forward.slice();
  private readonly sequences: Bytes[] = Array.from(this.forward, (byte) => Uint8Array.of(byte));
  private readonly points = new Map(Array.from({ length: FIRST_BYTES }, (_, byte) => [byte, byte] as const));

  constructor(isUtf8: boolean) {
    this.isUtf8 = isUtf8;
  }

  /** False when the sequence is no character of the first 65,536. */
  add(byte: number, sequence: Bytes): boolean {
    if (!this.isUtf8) {
      this.forward[byte] = sequence[0] as number;
      this.backward[sequence[0] as number] = byte;
      return true;
    }
    const { point } = decode(sequence, 0);
    if (point === INVALID || point === INCOMPLETE || point > 0xffff) return false;
    this.sequences[byte] = sequence;
    this.points.set(point, byte);
    return true;
  }

  build(source: string, target: string): CharsetMap {
    if (!this.isUtf8) {
      const forward = { kind: "bytes", to: this.forward } as const;
      return { source, target, forward, backward: { kind: "bytes", to: this.backward } };
    }
    const forward = { kind: "to utf-8", to: this.sequences } as const;
    return { source, target, forward, backward: { kind: "from utf-8", to: this.points } };
  }
}

const INVALID = -1;
const INCOMPLETE = -2;

/** A character that begins with a byte from 128 up, as leniently as nginx: overlong ones are invalid, surrogates are not. */
function decode(bytes: Bytes, at: number): { readonly point: number; readonly end: number } {
  const first = bytes[at] as number;
  if (first < 0x80) return { point: first, end: at + 1 };
  if (first < 0xc2 || first >= 0xf8) return { point: INVALID, end: at + 1 };
  const length = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  const least = [0, 0x80, 0x800, 0x10000][length] as number;
  if (bytes.length - at - 1 < length) return { point: INCOMPLETE, end: at };
  let point = first & (0x3f >> length);
  for (let i = 1; i <= length; i++) {
    const byte = bytes[at + i] as number;
    if (byte < 0x80) return { point: INVALID, end: at + i + 1 };
    point = point * 64 + (byte & 0x3f);
  }
  return { point: point < least || point > 0x10ffff ? INVALID : point, end: at + length + 1 };
}

/** Changes the charset of one body. */
export class Recoder {
  private readonly table: CharsetTable;
  /** The beginning of a character that the last piece has cut off. */
  private cut: Bytes = new Uint8Array(0);

  constructor(table: CharsetTable) {
    this.table = table;
  }

  /** The bytes in the other charset, in memory of their own. */
  recode(bytes: Bytes): Bytes {
    const { table } = this;
    if (table.kind === "bytes") return bytes.map((byte) => table.to[byte] as number);
    if (table.kind === "to utf-8") return concatBytes(Array.from(bytes, (byte) => table.to[byte] as Bytes));
    return this.fromUtf8(bytes, table.to);
  }

  private fromUtf8(piece: Bytes, to: ReadonlyMap<number, number>): Bytes {
    const bytes = this.cut.length === 0 ? piece : concatBytes([this.cut, piece]);
    this.cut = new Uint8Array(0);
    const out: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const { point, end } = decode(bytes, at);
      if (point === INCOMPLETE) {
        this.cut = new Uint8Array(bytes.subarray(at));
        break;
      }
      const byte = to.get(point);
      if (byte !== undefined && (byte !== 0 || point === 0)) out.push(byte);
      else if (point === INVALID) out.push(QUESTION);
      else out.push(...fromLatin1(`&#${point};`));
      at = end;
    }
    return Uint8Array.from(out);
  }
}
