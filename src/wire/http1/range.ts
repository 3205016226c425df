/** The Range field, RFC 9110 §14.1.2, with nginx's limits and its refusals. */

export interface ByteRange {
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** Ranges that can be served; `whole` when the field is to be ignored; `unsatisfiable` for 416. */
export type Ranges = readonly ByteRange[] | "whole" | "unsatisfiable";

/** `max_ranges` when the configuration doesn't limit it. */
export const UNLIMITED_RANGES = 0x7fffffff;

const DIGITS = /^\d+/;
const LARGEST = 0x7fffffff * 0x100000000;

class Cursor {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  skipSpaces(): void {
    while (this.text.charCodeAt(this.at) === 0x20) this.at++;
  }

  /** The character at the cursor, "" at the end. */
  get next(): string {
    return this.text.charAt(this.at);
  }

  take(): string {
    return this.text.charAt(this.at++);
  }

  /** Digits at the cursor, undefined when there are none or the number exceeds 63 bits. */
  number(): number | undefined {
    const digits = DIGITS.exec(this.text.slice(this.at));
    if (digits === null) return undefined;
    this.at += digits[0].length;
    const value = Number(digits[0]);
    return value >= LARGEST ? undefined : value;
  }
}

/** Reads what follows `bytes=` for a representation of `sizeBytes`. More than `maxRanges` ranges are no ranges. */
export function parseRanges(text: string, sizeBytes: number, maxRanges: number): Ranges {
  const cursor = new Cursor(text);
  const ranges: ByteRange[] = [];
  let total = 0;
  do {
    const range = parseRange(cursor, sizeBytes);
    if (range === undefined) return "unsatisfiable";
    if (range.start < range.end) {
      ranges.push(range);
      total += range.end - range.start;
      if (ranges.length > maxRanges) return "whole";
    } else if (range.start === 0) return "whole";
  } while (cursor.take() === ",");
  if (ranges.length === 0) return "unsatisfiable";
  if (ranges.length === 1) return ranges;
  // Many small or overlapping ranges must not cost more than the whole.
  if (total > sizeBytes) return "whole";
  if (maxRanges === UNLIMITED_RANGES && total + ranges.length * 256 > sizeBytes + 4096) return "whole";
  return ranges;
}

function parseRange(cursor: Cursor, sizeBytes: number): ByteRange | undefined {
  cursor.skipSpaces();
  let start = 0;
  const isSuffix = cursor.next === "-";
  if (isSuffix) cursor.take();
  else {
    const first = cursor.number();
    if (first === undefined) return undefined;
    start = first;
    cursor.skipSpaces();
    if (cursor.take() !== "-") return undefined;
    cursor.skipSpaces();
    if (cursor.next === "," || cursor.next === "") return { start, end: sizeBytes };
  }
  const last = cursor.number();
  if (last === undefined) return undefined;
  cursor.skipSpaces();
  if (cursor.next !== "," && cursor.next !== "") return undefined;
  if (isSuffix) return { start: last < sizeBytes ? sizeBytes - last : 0, end: sizeBytes };
  return { start, end: last >= sizeBytes ? sizeBytes : last + 1 };
}
