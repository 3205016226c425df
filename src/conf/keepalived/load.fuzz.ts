import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { machineOf, readerOf } from "./example.ts";
import type { Documented } from "./interpreter.ts";
import { loadKeepalived } from "./load.ts";
import { keywordReference } from "./root.ts";

/** Every keyword of every block. */
function keywordsOf(table: Readonly<Record<string, Documented>>): string[] {
  return Object.entries(table).flatMap(([name, { keywords = {} }]) => [name, ...keywordsOf(keywords)]);
}
const keywords = [...new Set(keywordsOf(keywordReference()))];

const word = fc.oneof(
  fc.constantFrom(
    "MASTER",
    "eth0",
    "10.0.0.1/24",
    "fe80::1",
    "255",
    "-1",
    "0.01",
    "weight",
    "reverse",
    "dev",
    "brd",
    "+",
  ),
  fc.constantFrom(
    "$X",
    "${X}",
    "${_RANDOM 1 2}",
    '"a b"',
    '"',
    "'",
    "\\",
    "# c",
    "! c",
    "{",
    "}",
    "@a",
    "~SEQ(X,1,3)",
    "\0",
  ),
  fc.integer({ min: -300, max: 70_000 }).map(String),
  fc.string({ maxLength: 12 }),
);
const line = fc
  .tuple(fc.constantFrom(...keywords, "$X=", "include", "foo"), fc.array(word, { maxLength: 4 }), fc.boolean())
  .map(([keyword, words, opens]) => `${[keyword, ...words].join(" ")}${opens ? " {" : ""}`);
const text = fc.array(fc.oneof({ weight: 5, arbitrary: line }, fc.constant("}"), fc.string()), { maxLength: 60 });

test("no text makes the loader throw, and what it finds has a place in a file", () => {
  const machine = machineOf(["eth0"]);
  fc.assert(
    fc.property(text, fc.boolean(), (lines, withMachine) => {
      const files = { "/a": lines.join("\n"), "/b": "include /a\n" };
      const options = { reader: readerOf(files), configId: "a" };
      const loaded = loadKeepalived("/b", withMachine ? { ...options, machine } : options);
      assert.ok([0, 2, 5, 6].includes(loaded.exitStatus));
      for (const { position } of loaded.diagnostics) if (position !== undefined) assert.ok(position.line >= 1);
      for (const { priority, virtualRouterId } of loaded.config.instances)
        assert.ok(priority >= 1 && priority <= 255 && virtualRouterId >= 0 && virtualRouterId <= 255);
    }),
    { numRuns: 400 },
  );
});

test("definitions and repeaters that feed on themselves are bounded", () => {
  for (const body of [
    "$X=$X$X\n$X",
    "$X=${Y}${Y}\n$Y=${X}${X}\nrouter_id $X",
    "~SEQ(a,1,4000) ~SEQ(b,1,4000) ~SEQ(c,1,4000) foo",
    `${"{".repeat(1000)}`,
    `${"vrrp_instance A { authentication { ".repeat(50)}`,
  ])
    loadKeepalived("/a", { reader: readerOf({ "/a": body }), configId: "a" });
});
