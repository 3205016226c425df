/** The tree → text that parses to the same tree (positions and comments apart). Includes stay what they are. */
import type { Directive, Quote } from "../directive.ts";

/** Characters that a word cannot hold bare, wherever they stand. */
const NEEDS_QUOTES = /[\s;{\\]|^["'#}]|^$/;

/** One word. It keeps its quotes; a bare word gets double quotes when its text needs some. */
export function printWord(text: string, quote: Quote): string {
  if (quote === "" && !NEEDS_QUOTES.test(text.replaceAll("${", "$"))) return text;
  const mark = quote === "" ? '"' : quote;
  return mark + escapeWord(text, mark) + mark;
}

function escapeWord(text: string, mark: '"' | "'"): string {
  let escaped = "";
  for (const char of text) {
    if (char === "\\" || char === mark) escaped += `\\${char}`;
    else escaped += ESCAPES[char] ?? char;
  }
  return escaped;
}
const ESCAPES: Readonly<Record<string, string>> = { "\t": "\\t", "\r": "\\r", "\n": "\\n" };

/** Directives one a line, blocks indented by four blanks. */
export function print(directives: readonly Directive[], indent = ""): string {
  let text = "";
  for (const { name, nameQuote, args, block } of directives) {
    const words = [printWord(name, nameQuote), ...args.map((word) => printWord(word.text, word.quote))];
    text += indent + words.join(" ");
    text += block === undefined ? ";\n" : ` {\n${print(block.directives, `${indent}    `)}${indent}}\n`;
  }
  return text;
}
