/**
 * Every directive of Tandem against nginx's: form, arity and contexts against a table of facts; wrong uses against the
 * nginx of this machine, whose first error must be ours, line included. `FULL=1` tries all wrong uses, not a sample.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { arityBounds, type Declaration } from "../src/conf/catalog.ts";
import type { Context, Slot } from "../src/conf/slot.ts";
import { findNginx, NginxCheck } from "./support/nginx-binary.ts";
import { testCatalog } from "./support/nginx-catalog.ts";
import { type DirectiveFacts, FRAMED, frame, readDirectiveFacts, readUses } from "./support/nginx-directives.ts";
import { agree, judge } from "./support/nginx-verdict.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const facts = readDirectiveFacts(root);
const { catalog } = testCatalog();
const declarations = [...catalog.declarations.values()].flat();
/** What only nginx's commercial edition has, or modules of others: their documentation is all there is to compare with. */
const ELSEWHERE = /^(health_check|match|queue|state|(brotli|zstd)(_\w+)?)$/;

/** nginx counts words only up to here. */
const COUNTED_WORDS = 8;

/** The row of nginx's table for a declaration: the one with a common context. */
function factsOf({ name, contexts }: Declaration): DirectiveFacts | undefined {
  return facts.find((row) => row.name === name && contexts.some((context) => row.contexts.includes(context)));
}

test("form, arity and contexts of every directive are nginx's", () => {
  const differences: string[] = [];
  for (const declaration of declarations) {
    const { name, slot } = declaration;
    if (ELSEWHERE.test(name)) continue;
    const contexts = contextsOf(name, slot);
    const row = factsOf(declaration);
    if (slot.isOwn) {
      if (row !== undefined) differences.push(`${name}: nginx has it, too`);
      continue;
    }
    if (row === undefined) {
      differences.push(`${name}: nginx has none in ${contexts.join(", ")}`);
      continue;
    }
    if (row.isBlock !== (slot.form !== "simple")) differences.push(`${name}: form`);
    const [min, max] = arityBounds(slot.arity);
    const sameMax = max === row.maxWords || (max >= COUNTED_WORDS && row.maxWords >= COUNTED_WORDS);
    if (min !== row.minWords || !sameMax)
      differences.push(`${name}: arity ${min}-${max}, not ${row.minWords}-${row.maxWords}`);
    const missing = row.contexts.filter((context) => !(contexts as readonly string[]).includes(context));
    const known = facts.filter((other) => other.name === name).flatMap((other) => other.contexts);
    const more = contexts.filter((context) => !known.includes(context) && isServed(context));
    if (missing.filter(isServed).length > 0) differences.push(`${name}: not in ${missing.join(", ")}`);
    if (more.length > 0) differences.push(`${name}: nginx has it not in ${more.join(", ")}`);
  }
  assert.ok(differences.length === 0, `${differences.length} differences:\n${differences.join("\n")}`);
});

/** Contexts of a name with this form: several modules may share a directive, as `error_log` of main and of http. */
function contextsOf(name: string, { form }: Slot<unknown>): readonly Context[] {
  const same = declarations.filter((declaration) => declaration.name === name && declaration.slot.form === form);
  return same.flatMap((declaration) => declaration.contexts);
}

/** Contexts that the catalog opens. */
function isServed(context: string): boolean {
  return (
    context === "main" || declarations.some(({ slot }) => Object.values(slot.opens ?? {}).includes(context as Context))
  );
}

const binary = findNginx();
const skip = binary === undefined ? "no nginx is installed here (NGINX_BINARY names one elsewhere)" : false;
const nginx = binary === undefined ? undefined : new NginxCheck(binary);
after(() => nginx?.remove());

const VALUES = [
  "x",
  "-1",
  "1x",
  "on",
  "off",
  "0",
  "1",
  "99999999999999999999",
  "$",
  "${a",
  "$nosuch",
  "''",
  "a=b",
  "4k",
  "10s",
];

/** nginx looks for variables in these when all is read, and blames the end of the http block. */
const COMPILED_LATER: ReadonlySet<string> = new Set(["proxy_set_header", "proxy_set_body"]);

/** Uses of a directive that are wrong, or may be. */
function usesOf({ name, slot, contexts }: Declaration): { readonly context: Context; readonly line: string }[] {
  const lines: string[] = [];
  const [min, max] = arityBounds(slot.arity);
  const end = slot.form === "simple" ? ";" : " {\n}";
  const use = (words: readonly string[]): string => `${[name, ...words].join(" ")}${end}`;
  const repeat = (word: string, count: number): string[] => new Array<string>(count).fill(word);
  if (min > 0) lines.push(use(repeat("1", min - 1)));
  if (max < COUNTED_WORDS) lines.push(use(repeat("1", max + 1)));
  lines.push(`${[name, ...repeat("1", min)].join(" ")}${slot.form === "simple" ? " { }" : ";"}`);
  for (const value of VALUES) {
    if (COMPILED_LATER.has(name) && value.startsWith("$")) continue;
    for (let count = Math.max(min, 1); count <= Math.min(max, min + 2); count++) lines.push(use(repeat(value, count)));
    lines.push(`${use(repeat(value, min))}\n${use(repeat(value, min))}`);
  }
  if (slot.defaultText !== undefined) lines.push(`${use([slot.defaultText])}\n${use([slot.defaultText])}`);
  const inside = contexts.filter((context) => FRAMED.includes(context)).slice(0, 1);
  const outside = FRAMED.filter((context) => !contexts.includes(context) && isServed(context));
  return [
    ...outside.map((context) => ({ context, line: use(repeat("1", min)) })),
    ...inside.flatMap((context) => [...new Set(lines)].map((line) => ({ context, line }))),
  ];
}

/** One line in its place, to both programs; what differs, or undefined. */
function difference(context: Context, line: string): string | undefined {
  const verdicts = judge(frame(context, line), nginx!);
  return agree(verdicts)
    ? undefined
    : `${context}: ${line}\n    ours   ${verdicts.ours}\n    nginx  ${verdicts.theirs}`;
}

function assertSame(uses: readonly { readonly context: Context; readonly line: string }[]): void {
  const differences = uses.flatMap(({ context, line }) => difference(context, line) ?? []);
  assert.ok(differences.length === 0, `${differences.length} differences:\n${differences.join("\n")}`);
}

test("wrong uses of every directive are refused with nginx's words and line", { skip, timeout: 600_000 }, () => {
  const all = declarations.flatMap((declaration) => usesOf(declaration));
  const step = process.env["FULL"] === "1" ? 1 : Math.max(1, Math.floor(all.length / 400));
  assertSame(all.filter((_, index) => index % step === 0));
});

test("uses that a person might write are judged as nginx judges them", { skip, timeout: 600_000 }, () => {
  const uses = readUses(root).map((line) => {
    const name = line.split(/[ ;]/, 1)[0] as string;
    const contexts = catalog.declarations.get(name)?.flatMap((declaration) => declaration.contexts) ?? [];
    const context = FRAMED.find((framed) => contexts.includes(framed));
    assert.ok(context !== undefined, `${name} is a directive`);
    return { context: contexts.includes("location") && line.includes("alias") ? "location" : context, line } as const;
  });
  assertSame(uses);
});
