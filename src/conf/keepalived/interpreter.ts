/**
 * Reads the pieces of a configuration with tables of keywords, as keepalived does: a keyword's own code decides what
 * its line means and whether a block follows. An unknown keyword is reported and skipped, but not the braces behind it:
 * what follows is read on the same level, and its `}` closes the block around it.
 */
import type { Position } from "../diagnostics.ts";
import type { ScriptUser } from "./config.ts";
import type { Piece } from "./lines.ts";
import type { Report } from "./report.ts";
import { splitWords } from "./words.ts";

/** One line: the keyword and its parameters. */
export interface Line {
  readonly words: readonly string[];
  /** The whole line, for the second pass of scripts. */
  readonly text: string;
  readonly position: Position;
}

/** What the reference pages say about a keyword. */
export interface Documented {
  /** Parameters, in the notation of the man page. */
  readonly syntax: string;
  readonly default?: string;
  /** One sentence. */
  readonly doc: string;
  /** False: known to keepalived, refused by Tandem. */
  readonly isImplemented: boolean;
  /** Keywords of the block that it opens. */
  readonly keywords?: Readonly<Record<string, Documented>>;
}

/** A keyword of a block whose values are gathered in a `D`. */
export interface Keyword<D> extends Documented {
  readonly read: (draft: D, line: Line, scope: Interpreter) => void;
}
export type Keywords<D> = Readonly<Record<string, Keyword<D>>>;

/** What every draft remembers: keyword → where it was written. */
export interface Draft {
  readonly where: Map<string, Position>;
}

export const MAX_DEPTH = 16;

/** Where the reading is, and what a keyword's code can ask for. */
export class Interpreter {
  readonly report: Report;
  readonly #pieces: readonly Piece[];
  readonly #end: Position;
  #next = 0;
  #depth = 0;
  #isStopped = false;

  /** Whether there is anybody to run a command that says this of its user; when there is nobody, that is said once. */
  readonly mayRun: (user: ScriptUser | undefined, position: Position) => boolean;

  constructor(
    pieces: readonly Piece[],
    end: Position,
    report: Report,
    mayRun: (user: ScriptUser | undefined, position: Position) => boolean = () => true,
  ) {
    this.mayRun = mayRun;
    this.#pieces = pieces;
    this.#end = end;
    // Where reading has ended nothing more is said: keepalived is gone.
    this.report = (...said) => {
      if (!this.#isStopped) report(...said);
    };
  }

  /** True when a missing parameter ended the reading; keepalived ends itself there. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Reads lines until the `}` of this block (or the end) and returns where that is. */
  lines<D extends Draft>(keywords: Keywords<D>, draft: D): Position {
    for (;;) {
      const piece = this.#pieces[this.#next];
      if (piece === undefined) return this.#end;
      this.#next++;
      if (piece.kind === "open") this.report("warn", "Unexpected '{' - ignoring", piece.position);
      else if (piece.kind === "text") this.#line(keywords, draft, piece.text, piece.position);
      else if (this.#depth > 0) return piece.position;
      else this.report("warn", "Unknown keyword '}'", piece.position);
    }
  }

  #line<D extends Draft>(keywords: Keywords<D>, draft: D, text: string, position: Position): void {
    const words = splitWords(text);
    const name = words?.[0];
    if (words === undefined || name === undefined) {
      this.report("warn", `Unmatched quote: '${text}'`, position);
      return;
    }
    const keyword = Object.hasOwn(keywords, name) ? keywords[name] : undefined;
    if (keyword === undefined) {
      this.report("warn", `Unknown keyword '${name}'`, position);
      return;
    }
    keyword.read(draft, { words, text, position }, this);
    draft.where.set(name, position);
  }

  /** Reads the block of the keyword just met and returns where it ends. */
  block<D extends Draft>(keywords: Keywords<D>, draft: D): Position {
    return this.#inBlock(() => this.lines(keywords, draft));
  }

  /** Reads the lines of a block that has no keywords of its own, `virtual_ipaddress { … }`. */
  list(item: (line: Line) => void): Position {
    return this.#inBlock(() => {
      for (;;) {
        const piece = this.#pieces[this.#next];
        if (piece === undefined) return this.#end;
        this.#next++;
        if (piece.kind === "close") return piece.position;
        if (piece.kind === "open") {
          this.report("warn", "Unexpected '{' - ignoring", piece.position);
          continue;
        }
        const words = splitWords(piece.text);
        if (words === undefined) this.report("warn", `Unmatched quote: '${piece.text}'`, piece.position);
        else if (words.length > 0) item({ words, text: piece.text, position: piece.position });
      }
    });
  }

  #inBlock(read: () => Position): Position {
    const first = this.#pieces[this.#next];
    if (first?.kind === "open") this.#next++;
    else if (first !== undefined)
      this.report("warn", "Missing '{' at beginning of configuration block", first.position);
    if (this.#depth >= MAX_DEPTH)
      return this.stop(`blocks nested deeper than ${MAX_DEPTH}`, first?.position ?? this.#end);
    this.#depth++;
    const end = read();
    this.#depth--;
    return end;
  }

  /** Skips the block that follows, if one does, with all blocks inside it. */
  skipBlock(): void {
    if (this.#pieces[this.#next]?.kind !== "open") return;
    let open = 0;
    for (; this.#next < this.#pieces.length; ) {
      const { kind } = this.#pieces[this.#next++] as Piece;
      if (kind === "open") open++;
      else if (kind === "close" && --open === 0) return;
    }
  }

  /** A parameter that must be there (0 is the keyword); when it is not, reading ends here, as keepalived does. */
  word(line: Line, index: number): string | undefined {
    const word = line.words[index];
    if (word !== undefined) return word;
    const [keyword] = line.words;
    this.stop(
      `*** Configuration line starting \`${keyword}\` is missing a parameter after keyword \`${line.words[index - 1]}\` at word position ${index + 1}`,
      line.position,
    );
    return undefined;
  }

  /** Ends the reading for good. */
  stop(message: string, position: Position): Position {
    this.report("emerg", message, position);
    this.#next = this.#pieces.length;
    this.#isStopped = true;
    return position;
  }
}
