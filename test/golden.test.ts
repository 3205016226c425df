/**
 * Configurations and what they amount to: `x.conf` with `x.json` (the adapted configuration) or `x.error` (all findings).
 * `UPDATE_GOLDEN=1` writes what comes out today. Where nginx is installed, its first error must be ours.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { adapt } from "../src/conf/adapt.ts";
import { bind } from "../src/conf/bind.ts";
import { printDiagnostic } from "../src/conf/diagnostics.ts";
import { type ConfigReader, load } from "../src/conf/nginx/load.ts";
import { findNginx, NginxCheck } from "./support/nginx-binary.ts";
import { testCatalog } from "./support/nginx-catalog.ts";

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../test/golden/nginx");
const isUpdating = process.env["UPDATE_GOLDEN"] === "1";
const { catalog, variables } = testCatalog();
/** Where the files seem to be, so that messages do not depend on the checkout. */
const PREFIX = "/etc/nginx/";

const reader: ConfigReader = {
  read: (name) => {
    const file = name.replace(PREFIX, `${folder}/`);
    if (existsSync(file)) return readFileSync(file);
    return { call: "open()", errno: 2, text: "No such file or directory" };
  },
  glob: (pattern) => {
    const directory = path.dirname(pattern);
    const expression = new RegExp(`^${path.basename(pattern).replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
    const names = readdirSync(directory.replace(PREFIX, `${folder}/`)).filter((name) => expression.test(name));
    return names.sort().map((name) => `${directory}/${name}`);
  },
};

const binary = findNginx();
const nginx = binary === undefined ? undefined : new NginxCheck(binary);
after(() => nginx?.remove());

function compare(file: string, text: string): void {
  if (isUpdating) writeFileSync(file, text);
  assert.equal(text, existsSync(file) ? readFileSync(file, "utf8") : "(no golden file: UPDATE_GOLDEN=1 writes it)");
}

for (const name of readdirSync(folder).filter((file) => file.endsWith(".conf"))) {
  const base = path.join(folder, name.slice(0, -".conf".length));
  const source = load(PREFIX + name, reader);
  const { main, diagnostics, isUsable } = bind([source], catalog, { prefix: "/", confPrefix: PREFIX, ...variables });
  const errors = diagnostics.map(printDiagnostic);

  test(`${name} amounts to what is recorded`, () => {
    if (isUpdating) for (const suffix of [".json", ".error"]) rmSync(base + suffix, { force: true });
    if (isUsable) compare(`${base}.json`, `${JSON.stringify(adapt(main, catalog), null, 2)}\n`);
    else compare(`${base}.error`, `${errors.join("\n")}\n`);
  });

  const skip = nginx === undefined ? "no nginx is installed here" : false;
  test(`nginx says the same of ${name} first`, { skip }, () => {
    const [theirs] = nginx!.test(`${folder}/${name}`).filter((line) => line.startsWith("[emerg]"));
    const [ours] = errors.filter((line) => line.startsWith("[emerg]"));
    assert.equal(theirs?.replaceAll(`${folder}/`, PREFIX), ours);
  });
}
