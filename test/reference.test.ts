import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { referencePages } from "../src/cli/reference.ts";

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../docs/reference");

test("the committed reference is what the declarations say (npm run reference writes it)", async () => {
  const pages = await referencePages();
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".md")) : [];
  const differing = [...pages].filter(([name, text]) => {
    const file = path.join(folder, name);
    return !existsSync(file) || readFileSync(file, "utf8") !== text;
  });
  assert.deepEqual([differing.map(([name]) => name), files.filter((name) => !pages.has(name))], [[], []]);
});

test("docs/compatibility.md names every directive that is accepted without effect, and no other", async () => {
  const said = new Set<string>();
  for (const text of (await referencePages()).values())
    for (const [, name = ""] of text.matchAll(/^## (\S+)\n\nAccepted without effect/gm)) said.add(name);
  const page = readFileSync(path.join(folder, "../compatibility.md"), "utf8");
  const [, section = ""] = /### Accepted without effect\n([\s\S]*?)\n### /.exec(page) ?? [];
  const named = [...section.matchAll(/`([a-z_0-9]+)`/g)].map(([, name]) => name);
  assert.deepEqual(named.sort(), [...said].sort());
});
