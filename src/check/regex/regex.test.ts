import assert from "node:assert/strict";
import { test } from "node:test";
import { automatonOf, MAX_STATES } from "./automaton.ts";
import { costOf } from "./backtracking.ts";
import { exampleOf } from "./example.ts";
import { anyDomain, hostDomain, isWithin, matchesNothing, overlap, pathDomain, prefixAutomaton } from "./language.ts";
import { type Expression, findGroup, isAnchored, isEnumerated, mayHold, parseExpression, setOf } from "./syntax.ts";

const parse = (regexp: RegExp): Expression => {
  const expression = parseExpression(regexp);
  assert.ok(expression !== undefined, `${regexp} is understood`);
  return expression;
};
const automaton = (regexp: RegExp) => {
  const found = automatonOf(parse(regexp).root);
  assert.ok(found !== undefined, `${regexp} is small enough`);
  return found;
};
const paths = pathDomain(true);

test("an example is matched by its expression", () => {
  for (const regexp of [/^\/a(b|c)+[^/]{2,3}\.(?:x|y)$/, /\x41\t[\]a-c-]/, /^(\d\D)\w\W\s\S$/i])
    assert.match(exampleOf(parse(regexp).root), regexp);
});

test("captures are found by their number, and what they may hold is known", () => {
  const { root, groupCount } = parse(/^(?:a)(b|c)([^/]*)(.*)/);
  assert.equal(groupCount, 3);
  const lineFeed = setOf("\n");
  const [first, named, third] = [1, 2, 3].map((which) => findGroup(root, which));
  assert.ok(first !== undefined && named !== undefined && third !== undefined);
  assert.deepEqual([isEnumerated(first), isEnumerated(named)], [true, false]);
  assert.deepEqual(
    [mayHold(first, lineFeed), mayHold(named, lineFeed), mayHold(third, lineFeed)],
    [false, true, false],
  );
  assert.equal(findGroup(root, 4), undefined);
});

test("an anchor counts when no way leads around it", () => {
  const isBoth = (regexp: RegExp) => (["start", "end"] as const).map((side) => isAnchored(parse(regexp).root, side));
  assert.deepEqual(isBoth(/^a$/), [true, true]);
  assert.deepEqual(isBoth(/(^a|b)(c|$)/), [false, false]);
  assert.deepEqual(isBoth(/(^a|^b)(?:c$)/), [true, true]);
});

test("what matches no path, and no host", () => {
  const nothing = (regexp: RegExp, domain = paths) => matchesNothing(automaton(regexp), domain);
  assert.equal(nothing(/^a/), true);
  assert.equal(nothing(/^(\/|)a/), false);
  assert.equal(nothing(/a\/\/b/), true);
  assert.equal(nothing(/a\/\/b/, pathDomain(false)), false);
  assert.equal(nothing(/\0/), true);
  assert.equal(nothing(/A/, hostDomain), true);
  assert.equal(nothing(/A/i, hostDomain), false);
  assert.equal(nothing(/$a/, anyDomain), true);
  assert.equal(nothing(/^^a$$/, anyDomain), false);
});

test("look-arounds and references are taken for more than they are", () => {
  assert.equal(matchesNothing(automaton(/^\/(?!a)a/), paths), false);
  assert.equal(isWithin(automaton(/^\/(?!a)/), automaton(/^\//), paths), true);
  assert.equal(isWithin(automaton(/^\/a/), automaton(/^\/(?!b)/), paths), undefined);
});

test("one expression within another", () => {
  const within = (a: RegExp, b: RegExp) => isWithin(automaton(a), automaton(b), paths);
  assert.equal(within(/\.css$/, /\.(css|js)$/), true);
  assert.equal(within(/\.(css|js)$/, /\.css$/), false);
  assert.equal(within(/^\/a\/b/, /^\/a/), true);
  assert.equal(within(/a/, /A/i), true);
  assert.equal(within(/^\/\d{3}$/, /^\/\d+$/), true);
  assert.equal(within(/./, /^\//), true);
  assert.equal(isWithin(prefixAutomaton("/a/", false), automaton(/^\/a/), paths), true);
  assert.equal(isWithin(prefixAutomaton("/a", false), automaton(/^\/a$/), paths), false);
  assert.equal(isWithin(prefixAutomaton("/a", true), automaton(/^\/a$/), paths), true);
});

test("expressions that have a text in common", () => {
  assert.equal(overlap(prefixAutomaton("/a/", false), automaton(/\.php$/), paths), true);
  assert.equal(overlap(prefixAutomaton("/a/", false), automaton(/^\/b/), paths), false);
});

test("what takes too long to find out stays open", () => {
  assert.equal(automatonOf(parse(new RegExp(`a{${MAX_STATES + 1}}`)).root), undefined);
  assert.equal(isWithin(automaton(/a.{15}b.{15}c/), automaton(/(a|b).{14}(b|c).{14}[ab]/), anyDomain), undefined);
});

test("the cost of an expression", () => {
  const cost = (regexp: RegExp) => costOf(automaton(regexp));
  for (const regexp of [/^(a+)+$/, /^(a|a)*b/, /^(a*)*b/, /^(a|ab|b)*c/, /^(\w+\s?)*$/, /^([a-z]+)*@/, /^(a?b?)*c/])
    assert.equal(cost(regexp), "exponential", `${regexp}`);
  for (const regexp of [/^(a|b)*$/, /^(a+b)+$/, /^(\w+)+/, /^(a+)+.*$/, /^(ab?)*c/, /^[^/]+\/[^/]+$/])
    assert.ok(cost(regexp) !== "exponential", `${regexp}`);
  assert.equal(cost(/^a*b$/), 1);
  assert.equal(cost(/^a*a*b$/), 2);
  assert.equal(cost(/^.*a.*b.*c$/), 3);
  assert.equal(cost(/a*a*b/), 3);
});
