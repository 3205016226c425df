import assert from "node:assert/strict";
import { test } from "node:test";
import { translatePattern } from "./pcre.ts";

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  const translated = translatePattern(pattern, ignoreCase);
  assert.ok(translated.ok, `${pattern}: ${translated.ok ? "" : translated.reason}`);
  return translated.value.regexp.test(text);
}

function refusal(pattern: string): string {
  const translated = translatePattern(pattern, false);
  return translated.ok ? "" : translated.reason;
}

test("the patterns of usual configurations mean the same", () => {
  assert.ok(matches("\\.php$", "/a.php"));
  assert.ok(!matches("\\.php$", "/a.phpx"));
  assert.ok(matches("^/a/(.*)$", "/a/b"));
  assert.ok(matches("\\.(gif|jpe?g)$", "/A.JPG", true));
  assert.ok(!matches("\\.(gif|jpe?g)$", "/A.JPG"));
  assert.ok(matches("(?i)abc", "ABC"));
  assert.ok(matches("(?-i)abc", "abc", true) && !matches("(?-i)abc", "ABC", true));
  assert.ok(matches("(?s-i)a.c", "a\nc", true) && !matches("(?s-i)a.c", "A\nc", true));
  assert.ok(matches("^/[[:digit:]]{2,}/[^/]+$", "/123/x"));
  assert.ok(matches("a{,3}", "a{,3}"));
  assert.ok(matches("]", "]"));
  assert.ok(matches("[]a]+", "]a"));
});

test("quoting, anchors and PCRE's own classes are translated", () => {
  assert.ok(matches("^\\Qa.b*\\E$", "a.b*"));
  assert.ok(!matches("^\\Qa.b\\E$", "axb"));
  assert.ok(matches("\\Aab\\z", "ab"));
  assert.ok(!matches("\\Aab\\z", "ab\n"));
  assert.ok(matches("^a\\hb$", "a\tb"));
  assert.ok(matches("^\\x41\\x{42}$", "AB"));
  assert.ok(matches("^\\pN+$", "09"));
  assert.ok(matches("^a(?#comment)b$", "ab"));
  assert.ok(matches("^(?<x>a)\\k{x}(?P=x)$", "aaa"));
  assert.ok(matches("^[\\w.-]+@[a\\-z]$", "a.b-c@-"));
  assert.ok(matches("^a.b$", "a\rb"));
  assert.ok(!matches("^a.b$", "a\nb"));
  assert.ok(matches("(?s)^a.b$", "a\nb"));
});

test("named captures are told, in both spellings", () => {
  const translated = translatePattern("^(?<one>a)(?P<two>b)(?'three'c)$", false);
  assert.ok(translated.ok);
  assert.deepEqual(translated.value.names, ["one", "two", "three"]);
  assert.equal(translated.value.regexp.exec("abc")?.[2], "b");
});

test("a name belongs to the group of its place, and a reference by name to that group, wherever it stands", () => {
  const translated = translatePattern("^(a)(?:b)(?<c>c)([(](?<d>d))$", false);
  assert.ok(translated.ok);
  assert.deepEqual(translated.value.names, ["", "c", "", "d"]);
  assert.deepEqual([...(translated.value.regexp.exec("abc(d") ?? [])], ["abc(d", "a", "c", "(d", "d"]);
  assert.ok(matches("^(x)(?<a>.)\\k<a>0$", "xyy0"));
  assert.ok(!matches("^(x)(?<a>.)\\k<a>0$", "xyx0"));
  assert.ok(matches("^(?:(?P=a)|(?<a>y))+$", "yy"));
  assert.match(refusal("(?<a>x)\\k<b>"), /non-existent subpattern "b"/);
});

test("what has no equal is refused by name", () => {
  assert.match(refusal("a++"), /possessive/);
  assert.match(refusal("(?>a)"), /atomic/);
  assert.match(refusal("(?|a|b)"), /branch reset/);
  assert.match(refusal("(?R)"), /recursive/);
  assert.match(refusal("(?(1)a|b)"), /conditional/);
  assert.match(refusal("(*SKIP)a"), /verbs/);
  assert.match(refusal("a(?i)b"), /beginning/);
  assert.match(refusal("\\Ga"), /"\\G" is not supported/);
  for (const broken of ["(", "a)", "[a", "*a", "\\", "(?<a>x)(?<a>y)", "[[:nope:]]"]) {
    assert.notEqual(refusal(broken), "", broken);
  }
  assert.match(refusal("a".repeat(5000)), /too long/);
});
