/** `tandem explain` has an answer for every directive, keyword and variable that there is, and the answer says something. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { nginxKinds } from "../process/nginx-kinds.ts";
import { explain, type Known, knownNames, unknownName } from "./explain.ts";
import { referencePages } from "./reference.ts";

let known: Known;
before(async () => {
  known = await knownNames();
});

/** Sentences of a doc: they begin with a capital or a name in backquotes, and end. */
function isProse(doc: string): boolean {
  return /^[A-Z`0-9$]/.test(doc) && /[.:]$/.test(doc) && !/undefined|null|\bTODO\b/.test(doc) && doc.includes(" ");
}

test("every directive of every module, in each of its contexts", () => {
  const missing: string[] = [];
  for (const [name, declarations] of known.catalog.declarations) {
    const text = explain(name, known) ?? "";
    for (const { slot, module, contexts } of declarations) {
      const isTold = text.includes(`module   ${module.name}`) && contexts.every((context) => text.includes(context));
      const head = slot.syntax === "" ? name : `${name} ${slot.syntax}`;
      if (!isTold || !text.includes(head) || !isProse(slot.doc)) missing.push(`${module.name}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(known.catalog.declarations.size > 150);
});

test("every keyword of keepalived.conf, in each of its blocks", () => {
  const missing = known.keywords.filter(({ name, blocks, documented }) => {
    const text = explain(name, known) ?? "";
    const where = blocks.length === 0 ? "outside of blocks" : blocks.join(" / ");
    return !text.includes(where) || !isProse(documented.doc);
  });
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
  assert.ok(known.keywords.length > 150);
});

test("every variable, with and without its dollar, and members of families", () => {
  const missing = known.variables.filter(({ name, isFamily, doc }) => {
    const asked = isFamily ? `${name}some_name` : name;
    const text = explain(`$${asked}`, known) ?? "";
    const isShown =
      text.startsWith(isFamily ? `$${name}NAME\n` : `$${name}\n`) && text.includes(doc.replaceAll("`", ""));
    const isElsewhere = known.catalog.declarations.has(name) || known.keywords.some((entry) => entry.name === name);
    const isAlike = isElsewhere || explain(asked, known) === text;
    return !isShown || !isAlike || explain(`\${${asked}}`, known) !== text || !isProse(doc);
  });
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
  assert.ok(known.variables.length > 80);
});

test("what is explained is what a configuration may use", () => {
  const isKnown = (name: string): boolean => nginxKinds.some((kind) => kind.isVariable?.(name) ?? false);
  for (const { name, isFamily } of known.variables) assert.ok(isKnown(isFamily ? `${name}x` : name), name);
});

test("captures and include, which no module declares", () => {
  assert.match(explain("$1", known) ?? "", /^\$1\n\n {2}What the parentheses/);
  assert.match(explain("include", known) ?? "", /^include file \| mask;[\s\S]*include FILE \| PATTERN/);
  assert.equal(explain("$0", known), undefined);
});

test("names that nothing has", () => {
  assert.equal(explain("no_such_name", known), undefined);
  assert.equal(explain("$no_such_name", known), undefined);
  assert.match(unknownName("no_such_name", known), /unknown directive/);
});

test("the reference has them all, too", async () => {
  const text = [...(await referencePages()).values()].join("\n");
  const names = [...known.catalog.declarations.keys(), "include"].filter((name) => !text.includes(`## ${name}\n`));
  const keywords = known.keywords.map(({ name }) => name).filter((name) => !text.includes(`\`${name}`));
  const variables = known.variables.map(({ name }) => name).filter((name) => !text.includes(`\`$${name}`));
  assert.deepEqual([names, keywords, variables], [[], [], []]);
});
