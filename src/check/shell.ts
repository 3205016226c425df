/**
 * Reads a shell script as far as check scripts go: lists, pipelines, `if`, loops, functions, assignments, quotes,
 * backticks and `$(…)`. It is no shell: what it doesn't know (`case`, here-documents, arithmetic) is said, not guessed.
 */

/** A piece of a word. */
export type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "substitution"; readonly list: List };

/** A word, its quotes resolved. `isQuoted`: an empty value is still a word. */
export interface Word {
  readonly parts: readonly Part[];
  readonly isQuoted: boolean;
  /** As written. */
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

export interface Assignment {
  readonly name: string;
  readonly value: Word;
}

export type Command =
  | {
      readonly kind: "simple";
      readonly assignments: readonly Assignment[];
      readonly words: readonly Word[];
      /** Targets of redirections, as written. */
      readonly targets: readonly string[];
      readonly line: number;
    }
  | { readonly kind: "if"; readonly clauses: readonly { condition: List; body: List }[]; readonly otherwise: List }
  | { readonly kind: "while"; readonly condition: List; readonly body: List; readonly isUntil: boolean }
  | { readonly kind: "for"; readonly name: string; readonly words: readonly Word[]; readonly body: List }
  /** `{ … }`, or `( … )`, which keeps its variables and its exit to itself. */
  | { readonly kind: "group"; readonly list: List; readonly isSubshell: boolean }
  | { readonly kind: "function"; readonly name: string; readonly body: Command }
  /** Something that this reader doesn't know. */
  | { readonly kind: "unknown"; readonly what: string; readonly line: number };

/** Commands joined by `|`; `!` in front turns the result round. */
export interface Pipeline {
  readonly commands: readonly Command[];
  readonly isNegated: boolean;
}

/** Pipelines and what joins each to the next. */
export type List = readonly { readonly pipeline: Pipeline; readonly joint: ";" | "&&" | "||" | "&" }[];

/** A script that has been read. */
export interface Script {
  /** Program of the `#!` line, with its arguments; undefined when there is none. */
  readonly interpreter: string | undefined;
  readonly list: List;
  /** What could not be read, in words. */
  readonly unread: readonly string[];
}

type Token =
  | { readonly kind: "word"; readonly word: Word }
  | { readonly kind: "operator"; readonly text: string; readonly line: number };

/** Scripts beyond this are not looked into. */
export const MAX_SCRIPT_CHARACTERS = 200_000;
const MAX_NESTING = 50;

/** Reads a whole script. Never throws; what it can't read is named in `unread`. */
export function parseShell(text: string): Script {
  const interpreter = /^#!\s*(\S.*)/.exec(text)?.[1]?.trim();
  if (text.length > MAX_SCRIPT_CHARACTERS) return { interpreter, list: [], unread: ["the script is too long"] };
  const reader = new Reader(text, 1, 0, 0);
  const list = reader.list();
  reader.finish();
  return { interpreter, list, unread: reader.unread };
}

const KEYWORDS = new Set(["then", "elif", "else", "fi", "do", "done", "}", "esac"]);

class Reader {
  readonly unread: string[] = [];
  readonly #text: string;
  readonly #nesting: number;
  #at = 0;
  #line: number;
  #lineStart = 0;
  #peeked: Token | undefined | "none" = "none";

  /** `column`: how far into its line the text begins. */
  constructor(text: string, line: number, column: number, nesting: number) {
    this.#text = text;
    this.#line = line;
    this.#lineStart = -column;
    this.#nesting = nesting;
  }

