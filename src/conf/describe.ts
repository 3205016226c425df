/** What the slots say about directives, for people: `tandem explain`, the reference pages, "did you mean". */
import type { Catalog, Declaration } from "./catalog.ts";
import { printPosition } from "./diagnostics.ts";
import type { Directive, Source } from "./directive.ts";
import { print } from "./nginx/printer.ts";
import type { Scope } from "./scope.ts";
import type { Inherit } from "./slot.ts";

/** What a reader wants to know of a directive, as text. */
export interface Description {
  readonly name: string;
  readonly module: string;
  /** With the name in front and the terminator behind: `listen address [parameters];`. */
  readonly syntax: string;
  /** With the name in front: `sendfile off;`, or `—` when there is none. */
  readonly standard: string;
  readonly contexts: readonly string[];
  readonly doc: string;
  /** What else holds: repeatable, not inherited. */
  readonly notes: readonly string[];
}

/** A variable that needs no definition. */
export interface VariableWords {
  /** Lower case, without `$`; a family ends with an underscore: `arg_` of `$arg_name`. */
  readonly name: string;
  readonly isFamily: boolean;
  /** `set` may change it. */
  readonly canBeSet: boolean;
  readonly module: string;
  readonly doc: string;
}

/** The words about a variable, of each service that has it; none when it needs a definition. */
export function findVariable(name: string, known: readonly VariableWords[]): readonly VariableWords[] {
  const own = known.filter((one) => !one.isFamily && one.name === name);
  return own.length > 0 ? own : known.filter((one) => one.isFamily && name.startsWith(one.name));
}

const INHERIT_NOTES: Readonly<Record<Inherit, string | undefined>> = {
  all: undefined,
  conditions: "Inherited only into `if` and `limit_except`.",
  none: "Not inherited.",
};

/** The declaration as text. */
export function describe({ name, module, slot, contexts }: Declaration): Description {
  const isBlock = slot.form === "scope";
  const words = slot.syntax === "" ? name : `${name} ${slot.syntax}`;
  const notes: string[] = [];
  if (slot.isRepeatable && !isBlock) notes.push("May be used several times in one context.");
  if (isBlock && !slot.isRepeatable) notes.push("Used once.");
  const inheritNote = isBlock ? undefined : INHERIT_NOTES[slot.inherit];
  // Without an inner context there is nothing to inherit.
  if (inheritNote !== undefined && contexts.some((context) => context !== "main")) notes.push(inheritNote);
  return {
    name,
    module: module.name,
    syntax: slot.form === "simple" ? `${words};` : words,
    standard: slot.defaultText === undefined ? "—" : `${name} ${slot.defaultText || '""'};`,
    contexts,
    doc: slot.doc,
    notes,
  };
}

/** What no module declares, because it is gone when directives are bound: its files have taken its place. */
export const INCLUDE: Description = {
  name: "include",
  module: "core",
  syntax: "include file | mask;",
  standard: "—",
  contexts: ["any, and blocks without directives (types, map, geo …)"],
  doc: "Puts the directives of another file, or of all files that fit a mask, in its place; relative paths begin at the folder of nginx.conf.",
  notes: ["May be used several times in one context.", "A mask may fit nothing, a file has to be there."],
};

/** All declarations of a name, in the order of the modules. */
export function describeName(name: string, catalog: Catalog): Description[] {
  if (name === INCLUDE.name) return [INCLUDE];
  return (catalog.declarations.get(name) ?? []).map(describe);
}

/** One use of a directive in a loaded configuration. */
export interface Place {
  /** `http / server (n.conf:3) / location /a`. */
  readonly where: string;
  /** The directive as it was written, on one line. */
  readonly text: string;
  /** `/etc/nginx/nginx.conf:12` */
  readonly position: string;
}

/** Where a directive is set in a bound configuration, outer scopes first. */
export function placesOf(name: string, main: Scope, catalog: Catalog): Place[] {
  const places: Place[] = [];
  const visit = (scope: Scope): void => {
    for (const { module } of catalog.declarations.get(name) ?? []) {
      const origin = scope.origin(module, name);
      if (origin?.scope !== scope) continue;
      for (const { block: _, ...directive } of origin.directives)
        places.push({
          where: printScope(scope),
          text: print([directive]).trim(),
          position: printPosition(directive.end),
        });
    }
    scope.children.forEach(visit);
  };
  visit(main);
  return places;
}

/** The scope with those around it, so that a reader finds it: `http / server (n.conf:3) / location /a`. */
export function printScope(scope: Scope): string {
  const { parent, directive } = scope;
  if (parent === undefined || directive === undefined) return scope.context;
  const { name, args, end } = directive;
  const words = [name, ...args.map(({ text }) => text)].join(" ");
  const own = name === "server" ? `${words} (${printPosition(end).replace(/^.*\//, "")})` : words;
  return parent.parent === undefined ? own : `${printScope(parent)} / ${own}`;
}

/** Known names that a misspelt one may have meant, nearest first. */
export function similarNames(name: string, known: Iterable<string>, most = 3): string[] {
  const bound = Math.max(1, Math.floor(name.length / 3));
  return [...known]
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate, bound) }))
    .filter(({ candidate, distance }) => distance <= bound || candidate.includes(name))
    .sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

/** Insertions, deletions and replacements that make one of the other; `bound + 1` when there are more. */
function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) > bound) return bound + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return Math.min(row[b.length] ?? 0, bound + 1);
}

/** Where a variable (without `$`) is mentioned in loaded files, in the order of reading. */
export function mentionsOf(variable: string, source: Source): Place[] {
  const reference = new RegExp(`\\$(${variable}(?![a-z0-9_])|\\{${variable}\\})`, "i");
  const places: Place[] = [];
  const visit = (directives: readonly Directive[], where: string): void => {
    for (const { block, sources = [], ...directive } of directives) {
      const { name, args, end } = directive;
      if ([name, ...args.map(({ text }) => text)].some((text) => reference.test(text)))
        places.push({ where, text: print([directive]).trim(), position: printPosition(end) });
      for (const { directives: included } of sources) visit(included, where);
      if (block === undefined) continue;
      const words = [name, ...args.map(({ text }) => text)].join(" ");
      visit(block.directives, where === "main" ? words : `${where} / ${words}`);
    }
  };
  visit(source.directives, "main");
  return places;
}
