/**
 * `tandem explain NAME [-c FILE] [-p PREFIX] [-k FILE]`: what a directive of nginx.conf or a keyword of keepalived.conf is, from its
 * declaration, and where a configuration sets it; for a `$variable`, whether it exists and where it is mentioned.
 */
import { parseArgs } from "node:util";
import { bind } from "../conf/bind.ts";
import type { Catalog } from "../conf/catalog.ts";
import {
  type Description,
  describeName,
  findVariable,
  mentionsOf,
  type Place,
  placesOf,
  similarNames,
  type VariableWords,
} from "../conf/describe.ts";
import { printDiagnostic } from "../conf/diagnostics.ts";
import type { Source } from "../conf/directive.ts";
import type { Piece } from "../conf/keepalived/lines.ts";
import { nginxModulesOf } from "../conf/nginx/directive-names.ts";
import { folderOf, load } from "../conf/nginx/load.ts";
import type { Scope } from "../conf/scope.ts";
import { fullName } from "../conf/slots.ts";
import { type KeywordEntry, keywordSyntax, placesOfKeyword } from "./keepalived-keywords.ts";
import { printError } from "./standard-error.ts";

/** What can be asked about. */
export interface Known {
  readonly catalog: Catalog;
  readonly keywords: readonly KeywordEntry[];
  readonly variables: readonly VariableWords[];
}

/** Configurations in which to look for uses. */
export interface LoadedFiles {
  readonly nginx?: { readonly main: Scope; readonly source: Source } | undefined;
  readonly keepalived?: readonly Piece[] | undefined;
}

/** The answer about one name, or undefined when nothing has it. */
export function explain(name: string, known: Known, { nginx, keepalived }: LoadedFiles = {}): string | undefined {
  if (name.startsWith("$")) return explainVariable(bare(name), known, nginx?.source);
  const directives = describeName(name, known.catalog);
  const keywords = known.keywords.filter((entry) => entry.name === name);
  // A shell takes the dollar away unless it is quoted, and with it the name; who leaves it out means the same.
  if (directives.length === 0 && keywords.length === 0)
    return /^\w+$/.test(name) ? explainVariable(name.toLowerCase(), known, nginx?.source) : undefined;
  const texts = [...directives.map(printDirective), ...keywords.map(printKeyword)];
  if (nginx !== undefined && directives.length > 0)
    texts.push(printPlaces(placesOf(name, nginx.main, known.catalog), "Set", "Not set"));
  if (keepalived !== undefined && keywords.length > 0)
    texts.push(printPlaces(placesOfKeyword(name, keepalived), "Used", "Not used"));
  return texts.join("\n");
}

/** `$name` or `${name}` without what marks it. */
function bare(variable: string): string {
  return variable.replace(/^\$\{?|\}$/g, "").toLowerCase();
}

/** `$1` to `$9`, which no module declares. */
const CAPTURE: VariableWords = {
  name: "",
  isFamily: false,
  canBeSet: false,
  module: "rewrite",
  doc: "What the parentheses of the last regular expression that matched have captured, by their number: of rewrite, if, location, server_name or map.",
};

function explainVariable(name: string, known: Known, source: Source | undefined): string | undefined {
  const mentions = source === undefined ? [] : mentionsOf(name, source);
  const words = /^[1-9]$/.test(name) ? [{ ...CAPTURE, name }] : findVariable(name, known.variables);
  if (words.length === 0 && mentions.length === 0) return undefined;
  const text =
    words.length === 0
      ? `$${name}\n\n  A variable that only this configuration defines.\n`
      : words.map(printVariable).join("\n");
  return source === undefined ? text : `${text}\n${printPlaces(mentions, "Mentioned", "Not mentioned")}`;
}

function printVariable({ name, isFamily, canBeSet, module, doc }: VariableWords): string {
  return printEntry(`$${name}${isFamily ? "NAME" : ""}`, canBeSet ? [doc, "Can be set."] : [doc], [
    ["file", "nginx.conf"],
    ["module", module],
  ]);
}

