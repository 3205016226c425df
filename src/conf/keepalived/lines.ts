/**
 * From files to the pieces that the interpreter reads: comments gone, conditions decided, includes opened, definitions
 * and repeaters resolved, and each brace a piece of its own. Every piece knows the line it was written on.
 */
import { utf8 } from "../../base/bytes.ts";
import { COMMAND_LINE, type Position } from "../diagnostics.ts";
import { Definitions, parseDefinition } from "./definitions.ts";
import type { ReadOptions } from "./reader.ts";
import { parseRepeater } from "./repeaters.ts";
import type { Report } from "./report.ts";
import { trimBlanks } from "./words.ts";

/** A line without its braces, or one brace. */
export type Piece =
  | { readonly kind: "text"; readonly text: string; readonly position: Position }
  | { readonly kind: "open"; readonly position: Position }
  | { readonly kind: "close"; readonly position: Position };

/** All pieces of a configuration, and what only the readers of files know. */
export interface Pieces {
  readonly pieces: readonly Piece[];
  /** Files in the order in which they were opened. */
  readonly files: readonly string[];
  /** An include that had to exist brought nothing. */
  readonly isIncludeMissing: boolean;
  /** Where the last file ended. */
  readonly end: Position;
}

export const MAX_INCLUDE_DEPTH = 32;
export const MAX_FILES = 1000;
export const MAX_PIECES = 100_000;

/** Reads `file` and all that it includes. Never throws; what can't be read is reported. */
export function readPieces(file: string, options: ReadOptions, report: Report): Pieces {
  const loader = new Loader(options, report);
  loader.root(file);
  return loader.result(file);
}

class Loader {
  readonly #options: ReadOptions;
  readonly #report: Report;
  readonly #definitions: Definitions;
  readonly #pieces: Piece[] = [];
  readonly #files: string[] = [];
  #isIncludeMissing = false;
  #isFull = false;
  /** Braces open at this place. */
  #depth = 0;
  #end: Position | undefined;

  constructor(options: ReadOptions, report: Report) {
    this.#options = options;
    this.#report = report;
    this.#definitions = new Definitions(options);
  }

  result(file: string): Pieces {
    if (this.#depth > 0) this.#report("warn", `There are ${this.#depth} missing '}'s or extra '{'s`);
    return {
      pieces: this.#pieces,
      files: this.#files,
      isIncludeMissing: this.#isIncludeMissing,
      end: this.#end ?? { file, line: 1, column: 1 },
    };
  }

  root(file: string): void {
    const matches = this.#options.reader.glob(file);
    if (matches.length === 0) this.#report("error", `Config files missing '${file}'.`);
    for (const path of matches) this.#read(path, 0, { file: COMMAND_LINE, line: 0, column: 0 });
  }

  #read(path: string, depth: number, from: Position): void {
    if (depth > MAX_INCLUDE_DEPTH || this.#files.length >= MAX_FILES) {
      this.#report("error", `too many nested includes: '${path}' is not read`, from);
      return;
    }
    const bytes = this.#options.reader.read(path);
    if ("errno" in bytes) {
      const message = `Configuration file '${path}' open problem (${bytes.text}) - skipping`;
      this.#report(depth === 0 ? "error" : "warn", message);
      return;
    }
    this.#files.push(path);
    const lines = utf8(bytes).split("\n");
    if (lines.at(-1) === "") lines.pop();
    for (let index = 0; index < lines.length && !this.#isFull; index++) {
      // What stands behind a zero byte does not exist for a C program.
      const raw = (lines[index] as string).replace(/\0.*$/s, "");
      const position = { file: path, line: index + 1, column: raw.search(/[^ \t]|$/) + 1 };
      this.#end = position;
      let line = this.#condition(this.#withoutComment(raw, position));
      const definition = line === undefined ? undefined : parseDefinition(line);
      if (line === undefined || definition === undefined) {
        if (line !== undefined) this.#line(line, depth, position);
        continue;
      }
      let value = definition.value;
      while (value.endsWith("\\") && index + 1 < lines.length) {
        line = this.#withoutComment(lines[++index] as string, position);
        value = `${trimBlanks(value.slice(0, -1))}\n${line}`;
      }
      this.#definitions.define(definition.name, value.replace(/^\n/, ""));
    }
  }

