/**
 * Looks for texts in a stream of bytes, whatever pieces it comes in: the leftmost place, there the first of the patterns that
 * fits or may still fit. Letters of ASCII are compared without case. Counterpart in nginx: ngx_http_sub_parse.
 */

/** Sets of used patterns whose search is kept. */
const KEPT_SEARCHES = 64;

/** Lower case of A to Z alone, as nginx knows it. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Patterns, all in lower case and none empty. */
export class Patterns {
  readonly count: number;
  private readonly patterns: readonly string[];
  private readonly longest: number;
  private readonly searches = new Map<string, RegExp>();

  constructor(patterns: readonly string[]) {
    this.patterns = patterns;
    this.count = patterns.length;
    this.longest = Math.max(...patterns.map(({ length }) => length));
  }

  /** The next text that fits, from `from` on; patterns in `used` are left out. False when there is none. */
  findWhole(text: string, from: number, used: ReadonlySet<number>, place: Place): boolean {
    const search = this.searchFor(used);
    search.lastIndex = from;
    const match = search.exec(text);
    if (match === null) return false;
    place.index = 0;
    while (match[place.index + 1] === undefined) place.index++;
    place.start = match.index;
    place.end = match.index + match[0].length;
    return true;
  }

  /** The first place, from `from` on, whence the end of the text may be the beginning of a pattern. False when there is none. */
  findOpen(text: string, from: number, used: ReadonlySet<number>, place: Place): boolean {
    const { length } = text;
    for (let start = Math.max(from, length - this.longest + 1); start < length; start++) {
      const tail = lowerAscii(text.slice(start));
      for (let index = 0; index < this.count; index++) {
        const pattern = this.patterns[index] as string;
        if (used.has(index) || pattern.length <= tail.length || !pattern.startsWith(tail)) continue;
        place.start = start;
        place.end = length;
        place.index = index;
        return true;
      }
    }
    return false;
  }

  private searchFor(used: ReadonlySet<number>): RegExp {
    const key = [...used].sort((a, b) => a - b).join();
    const known = this.searches.get(key);
    if (known !== undefined) return known;
    // A pattern that is left out keeps its number with a group that nothing fits.
    const groups = this.patterns.map((pattern, index) => (used.has(index) ? "((?!))" : `(${source(pattern)})`));
    const search = new RegExp(groups.join("|"), "g");
    if (this.searches.size < KEPT_SEARCHES) this.searches.set(key, search);
    return search;
  }
}

/** Where a pattern is, or may be. */
export interface Place {
  /** Number of the pattern. */
  index: number;
  start: number;
  end: number;
}

/** True when a place comes first: the leftmost, there the one of the pattern that was named first. */
export function comesFirst(one: Place, other: Place): boolean {
  return one.start < other.start || (one.start === other.start && one.index < other.index);
}

function source(pattern: string): string {
  let text = "";
  for (const letter of pattern) {
    if (letter >= "a" && letter <= "z") text += `[${letter}${letter.toUpperCase()}]`;
    else text += `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`;
  }
  return text;
}
