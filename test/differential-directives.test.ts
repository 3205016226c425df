/**
 * Every directive of Tandem against nginx's: form, arity and contexts against a table of facts; wrong uses against the
 * nginx of this machine, whose first error must be ours, line included. `FULL=1` tries all wrong uses, not a sample.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bind } from "../src/conf/bind.ts";
import { arityBounds, type Declaration } from "../src/conf/catalog.ts";
import { isFatal, printDiagnostic } from "../src/conf/diagnostics.ts";
import { parse } from "../src/conf/nginx/parser.ts";
import type { Context, Slot } from "../src/conf/slot.ts";
import { findNginx, NginxCheck } from "./support/nginx-binary.ts";
import { testCatalog } from "./support/nginx-catalog.ts";
import { type DirectiveFacts, FRAMED, frame, readDirectiveFacts } from "./support/nginx-directives.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const facts = readDirectiveFacts(root);
const { catalog, variables } = testCatalog();
const declarations = [...catalog.declarations.values()].flat();
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
    const contexts = contextsOf(name, slot);
    const row = factsOf(declaration);
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
    const more = contexts.filter((context) => !row.contexts.includes(context) && isServed(context));
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

/**
 * An older nginx lacks some directives, accounts, files and names are looked up by the
 * master, not while reading, and expressions are compiled by another library.
 */
const BEYOND_WORDS =
  /unknown directive|pcre2?_compile|getpwnam|getgrnam|(open|mkdir|mmap|stat|dlopen|bind|chown)\(\) |host not found|connections are not enough/;

/** Where Tandem differs on purpose. */
const WANTED: readonly { readonly line: RegExp; readonly why: string }[] = [
  { line: /^worker_priority 0;\n/, why: "a second worker_priority is a duplicate, whatever the first one says" },
  { line: /^variables_hash_\w+ 0;/, why: "nginx notices when it builds its hash" },
  { line: /^server_name a/, why: "a wildcard inside a name is refused for a lone server too" },
  { line: /^directio \d/, why: "files are read through the page cache only" },
];

/** The first error; of an unknown variable only Tandem says where it stands. */
function firstError(lines: readonly string[]): string {
  const line = lines.find((text) => text.startsWith("[emerg]")) ?? "accepted";
  return line.replace(/^(\[emerg\] unknown "\w+" variable) in .*$/, "$1");
}

/** One line in its place, to both programs; what differs, or undefined. */
function difference(context: Context, line: string): string | undefined {
  const text = frame(context, line);
  const file = nginx!.write("nginx.conf", text);
  const environment = { prefix: `${nginx!.folder}/`, confPrefix: `${nginx!.folder}/`, ...variables };
  const { diagnostics } = bind([parse(text, { file })], catalog, environment);
  const ours = firstError(diagnostics.filter(isFatal).map(printDiagnostic));
  const theirs = firstError(nginx!.test(file));
  if (ours === theirs || BEYOND_WORDS.test(theirs) || WANTED.some((wanted) => wanted.line.test(line))) return undefined;
  return `${context}: ${line}\n    ours   ${ours}\n    nginx  ${theirs}`;
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
  const lines = readFileSync(path.join(root, "test/data/nginx-uses.txt"), "utf8").split("\n");
  const uses = lines
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const name = line.split(/[ ;]/, 1)[0] as string;
      const contexts = catalog.declarations.get(name)?.flatMap((declaration) => declaration.contexts) ?? [];
      const context = FRAMED.find((framed) => contexts.includes(framed));
      assert.ok(context !== undefined, `${name} is a directive`);
      return { context: contexts.includes("location") && line.includes("alias") ? "location" : context, line } as const;
    });
  assertSame(uses);
});
