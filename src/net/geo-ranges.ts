/**
 * Ranges of IPv4 addresses as `geo { ranges; … }` adds them one by one: a range may lie inside an earlier one, but not across
 * its end. Kept by the upper 16 bits, as nginx keeps them, because its messages and `delete` speak of these pieces.
 */
import type { GeoPieces } from "../conf/geo-base.ts";
import { AddressTable } from "./address-table.ts";

interface Piece {
  /** Lower 16 bits. */
  first: number;
  last: number;
  value: string;
}

const PIECE = 0x10000;
const LAST_ADDRESS = 2 ** 32 - 1;

/** What adding a range has met: nothing, ranges that were there already, or one that it may not cross. */
export type Added =
  | { readonly kind: "added" }
  | { readonly kind: "replaced"; readonly oldValue: string }
  | { readonly kind: "overlaps"; readonly range: string };

const ADDED: Added = { kind: "added" };

export class GeoRanges {
  /** By the upper 16 bits; each ascending. */
  private readonly pieces = new Map<number, Piece[]>();

  /** The pieces of all ranges. */
  get byUpper(): GeoPieces {
    return this.pieces;
  }

  /** Takes pieces from elsewhere, instead of all that were added. */
  take(pieces: GeoPieces): void {
    this.pieces.clear();
    for (const [upper, list] of pieces)
      this.pieces.set(
        upper,
        list.map((piece) => ({ ...piece })),
      );
  }

  /** Adds `first` to `last`, both in; numbers below 2³². */
  add(first: number, last: number, value: string): Added {
    let result = ADDED;
    for (const [high, from, to] of piecesOf(first, last)) {
      let list = this.pieces.get(high);
      if (list === undefined) {
        list = [];
        this.pieces.set(high, list);
      }
      const added = addPiece(list, high, { first: from, last: to, value });
      if (added.kind === "overlaps") return added;
      if (added.kind === "replaced") result = added;
    }
    return result;
  }

  /** Takes a range back that was added with these ends; false when a piece of it was not there. */
  delete(first: number, last: number): boolean {
    let isWhole = true;
    for (const [high, from, to] of piecesOf(first, last)) {
      const list = this.pieces.get(high) ?? [];
      const index = list.findIndex((piece) => piece.first === from && piece.last === to);
      if (index < 0) isWhole = false;
      else list.splice(index, 1);
    }
    return isWhole;
  }

  /** All values by their addresses. */
  table(): AddressTable<string> {
    const starts: number[] = [];
    const values: (string | undefined)[] = [];
    const change = (at: number, value: string | undefined): void => {
      if (values.at(-1) === value) return;
      if (starts.at(-1) === at) values[values.length - 1] = value;
      else {
        starts.push(at);
        values.push(value);
      }
    };
    for (const upper of [...this.pieces.keys()].sort((a, b) => a - b))
      for (const { first, last, value } of this.pieces.get(upper) as readonly Piece[]) {
        change(upper * PIECE + first, value);
        if (upper * PIECE + last < LAST_ADDRESS) change(upper * PIECE + last + 1, undefined);
      }
    return new AddressTable(1, Uint32Array.from(starts), values);
  }
}

/** The range cut at multiples of 2¹⁶: upper half, lower half of both ends. */
function* piecesOf(first: number, last: number): Generator<readonly [high: number, first: number, last: number]> {
  for (let from = first; from <= last; ) {
    const high = Math.floor(from / PIECE);
    const to = Math.min(last, high * PIECE + PIECE - 1);
    yield [high, from % PIECE, to % PIECE];
    from = to + 1;
  }
}

/** The last pieces are looked at first: files are mostly sorted. */
function addPiece(list: Piece[], high: number, piece: Piece): Added {
  let index = list.length - 1;
  while (index >= 0 && piece.last < (list[index] as Piece).first) index--;
  const known = list[index];
  if (known === undefined || piece.first > known.last) {
    list.splice(index + 1, 0, piece);
    return ADDED;
  }
  if (piece.first === known.first && piece.last === known.last) {
    const oldValue = known.value;
    known.value = piece.value;
    return { kind: "replaced", oldValue };
  }
  if (piece.first < known.first || piece.last > known.last)
    return { kind: "overlaps", range: `${printAddress(high, known.first)}-${printAddress(high, known.last)}` };
  const parts = [piece];
  if (piece.first > known.first) parts.unshift({ ...known, last: piece.first - 1 });
  if (piece.last < known.last) parts.push({ ...known, first: piece.last + 1 });
  list.splice(index, 1, ...parts);
  return ADDED;
}

function printAddress(high: number, low: number): string {
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}
