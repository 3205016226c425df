/** An nginx.conf as rules look at it: the levels that the binder has made, each with the directives that stand in it. */
import type { Directive, Source } from "../../conf/directive.ts";
import type { Declares, Scope } from "../../conf/scope.ts";
import type { ConfOf, Context, Directives } from "../../conf/slot.ts";
import { headerOf, type LocationHeader } from "../../http/modules/core.ts";
import type { Place } from "../finding.ts";

/** One level: main, `http`, a `server`, a `location`, an `if`… */
export interface Level {
  readonly context: Context;
  /** What the binder knows: typed values, inherited ones, defaults. */
  readonly scope: Scope;
  readonly outer: Level | undefined;
  /** What opened it; undefined for main. */
  readonly opener: Directive | undefined;
  /** As they were written, included ones in their place; also those that the binder refuses. */
  readonly directives: readonly Directive[];
  readonly inner: readonly Level[];
}

/** One nginx.conf. */
export interface Site {
  readonly file: string;
  readonly main: Level;
  readonly http: Level | undefined;
  readonly servers: readonly Level[];
  /** All levels of `http`, itself first, outer ones before inner ones. */
  readonly levels: readonly Level[];
  /** False: a file that it includes is not here, or could not be read to its end. What is not there may be in that. */
  readonly isComplete: boolean;
}

/** Puts tree and scopes together. */
export function siteOf(source: Source, mainScope: Scope): Site {
  const main = levelOf(mainScope, inPlace(source.directives), undefined);
  const http = main.inner.find(({ context }) => context === "http");
  const levels = http === undefined ? [] : allLevels(http);
  const servers = levels.filter(({ context }) => context === "server");
  return { file: source.file, main, http, servers, levels, isComplete: isComplete(source) };
}

function isComplete({ fault, directives }: Source): boolean {
  const isWhole = ({ sources = [], block }: Directive): boolean =>
    sources.every(isComplete) && (block?.directives.every(isWhole) ?? true);
  return fault === undefined && directives.every(isWhole);
}

function levelOf(scope: Scope, directives: readonly Directive[], outer: Level | undefined): Level {
  const inner: Level[] = [];
  const level: Level = { context: scope.context, scope, outer, opener: scope.directive, directives, inner };
  for (const child of scope.children)
    inner.push(levelOf(child, inPlace(child.directive?.block?.directives ?? []), level));
  return level;
}

function allLevels(level: Level): readonly Level[] {
  return [level, ...level.inner.flatMap(allLevels)];
}

function inPlace(directives: readonly Directive[]): readonly Directive[] {
  return directives.flatMap((directive) =>
    directive.sources === undefined || directive.name !== "include"
      ? [directive]
      : directive.sources.flatMap((source) => inPlace(source.directives)),
  );
}

/** The level and everything inside it. */
export function within(level: Level): readonly Level[] {
  return allLevels(level);
}

/** From the level outwards to main. */
export function* outwards(level: Level): Generator<Level> {
  for (let at: Level | undefined = level; at !== undefined; at = at.outer) yield at;
}

/** The directives of a level with one of these names. */
export function named({ directives }: Level, ...names: readonly string[]): readonly Directive[] {
  return directives.filter(({ name }) => names.includes(name));
}

/** True when one of these stands right in the level. */
export function has(level: Level, ...names: readonly string[]): boolean {
  return level.directives.some(({ name }) => names.includes(name));
}

/** The uses of a directive that hold in a level when an inner one hides the outer ones: of the nearest level that has any. */
export function holding(level: Level, name: string): readonly Directive[] {
  for (const at of outwards(level)) {
    const found = named(at, name);
    if (found.length > 0) return found;
  }
  return [];
}

/** The words behind the name. */
export function wordsOf({ args }: Directive): readonly string[] {
  return args.map(({ text }) => text);
}

/** Where a directive begins. */
export function placeOf({ position }: Directive): Place {
  return { file: position.file, line: position.line, column: position.column };
}

/** Where a level begins. */
export function placeOfLevel({ opener }: Level): Place {
  return opener === undefined ? { file: "", line: 1 } : placeOf(opener);
}

/** The words of a location; undefined for another level. */
export function headerOfLevel({ context, scope }: Level): LocationHeader | undefined {
  return context === "location" ? headerOf(scope) : undefined;
}

/** The server that a level belongs to; undefined outside of all. */
export function serverOf(level: Level): Level | undefined {
  for (const at of outwards(level)) if (at.context === "server") return at;
  return undefined;
}

/** The location that a level belongs to, itself included. */
export function locationOf(level: Level): Level | undefined {
  for (const at of outwards(level)) if (at.context === "location") return at;
  return undefined;
}

/** What a level is called in a sentence: `location /a`, `server example.org`. */
export function labelOf(level: Level): string {
  const { opener, context } = level;
  if (opener === undefined) return context;
  if (context !== "server") return [opener.name, ...wordsOf(opener)].join(" ");
  const name = named(level, "server_name").flatMap(wordsOf)[0];
  return name === undefined ? "a server without server_name" : `server ${name}`;
}

/** One use of a repeatable directive: its value and how it was written. */
export interface Line<T> {
  readonly value: T;
  readonly directive: Directive;
  readonly level: Level;
}

/** The accepted uses of a repeatable directive right in a level. */
export function linesOf<D extends Directives, K extends keyof D & string>(
  level: Level,
  module: Declares<D>,
  name: K,
): readonly Line<ConfOf<D>[K] extends readonly (infer T)[] ? T : never>[] {
  type Item = ConfOf<D>[K] extends readonly (infer T)[] ? T : never;
  const { scope } = level;
  const values = (scope.own(module)[name] ?? []) as readonly Item[];
  const origin = scope.origin(module, name);
  if (origin?.scope !== scope) return [];
  return values.flatMap((value, index) => {
    const directive = origin.directives[index];
    return directive === undefined ? [] : [{ value, directive, level }];
  });
}

/** What answers in a level, as its directives say. `files` when nothing else does. */
export type Content = "proxy" | "return" | "module" | "files";

const MODULES = new Set([
  "stub_status",
  "empty_gif",
  "dav_methods",
  "perl",
  "echo",
  "api",
  "js_content",
  "content_by_lua",
  "content_by_lua_block",
  "content_by_lua_file",
]);

/** What answers requests in a level. */
export function contentOf(level: Level): Content {
  if (endsInReturn(level)) return "return";
  for (const { name } of level.directives) {
    if (/_pass$/.test(name)) return "proxy";
    if (MODULES.has(name)) return "module";
  }
  return "files";
}

/** A `return` (or a redirect of everything) that every request of the level meets. */
export function finalReturn({ directives }: Level): Directive | undefined {
  return directives.find(
    ({ name, args }) =>
      name === "return" ||
      (name === "rewrite" &&
        /^\^?(\(?\.\*\)?|\/\(?\.\*\)?)?\$?$/.test(args[0]?.text ?? "x") &&
        (/^(redirect|permanent)$/.test(args[2]?.text ?? "") || /^https?:\/\//.test(args[1]?.text ?? ""))),
  );
}

function endsInReturn(level: Level): boolean {
  return finalReturn(level) !== undefined;
}
