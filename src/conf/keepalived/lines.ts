/**
 * From files to the pieces that the interpreter reads: comments gone, conditions decided, includes opened, definitions
 * and repeaters resolved, and each brace a piece of its own. Every piece knows the line it was written on.
 */
import { utf8 } from "../../base/bytes.ts";
import { COMMAND_LINE, type Position } from "../diagnostics.ts";
import type { ReadError } from "../nginx/load.ts";
import { Definitions, parseDefinition } from "./definitions.ts";
import {
  ALL_CHECKS,
  type IncludeCheck,
  type IncludeChecks,
  NO_CHECKS,
  readIncludeCheck,
  withLetters,
} from "./include-check.ts";
import type { ReadOptions } from "./reader.ts";
import { parseRepeater } from "./repeaters.ts";
import type { Report } from "./report.ts";
import { splitWords, trimBlanks } from "./words.ts";

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
  /** Which includes must find something, from here on in this file. */
  #checks: IncludeChecks;
  /** The first words of the blocks around this place. */
  readonly #blocks: string[] = [];
  #head = "";
  #end: Position | undefined;

  constructor(options: ReadOptions, report: Report) {
    this.#options = options;
    this.#report = report;
    this.#definitions = new Definitions(options);
    this.#checks = options.includeMustExist === true ? ALL_CHECKS : NO_CHECKS;
  }

  result(file: string): Pieces {
    const open = this.#blocks.length;
    if (open > 0) this.#report("warn", `There are ${open} missing '}'s or extra '{'s`);
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
      this.#unreadable(path, bytes, depth, from);
      return;
    }
    const checks = this.#checks;
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
    // What a file has set ends with it.
    this.#checks = checks;
  }

  #unreadable(path: string, failure: ReadError, depth: number, from: Position): void {
    if (depth > 0 && failure.errno === EISDIR) {
      const name = path.endsWith("/") ? path : `${path}/`;
      this.#complain("readable", `Configuration file '${name}' is a directory - skipping`, from);
      return;
    }
    const message = `Configuration file '${path}' open problem (${failure.text}) - skipping`;
    this.#report(depth === 0 ? "error" : "warn", message);
    if (depth > 0 && this.#checks.has("readable")) this.#isIncludeMissing = true;
  }

  /** An include has found less than was asked for: an error where that is checked. */
  #complain(check: IncludeCheck, message: string, position: Position): void {
    const isError = this.#checks.has(check);
    if (isError) this.#isIncludeMissing = true;
    this.#report(isError ? "warn" : "notice", message, position);
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
    const found = expandBraces(path).map((one) => this.#matches(one));
    const before = this.#checks;
    this.#checks = withLetters(before, checks);
    this.#judge(pattern, found, position);
    for (const match of found.flat()) if (match !== undefined) this.#read(match, depth + 1, position);
    this.#checks = before;
  }

  /** What matches, perhaps nothing; undefined in it: a name, or the folder of a pattern, that is not there. */
  #matches(pattern: string): readonly (string | undefined)[] {
    const { reader } = this.#options;
    const matches = reader.glob(pattern);
    const wild = pattern.search(/[*?[]/);
    if (matches.length > 0) return matches;
    const folder = pattern.slice(0, Math.max(0, pattern.lastIndexOf("/", wild)));
    return wild >= 0 && (folder === "" || reader.glob(folder).length > 0) ? [] : [undefined];
  }

  /** A pattern may match nothing, unless that is checked; what is not there is missed aloud. */
  #judge(pattern: string, found: readonly (readonly (string | undefined)[])[], position: Position): void {
    const all = found.flat();
    const isAny = all.some((match) => match !== undefined);
    const check = found.length > 1 ? "brace_match" : "match";
    if (all.includes(undefined)) {
      const what = isAny ? `Some config files missing: "${pattern}".` : `Config files missing '${pattern}'.`;
      this.#complain(check, what, position);
    } else if (!isAny && this.#checks.has("wildcard_match"))
      this.#complain("wildcard_match", `No config files matched '${pattern}'.`, position);
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
    if (isOpen) this.#blocks.push(this.#head);
    else if (this.#blocks.pop() === undefined) this.#report("warn", "Extra '}' found", position);
    this.#push({ kind: isOpen ? "open" : "close", position });
  }

  /** The one keyword that counts while files are read. */
  #heed(text: string): void {
    const words = splitWords(text) ?? [];
    this.#head = words[0] ?? "";
    if (this.#head === "include_check" && this.#blocks.length === 1 && this.#blocks[0] === "global_defs")
      this.#checks = readIncludeCheck(words.slice(1), this.#checks).checks;
  }

  #push(piece: Piece): void {
    if (piece.kind === "text" && piece.text === "") return;
    if (piece.kind === "text") this.#heed(piece.text);
    if (this.#pieces.length < MAX_PIECES) {
      this.#pieces.push(piece);
      return;
    }
    if (!this.#isFull) this.#report("error", `more than ${MAX_PIECES} lines of configuration`, piece.position);
    this.#isFull = true;
  }
}

/** A folder was to be read as a file. */
const EISDIR = 21;

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
