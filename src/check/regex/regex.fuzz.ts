/** Random expressions: what the linter knows of them is what RegExp does with them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { translatePattern } from "../../conf/pcre.ts";
import { automatonOf } from "./automaton.ts";
import { costOf } from "./backtracking.ts";
import { exampleOf } from "./example.ts";
import { type Domain, isWithin, matchesNothing } from "./language.ts";
import { parseExpression } from "./syntax.ts";

/** Texts of three letters and of few of them, so that all can be tried. */
const LETTERS = "ab/";
const LONGEST = 4;
const texts: readonly string[] = (() => {
  let all: string[] = [""];
  let last = all;
  for (let length = 1; length <= LONGEST; length++) {
    last = last.flatMap((text) => [...LETTERS].map((letter) => text + letter));
    all = [...all, ...last];
  }
  return all;
})();

/** No text is longer than those. */
const short: Domain = {
  sets: [...LETTERS].map((letter) => 1n << BigInt(letter.charCodeAt(0))),
  next: (state, byte) => (state < LONGEST && LETTERS.includes(String.fromCharCode(byte)) ? state + 1 : -1),
  mayEnd: () => true,
};

const { source } = fc.letrec<{ source: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("a", "b", "/", ".", "[ab]", "[^a]", "\\w", "^", "$", "", "(?:)"),
    tie("source").map((inner) => `(${inner})`),
    tie("source").map((inner) => `(?:${inner})`),
  ),
  source: fc.oneof(
    { depthSize: "small" },
    tie("atom"),
    fc.tuple(tie("atom"), tie("source")).map((parts) => parts.join("")),
    fc.tuple(tie("source"), tie("source")).map((parts) => parts.join("|")),
    fc
      .tuple(tie("source"), fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "*?"))
      .map(([inner, times]) => `(?:${inner})${times}`),
  ),
}));

const automata = (text: string) => {
  const regexp = new RegExp(text);
  const expression = parseExpression(regexp);
  assert.ok(expression !== undefined, text);
  return { regexp, expression, automaton: automatonOf(expression.root) };
};

test("an expression matches nothing, or all of what another does, exactly when RegExp says so", () => {
  fc.assert(
    fc.property(source, source, (a, b) => {
      const [one, other] = [automata(a), automata(b)];
      if (one.automaton === undefined || other.automaton === undefined) return;
      const matched = texts.filter((text) => one.regexp.test(text));
      const nothing = matchesNothing(one.automaton, short);
      if (nothing !== undefined) assert.equal(nothing, matched.length === 0, a);
      const within = isWithin(one.automaton, other.automaton, short);
      const isWithinAll = matched.every((text) => other.regexp.test(text));
      if (within !== undefined) assert.equal(within, isWithinAll, `${a} within ${b}`);
    }),
    { numRuns: 1500 },
  );
});

test("an example without anchors in it is matched", () => {
  fc.assert(
    fc.property(source, (text) => {
      if (/[$^]/.test(text)) return;
      const { regexp, expression } = automata(text);
      assert.match(exampleOf(expression.root), regexp);
    }),
  );
});

test("whatever nginx.conf has as a pattern is read or refused, and its cost is found or left open", () => {
  const pieces = fc.constantFrom(
    ..."ab/.()[]{}*+?|^$\\-,0123:=!<>PixsdwnQE".split(""),
    "(?:",
    "(?=",
    "[^",
    "\\x4",
    "{1,2}",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 24 }), fc.boolean(), (list, ignoreCase) => {
      const pattern = translatePattern(list.join(""), ignoreCase);
      if (!pattern.ok) return;
      const expression = parseExpression(pattern.value.regexp);
      const automaton = expression === undefined ? undefined : automatonOf(expression.root);
      if (automaton !== undefined) costOf(automaton);
    }),
    { numRuns: 2000 },
  );
});
