/**
 * Text → statements of an nginx.conf. The grammar is that of nginx's `ngx_conf_read_token`, with its error texts and the
 * line that it blames: words end at blanks, `;` and `{`; only a quote at the start of a word quotes; a backslash keeps the
 * next character from ending the word; `${` does not open a block; `}` closes one only where a directive could begin.
 */
import type { Position } from "../diagnostics.ts";
import type { Quote, Word } from "../directive.ts";

/** Bytes from the start of a word to its end, quotes included, must fit in nginx's buffer. */
export const MAX_WORD_BYTES = 4096;

/** What stands between two terminators. */
export type Statement =
  | { readonly kind: "simple" | "open"; readonly words: readonly Word[]; readonly end: Position }
  | { readonly kind: "close"; readonly end: Position }
  | { readonly kind: "end"; readonly end: Position }
  | { readonly kind: "fault"; readonly message: string; readonly end: Position };

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const HASH = 0x23;
const DOLLAR = 0x24;
const SINGLE_QUOTE = 0x27;
const CLOSING_PARENTHESIS = 0x29;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB || code === CR || code === LF;
}

/** Resolves the escapes of a word: `\"`, `\'`, `\\`, `\t`, `\r`, `\n`; any other backslash stays. */
export function unescapeWord(raw: string): string {
  return raw.includes("\\") ? raw.replace(/\\(["'\\trn])/g, (_, code: string) => ESCAPES[code] ?? code) : raw;
}
const ESCAPES: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };

/** Reads one file's statements, one after the other. Give `lines: false` for the text of `-g`, which has none. */
export class Lexer {
  readonly #text: string;
  readonly #file: string;
  readonly #hasLines: boolean;
  #offset = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string, file: string, hasLines = true) {
    this.#text = text;
    this.#file = file;
    this.#hasLines = hasLines;
  }

  /** The next statement; `fault` and `end` are final. */
  next(): Statement {
    const words: Word[] = [];
    for (;;) {
      this.#skipBlanksAndComments();
      if (this.#offset >= this.#text.length)
        return words.length === 0 ? { kind: "end", end: this.#here() } : this.#truncated();
      const code = this.#text.charCodeAt(this.#offset);
      if (code === SEMICOLON || code === OPENING_BRACE) {
        if (words.length === 0) return this.#fault(`unexpected "${String.fromCharCode(code)}"`);
        return this.#terminated(words);
      }
      if (code === CLOSING_BRACE) {
        if (words.length > 0) return this.#fault('unexpected "}"');
        const end = this.#here();
        this.#offset++;
        return { kind: "close", end };
      }
      const fault =
        code === DOUBLE_QUOTE || code === SINGLE_QUOTE ? this.#readQuoted(words, code) : this.#readBare(words);
      if (fault !== undefined) return fault;
    }
  }

  #here(offset = this.#offset): Position {
    if (!this.#hasLines) return { file: this.#file, line: 0, column: offset + 1 };
    return { file: this.#file, line: this.#line, column: offset - this.#lineStart + 1 };
  }

  #fault(message: string, end = this.#here()): Statement {
    return { kind: "fault", message, end };
  }

  #truncated(): Statement {
    return this.#fault(
      this.#hasLines ? 'unexpected end of file, expecting ";" or "}"' : 'unexpected end of parameter, expecting ";"',
    );
  }

  /** At `;` or `{`. */
  #terminated(words: readonly Word[]): Statement {
    const kind = this.#text.charCodeAt(this.#offset) === SEMICOLON ? "simple" : "open";
    const end = this.#here();
    this.#offset++;
    return { kind, words, end };
  }

  #newLine(): void {
    this.#line++;
    this.#lineStart = this.#offset + 1;
  }

  #skipBlanksAndComments(): void {
    let comment = false;
    for (; this.#offset < this.#text.length; this.#offset++) {
      const code = this.#text.charCodeAt(this.#offset);
      if (code === LF) {
        this.#newLine();
        comment = false;
      } else if (code === HASH) comment = true;
      else if (!comment && !isBlank(code)) return;
    }
  }

  /** Reads a word that is not quoted and stops at the blank, `;` or `{` that ends it. */
  #readBare(words: Word[]): Statement | undefined {
    const start = this.#offset;
    const position = this.#here();
    let variable = false;
    for (; this.#offset < this.#text.length; this.#offset++) {
      if (this.#offset - start >= MAX_WORD_BYTES) return this.#tooLong(start, position, "");
      const code = this.#text.charCodeAt(this.#offset);
      if (code === OPENING_BRACE && variable) continue;
      variable = code === DOLLAR;
      if (code === BACKSLASH) this.#skipEscaped();
      else if (isBlank(code) || code === SEMICOLON || code === OPENING_BRACE) {
        words.push({ text: unescapeWord(this.#text.slice(start, this.#offset)), quote: "", position });
        return undefined;
      }
    }
    return this.#truncated();
  }

  /** Reads a quoted word and what must follow it: a blank, `;`, `{`, or `)` (which begins the next word). */
  #readQuoted(words: Word[], quote: number): Statement | undefined {
    const position = this.#here();
    const start = ++this.#offset;
    for (; ; this.#offset++) {
      if (this.#offset >= this.#text.length) return this.#truncated();
      if (this.#offset - start >= MAX_WORD_BYTES) return this.#tooLong(start, position, String.fromCharCode(quote));
      const code = this.#text.charCodeAt(this.#offset);
      if (code === LF) this.#newLine();
      if (code === BACKSLASH) this.#skipEscaped();
      else if (code === quote) break;
    }
    const text = unescapeWord(this.#text.slice(start, this.#offset));
    words.push({ text, quote: String.fromCharCode(quote) as Quote, position });
    this.#offset++;
    if (this.#offset >= this.#text.length) return this.#truncated();
    const next = this.#text.charCodeAt(this.#offset);
    if (isBlank(next) || next === SEMICOLON || next === OPENING_BRACE || next === CLOSING_PARENTHESIS) return undefined;
    return this.#fault(`unexpected "${String.fromCharCode(next)}"`);
  }

  /** On a backslash: steps onto the character that it protects. */
  #skipEscaped(): void {
    this.#offset++;
    if (this.#text.charCodeAt(this.#offset) === LF) this.#newLine();
  }

  #tooLong(start: number, position: Position, quote: Quote | string): Statement {
    if (quote !== "")
      return this.#fault(`too long parameter, probably missing terminating "${quote}" character`, position);
    return this.#fault(`too long parameter "${this.#text.slice(start, start + 10)}..." started`, position);
  }
}
