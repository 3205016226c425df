import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Directive } from "../directive.ts";
import { parse } from "./parser.ts";
import { print, printWord } from "./printer.ts";

/** Texts made of what the grammar cares about. */
const pieces = fc.constantFrom(..."ab;{}\"'\\$#() \t\r\n=", "${", "\\n", "\\\\", "include ", "é", "\u00a0", "\u0000");
const texts = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(""));
const word = fc.record({ text: texts, quote: fc.constantFrom("", '"', "'") }, { noNullPrototype: true });
const position = { file: "f", line: 1, column: 1 };

const { directives } = fc.letrec<{ directives: Directive[] }>((tie) => ({
  directives: fc.array(
    fc
      .tuple(word, fc.array(word, { maxLength: 4 }), fc.option(tie("directives"), { maxDepth: 4, nil: undefined }))
      .map(([name, args, inner]) => ({
        name: name.text,
        nameQuote: name.quote,
        args: args.map((arg) => ({ ...arg, position })),
        position,
        end: position,
        ...(inner === undefined ? {} : { block: { directives: inner, end: position } }),
      })) as fc.Arbitrary<Directive>,
    { maxLength: 4, depthIdentifier: "nested" },
  ),
}));

/** Names, words and blocks without positions and quotes. */
function bare(list: readonly Directive[]): unknown {
  return list.map(({ name, args, block }) => ({
    words: [name, ...args.map(({ text }) => text)],
    block: block && bare(block.directives),
  }));
}

test("any tree that is printed parses to the same tree", () => {
  fc.assert(
    fc.property(directives, (tree) => {
      const source = parse(print(tree), { file: "f" });
      assert.equal(source.fault, undefined);
      assert.deepEqual(bare(source.directives), bare(tree));
      assert.equal(print(source.directives), print(tree));
    }),
    { numRuns: 300 },
  );
});

test("any text parses or is refused, and what was parsed prints to the same tree", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const source = parse(text, { file: "f" });
      const again = parse(print(source.directives), { file: "f" });
      assert.equal(again.fault, undefined);
      assert.deepEqual(bare(again.directives), bare(source.directives));
    }),
    { numRuns: 1000 },
  );
});

test("a word that needs no quotes gets none", () => {
  for (const text of ["a", "~*\\.php$".replace("\\", ""), "$uri", "${uri}x", "a\"b'c", ")", "a}"])
    assert.equal(printWord(text, ""), text);
  for (const text of ["", "a b", "a;", "a{2}", "\\.", "#a", "}", '"'])
    assert.match(printWord(text, ""), /^".*"$/, text);
});
