import assert from "node:assert/strict";
import { test } from "node:test";
import { printDiagnostic } from "../diagnostics.ts";
import type { Directive } from "../directive.ts";
import { MAX_WORD_BYTES } from "./lexer.ts";
import { MAX_DEPTH, parse } from "./parser.ts";

/** `name arg arg` or `name [inner; inner]`, words in brackets when they hold blanks. */
function words(directives: readonly Directive[]): unknown[] {
  return directives.map(({ name, args, block }) => {
    const line = [name, ...args.map(({ text }) => text)];
    return block === undefined ? line : [...line, words(block.directives)];
  });
}

function tree(text: string): unknown[] {
  const source = parse(text, { file: "f" });
  assert.equal(source.fault, undefined, text);
  return words(source.directives);
}

function fault(text: string): string | undefined {
  const source = parse(text, { file: "f" });
  return source.fault && printDiagnostic(source.fault);
}

test("words end at blanks, semicolons and opening braces", () => {
  assert.deepEqual(tree("a b\tc\r\nd;e{f g;}h;"), [["a", "b", "c", "d"], ["e", [["f", "g"]]], ["h"]]);
  assert.deepEqual(tree("a{}b;"), [["a", []], ["b"]]);
});

test("quotes quote only at the start of a word", () => {
  assert.deepEqual(tree(`a "b c;{}#" 'd "e' f"g h'i;`), [["a", "b c;{}#", 'd "e', 'f"g', "h'i"]]);
  assert.deepEqual(tree(`"a b" '';`), [["a b", ""]]);
  assert.deepEqual(tree(`a "b\nc";`), [["a", "b\nc"]]);
});

test("a closing parenthesis may follow a quoted word, and begins the next", () => {
  assert.deepEqual(tree(`if ($a = "b") { }`), [["if", "($a", "=", "b", ")", []]]);
});

test("escapes are resolved in every word, unknown ones stay", () => {
  assert.deepEqual(tree(String.raw`a \"b \'c d\\e f\tg\rh\ni j\d\; "k\"l\.";`), [
    ["a", '"b', "'c", "d\\e", "f\tg\rh\ni", "j\\d\\;", 'k"l\\.'],
  ]);
});

test("a brace behind a dollar belongs to the variable", () => {
  assert.deepEqual(tree("a ${b}c d${e} {f;}"), [["a", "${b}c", "d${e}", [["f"]]]]);
  assert.deepEqual(tree("a $b{c;}"), [["a", "$b", [["c"]]]]);
});

test("comments go to the end of the line and begin only where a word could", () => {
  assert.deepEqual(tree("# x { \" '\na b#c; # d\n#e"), [["a", "b#c"]]);
  assert.deepEqual(tree("a # b;\nc;"), [["a", "c"]]);
});

test("a closing brace inside a word is part of it", () => {
  assert.deepEqual(tree("a b}; c {d}e f;}"), [
    ["a", "b}"],
    ["c", [["d}e", "f"]]],
  ]);
});

test("positions: where the name begins, where the terminator is, where the block ends", () => {
  const [first, second] = parse("a\n  b;\n\n c {\n d\n;\n}", { file: "f" }).directives;
  assert.deepEqual(first?.position, { file: "f", line: 1, column: 1 });
  assert.deepEqual(first?.end, { file: "f", line: 2, column: 4 });
  assert.deepEqual(first?.args[0]?.position, { file: "f", line: 2, column: 3 });
  assert.deepEqual(second?.end, { file: "f", line: 4, column: 4 });
  assert.deepEqual(second?.block?.directives[0]?.end, { file: "f", line: 6, column: 1 });
  assert.deepEqual(second?.block?.end, { file: "f", line: 7, column: 1 });
});

test("line feeds count in quotes, behind a backslash and in comments", () => {
  for (const [text, line] of [
    ['a "b\n\nc";', 3],
    ["a b\\\nc;", 2],
    ['a "b\\\n";', 2],
    ["a # ;\n#\n;", 3],
  ] as const)
    assert.equal(parse(text, { file: "f" }).directives[0]?.end.line, line, text);
});

test("syntax errors have nginx's words and lines", () => {
  for (const [text, message] of [
    [";", 'unexpected ";" in f:1'],
    ["a;\n;", 'unexpected ";" in f:2'],
    ["{", 'unexpected "{" in f:1'],
    ["a;}", 'unexpected "}" in f:1'],
    ["a }", 'unexpected "}" in f:1'],
    ["a\n\n", 'unexpected end of file, expecting ";" or "}" in f:3'],
    ["a {\nb;\n", 'unexpected end of file, expecting "}" in f:3'],
    ["a {\nb\n}", 'unexpected "}" in f:3'],
    ['a "b', 'unexpected end of file, expecting ";" or "}" in f:1'],
    ['a "b"', 'unexpected end of file, expecting ";" or "}" in f:1'],
    ['a "b"c;', 'unexpected "c" in f:1'],
    [`a 'b'"c";`, 'unexpected """ in f:1'],
    ['a "b"}', 'unexpected "}" in f:1'],
    [`\na "\n${"b".repeat(MAX_WORD_BYTES)}";`, 'too long parameter, probably missing terminating """ character in f:2'],
    [`a '${"b".repeat(MAX_WORD_BYTES)}';`, 'too long parameter, probably missing terminating "\'" character in f:1'],
    [`a 1234567890${"b".repeat(MAX_WORD_BYTES)};`, 'too long parameter "1234567890..." started in f:1'],
  ] as const)
    assert.equal(fault(text), `[emerg] ${message}`, text.slice(0, 40));
});

test("a word may have 4095 bytes and no more", () => {
  for (const quote of ["", '"', "'"]) {
    assert.equal(fault(`a ${quote}${"b".repeat(MAX_WORD_BYTES - 1)}${quote};`), undefined);
    assert.match(fault(`a ${quote}${"b".repeat(MAX_WORD_BYTES)}${quote};`)!, /too long/);
  }
});

test("what precedes a syntax error is in the tree", () => {
  const { directives, fault } = parse("a; b { c; ;", { file: "f" });
  assert.deepEqual(words(directives), [["a"], ["b", [["c"]]]]);
  assert.equal(fault?.message, 'unexpected ";"');
});

test("-g gives directives without lines and without blocks", () => {
  const parameter = (text: string) => {
    const { fault } = parse(text, { file: "command line", isCommandLine: true });
    return fault && printDiagnostic(fault);
  };
  assert.equal(parameter("daemon off; pid x;"), undefined);
  assert.equal(parameter("daemon off"), '[emerg] unexpected end of parameter, expecting ";" in command line');
  assert.equal(parameter("events { }"), "[emerg] block directives are not supported in -g option in command line");
});

test("blocks within blocks are bounded", () => {
  const nested = (depth: number): string => "a{".repeat(depth) + "}".repeat(depth);
  assert.equal(fault(nested(MAX_DEPTH)), undefined);
  assert.equal(fault(nested(MAX_DEPTH + 1)), "[emerg] more than 128 nested blocks in f:1");
});
