/**
 * Patterns of the configuration are PCRE; here they become RegExp. Both read bytes as characters (ISO 8859-1), so `.`
 * is one byte. What has no equal is refused by name: a configuration must not mean something else.
 */
import { type Decoded, decoded, malformed } from "../base/decoded.ts";

export interface Pattern {
  /** Its groups have numbers only: a match with named ones costs RegExp an object with a property for each. */
  readonly regexp: RegExp;
  /** Names of the captures, which are variables too, the first capture's first; "" for one without. */
  readonly names: readonly string[];
}

/** Longest pattern; more is no pattern but an accident. */
export const MAX_PATTERN = 4096;

const POSIX: Readonly<Record<string, string>> = {
  alnum: "a-zA-Z0-9",
  alpha: "a-zA-Z",
  ascii: "\\x00-\\x7f",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "\\x21-\\x7e",
  lower: "a-z",
  print: "\\x20-\\x7e",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s\\x0b",
  upper: "A-Z",
  word: "\\w",
  xdigit: "0-9a-fA-F",
};

/** The end of a text of several lines: a last line feed may follow. */
const LAST_LINE_END = "(?=\\n?(?![\\s\\S]))";

/** Stands for a reference by name until its number is known. The character comes from nowhere else: a word of nginx.conf has no NUL. */
const REFERENCE = /\0\{(\d+)\}/g;

/** Reads a pattern piece by piece. */
class Translator {
  readonly names: string[] = [];
  /** Names that are referred to; the text has their index, see REFERENCE. */
  private readonly references: string[] = [];
  readonly flags: Set<string>;
  reason = "";
  private readonly source: string;
  private readonly hasLines: boolean;
  private at = 0;
  private out = "";

  constructor(source: string, flags: string, hasLines: boolean) {
    this.source = source;
    this.hasLines = hasLines;
    this.flags = new Set(flags);
  }

  run(): string | undefined {
    this.readLeadingFlags();
    while (this.at < this.source.length) if (!this.step()) return undefined;
    return this.resolveReferences();
  }

  /** A reference by name may stand ahead of its group, so that numbers are known at the end only. */
  private resolveReferences(): string | undefined {
    const missing = this.references.find((name) => !this.names.includes(name));
    if (missing !== undefined) {
      this.fail(`reference to non-existent subpattern "${missing}"`);
      return undefined;
    }
    return this.out.replace(REFERENCE, (_, index) => {
      const group = this.names.indexOf(this.references[Number(index)] as string) + 1;
      return `(?:\\${group})`;
    });
  }

  private refer(name: string, consumed: number): true {
    return this.emit(`\0{${this.references.push(name) - 1}}`, consumed);
  }

  private fail(reason: string): false {
    this.reason = reason;
    return false;
  }

  private rest(): string {
    return this.source.slice(this.at);
  }

  private emit(text: string, consumed: number): true {
    this.out += text;
    this.at += consumed;
    return true;
  }