  /** Says what was left over. */
  finish(): void {
    if (this.#peek() !== undefined) this.unread.push(`everything from line ${this.#line} on`);
  }

  /** A list up to one of the closing words, which stays. */
  list(): List {
    const list: { pipeline: Pipeline; joint: ";" | "&&" | "||" | "&" }[] = [];
    for (;;) {
      this.#skipSeparators();
      const token = this.#peek();
      if (token === undefined || this.#isClosing(token)) return list;
      const before = this.#at;
      const pipeline = this.#pipeline();
      const next = this.#peek();
      const joint = next?.kind === "operator" && /^(&&|\|\||&)$/.test(next.text) ? next.text : ";";
      if (next?.kind === "operator" && next.text !== ")") this.#take();
      if (pipeline.commands.length > 0) list.push({ pipeline, joint: joint as ";" | "&&" | "||" | "&" });
      else if (this.#at === before) this.#take();
    }
  }

  #isClosing(token: Token): boolean {
    return token.kind === "operator" ? token.text === ")" : isKeyword(token, KEYWORDS);
  }

  #skipSeparators(): void {
    for (;;) {
      const token = this.#peek();
      if (token?.kind !== "operator" || !/^(;|\n|;;)$/.test(token.text)) return;
      this.#take();
    }
  }

  #pipeline(): Pipeline {
    const commands: Command[] = [];
    let isNegated = false;
    while (this.#isWord("!")) {
      this.#take();
      isNegated = !isNegated;
    }
    for (;;) {
      const command = this.#command();
      if (command !== undefined) commands.push(command);
      const token = this.#peek();
      if (token?.kind !== "operator" || (token.text !== "|" && token.text !== "|&")) return { commands, isNegated };
      this.#take();
      this.#skipNewlines();
    }
  }

  #command(): Command | undefined {
    const token = this.#peek();
    if (token === undefined) return undefined;
    if (token.kind === "operator") return token.text === "(" ? this.#subshell() : undefined;
    switch (plain(token.word)) {
      case "if":
        return this.#if();
      case "while":
      case "until":
        return this.#loop(plain(token.word) === "until");
      case "for":
        return this.#for();
      case "{": {
        this.#take();
        const list = this.list();
        this.#expect("}");
        return { kind: "group", list, isSubshell: false };
      }
      case "case":
        return this.#unknownUntil("esac", "case", token.word.line);
      case "function":
        this.#take();
        return this.#simple();
      default:
        return this.#simple();
    }
  }

