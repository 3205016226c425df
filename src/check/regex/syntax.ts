/** Regular expressions as trees: what the linter needs of one, read from the RegExp that `src/http/pcre.ts` has made. Characters are bytes. */

/** A set of bytes: bit n is byte n. */
export type ByteSet = bigint;

/** A part of an expression. */
export type Node =
  | { readonly kind: "set"; readonly set: ByteSet; readonly isDot: boolean }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "choice"; readonly options: readonly Node[] }
  | { readonly kind: "repeat"; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly kind: "group"; readonly node: Node; readonly index: number }
  | { readonly kind: "start" | "end" }
  /** What can't be said with sets: look-around, word boundaries, references to captures. */
  | { readonly kind: "opaque"; readonly consumes: boolean };

/** An expression that was read. */
export interface Expression {
  readonly root: Node;
  readonly groupCount: number;
}

const BYTES = 256;
/** Every byte. */
export const ANY_BYTE: ByteSet = (1n << BigInt(BYTES)) - 1n;

/** The set of one byte. */
export function byteSet(byte: number): ByteSet {
  return 1n << BigInt(byte & 0xff);
}

/** The set of the characters of a text. */
export function setOf(text: string): ByteSet {
  let set = 0n;
  for (const character of text) set |= byteSet(character.charCodeAt(0));
  return set;
}

function range(from: number, to: number): ByteSet {
  return to < from ? 0n : ((1n << BigInt(to - from + 1)) - 1n) << BigInt(from);
}

/** All but these. */
export function complement(set: ByteSet): ByteSet {
  return ANY_BYTE & ~set;
}

export const NEWLINES: ByteSet = setOf("\n\r");
export const DIGITS: ByteSet = range(0x30, 0x39);
export const UPPER: ByteSet = range(0x41, 0x5a);
export const LOWER: ByteSet = range(0x61, 0x7a);
const WORD: ByteSet = DIGITS | UPPER | LOWER | setOf("_");
const SPACE: ByteSet = setOf(" \t\n\v\f\r") | byteSet(0xa0);
/** `.` */
export const DOT: ByteSet = complement(NEWLINES);

/** The set with the other case of its letters. */
function anyCase(set: ByteSet): ByteSet {
  const gap = BigInt(0x20);
  return set | ((set & UPPER) << gap) | ((set & LOWER) >> gap);
}

const LINE_FEED = 10;
const CLASSES: Readonly<Record<string, ByteSet>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, "0": 0 };

/** Reads an expression; undefined for one that is beyond what is understood here. */
export function parseExpression({ source, flags }: RegExp): Expression | undefined {
  const reader = new Reader(source, flags.includes("i"), flags.includes("s"), flags.includes("m"));
  const root = reader.choice();
  return root === undefined || !reader.isAtEnd ? undefined : { root, groupCount: reader.groupCount };
}

class Reader {
  groupCount = 0;
  readonly #source: string;
  readonly #ignoreCase: boolean;
  readonly #dotAll: boolean;
  readonly #multiline: boolean;
  #at = 0;

