/**
 * `tandem explain DIRECTIVE|$VARIABLE [-c nginx.conf] [-p PREFIX]`: what a directive is, from its declaration, and where a
 * configuration sets it.
 */
import type { Catalog } from "../conf/catalog.ts";
import { type Description, describeName, mentionsOf, type Place, placesOf, similarNames } from "../conf/describe.ts";
import type { Source } from "../conf/directive.ts";
import type { Scope } from "../conf/scope.ts";

/** What can be asked about. */
export interface Known {
  readonly catalog: Catalog;
  /** Names and prefixes (`arg_`) of variables, without `$`. */
  readonly variables: readonly string[];
}

/** A configuration in which to look for uses. */
export interface LoadedFile {
  readonly main: Scope;
  readonly source: Source;
}

/** The answer about one name, or undefined when nothing has it. */
export function explain(name: string, known: Known, file?: LoadedFile): string | undefined {
  if (name.startsWith("$")) return explainVariable(name.slice(1).toLowerCase(), known, file);
  const described = describeName(name, known.catalog);
  if (described.length === 0) return undefined;
  const texts = described.map(printDescription);
  if (file !== undefined) texts.push(printPlaces(placesOf(name, file.main, known.catalog), "Set", "Not set"));
  return texts.join("\n");
}

function explainVariable(name: string, { variables }: Known, file: LoadedFile | undefined): string | undefined {
  const mentions = file === undefined ? [] : mentionsOf(name, file.source);
  const prefix = variables.find((known) => known.endsWith("_") && name.startsWith(known) && name !== known);
  const isKnown = variables.includes(name);
  if (!isKnown && prefix === undefined && mentions.length === 0) return undefined;
  let text = `$${name}\n\n`;
  if (isKnown) text += "  A variable of every request.\n";
  else if (prefix !== undefined) text += `  One of the variables $${prefix}NAME: the rest of the name says which.\n`;
  else text += "  A variable that only this configuration defines.\n";
  return file === undefined ? text : `${text}\n${printPlaces(mentions, "Mentioned", "Not mentioned")}`;
}

function printDescription({ module, syntax, standard, contexts, doc, notes }: Description): string {
  const lines = [
    syntax,
    "",
    ...[doc, ...notes].map((sentence) => `  ${sentence.replaceAll("`", "")}`),
    "",
    `  default  ${standard}`,
    `  context  ${contexts.join(", ")}`,
    `  module   ${module}`,
  ];
  return `${lines.join("\n")}\n`;
}

function printPlaces(places: readonly Place[], verb: string, none: string): string {
  if (places.length === 0) return `${none} in this configuration.\n`;
  const width = Math.max(...places.map(({ position }) => position.length));
  const lines = places.map(({ position, where, text }) => `  ${position.padEnd(width)}  ${where}: ${text}`);
  return `${verb} in this configuration:\n${lines.join("\n")}\n`;
}

/** What to say when nothing has the name. */
export function unknownName(name: string, { catalog, variables }: Known): string {
  const bare = name.replace(/^\$/, "");
  const similar = name.startsWith("$")
    ? similarNames(bare, variables).map((known) => `$${known}`)
    : similarNames(bare, catalog.declarations.keys());
  const kind = name.startsWith("$") ? "variable" : "directive";
  return `unknown ${kind} "${name}"${similar.length === 0 ? "" : `; did you mean ${similar.join(", ")}?`}`;
}
