/** Every keyword of keepalived is done, or refused by name with the reason that docs/compatibility.md gives. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { flattenKeywords, type KeywordEntry } from "../src/cli/keepalived-keywords.ts";
import { readerOf } from "../src/conf/keepalived/example.ts";
import { loadKeepalived } from "../src/conf/keepalived/load.ts";
import { keywordReference } from "../src/conf/keepalived/root.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const text = readFileSync(path.join(root, "docs/compatibility.md"), "utf8");

/** `block keyword: reason` of a table of keywords; parameters of routes are no keywords. */
function documented(title: string): string[] {
  const from = text.indexOf(`\n### ${title}\n`);
  assert.ok(from >= 0, title);
  const section = text.slice(from, text.indexOf("\n### ", from + 1));
  return [...section.matchAll(/^\| (.+?) \| (`.+?) \| (.+?) \|$/gm)]
    .filter(([, block = ""]) => !block.includes("_routes"))
    .flatMap(([, block = "", keywords = "", reason = ""]) =>
      [...keywords.matchAll(/`([^`]+)`/g)].map(
        ([, keyword = ""]) => `${block.replaceAll("`", "")} ${keyword}: ${reason}`,
      ),
    );
}

const all = flattenKeywords(keywordReference());
const refused = all.filter((entry) => !entry.documented.isImplemented);

/** The same of a declaration, whose text begins with this word. */
function declared({ name, blocks, documented: { doc } }: KeywordEntry, word: string): string {
  assert.ok(doc.startsWith(`${word}: `) && doc.endsWith("."), `${name}: ${doc}`);
  const block = blocks.length === 0 ? "outside of blocks" : blocks.join("/");
  return `${block} ${name}: ${doc.slice(word.length + 2, -1)}`;
}

test("what has no effect is what the documentation says, with its reason", () => {
  const idle = all.filter(({ documented: { doc } }) => doc.startsWith("No effect: "));
  assert.deepEqual(idle.map((entry) => declared(entry, "No effect")).sort(), documented("Without effect").sort());
});

test("what is refused is what the documentation says, with its reason", () => {
  assert.deepEqual(refused.map((entry) => declared(entry, "Refused")).sort(), documented("Refused").sort());
});

test("a refused keyword is an error with its name and its reason, in its line", () => {
  for (const { name, blocks, documented: about } of refused) {
    const [block] = blocks;
    const file = `${block}${block === "global_defs" ? "" : " X"} {\n${name} word\n}\n`;
    const loaded = loadKeepalived("/k", { reader: readerOf({ "/k": file }), configId: "node" });
    assert.equal(loaded.isUsable, false, name);
    const errors = loaded.diagnostics.filter(({ message }) => message.includes(" is refused: "));
    const why = about.doc.replace(/^Refused: (.*)\.$/, "$1");
    assert.deepEqual(
      errors.map(({ message, position }) => `${position?.line} ${message}`),
      [`2 '${name}' is refused: ${why}`],
    );
  }
});
