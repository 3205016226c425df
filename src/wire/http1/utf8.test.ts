import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Offsets } from "./utf8.ts";

const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

test("characters of one to four bytes begin where they begin", () => {
  assert.deepEqual(utf8Offsets(""), [0]);
  assert.deepEqual(utf8Offsets("ab"), [0, 1, 2]);
  assert.deepEqual(utf8Offsets(bytes("aß€😀b")), [0, 1, 3, 6, 10, 11]);
});

test("what is cut off, too long, too large or begins in the middle is no text", () => {
  for (const text of ["\xc3", "a\xe2\x82", "\x80", "\xc1\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xf8", "\xc3a"])
    assert.equal(utf8Offsets(text), undefined, JSON.stringify(text));
  // nginx takes these.
  assert.deepEqual(utf8Offsets("\xed\xa0\x80"), [0, 3]);
  assert.deepEqual(utf8Offsets("\xc3\xff"), [0, 2]);
});
