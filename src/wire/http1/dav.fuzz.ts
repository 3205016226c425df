/** Random fields of WebDAV requests: never more than the three depths, and a destination is always a path of the text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDepth, parseDestination, parseOverwrite } from "./dav.ts";

const word = fc.oneof(fc.string(), fc.constantFrom("0", "1", "infinity", "T", "f", "/", "http://", "a", ":80", "a/b"));
const text = fc.array(word, { maxLength: 5 }).map((words) => words.join(""));

test("depth and overwrite are one of their few words or nothing", () => {
  fc.assert(
    fc.property(text, (value) => {
      assert.equal(parseDepth(value) !== undefined, ["0", "1", "infinity"].includes(value));
      assert.equal(parseOverwrite(value) !== undefined, /^[TtFf]$/.test(value));
    }),
  );
});

test("a destination's path is the end of the text and begins with a slash", () => {
  fc.assert(
    fc.property(text, fc.constantFrom("http", "https"), fc.constantFrom("", "a", "a.b"), (value, scheme, host) => {
      const parsed = parseDestination(value, scheme, host);
      if (!parsed.ok) return;
      assert.ok(parsed.path.startsWith("/") && value.endsWith(parsed.path));
      const before = value.slice(0, value.length - parsed.path.length);
      assert.ok(before === "" || before.startsWith(`${scheme}://${host}`));
      assert.ok(!before.slice(scheme.length + 3 + host.length).includes("/"));
    }),
  );
});
