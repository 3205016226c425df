import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedText } from "./shared-text.ts";

test("who shares the words sees the text and its version", () => {
  const words = new Int32Array(8);
  const mine = new SharedText(words);
  const theirs = new SharedText(words);
  assert.deepEqual([theirs.version, theirs.read()], [0, ""]);
  assert.equal(mine.write("peer ä"), true);
  assert.deepEqual([theirs.version, theirs.read()], [1, "peer ä"]);
  assert.equal(mine.write("two"), true);
  assert.deepEqual([theirs.version, theirs.read()], [2, "two"]);
  assert.equal(theirs.write(""), true);
  assert.deepEqual([mine.version, mine.read()], [3, ""]);
});

test("a text that does not fit changes nothing", () => {
  const text = new SharedText(new Int32Array(7));
  assert.equal(text.write("12345678"), true);
  assert.equal(text.write("123456789"), false);
  assert.deepEqual([text.version, text.read()], [1, "12345678"]);
});

test("a writer that is killed before its text counts has written nothing", () => {
  const words = new Int32Array(20);
  const text = new SharedText(words);
  text.write("before");
  const version = words[0] as number;
  text.write("a longer one");
  words[0] = version;
  assert.equal(text.read(), "before");
});
