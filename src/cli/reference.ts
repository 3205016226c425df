/**
 * `tandem reference [DIR]`: writes the reference pages from what the directives and keywords declare of themselves: one page
 * for each module of nginx.conf, one for keepalived.conf.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import type { Catalog } from "../conf/catalog.ts";
import { type Description, describeName, INCLUDE, type VariableWords } from "../conf/describe.ts";
import { NGINX_DIRECTIVES } from "../conf/nginx/directive-names.ts";
import { type KeywordEntry, keywordSyntax } from "./keepalived-keywords.ts";

const GENERATED = "<!-- Written by `npm run reference`; edit the declarations of the directives instead. -->\n";
const KEEPALIVED_PAGE = "keepalived.md";
const VARIABLES_PAGE = "nginx-variables.md";
const MISSING_PAGE = "nginx-not-implemented.md";

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

/** File names and texts of all pages, an index among them. */
export function renderReference(
  catalog: Catalog,
  keywords: readonly KeywordEntry[],
  variables: readonly VariableWords[],
): ReadonlyMap<string, string> {
  const pages = new Map<string, string>();
  const index: string[] = [];
  for (const { name, directives } of catalog.modules) {
    const described = [...Object.keys(directives), ...(name === INCLUDE.module ? [INCLUDE.name] : [])]
      .sort()
      .flatMap((directive) => describeName(directive, catalog).filter(({ module }) => module === name));
    if (described.length === 0) continue;
    const file = `nginx-${name.replaceAll(/[^a-z0-9_]+/g, "-")}.md`;
    pages.set(file, `${GENERATED}\n# nginx.conf: ${name}\n\n${described.map(printDirective).join("\n")}`);
    const links = described.map((entry) => `[${entry.name}](${file}#${entry.name})`);
    index.push(`* [${name}](${file}): ${links.join(" · ")}`);
  }
  pages.set(KEEPALIVED_PAGE, renderKeywords(keywords));
  pages.set(VARIABLES_PAGE, renderVariables(variables));
  index.push(`* [variables](${VARIABLES_PAGE}): what requests have by themselves`);
  pages.set(MISSING_PAGE, renderMissing(catalog));
  index.push(`* [not implemented](${MISSING_PAGE}): directives of nginx that are refused`);
  const keepalived = `[All keywords](${KEEPALIVED_PAGE})`;
  pages.set(
    "README.md",
    `${GENERATED}\n# Reference\n\n## nginx.conf\n\n${index.join("\n")}\n\n## keepalived.conf\n\n${keepalived}\n`,
  );
  return pages;
}

/** One line per variable, by modules. */
function renderVariables(variables: readonly VariableWords[]): string {
  const sections = new Map<string, string[]>();
  for (const { name, isFamily, canBeSet, module, doc } of variables) {
    const lines = sections.get(module) ?? [];
    sections.set(module, lines);
    lines.push(`* \`$${name}${isFamily ? "NAME" : ""}\`: ${doc}${canBeSet ? " Can be set." : ""}`);
  }
  const text = [...sections].map(([module, lines]) => `## ${module}\n\n${lines.sort().join("\n")}\n`).join("\n");
  return `${GENERATED}\n# nginx.conf: variables\n\n${VARIABLES_TEXT}\n\n${text}`;
}

const VARIABLES_TEXT =
  "A configuration defines others with `set`, `map`, `geo`, `split_clients` and named captures. Families take a name.";

/** nginx's directives without a declaration, by nginx's modules. */
function renderMissing({ declarations }: Catalog): string {
  const lines = Object.entries(NGINX_DIRECTIVES).flatMap(([module, names]) => {
    const missing = names.filter((name) => !declarations.has(name)).map((name) => `\`${name}\``);
    return missing.length === 0 ? [] : [`* ${module}: ${missing.join(", ")}`];
  });
  const text = "Tandem refuses these as unknown, rather than ignore what somebody relies on.";
  return `${GENERATED}\n# nginx.conf: not implemented yet\n\n${text}\n\n${lines.join("\n")}\n`;
}

/** One section per block; keywords that Tandem refuses are named at its end. */
function renderKeywords(keywords: readonly KeywordEntry[]): string {
  const sections = new Map<string, KeywordEntry[]>();
  for (const entry of keywords) {
    const title = entry.blocks.length === 0 ? "Outside of blocks" : entry.blocks.join(" / ");
    sections.set(title, [...(sections.get(title) ?? []), entry]);
  }
  const texts = [...sections].map(([title, entries]) => {
    const lines = entries
      .filter(({ documented }) => documented.isImplemented)
      .map((entry) => {
        const { doc, default: standard } = entry.documented;
        return `* \`${keywordSyntax(entry)}\`: ${doc}${standard === undefined ? "" : ` Default: ${standard}.`}`;
      });
    const refused = entries.filter(({ documented }) => !documented.isImplemented).map(({ name }) => `\`${name}\``);
    if (refused.length > 0) lines.push(`* Refused, because not implemented: ${refused.join(", ")}`);
    return `## ${title}\n\n${lines.join("\n")}\n`;
  });
  return `${GENERATED}\n# keepalived.conf\n\n${texts.join("\n")}`;
}

/** Makes the folder hold exactly these pages. */
export function writePages(folder: string, pages: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.endsWith(".md") && !pages.has(name)) rmSync(path.join(folder, name));
  for (const [name, text] of pages) writeFileSync(path.join(folder, name), text);
}

/** All pages of this program. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const [{ nginxCatalog }, { nginxKinds }, { keywordReference }, { allKeywords }] = await Promise.all([
    import("../process/nginx-configuration.ts"),
    import("../process/nginx-kinds.ts"),
    import("../conf/keepalived/root.ts"),
    import("./keepalived-keywords.ts"),
  ]);
  const variables = nginxKinds.flatMap((kind) => kind.variables ?? []);
  return renderReference(nginxCatalog(nginxKinds), allKeywords(keywordReference()), variables);
}

const USAGE = `usage: tandem reference [FOLDER]

Makes FOLDER (default docs/reference) hold the reference pages of all directives and keywords.
`;

/** Writes the pages into the folder that is named, or `docs/reference`. 0, or 2 when the arguments are wrong. */
export async function runReference(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help || positionals.length > 1) {
    process.stdout.write(USAGE);
    return values.help ? 0 : 2;
  }
  const folder = positionals[0] ?? "docs/reference";
  const pages = await referencePages();
  writePages(folder, pages);
  process.stdout.write(`${pages.size} pages in ${folder}\n`);
  return 0;
}
