/** Every regular expression of a site, with what it is matched against. */
import type { Directive } from "../../conf/directive.ts";
import { type Pattern, translatePattern } from "../../conf/pcre.ts";
import { parseTemplate, type Template } from "../../conf/template.ts";
import { coreServer } from "../../http/modules/core.ts";
import { rewrite } from "../../http/modules/rewrite.ts";
import { type Automaton, automatonOf } from "../regex/automaton.ts";
import { anyDomain, type Domain, hostDomain, pathDomain } from "../regex/language.ts";
import { type Expression, parseExpression } from "../regex/syntax.ts";
import { headerOfLevel, type Level, linesOf, named, type Site } from "./site.ts";

/** What an expression is matched against: the decoded path, the name of the host, or a text. */
export type SubjectText = "path" | "host" | Template;

/** One regular expression. */
export interface PatternUse {
  readonly kind: "location" | "server_name" | "if" | "rewrite" | "map";
  readonly regexp: RegExp;
  /** As it was written, without `~`. */
  readonly source: string;
  readonly names: readonly string[];
  readonly subject: SubjectText;
  /** The inside of the location or `if`; else where the directive stands. */
  readonly level: Level;
  readonly directive: Directive;
  readonly expression: Expression | undefined;
  readonly automaton: Automaton | undefined;
}

type Words = Omit<PatternUse, "regexp" | "names" | "expression" | "automaton">;

function use({ regexp, names }: Pattern, words: Words): PatternUse {
  const expression = parseExpression(regexp);
  const automaton = expression === undefined ? undefined : automatonOf(expression.root);
  return { ...words, regexp, names, expression, automaton };
}

/** All of them, in the order of the levels. */
export function patternsOf(site: Site): readonly PatternUse[] {
  return site.levels.flatMap((level) => [
    ...opening(level),
    ...serverNames(level),
    ...linesOf(level, rewrite, "rewrite").map(({ value: { pattern, source }, directive }) =>
      use(pattern, { kind: "rewrite", source, subject: "path", level, directive }),
    ),
    ...named(level, "map").flatMap((directive) => mapPatterns(directive, level)),
  ]);
}

/** What has to match for a request to come to the inside of a location or an `if`. */
function opening(level: Level): readonly PatternUse[] {
  const { opener: directive, outer, scope } = level;
  if (directive === undefined || outer === undefined) return [];
  const header = headerOfLevel(level);
  if (header?.pattern !== undefined)
    return [use(header.pattern, { kind: "location", source: header.name, subject: "path", level, directive })];
  const condition = outer.scope.own(rewrite).if?.find((opened) => opened.scope === scope)?.header;
  if (condition?.kind !== "match") return [];
  const source = (directive.args.at(-1)?.text ?? "").replace(/\)$/, "") || (directive.args.at(-2)?.text ?? "");
  return [use(condition.pattern, { kind: "if", source, subject: condition.value, level, directive })];
}

function serverNames(level: Level): readonly PatternUse[] {
  if (level.context !== "server") return [];
  return (level.scope.own(coreServer).server_name ?? []).flatMap(({ name, pattern }) => {
    const directive = named(level, "server_name").find(({ args }) => args.some(({ text }) => text === name));
    if (pattern === undefined || directive === undefined) return [];
    return [use(pattern, { kind: "server_name", source: name.slice(1), subject: "host", level, directive })];
  });
}

/** `~expression value` in a `map`. */
function mapPatterns(map: Directive, level: Level): readonly PatternUse[] {
  const subject = parseTemplate(map.args[0]?.text ?? "");
  if (!subject.ok) return [];
  return mapEntries(map).flatMap((directive) => {
    const match = /^~(\*?)(.*)$/s.exec(directive.name);
    if (match === null) return [];
    const source = match[2] as string;
    const pattern = translatePattern(source, match[1] === "*");
    if (!pattern.ok) return [];
    return [use(pattern.value, { kind: "map", source, subject: subject.value, level, directive })];
  });
}

/** The lines of a block that is no block of directives, included ones in their place. */
export function mapEntries(directive: Directive): readonly Directive[] {
  const flatten = (directives: readonly Directive[]): readonly Directive[] =>
    directives.flatMap((one) => one.sources?.flatMap((source) => flatten(source.directives)) ?? [one]);
  return flatten(directive.block?.directives ?? []);
}

const HOSTS = new Set(["host", "server_name", "ssl_server_name", "ssl_preread_server_name", "proxy_host"]);
const PATHS = new Set(["uri", "document_uri", "fastcgi_script_name"]);

/** The only variable of a text that is nothing else; undefined for another text. */
export function onlyVariable({ parts }: Template): string | undefined {
  const [part] = parts;
  return parts.length === 1 && typeof part === "object" && part.kind === "variable" ? part.name : undefined;
}

/** `path` and `host` also for variables that are just that. */
export function subjectKind(subject: SubjectText): "path" | "host" | string | undefined {
  if (typeof subject === "string") return subject;
  const variable = onlyVariable(subject);
  if (variable === undefined) return undefined;
  return PATHS.has(variable) ? "path" : HOSTS.has(variable) ? "host" : variable;
}

/** The texts that an expression can meet. */
export function domainOf({ subject, level }: PatternUse): Domain {
  const kind = subjectKind(subject);
  if (kind === "path") return pathsOf(level);
  return kind === "host" ? hostDomain : anyDomain;
}

/** The paths of requests in the server of a level. */
export function pathsOf({ scope }: Level): Domain {
  return pathDomain(scope.conf(coreServer).merge_slashes);
}