  /** The line up to `#` or `!` outside double quotes, without blanks around it. */
  #withoutComment(line: string, position: Position): string {
    let isQuoted = false;
    for (let at = 0; at < line.length; at++) {
      const character = line.charAt(at);
      if (character === '"') isQuoted = !isQuoted;
      else if (isQuoted && character === "\\") at++;
      else if (!isQuoted && (character === "#" || character === "!")) return trimBlanks(line.slice(0, at));
    }
    const text = trimBlanks(line);
    if (isQuoted) this.#report("warn", `Unterminated quote '${text}'`, position);
    return text;
  }

  /** What is left of a line behind its `@id` or `@^id`; undefined when the condition does not hold. */
  #condition(line: string): string | undefined {
    while (line.startsWith("@")) {
      const match = /^@(\^?)(\S*)\s*(.*)$/s.exec(line) as RegExpExecArray;
      const isMine = match[2] === this.#options.configId;
      if (isMine === (match[1] === "^")) return undefined;
      line = match[3] as string;
    }
    return line;
  }

  #line(line: string, depth: number, position: Position): void {
    if (line === "") return;
    const repetition = parseRepeater(line);
    if (repetition === undefined) this.#resolved(line, depth, position);
    else if ("errors" in repetition) for (const error of repetition.errors) this.#report("warn", error, position);
    else this.#repeat(repetition.text, repetition.rows, depth, position, new Map());
  }

  /** Writes a repeated line out; a line may have several repeaters, the first one outermost. */
  #repeat(
    line: string,
    rows: readonly ReadonlyMap<string, string>[],
    depth: number,
    position: Position,
    outer: ReadonlyMap<string, string>,
  ): void {
    for (const row of rows) {
      if (this.#isFull) return;
      const local = new Map([...outer, ...row]);
      const inner = parseRepeater(this.#definitions.resolve(line, directoryOf(position.file), local));
      if (inner === undefined) this.#resolved(line, depth, position, local);
      else if ("errors" in inner) for (const error of inner.errors) this.#report("warn", error, position);
      else this.#repeat(inner.text, inner.rows, depth, position, local);
    }
  }

  /** A line whose definitions may bring several lines, each of which may be an include. */
  #resolved(line: string, depth: number, position: Position, local?: ReadonlyMap<string, string>): void {
    for (const part of this.#definitions.resolve(line, directoryOf(position.file), local).split("\n")) {
      const text = trimBlanks(part);
      const include = /^include([rmwba]*)\s+(\S.*)$/.exec(text);
      if (include === null) this.#split(text, position);
      else this.#include(include[2] as string, include[1] as string, depth, position);
    }
  }

  #include(pattern: string, checks: string, depth: number, position: Position): void {
    pattern = pattern.replace(/^"(.*)"$/, "$1");
    const path = pattern.startsWith("/") ? pattern : joinPath(directoryOf(position.file), pattern);
    const matches = expandBraces(path).flatMap((one) => this.#options.reader.glob(one));
    if (matches.length === 0) {
      const mustExist = this.#options.includeMustExist === true || /[mwba]/.test(checks);
      if (mustExist) this.#isIncludeMissing = true;
      this.#report(mustExist ? "warn" : "notice", `Config files missing '${pattern}'.`, position);
    }
    for (const match of matches) this.#read(match, depth + 1, position);
  }

  /** Braces outside double quotes become pieces of their own. */
  #split(text: string, position: Position): void {
    let start = 0;
    let isQuoted = false;
    for (let at = 0; at < text.length; at++) {
      const character = text.charAt(at);
      if (character === '"') isQuoted = !isQuoted;
      else if (isQuoted && character === "\\") at++;
      if (isQuoted || (character !== "{" && character !== "}")) continue;
      this.#push({ kind: "text", text: trimBlanks(text.slice(start, at)), position });
      this.#brace(character === "{", position);
      start = at + 1;
    }
    this.#push({ kind: "text", text: trimBlanks(text.slice(start)), position });
  }

  #brace(isOpen: boolean, position: Position): void {
    if (!isOpen && this.#depth === 0) this.#report("warn", "Extra '}' found", position);
    this.#depth = Math.max(0, this.#depth + (isOpen ? 1 : -1));
    this.#push({ kind: isOpen ? "open" : "close", position });
  }

  #push(piece: Piece): void {
    if (piece.kind === "text" && piece.text === "") return;
    if (this.#pieces.length < MAX_PIECES) {
      this.#pieces.push(piece);
      return;
    }
    if (!this.#isFull) this.#report("error", `more than ${MAX_PIECES} lines of configuration`, piece.position);
    this.#isFull = true;
  }
}

function directoryOf(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : file.slice(0, slash);
}

function joinPath(directory: string, name: string): string {
  return directory === "." ? name : `${directory === "/" ? "" : directory}/${name}`;
}

/** Alternatives that one pattern may have. */
const MAX_ALTERNATIVES = 256;

/** csh braces: `a{b,c}d` is `abd` and `acd`. The innermost pair first; at the bound the rest stays as it is. */
export function expandBraces(pattern: string): readonly string[] {
  let patterns = [pattern];
  for (;;) {
    const next = patterns.flatMap((one) => {
      const match = /^(.*)\{([^{}]*,[^{}]*)\}(.*)$/s.exec(one);
      if (match === null) return [one];
      return (match[2] as string).split(",").map((choice) => `${match[1]}${choice}${match[3]}`);
    });
    if (next.length === patterns.length || next.length > MAX_ALTERNATIVES) return patterns;
    patterns = next;
  }
}