  #subshell(): Command {
    this.#take();
    const list = this.list();
    const close = this.#peek();
    if (close?.kind === "operator" && close.text === ")") this.#take();
    return { kind: "group", list, isSubshell: true };
  }

  #if(): Command {
    const clauses: { condition: List; body: List }[] = [];
    let otherwise: List = [];
    this.#take();
    for (;;) {
      const condition = this.list();
      this.#expect("then");
      clauses.push({ condition, body: this.list() });
      if (this.#isWord("elif")) this.#take();
      else break;
    }
    if (this.#isWord("else")) {
      this.#take();
      otherwise = this.list();
    }
    this.#expect("fi");
    return { kind: "if", clauses, otherwise };
  }

  #loop(isUntil: boolean): Command {
    this.#take();
    const condition = this.list();
    this.#expect("do");
    const body = this.list();
    this.#expect("done");
    return { kind: "while", condition, body, isUntil };
  }

  #for(): Command {
    this.#take();
    const name = this.#take();
    const words: Word[] = [];
    if (this.#isWord("in")) {
      this.#take();
      for (let token = this.#peek(); token?.kind === "word"; token = this.#peek()) {
        words.push(token.word);
        this.#take();
      }
    }
    this.#skipSeparators();
    this.#expect("do");
    const body = this.list();
    this.#expect("done");
    return { kind: "for", name: name?.kind === "word" ? name.word.source : "", words, body };
  }

  /** `name () { … }`, behind the name. */
  #function(name: string): Command {
    this.#take();
    const close = this.#peek();
    if (close?.kind === "operator" && close.text === ")") this.#take();
    this.#skipNewlines();
    const body = this.#command();
    return body === undefined ? this.#unknown("a function", this.#line) : { kind: "function", name, body };
  }

  #unknownUntil(end: string, what: string, line: number): Command {
    while (this.#peek() !== undefined && !this.#isWord(end)) this.#take();
    this.#take();
    return this.#unknown(what, line);
  }

  #unknown(what: string, line: number): Command {
    this.unread.push(`${what} in line ${line}`);
    return { kind: "unknown", what, line };
  }

  #simple(): Command {
    const assignments: Assignment[] = [];
    const words: Word[] = [];
    const targets: string[] = [];
    let line = this.#line;
    for (;;) {
      const token = this.#peek();
      if (token?.kind !== "word") {
        // `name ()` declares a function.
        if (token?.text === "(" && words.length === 1) return this.#function((words[0] as Word).source);
        if (token !== undefined && /^&?[<>]/.test(token.text)) {
          this.#redirection(token.text, token.line, targets);
          continue;
        }
        return { kind: "simple", assignments, words, targets, line };
      }
      this.#take();
      if (words.length === 0 && assignments.length === 0) line = token.word.line;
      const assignment = words.length === 0 ? assignmentOf(token.word) : undefined;
      if (assignment !== undefined) assignments.push(assignment);
      // The 2 of `2>&1` is no word.
      else if (/^\d$/.test(token.word.source) && /[<>]/.test(this.#text.charAt(this.#at))) continue;
      else words.push(token.word);
    }
  }

  #redirection(operator: string, line: number, targets: string[]): void {
    this.#take();
    if (operator.startsWith("<<")) this.unread.push(`a here-document in line ${line}`);
    const target = this.#peek();
    if (target?.kind !== "word") return;
    targets.push(target.word.source);
    this.#take();
  }

  #skipNewlines(): void {
    for (;;) {
      const token = this.#peek();
      if (token?.kind !== "operator" || token.text !== "\n") return;
      this.#take();
    }
  }

  #isWord(text: string): boolean {
    const token = this.#peek();
    return token?.kind === "word" && plain(token.word) === text;
  }

  #expect(keyword: string): void {
    if (this.#isWord(keyword)) this.#take();
    else this.unread.push(`"${keyword}" is missing before line ${this.#line + 1}`);
  }

  #peek(): Token | undefined {
    if (this.#peeked === "none") this.#peeked = this.#token();
    return this.#peeked;
  }

  #take(): Token | undefined {
    const token = this.#peek();
    this.#peeked = "none";
    return token;
  }

  #token(): Token | undefined {
    this.#skipBlanks();
    const line = this.#line;
    const character = this.#text.charAt(this.#at);
    if (character === "") return undefined;
    if (character === "\n") {
      this.#newline();
      return { kind: "operator", text: "\n", line };
    }
    const operator = /^(&&|\|\||\|&|;;|<<-?|<>|>>|>&|<&|&>>?|[;&|()<>])/.exec(
      this.#text.slice(this.#at, this.#at + 3),
    )?.[1];
    if (operator !== undefined) {
      this.#at += operator.length;
      return { kind: "operator", text: operator, line };
    }
    return { kind: "word", word: this.#word() };
  }

  #newline(): void {
    this.#at++;
    this.#line++;
    this.#lineStart = this.#at;
  }

  #skipBlanks(): void {
    for (;;) {
      const character = this.#text.charAt(this.#at);
      if (character === " " || character === "\t" || character === "\r") this.#at++;
      else if (character === "\\" && this.#text.charAt(this.#at + 1) === "\n") {
        this.#at++;
        this.#newline();
      } else if (character === "#")
        while (this.#at < this.#text.length && this.#text.charAt(this.#at) !== "\n") this.#at++;
      else return;
    }
  }

  #word(): Word {
    const start = this.#at;
    const line = this.#line;
    const column = start - this.#lineStart + 1;
    const parts: Part[] = [];
    let text = "";
    let isQuoted = false;
    let isInside = false;
    const flush = (): void => {
      if (text !== "") parts.push({ kind: "text", text });
      text = "";
    };
    for (;;) {
      const character = this.#text.charAt(this.#at);
      if (character === "" || (!isInside && /[\s;&|()<>]/.test(character))) break;
      if (character === "'" && !isInside) {
        const end = this.#text.indexOf("'", this.#at + 1);
        text += this.#consume(this.#at + 1, end < 0 ? this.#text.length : end);
        this.#at++;
        isQuoted = true;
      } else if (character === '"') {
        isInside = !isInside;
        isQuoted = true;
        this.#at++;
      } else if (character === "\\") {
        text += this.#text.charAt(this.#at + 1);
        this.#consume(this.#at, this.#at + 2);
      } else if (character === "`" || this.#text.startsWith("$(", this.#at)) {
        flush();
        parts.push(this.#substitution());
      } else if (character === "$") {
        const name = /^\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*|[0-9?#@*$!]))/.exec(
          this.#text.slice(this.#at, this.#at + 100),
        );
        if (name === null) {
          text += character;
          this.#at++;
        } else {
          flush();
          parts.push({ kind: "variable", name: (name[1] ?? name[2]) as string });
          this.#at += name[0].length;
        }
      } else {
        text += character;
        this.#consume(this.#at, this.#at + 1);
      }
    }
    flush();
    return { parts, isQuoted, source: this.#text.slice(start, this.#at), line, column };
  }

  /** Moves on to `end`, counting lines, and returns what lay between. */
  #consume(from: number, end: number): string {
    const text = this.#text.slice(from, end);
    for (this.#at = from; this.#at < Math.min(end, this.#text.length); )
      if (this.#text.charAt(this.#at) === "\n") this.#newline();
      else this.#at++;
    return text;
  }

  #substitution(): Part {
    const isBacktick = this.#text.charAt(this.#at) === "`";
    const start = this.#at + (isBacktick ? 1 : 2);
    const end = isBacktick ? this.#text.indexOf("`", start) : closingParenthesis(this.#text, start);
    const stop = end < 0 ? this.#text.length : end;
    const line = this.#line;
    const column = start - this.#lineStart;
    const inner = this.#text.slice(start, stop);
    this.#consume(start, stop);
    this.#at = stop + 1;
    if (this.#nesting >= MAX_NESTING || inner.startsWith("(")) {
      this.unread.push(`arithmetic in line ${line}`);
      return { kind: "variable", name: "((" };
    }
    const reader = new Reader(inner, line, column, this.#nesting + 1);
    const list = reader.list();
    this.unread.push(...reader.unread);
    return { kind: "substitution", list };
  }
}

/** Where the parenthesis that is open at `from` closes; -1 when it doesn't. */
function closingParenthesis(text: string, from: number): number {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    if (text.charAt(at) === "(") open++;
    else if (text.charAt(at) === ")" && --open === 0) return at;
  }
  return -1;
}

