/** Where the values of variables come from: from the configuration, or from the client, and whether a line feed can be in them. */
import type { Directive } from "../../conf/directive.ts";
import { constantOf, parseTemplate, type Template, type TemplatePart } from "../../conf/template.ts";
import { rewrite } from "../../http/modules/rewrite.ts";
import { findGroup, isEnumerated, mayHold, setOf } from "../regex/syntax.ts";
import { mapEntries, type PatternUse, patternsOf, type SubjectText } from "./patterns.ts";
import { type Level, linesOf, named, outwards, type Site } from "./site.ts";

/** What is asked of a value. */
export type Trait = "newline" | "client";

/** Variables that hold the path of the request decoded, so that `%0A` has become a line feed. */
const DECODED = /^(uri|document_uri|request_filename|fastcgi_script_name|fastcgi_path_info)$/;
/** Variables that say what the client says. */
const FROM_CLIENT =
  /^(arg_|http_|cookie_|is_args_)|^(args|query_string|host|request|request_uri|request_body|remote_user|ssl_server_name)$/;
/** Definitions that ask each other. */
const MAX_DEPTH = 20;
const MAX_TEXTS = 64;
const LINE_FEED = setOf("\n");

/** One way in which a variable gets its value. */
type Definition =
  | { readonly kind: "text"; readonly text: Template; readonly level: Level; readonly pattern: PatternUse | undefined }
  | { readonly kind: "capture"; readonly pattern: PatternUse; readonly group: number }
  /** `geo`, `split_clients` and the like: one of the texts of the configuration. */
  | { readonly kind: "fixed"; readonly texts: readonly string[] };

/** What `map` and `geo` say with words of their own. */
const MAP_WORDS = new Set(["hostnames", "volatile", "include", "ranges", "delete", "proxy", "proxy_recursive"]);

/** The variables of one site. */
export class Values {
  readonly patterns: readonly PatternUse[];
  readonly #definitions = new Map<string, Definition[]>();
  /** By what they lead into, or stand in. */
  readonly #openings = new Map<Level, PatternUse>();
  readonly #serverNames = new Map<Level, PatternUse>();
  readonly #byDirective: ReadonlyMap<Directive, PatternUse>;

  constructor(site: Site) {
    this.patterns = patternsOf(site);
    this.#byDirective = new Map(this.patterns.map((pattern) => [pattern.directive, pattern]));
    for (const pattern of this.patterns) {
      const { kind, level } = pattern;
      if (kind === "location" || kind === "if") this.#openings.set(level, pattern);
      else if (kind === "server_name" && !this.#serverNames.has(level)) this.#serverNames.set(level, pattern);
    }
    for (const pattern of this.patterns)
      for (const [index, name] of pattern.names.entries())
        if (name !== "") this.#define(name, { kind: "capture", pattern, group: index + 1 });
    for (const level of site.levels) this.#level(level);
  }

  #define(name: string, definition: Definition): void {
    const known = this.#definitions.get(name.toLowerCase()) ?? [];
    this.#definitions.set(name.toLowerCase(), [...known, definition]);
  }

