/** Statements → the tree of one file. Nothing is known of directives here: which may open a block is for `bind`. */
import type { Position } from "../diagnostics.ts";
import type { Block, Directive, Source, Word } from "../directive.ts";
import { Lexer } from "./lexer.ts";

/** Blocks within blocks, over all files. nginx has no bound but its stack; real files need about ten. */
export const MAX_DEPTH = 128;

/** How a text is read. */
export interface ParseOptions {
  /** As messages name it. */
  readonly file: string;
  /** The text of `-g`: directives only, and no lines. */
  readonly isCommandLine?: boolean;
  /** Blocks around the `include` that brought the file. */
  readonly outerDepth?: number;
}

/** Parses one text. A syntax error ends it, as nginx's does: `fault` says why, the tree holds what came before. */
export function parse(text: string, { file, isCommandLine = false, outerDepth = 0 }: ParseOptions): Source {
  const parser = new Parser(new Lexer(text, file, !isCommandLine), isCommandLine, MAX_DEPTH - outerDepth);
  const { directives } = parser.block(0);
  const { fault } = parser;
  if (fault === undefined) return { file, text, directives };
  return { file, text, directives, fault: { severity: "emerg", message: fault.message, position: fault.position } };
}

class Parser {
  readonly #lexer: Lexer;
  readonly #isCommandLine: boolean;
  readonly #maxDepth: number;
  fault: { readonly message: string; readonly position: Position } | undefined;

  constructor(lexer: Lexer, isCommandLine: boolean, maxDepth: number) {
    this.#lexer = lexer;
    this.#isCommandLine = isCommandLine;
    this.#maxDepth = maxDepth;
  }

  /** Reads until the block's `}`, the end of the file at depth 0, or a fault. */
  block(depth: number): Block {
    const directives: Directive[] = [];
    for (;;) {
      const statement = this.#lexer.next();
      const { end } = statement;
      switch (statement.kind) {
        case "fault":
          return this.#stop(directives, statement.message, end);
        case "end":
          if (depth > 0) return this.#stop(directives, 'unexpected end of file, expecting "}"', end);
          return { directives, end };
        case "close":
          if (depth === 0) return this.#stop(directives, 'unexpected "}"', end);
          return { directives, end };
        case "simple":
          directives.push(directive(statement.words, end));
          break;
        case "open":
          if (this.#isCommandLine)
            return this.#stop(directives, "block directives are not supported in -g option", end);
          if (depth === this.#maxDepth) return this.#stop(directives, `more than ${MAX_DEPTH} nested blocks`, end);
          directives.push({ ...directive(statement.words, end), block: this.block(depth + 1) });
          if (this.fault !== undefined) return { directives, end: this.fault.position };
      }
    }
  }

  #stop(directives: readonly Directive[], message: string, position: Position): Block {
    this.fault = { message, position };
    return { directives, end: position };
  }
}

function directive([name, ...args]: readonly Word[], end: Position): Directive {
  const { text, quote, position } = name as Word;
  return { name: text, nameQuote: quote, args, position, end };
}
