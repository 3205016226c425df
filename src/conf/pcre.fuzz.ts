import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { translatePattern } from "./pcre.ts";

test("any text is a pattern or is refused with a reason", () => {
  const piece = fc.constantFrom(
    ..."( ) [ ] { } * + ? | ^ $ . \\ a 1 , - : = ! < > P Q E p N".split(" "),
    "(?",
    "[:alpha:]",
    "\\x",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
      ),
      (source) => {
        const translated = translatePattern(source, false);
        if (translated.ok) translated.value.regexp.test("abc");
        else assert.notEqual(translated.reason, undefined);
      },
    ),
    { numRuns: 3000 },
  );
});

test("a literal text in \\Q and \\E matches itself", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme-ascii", maxLength: 20 }), (text) => {
      fc.pre(!text.includes("\\E") && !text.endsWith("\\"));
      const translated = translatePattern(`^\\Q${text}\\E$`, false);
      assert.ok(translated.ok);
      assert.ok(translated.value.regexp.test(text));
    }),
  );
});