function printEntry(head: string, sentences: readonly string[], facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return [
    head,
    "",
    ...sentences.map((sentence) => `  ${sentence.replaceAll("`", "")}`),
    "",
    ...facts.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
    "",
  ].join("\n");
}

function printDirective({ module, syntax, standard, contexts, doc, notes }: Description): string {
  return printEntry(
    syntax,
    [doc, ...notes],
    [
      ["default", standard],
      ["context", contexts.join(", ")],
      ["file", "nginx.conf"],
      ["module", module],
    ],
  );
}

function printKeyword(entry: KeywordEntry): string {
  const { blocks, documented } = entry;
  const { doc, isImplemented } = documented;
  return printEntry(keywordSyntax(entry), isImplemented ? [doc] : [doc, "Not implemented: Tandem refuses it."], [
    ["default", documented.default ?? "—"],
    ["context", blocks.length === 0 ? "outside of blocks" : blocks.join(" / ")],
    ["file", "keepalived.conf"],
  ]);
}

function printPlaces(places: readonly Place[], verb: string, none: string): string {
  if (places.length === 0) return `${none} in this configuration.\n`;
  const width = Math.max(...places.map(({ position }) => position.length));
  const lines = places.map(({ position, where, text }) => `  ${position.padEnd(width)}  ${where}: ${text}`);
  return `${verb} in this configuration:\n${lines.join("\n")}\n`;
}

/** What to say when nothing has the name. */
export function unknownName(name: string, { catalog, keywords }: Known): string {
  if (name.startsWith("$"))
    return `no variable "${name}" is known; with -c FILE, those that a configuration defines are`;
  const modules = nginxModulesOf(name);
  if (modules.length > 0)
    return `"${name}" is a directive of nginx (${modules.join(", ")}) that Tandem does not implement yet; it is refused`;
  const names = new Set([...catalog.declarations.keys(), ...keywords.map((entry) => entry.name)]);
  const similar = similarNames(name, names);
  return `unknown directive "${name}"${similar.length === 0 ? "" : `; did you mean ${similar.join(", ")}?`}`;
}

const USAGE = `usage: tandem explain NAME [-c FILE] [-p PREFIX] [-k FILE]
       tandem explain failover keepalived.conf [--peer keepalived.conf]…   what follows from every fault (--help says more)

NAME is a directive of nginx.conf, a keyword of keepalived.conf, or a $variable (quote the dollar, or leave it out).
  -c FILE    also say where this nginx.conf sets or mentions it
  -p PREFIX  what relative paths in it begin at
  -k FILE    also say where this keepalived.conf uses it
`;

const OPTIONS = {
  file: { type: "string", short: "c" },
  prefix: { type: "string", short: "p" },
  keepalived: { type: "string", short: "k" },
  help: { type: "boolean", short: "h" },
} as const;

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return (error as Error).message;
  }
}

/** Explains one name. 0 when it is known, 1 when not, 2 when the arguments are wrong. */
export async function runExplain(args: readonly string[]): Promise<number> {
  // No directive, keyword or variable has this name.
  if (args[0] === "failover") return (await import("./explain-failover.ts")).runExplainFailover(args.slice(1));
  const parsed = parse(args);
  if (typeof parsed === "string") {
    printError(`tandem: ${parsed}`);
    return 2;
  }
  const { values, positionals } = parsed;
  const [name] = positionals;
  if (values.help === true || name === undefined || positionals.length > 1) {
    process.stdout.write(USAGE);
    return values.help === true ? 0 : 2;
  }
  const known = await knownNames();
  const nginx = values.file === undefined ? undefined : await loadNginx(values.file, values.prefix, known);
  const keepalived = values.keepalived === undefined ? undefined : await loadKeepalived(values.keepalived);
  if (nginx === null || keepalived === null) return 1;
  const text = explain(name, known, { nginx, keepalived });
  if (text === undefined) printError(`tandem: ${unknownName(name, known)}`);
  else process.stdout.write(text);
  return text === undefined ? 1 : 0;
}

/** All that this program knows. Loaded late: `--help` needs no modules. */
export async function knownNames(): Promise<Known> {
  const [{ nginxCatalog }, { nginxKinds }, { keywordReference }, { allKeywords }] = await Promise.all([
    import("../process/nginx-configuration.ts"),
    import("../process/nginx-kinds.ts"),
    import("../conf/keepalived/root.ts"),
    import("./keepalived-keywords.ts"),
  ]);
  return {
    catalog: nginxCatalog(nginxKinds),
    keywords: allKeywords(keywordReference()),
    variables: nginxKinds.flatMap((kind) => kind.variables ?? []),
  };
}

/** Loads and binds; findings go to standard error. Null when the main file can't be read. */
async function loadNginx(path: string, prefix: string | undefined, known: Known) {
  const { RecordingReader } = await import("../process/recorded-files.ts");
  const file = fullName(path, `${process.cwd()}/`);
  const reader = new RecordingReader();
  const source = load(file, reader);
  const confPrefix = folderOf(file);
  const { main, diagnostics } = bind([source], known.catalog, {
    prefix: prefix === undefined ? confPrefix : `${fullName(prefix, `${process.cwd()}/`).replace(/\/+$/, "")}/`,
    confPrefix,
    lookUp: reader.lookUp,
    isVariable: (name) => findVariable(name, known.variables).length > 0,
  });
  for (const diagnostic of diagnostics) printError(`tandem: ${printDiagnostic(diagnostic)}`);
  return source.text === undefined ? null : { main, source };
}

/** Reads the lines; findings go to standard error. Null when there is no such file. */
async function loadKeepalived(path: string): Promise<readonly Piece[] | null> {
  const [{ RecordingReader }, { readPieces }, { hostname }] = await Promise.all([
    import("../process/recorded-files.ts"),
    import("../conf/keepalived/lines.ts"),
    import("node:os"),
  ]);
  const options = { reader: new RecordingReader(), configId: hostname().split(".", 1)[0] as string };
  const { pieces, files } = readPieces(fullName(path, `${process.cwd()}/`), options, (severity, message, position) =>
    printError(
      `tandem: ${printDiagnostic(position === undefined ? { severity, message } : { severity, message, position })}`,
    ),
  );
  return files.length === 0 ? null : pieces;
}
