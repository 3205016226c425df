/** A test that reads the sources: what the compiler and the linter can't see of the conventions. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** What git tracks or would track. */
function files(): string[] {
  return execFileSync("git", ["-C", root, "ls-files", "-co", "--exclude-standard"], { encoding: "utf8" })
    .split("\n")
    .filter((file) => file !== "" && existsSync(path.join(root, file)));
}

const isCheckout = existsSync(path.join(root, ".git")) && spawnSync("git", ["--version"]).status === 0;
const options = isCheckout ? {} : { skip: "not a git checkout, or no git here" };
const sources = isCheckout ? files().filter((file) => /^(src|test|bench)\/.*\.ts$/.test(file)) : [];
const products = sources.filter((file) => file.startsWith("src/") && !/\.(test|fuzz|bench|cases)\.ts$/.test(file));

/** Longest source file without an explanation; a longer one says in its header why ("Long because …"). */
const MAX_LINES = 600;

test("every source file begins with what it is", options, () => {
  const bare = products.filter((file) => !/^(#!.*\n)?\/\*\*/.test(read(file)));
  assert.deepEqual(bare, []);
});

test("files are named in kebab-case, or as nginx names a module", options, () => {
  const odd = sources.filter((file) => {
    const name = path.basename(file);
    const pattern = /\/(modules|balance)\//.test(file) ? /^[a-z0-9_-]+(\.[a-z]+)?\.ts$/ : /^[a-z0-9-]+(\.[a-z]+)?\.ts$/;
    return !pattern.test(name);
  });
  assert.deepEqual(odd, []);
});

test("no source file is longer than its subject needs", options, () => {
  const long = products.filter((file) => {
    const text = read(file);
    return text.split("\n").length > MAX_LINES && !/Long because/.test(text.slice(0, 1500));
  });
  assert.deepEqual(long, []);
});

test("nothing is called Manager, Helper, Utils or Impl", options, () => {
  const vague = /\b(?:class|interface|function|const|type)\s+\w*(?:Manager|Helper|Utils?|Impl)\b/;
  assert.deepEqual(
    products.filter((file) => vague.test(read(file)) || /(manager|helper|utils?|impl)\.ts$/.test(file)),
    [],
  );
});

test("nothing is left to be done in the sources", options, () => {
  const marker = new RegExp(`\\b(${["TO", "FIX", "XX"].map((word, i) => word + ["DO", "ME", "X"][i]).join("|")})\\b`);
  assert.deepEqual(
    sources.filter((file) => marker.test(read(file))),
    [],
  );
});

test(
  "koffi and nodemailer are imported in one file each, and Node only by os, process, check, lab and cli",
  options,
  () => {
    const importers = products.filter((file) => /from "koffi"/.test(read(file)));
    assert.deepEqual(importers, ["src/os/ffi/native.ts"]);
    const mailers = products.filter((file) => /from "nodemailer/.test(read(file)));
    assert.deepEqual(mailers, ["src/process/smtp.ts"]);
    const seesNode = products.filter((file) => /from "node:/.test(read(file)));
    assert.deepEqual(
      seesNode.filter((file) => !/^src\/(os|process|check|lab|cli)\//.test(file)),
      [],
    );
  },
);

test("every path that ARCHITECTURE.md names exists", options, () => {
  const named = [
    ...read("ARCHITECTURE.md").matchAll(/`((?:src|test|bench|docs|scripts|bin|examples|html|conf)\/[\w./-]*)`/g),
  ];
  assert.ok(named.length > 20, "the map names files");
  const missing = named.map((match) => match[1] as string).filter((name) => !existsSync(path.join(root, name)));
  assert.deepEqual(missing, []);
});

for (const service of ["http", "stream"])
  test(`the list of the ${service} modules is their folder`, options, () => {
    const listed = [...read(`src/${service}/modules.ts`).matchAll(/from "\.\/modules\/([\w-]+)\.ts"/g)].map(
      (match) => match[1],
    );
    const inFolder = new RegExp(`^src/${service}/modules/[\\w-]+\\.ts$`);
    const folder = products.filter((file) => inFolder.test(file)).map((file) => path.basename(file, ".ts"));
    assert.deepEqual([...new Set(listed)].sort(), folder.sort());
  });

test("the lock file names no registry", options, () => {
  assert.doesNotMatch(read("package-lock.json"), /"resolved"/);
});

test("every dependency at run time has its reason written down", options, () => {
  const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
  const decisions = files()
    .filter((file) => file.startsWith("docs/decisions/"))
    .map(read)
    .join("\n");
  for (const name of Object.keys(dependencies)) assert.match(decisions, new RegExp(`\\b${name}\\b`), name);
});
