import assert from "node:assert/strict";
import { test } from "node:test";
import { INFINITE_DEPTH, parseDepth, parseDestination, parseOverwrite } from "./dav.ts";

test("a depth is 0, 1 or infinity, in small letters", () => {
  assert.deepEqual(["0", "1", "infinity"].map(parseDepth), [0, 1, INFINITE_DEPTH]);
  for (const text of ["", "2", "00", "Infinity", "infinity "]) assert.equal(parseDepth(text), undefined, text);
});

test("overwriting is T or F in either case", () => {
  assert.deepEqual(["T", "t", "F", "f"].map(parseOverwrite), [true, true, false, false]);
  for (const text of ["", "TRUE", "0"]) assert.equal(parseOverwrite(text), undefined, text);
});

test("a destination is a path, or a URI of the same host; its port does not matter", () => {
  const parse = (text: string): string => {
    const parsed = parseDestination(text, "http", "example.org");
    return parsed.ok ? parsed.path : parsed.reason;
  };
  assert.equal(parse("/a/b?c"), "/a/b?c");
  assert.equal(parse("http://example.org/a"), "/a");
  assert.equal(parse("http://example.org:8080/a"), "/a");
  assert.equal(parse("http://example.organic/a"), "/a", "as nginx has it");
  assert.equal(parse("http://other/a"), "foreign");
  assert.equal(parse("http://EXAMPLE.org/a"), "foreign");
  for (const text of ["", "a", "https://example.org/a", "http://example.org", "HTTP://example.org/"])
    assert.equal(parse(text), "invalid", text);
  assert.deepEqual(parseDestination("http://a/", "http", ""), { ok: false, reason: "no host" });
  assert.deepEqual(parseDestination("/a", "http", ""), { ok: true, path: "/a" });
  assert.deepEqual(parseDestination("https://a/b", "https", "a"), { ok: true, path: "/b" });
});