/** The text of a word without quotes and substitutions; undefined when it has some. */
function plain(word: Word): string | undefined {
  const [part, ...rest] = word.parts;
  return part?.kind === "text" && rest.length === 0 && !word.isQuoted ? part.text : undefined;
}

function isKeyword(token: { readonly word: Word }, keywords: ReadonlySet<string>): boolean {
  const text = plain(token.word);
  return text !== undefined && keywords.has(text);
}

function assignmentOf(word: Word): Assignment | undefined {
  const [first, ...rest] = word.parts;
  if (first?.kind !== "text") return undefined;
  const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(first.text);
  if (match === null || !word.source.startsWith(`${match[1]}=`)) return undefined;
  const text = match[2] as string;
  const parts: Part[] = text === "" ? [...rest] : [{ kind: "text", text }, ...rest];
  return { name: match[1] as string, value: { ...word, parts } };
}

/** Calls `visit` with every simple command of a script, those in substitutions and branches included. */
export function eachCommand(list: List, visit: (command: Extract<Command, { kind: "simple" }>) => void): void {
  const visitWord = (word: Word): void => {
    for (const part of word.parts) if (part.kind === "substitution") eachCommand(part.list, visit);
  };
  const visitCommand = (command: Command): void => {
    switch (command.kind) {
      case "simple":
        for (const { value } of command.assignments) visitWord(value);
        for (const word of command.words) visitWord(word);
        if (command.words.length > 0) visit(command);
        return;
      case "if":
        for (const { condition, body } of command.clauses) {
          eachCommand(condition, visit);
          eachCommand(body, visit);
        }
        eachCommand(command.otherwise, visit);
        return;
      case "while":
        eachCommand(command.condition, visit);
        eachCommand(command.body, visit);
        return;
      case "for":
        eachCommand(command.body, visit);
        return;
      case "function":
        visitCommand(command.body);
        return;
      case "group":
        eachCommand(command.list, visit);
        return;
      case "unknown":
        return;
    }
  };
  for (const { pipeline } of list) for (const command of pipeline.commands) visitCommand(command);
}