  #level(level: Level): void {
    for (const { value } of linesOf(level, rewrite, "set"))
      this.#define(value.variable, { kind: "text", text: value.value, level, pattern: undefined });
    for (const directive of named(level, "map")) this.#map(directive, level);
    for (const directive of named(level, "geo", "split_clients")) {
      const name = directive.args.at(-1)?.text.slice(1) ?? "";
      const texts = mapEntries(directive).flatMap(({ args }) => args.map(({ text }) => text));
      this.#define(name, { kind: "fixed", texts });
    }
  }

  #map(directive: Directive, level: Level): void {
    const name = directive.args[1]?.text.slice(1) ?? "";
    const entries = mapEntries(directive).filter((entry) => !(MAP_WORDS.has(entry.name) && entry.args.length === 0));
    for (const entry of entries) {
      const text = parseTemplate(entry.args[0]?.text ?? "");
      const pattern = this.#byDirective.get(entry);
      if (text.ok) this.#define(name, { kind: "text", text: text.value, level, pattern });
    }
    if (!entries.some((entry) => entry.name === "default")) this.#define(name, { kind: "fixed", texts: [""] });
  }

  /** True when the configuration itself defines the variable. */
  isDefined(name: string): boolean {
    return this.#definitions.has(name);
  }

  /** The variable or capture (with its `$`) of a text that brings the trait in; undefined when none does. `own`: whose `$1` it is. */
  bringing(trait: Trait, text: Template, level: Level, own?: PatternUse): string | undefined {
    for (const part of text.parts)
      if (typeof part !== "string" && this.#partHas(trait, part, level, own, 0))
        return part.kind === "capture" ? `$${part.index}` : `$${part.name}`;
    return undefined;
  }

  /** Whether one part of a text has the trait. */
  hasTrait(trait: Trait, part: TemplatePart, level: Level, own?: PatternUse): boolean {
    return typeof part !== "string" && this.#partHas(trait, part, level, own, 0);
  }

  #partHas(
    trait: Trait,
    part: Exclude<TemplatePart, string>,
    level: Level,
    own: PatternUse | undefined,
    depth: number,
  ): boolean {
    if (depth > MAX_DEPTH) return false;
    if (part.kind === "capture") {
      const pattern = own ?? this.matchedBefore(level);
      return pattern !== undefined && this.#captureHas(trait, pattern, part.index, depth);
    }
    const definitions = this.#definitions.get(part.name);
    if (definitions !== undefined)
      return definitions.some((definition) => this.#definitionHas(trait, definition, depth));
    if (DECODED.test(part.name)) return true;
    return trait === "client" && FROM_CLIENT.test(part.name);
  }

  #definitionHas(trait: Trait, definition: Definition, depth: number): boolean {
    if (definition.kind === "fixed") return false;
    if (definition.kind === "capture") return this.#captureHas(trait, definition.pattern, definition.group, depth);
    const { text, level, pattern } = definition;
    return text.parts.some((part) => typeof part !== "string" && this.#partHas(trait, part, level, pattern, depth + 1));
  }

  #captureHas(trait: Trait, pattern: PatternUse, which: number, depth: number): boolean {
    if (!this.#subjectHas(trait, pattern.subject, pattern.level, depth)) return false;
    const group = this.groupOf(pattern, which);
    if (group === undefined) return pattern.expression === undefined;
    return trait === "newline" ? mayHold(group, LINE_FEED) : !isEnumerated(group);
  }

  #subjectHas(trait: Trait, subject: SubjectText, level: Level, depth: number): boolean {
    if (subject === "path") return true;
    if (subject === "host") return trait === "client";
    // The expression of an `if` is outside of the level that it opens.
    const outside = level.outer ?? level;
    return subject.parts.some(
      (part) => typeof part !== "string" && this.#partHas(trait, part, outside, undefined, depth + 1),
    );
  }

  /** What is inside the parentheses of a capture. */
  groupOf({ expression }: PatternUse, which: number) {
    return expression === undefined ? undefined : findGroup(expression.root, which);
  }

  /** The expression that leads into a location or `if`. */
  opening(level: Level): PatternUse | undefined {
    return this.#openings.get(level);
  }

  /** The expression whose captures `$1`… are in a level, when nothing in the level itself has matched. */
  matchedBefore(level: Level): PatternUse | undefined {
    for (const at of outwards(level)) {
      const found = this.#openings.get(at);
      if (found !== undefined) return found;
      if (at.context === "server") return this.#serverNames.get(at);
    }
    return undefined;
  }

  /** The expression behind a named capture; undefined when the variable comes from elsewhere too. */
  captureOf(variable: string): { readonly pattern: PatternUse; readonly group: number } | undefined {
    const [only, ...more] = this.#definitions.get(variable) ?? [];
    return only?.kind === "capture" && more.length === 0 ? only : undefined;
  }

  /** All texts that a template can become, where only the configuration decides; undefined when others do, or there are too many. */
  textsOf(template: Template, depth = 0): readonly string[] | undefined {
    const constant = constantOf(template);
    if (constant !== undefined) return [constant];
    if (depth > MAX_DEPTH) return undefined;
    let texts: readonly string[] = [""];
    for (const part of template.parts) {
      const choices =
        typeof part === "string" ? [part] : part.kind === "capture" ? undefined : this.#choices(part.name, depth);
      if (choices === undefined) return undefined;
      texts = texts.flatMap((text) => choices.map((choice) => text + choice));
      if (texts.length > MAX_TEXTS) return undefined;
    }
    return texts;
  }

  #choices(variable: string, depth: number): readonly string[] | undefined {
    const definitions = this.#definitions.get(variable);
    if (definitions === undefined) return undefined;
    const found = definitions.map((definition) =>
      definition.kind === "fixed"
        ? definition.texts
        : definition.kind === "text"
          ? this.textsOf(definition.text, depth + 1)
          : undefined,
    );
    return found.includes(undefined) ? undefined : found.flatMap((texts) => texts ?? []);
  }
}

const KNOWN = new WeakMap<Site, Values>();

/** The variables of a site; worked out once. */
export function valuesOf(site: Site): Values {
  const known = KNOWN.get(site) ?? new Values(site);
  KNOWN.set(site, known);
  return known;
}
