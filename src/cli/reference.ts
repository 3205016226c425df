/** `tandem reference DIR`: writes the reference pages, one a module, from what the directives declare of themselves. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Catalog } from "../conf/catalog.ts";
import { type Description, describeName } from "../conf/describe.ts";

const GENERATED = "<!-- Written by `npm run reference`; edit the directives' declarations instead. -->\n";

function printDirective({ name, syntax, standard, contexts, doc, notes }: Description): string {
  const code = (text: string): string => (text === "—" ? text : `\`${text}\``);
  return [
    `## ${name}\n`,
    `${[doc, ...notes].join(" ")}\n`,
    `* syntax: ${code(syntax)}`,
    `* default: ${code(standard)}`,
    `* context: ${contexts.join(", ")}\n`,
  ].join("\n");
}

/** File names and texts of all pages: an index, and one page for each module with directives. */
export function renderReference(catalog: Catalog): ReadonlyMap<string, string> {
  const pages = new Map<string, string>();
  const index: string[] = [];
  for (const { name, directives } of catalog.modules) {
    const described = Object.keys(directives)
      .sort()
      .flatMap((directive) => describeName(directive, catalog).filter(({ module }) => module === name));
    if (described.length === 0) continue;
    const file = `${name}.md`;
    pages.set(file, `${GENERATED}\n# ${name}\n\n${described.map(printDirective).join("\n")}`);
    const links = described.map((entry) => `[${entry.name}](${file}#${entry.name})`);
    index.push(`* [${name}](${file}): ${links.join(" · ")}`);
  }
  pages.set("README.md", `${GENERATED}\n# Directives of nginx.conf\n\n${index.join("\n")}\n`);
  return pages;
}

/** Makes the folder hold exactly these pages. */
export function writePages(folder: string, pages: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.endsWith(".md") && !pages.has(name)) rmSync(path.join(folder, name));
  for (const [name, text] of pages) writeFileSync(path.join(folder, name), text);
}