  constructor(source: string, ignoreCase: boolean, dotAll: boolean, multiline: boolean) {
    this.#source = source;
    this.#ignoreCase = ignoreCase;
    this.#dotAll = dotAll;
    this.#multiline = multiline;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }

  choice(): Node | undefined {
    const options: Node[] = [];
    do {
      const option = this.#sequence();
      if (option === undefined) return undefined;
      options.push(option);
    } while (this.#take(/\|/y) !== undefined);
    return options.length === 1 ? options[0] : { kind: "choice", options };
  }

  #sequence(): Node | undefined {
    const parts: Node[] = [];
    while (!this.isAtEnd && !/[|)]/.test(this.#source[this.#at] as string)) {
      const part = this.#repeated();
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return parts.length === 1 ? parts[0] : { kind: "sequence", parts };
  }

  #repeated(): Node | undefined {
    const node = this.#atom();
    if (node === undefined) return undefined;
    const match = this.#take(/(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y);
    if (match === undefined) return node;
    const [, mark, low, comma, high] = match;
    const min = mark === undefined ? Number(low) : mark === "+" ? 1 : 0;
    const many = Number.POSITIVE_INFINITY;
    const max =
      mark === undefined ? (comma === undefined ? min : high === "" ? many : Number(high)) : mark === "?" ? 1 : many;
    return { kind: "repeat", node, min, max };
  }

  #set(set: ByteSet, isDot = false): Node {
    return { kind: "set", set: this.#ignoreCase ? anyCase(set) : set, isDot };
  }

  #atom(): Node | undefined {
    const character = this.#source[this.#at] as string;
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        // What the dot of a configuration has become.
        if (this.#take(/\[\^\\n\]/y) !== undefined) return this.#set(complement(byteSet(LINE_FEED)), true);
        return this.#class();
      case "\\":
        return this.#escape();
      case "^":
      case "$":
        this.#at++;
        if (this.#multiline) return { kind: "opaque", consumes: false };
        return { kind: character === "^" ? "start" : "end" };
      case ".":
        this.#at++;
        return this.#set(this.#dotAll ? ANY_BYTE : DOT, true);
      default:
        this.#at++;
        return this.#set(byteSet(character.charCodeAt(0)));
    }
  }

  #group(): Node | undefined {
    // What \A and \z become.
    if (this.#take(/\(\?<!\[\\s\\S\]\)/y) !== undefined) return { kind: "start" };
    if (this.#take(/\(\?!\[\\s\\S\]\)/y) !== undefined) return { kind: "end" };
    const look = this.#take(/\(\?<?[=!]/y);
    const plain = look === undefined ? this.#take(/\(\?:/y) : undefined;
    const capture = look === undefined && plain === undefined ? this.#take(/\(/y) : undefined;
    const index = capture === undefined ? 0 : ++this.groupCount;
    const node = this.choice();
    if (node === undefined || this.#take(/\)/y) === undefined) return undefined;
    if (look !== undefined) return { kind: "opaque", consumes: false };
    return capture === undefined ? node : { kind: "group", node, index };
  }

  #escape(): Node | undefined {
    if (this.#take(/\\[bB]/y) !== undefined) return { kind: "opaque", consumes: false };
    if (this.#take(/\\[1-9]\d*/y) !== undefined) return { kind: "opaque", consumes: true };
    const set = this.#escapedSet();
    return set === undefined ? undefined : this.#set(set);
  }

  /** An escape that stands for bytes. */
  #escapedSet(): ByteSet | undefined {
    const hex = this.#take(/\\x([0-9a-fA-F]{2})/y);
    if (hex !== undefined) return byteSet(Number.parseInt(hex[1] as string, 16));
    const one = this.#take(/\\([\s\S])/y)?.[1];
    if (one === undefined) return undefined;
    const control = CONTROLS[one];
    return CLASSES[one] ?? byteSet(control ?? one.charCodeAt(0));
  }

  #class(): Node | undefined {
    const isNegated = (this.#take(/\[(\^?)/y) as RegExpExecArray)[1] === "^";
    let set = 0n;
    while (this.#source[this.#at] !== "]") {
      if (this.isAtEnd) return undefined;
      const first = this.#classItem();
      if (first === undefined) return undefined;
      const isRange = isSingle(first) && /^-[^\]]/.test(this.#source.slice(this.#at, this.#at + 2));
      if (!isRange) {
        set |= first;
        continue;
      }
      this.#at++;
      const last = this.#classItem();
      if (last === undefined) return undefined;
      set |= isSingle(last) ? range(lowest(first), lowest(last)) : first | setOf("-") | last;
    }
    this.#at++;
    const closed = this.#ignoreCase ? anyCase(set) : set;
    return { kind: "set", set: isNegated ? complement(closed) : closed, isDot: false };
  }

  #classItem(): ByteSet | undefined {
    if (this.#take(/\\b/y) !== undefined) return byteSet(8);
    if (this.#source[this.#at] === "\\") return this.#escapedSet();
    return byteSet((this.#source[this.#at++] as string).charCodeAt(0));
  }
}

/** True for a set of one byte. */
export function isSingle(set: ByteSet): boolean {
  return set !== 0n && (set & (set - 1n)) === 0n;
}

/** The first byte of a set that is not empty. */
export function lowest(set: ByteSet): number {
  for (let byte = 0; byte < BYTES; byte++) if ((set >> BigInt(byte)) & 1n) return byte;
  return -1;
}

/** A group by its number; undefined when the expression has none. */
export function findGroup(node: Node, which: number): Node | undefined {
  switch (node.kind) {
    case "group":
      return node.index === which ? node.node : findGroup(node.node, which);
    case "repeat":
      return findGroup(node.node, which);
    case "sequence":
      return node.parts.map((part) => findGroup(part, which)).find((found) => found !== undefined);
    case "choice":
      return node.options.map((option) => findGroup(option, which)).find((found) => found !== undefined);
    default:
      return undefined;
  }
}

/** Everything below a node, itself included, from left to right. */
export function* walkNodes(node: Node): Generator<Node> {
  yield node;
  if (node.kind === "group" || node.kind === "repeat") yield* walkNodes(node.node);
  else if (node.kind === "sequence") for (const part of node.parts) yield* walkNodes(part);
  else if (node.kind === "choice") for (const option of node.options) yield* walkNodes(option);
}

/** True when a text that the node matches may hold one of these bytes. */
export function mayHold(node: Node, bytes: ByteSet): boolean {
  for (const inner of walkNodes(node)) {
    if (inner.kind === "set" && (inner.set & bytes) !== 0n) return true;
    if (inner.kind === "opaque" && inner.consumes) return true;
  }
  return false;
}

/** True when the texts that the node matches are a few that the configuration itself has written down. */
export function isEnumerated(node: Node): boolean {
  for (const inner of walkNodes(node)) {
    if (inner.kind === "repeat" && inner.max > 1) return false;
    // Two: a letter in both its cases.
    if (inner.kind === "set" && countBytes(inner.set) > 2) return false;
    if (inner.kind === "opaque" && inner.consumes) return false;
  }
  return true;
}

function countBytes(set: ByteSet): number {
  let count = 0;
  for (let rest = set; rest !== 0n; rest &= rest - 1n) count++;
  return count;
}

/** True when every way through the node begins (or ends) with the assertion. */
export function isAnchored(node: Node, side: "start" | "end"): boolean {
  switch (node.kind) {
    case "start":
    case "end":
      return node.kind === side;
    case "group":
      return isAnchored(node.node, side);
    case "repeat":
      return node.min > 0 && isAnchored(node.node, side);
    case "choice":
      return node.options.every((option) => isAnchored(option, side));
    case "sequence": {
      const edge = side === "start" ? node.parts[0] : node.parts.at(-1);
      return edge !== undefined && isAnchored(edge, side);
    }
    default:
      return false;
  }
}
