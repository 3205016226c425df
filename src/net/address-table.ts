/**
 * Values by address, sorted once and then asked often: 100,000 networks take a fraction of a second to build and a few steps
 * to ask. Stands where nginx has a radix tree (ngx_radix_tree.c) and the geo module its ranges.
 */
import { type Bytes, latin1 } from "../base/bytes.ts";
import type { Cidr } from "./networks.ts";

/** Addresses from … to with one value; both ends belong to it. All have the same number of bytes. */
export interface AddressRange<T> {
  readonly first: Bytes;
  readonly last: Bytes;
  readonly value: T;
}

/** All addresses of a network. */
export function rangeOf<T>({ address, prefixLength }: Cidr, value: T): AddressRange<T> {
  const last = address.map((byte, index) => {
    const left = prefixLength - index * 8;
    return left >= 8 ? byte : left <= 0 ? 0xff : byte | (0xff >> left);
  });
  return { first: address, last, value };
}

/** A range with its ends as texts, which compare as the addresses do. */
interface Keyed<T> {
  readonly first: string;
  readonly last: string;
  readonly value: T;
}

export class AddressTable<T> {
  /** 32-bit words of an address: 1 or 4. */
  private readonly words: number;
  /** Where the value changes, ascending; what is before the first one has none. */
  private readonly starts: Uint32Array;
  private readonly values: readonly (T | undefined)[];
  /** Of a large table of IPv4 addresses: by the upper 16 bits of an address, how many entries start below them. */
  private readonly index: Uint32Array | undefined;

  /** `starts`: the addresses, in so many words each, at which the values begin; ascending. */
  constructor(words: 1 | 4, starts: Uint32Array, values: readonly (T | undefined)[]) {
    this.words = words;
    this.starts = starts;
    this.values = values;
    this.index = words === 1 && values.length > INDEXED_ENTRIES ? indexOf(starts) : undefined;
  }

  /** `sizeBytes` of an address. The ranges lie inside each other or apart; the innermost one holds. */
  static of<T>(sizeBytes: 4 | 16, ranges: readonly AddressRange<T>[]): AddressTable<T> {
    const words = sizeBytes === 4 ? 1 : 4;
    const keyed = ranges.map(({ first, last, value }) => ({ first: latin1(first), last: latin1(last), value }));
    keyed.sort((a, b) => (a.first === b.first ? (a.last < b.last ? 1 : -1) : a.first < b.first ? -1 : 1));
    const starts: string[] = [];
    const values: (T | undefined)[] = [];
    const change = (at: string | undefined, value: T | undefined): void => {
      if (at === undefined) return;
      if (starts.at(-1) === at) values[values.length - 1] = value;
      else if (values.length === 0 || values.at(-1) !== value) {
        starts.push(at);
        values.push(value);
      }
    };
    const open: Keyed<T>[] = [];
    const close = (before: string | undefined): void => {
      for (
        let inner = open.at(-1);
        inner !== undefined && (before === undefined || inner.last < before);
        inner = open.at(-1)
      ) {
        open.pop();
        change(successor(inner.last), open.at(-1)?.value);
      }
    };
    for (const range of keyed) {
      close(range.first);
      open.push(range);
      change(range.first, range.value);
    }
    close(undefined);
    const numbers = new Uint32Array(starts.length * words);
    starts.forEach((text, i) => {
      for (let j = 0; j < sizeBytes; j++) {
        const word = i * words + (j >> 2);
        numbers[word] = ((numbers[word] as number) << 8) | text.charCodeAt(j);
      }
    });
    return new AddressTable(words, numbers, values);
  }

  /** The value of an address, undefined without one. */
  find(ip: Bytes): T | undefined {
    const { index } = this;
    let low = 0;
    let high = this.values.length;
    if (index !== undefined) {
      const upper = ((ip[0] as number) << 8) | (ip[1] as number);
      low = index[upper] as number;
      high = index[upper + 1] as number;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.isBehind(middle, ip)) high = middle;
      else low = middle + 1;
    }
    return low === 0 ? undefined : this.values[low - 1];
  }

  /** True when the start of an entry is behind the address. */
  private isBehind(entry: number, ip: Bytes): boolean {
    const { starts, words } = this;
    for (let i = 0; i < words; i++) {
      const start = starts[entry * words + i] as number;
      const at = 4 * i;
      const word =
        (((ip[at] as number) << 24) |
          ((ip[at + 1] as number) << 16) |
          ((ip[at + 2] as number) << 8) |
          (ip[at + 3] as number)) >>>
        0;
      if (start !== word) return start > word;
    }
    return false;
  }
}

/** From so many entries on 256 KB are worth a dozen steps. */
const INDEXED_ENTRIES = 1024;
const UPPER_HALVES = 0x10000;

function indexOf(starts: Uint32Array): Uint32Array {
  const index = new Uint32Array(UPPER_HALVES + 1);
  let below = 0;
  for (let upper = 0; upper <= UPPER_HALVES; upper++) {
    while (below < starts.length && (starts[below] as number) < upper * UPPER_HALVES) below++;
    index[upper] = below;
  }
  return index;
}

/** The text of the next address; undefined behind the last one. */
function successor(text: string): string | undefined {
  for (let i = text.length - 1; i >= 0; i--) {
    const code = text.charCodeAt(i);
    if (code < 0xff) return text.slice(0, i) + String.fromCharCode(code + 1) + "\0".repeat(text.length - i - 1);
  }
  return undefined;
}
