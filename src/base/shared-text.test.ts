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
  assert.equal(mine.write(""), true);
  assert.deepEqual([theirs.version, theirs.read()], [2, ""]);
});

test("a text that does not fit changes nothing", () => {
  const text = new SharedText(new Int32Array(4));
  assert.equal(text.write("12345678"), true);
  assert.equal(text.write("123456789"), false);
  assert.deepEqual([text.version, text.read()], [1, "12345678"]);
});