  /** `(?i)`, `(?-i)` and their kin in front hold for the whole pattern. */
  private readLeadingFlags(): void {
    for (;;) {
      const match = /^\(\?(?=[^)])([ims]*)(?:-([ims]+))?\)/.exec(this.rest());
      if (match === null) return;
      for (const flag of match[1] as string) this.flags.add(flag);
      for (const flag of match[2] ?? "") this.flags.delete(flag);
      this.at += match[0].length;
    }
  }

  private step(): boolean {
    const character = this.source[this.at] as string;
    switch (character) {
      case "\\":
        return this.escape(false);
      case "[":
        return this.characterClass();
      case "(":
        return this.group();
      case "*":
      case "+":
      case "?":
        return this.quantifier(character, 1);
      case "{":
        return this.braces();
      case "}":
      case "]":
        return this.emit(`\\${character}`, 1);
      case ".":
        // RegExp's own excludes the carriage return, too.
        return this.emit(this.flags.has("s") ? "." : "[^\\n]", 1);
      case "^":
        return this.emit(this.hasLines && this.flags.has("m") ? "(?:(?<![\\s\\S])|(?<=\\n)(?=[\\s\\S]))" : "^", 1);
      case "$":
        // PCRE's end is also in front of a last line feed; a URI has none, so the plain end serves.
        if (!this.hasLines) return this.emit("$", 1);
        return this.emit(this.flags.has("m") ? "(?=\\n|(?![\\s\\S]))" : LAST_LINE_END, 1);
      default:
        return this.emit(character === "/" ? "\\/" : character, 1);
    }
  }

  private quantifier(text: string, consumed: number): boolean {
    const next = this.source[this.at + consumed];
    if (next === "+") return this.fail("possessive quantifiers are not supported");
    if (next === "?") return this.emit(`${text}?`, consumed + 1);
    return this.emit(text, consumed);
  }

  private braces(): boolean {
    const match = /^\{\d+(,\d*)?\}/.exec(this.rest());
    if (match === null) return this.emit("\\{", 1);
    return this.quantifier(match[0], match[0].length);
  }

  private group(): boolean {
    const rest = this.rest();
    if (!rest.startsWith("(?") && !rest.startsWith("(*")) {
      this.names.push("");
      return this.emit("(", 1);
    }
    const named = /^\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/.exec(rest);
    if (named !== null) {
      const name = (named[1] ?? named[2]) as string;
      if (this.names.includes(name)) return this.fail(`two named subpatterns have the same name "${name}"`);
      this.names.push(name);
      return this.emit("(", named[0].length);
    }
    const plain = /^\(\?(?::|=|!|<=|<!)/.exec(rest);
    if (plain !== null) return this.emit(plain[0], plain[0].length);
    const comment = /^\(\?#[^)]*\)/.exec(rest);
    if (comment !== null) return this.emit("", comment[0].length);
    const back = /^\(\?P=(\w+)\)/.exec(rest);
    if (back !== null) return this.refer(back[1] as string, back[0].length);
    if (rest.startsWith("(?>")) return this.fail("atomic groups are not supported");
    if (rest.startsWith("(?|")) return this.fail("branch reset groups are not supported");
    if (rest.startsWith("(?(")) return this.fail("conditional groups are not supported");
    if (/^\(\?(R|[+-]?\d|&|P>)/.test(rest)) return this.fail("recursive patterns are not supported");
    if (rest.startsWith("(*")) return this.fail("backtracking verbs are not supported");
    return this.fail(`"${rest.slice(0, 4)}" is supported at the beginning of a pattern only`);
  }

  private escape(inClass: boolean): boolean {
    const rest = this.rest();
    const next = rest[1];
    if (next === undefined) return this.fail("\\ at end of pattern");
    if (next === "Q") return this.quoted();
    if (next === "E") return this.emit("", 2);
    const property = /^\\[pP](\{\^?[A-Za-z_&]+\}|[A-Z])/.exec(rest);
    if (property !== null) return this.property(property[0]);
    const hex = /^\\x\{([0-9a-fA-F]{1,2})\}/.exec(rest);
    if (hex !== null) return this.emit(`\\x${(hex[1] as string).padStart(2, "0")}`, hex[0].length);
    const short = /^\\x([0-9a-fA-F]{0,2})/.exec(rest);
    if (short !== null) return this.emit(`\\x${(short[1] as string).padStart(2, "0")}`, short[0].length);
    const reference = /^\\[gk](?:\{(\w+)\}|<(\w+)>|'(\w+)'|(\d))/.exec(rest);
    if (reference !== null && !inClass) {
      const name = (reference[1] ?? reference[2] ?? reference[3] ?? reference[4]) as string;
      const { length } = reference[0];
      return /^\d+$/.test(name) ? this.emit(`\\${name}`, length) : this.refer(name, length);
    }
    return this.letter(next, inClass);
  }

  private letter(next: string, inClass: boolean): boolean {
    if (!inClass) {
      switch (next) {
        case "A":
          return this.emit("(?<![\\s\\S])", 2);
        case "Z":
          return this.emit(this.hasLines ? LAST_LINE_END : "(?![\\s\\S])", 2);
        case "z":
          return this.emit("(?![\\s\\S])", 2);
        case "h":
          return this.emit("[ \\t\\xa0]", 2);
        case "H":
          return this.emit("[^ \\t\\xa0]", 2);
        case "v":
          return this.emit("[\\n\\x0b\\f\\r\\x85]", 2);
        case "V":
          return this.emit("[^\\n\\x0b\\f\\r\\x85]", 2);
        case "R":
          return this.emit("(?:\\r\\n|[\\n\\x0b\\f\\r\\x85])", 2);
        case "N":
          return this.emit("[^\\n]", 2);
        default:
      }
    } else if (next === "h") return this.emit(" \\t\\xa0", 2);
    else if (next === "v") return this.emit("\\n\\x0b\\f\\r\\x85", 2);
    if (next === "a") return this.emit("\\x07", 2);
    if (next === "e") return this.emit("\\x1b", 2);
    if ("dDsSwWbBnrtf0123456789".includes(next)) return this.emit(`\\${next}`, 2);
    if (/[A-Za-z]/.test(next)) return this.fail(`"\\${next}" is not supported`);
    // An escaped character that needs none stays what it is.
    return this.emit(/[\^$\\.*+?()[\]{}|/-]/.test(next) ? `\\${next}` : next, 2);
  }

  private quoted(): boolean {
    const end = this.source.indexOf("\\E", this.at);
    const text = this.source.slice(this.at + 2, end < 0 ? this.source.length : end);
    return this.emit(
      text.replace(/[\^$\\.*+?()[\]{}|/-]/g, "\\$&"),
      (end < 0 ? this.source.length : end + 2) - this.at,
    );
  }

  /** Properties of bytes: nginx compiles patterns without UTF, so they are those of ISO 8859-1's ASCII half. */
  private property(text: string): boolean {
    const inverted = text[1] === "P" || text.includes("^");
    const name = text.replace(/[\\pP{}^]/g, "") || "P";
    const sets: Readonly<Record<string, string>> = {
      N: "0-9",
      Nd: "0-9",
      L: "a-zA-Z",
      Lu: "A-Z",
      Ll: "a-z",
      P: "!-#%-*,-\\/:;?@\\[-\\]_{}",
      Z: " ",
      Zs: " ",
    };
    const set = sets[name];
    if (set === undefined) return this.fail(`"${text}" is not supported`);
    return this.emit(inverted ? `[^${set}]` : `[${set}]`, text.length);
  }

  private characterClass(): boolean {
    let out = "[";
    let p = this.at + 1;
    if (this.source[p] === "^") {
      out += "^";
      p++;
    }
    // A bracket in front is a character.
    if (this.source[p] === "]") {
      out += "\\]";
      p++;
    }
    const before = this.out;
    for (;;) {
      const character = this.source[p];
      if (character === undefined) return this.fail("missing terminating ] for character class");
      if (character === "]") break;
      const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.source.slice(p));
      if (posix !== null) {
        const set = POSIX[posix[2] as string];
        if (set === undefined) return this.fail("unknown POSIX class name");
        if (posix[1] === "^") return this.fail("negated POSIX classes are not supported");
        out += set;
        p += posix[0].length;
      } else if (character === "\\") {
        this.at = p;
        this.out = "";
        if (!this.escape(true)) return false;
        if (this.out.startsWith("[")) return this.fail("properties in character classes are not supported");
        out += this.out;
        p = this.at;
      } else {
        out += character === "[" || character === "/" ? `\\${character}` : character;
        p++;
      }
    }
    this.out = `${before}${out}]`;
    this.at = p + 1;
    return true;
  }
}

/** A RegExp that matches what the PCRE pattern does, or why there is none. `hasLines`: what it looks at may have line feeds. */
export function translatePattern(source: string, ignoreCase: boolean, hasLines = false): Decoded<Pattern> {
  if (source.length > MAX_PATTERN) return malformed("the pattern is too long");
  const translator = new Translator(source, ignoreCase ? "i" : "", hasLines);
  const translated = translator.run();
  if (translated === undefined) return malformed(translator.reason);
  try {
    return decoded({ regexp: new RegExp(translated, [...translator.flags].join("")), names: translator.names });
  } catch (error) {
    const reason =
      error instanceof Error ? error.message.replace(/^Invalid regular expression: \/.*\/[a-z]*: /s, "") : "";
    return malformed(reason);
  }
}
