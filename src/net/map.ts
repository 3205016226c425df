/** `map`: a variable whose value follows from a text, by a table. nginx: ngx_http_map_module, ngx_stream_map_module. */
import { parsePattern } from "../conf/pattern.ts";
import type { Pattern } from "../conf/pcre.ts";
import type { ConfOf, Use } from "../conf/slot.ts";
import { list, num } from "../conf/slots.ts";
import { constantOf, type Template } from "../conf/template.ts";
import { type HostKey, HostTable, parseHostKey } from "./host-table.ts";
import { type Definition, type Getter, type Matcher, parseDefined, type Text, type TextPlace } from "./variables.ts";

/** A line with a text that is compared whole. */
interface TextLine {
  readonly key: HostKey;
  readonly value: Template;
}

interface PatternLine {
  readonly pattern: Pattern;
  readonly value: Template;
}

/** A block. */
export interface MapBlock {
  readonly variable: string;
  readonly source: Template;
  readonly texts: readonly TextLine[];
  readonly patterns: readonly PatternLine[];
  readonly standard: Template | undefined;
  readonly isVolatile: boolean;
  /** A trailing dot of the source is dropped. */
  readonly hasHostnames: boolean;
}

/** A block while it is being read. */
class Reader {
  readonly texts: TextLine[] = [];
  readonly patterns: PatternLine[] = [];
  readonly names = new Set<string>();
  standard: Template | undefined;
  isVolatile = false;
  hasHostnames = false;

  /** One line; undefined when it has been refused. */
  read(entry: Use): true | undefined {
    const { name, args } = entry;
    if (args.length === 0 && name === "hostnames") this.hasHostnames = true;
    else if (args.length === 0 && name === "volatile") this.isVolatile = true;
    else if (args.length !== 1) return entry.fail("invalid number of the map parameters");
    else {
      const value = entry.template(args[0] as string);
      return value === undefined ? undefined : this.readValue(entry, name, value);
    }
    return true;
  }

  private readValue(entry: Use, name: string, value: Template): true | undefined {
    if (name === "default") {
      if (this.standard !== undefined) return entry.fail("duplicate default map parameter");
      this.standard = value;
      return true;
    }
    if (name.startsWith("~")) {
      const ignoreCase = name.startsWith("~*");
      const pattern = parsePattern(entry, name.slice(ignoreCase ? 2 : 1), ignoreCase);
      if (pattern === undefined) return undefined;
      this.patterns.push({ pattern, value });
      return true;
    }
    const text = name.startsWith("\\") ? name.slice(1) : name;
    const key = parseHostKey(text, this.hasHostnames);
    if (key === undefined) return entry.fail(`invalid hostname or wildcard "${text}"`);
    for (const one of key.conflicts) {
      if (this.names.has(one)) return entry.fail(`conflicting parameter "${text}"`);
      this.names.add(one);
    }
    this.texts.push({ key, value });
    return true;
  }
}

function parseMap(use: Use): MapBlock | undefined {
  const [text = "", word = ""] = use.args;
  const source = use.template(text);
  const variable = parseDefined(use, word);
  const reader = new Reader();
  let isSound = true;
  for (const entry of use.entries) if (reader.read(entry) === undefined) isSound = false;
  if (source === undefined || variable === undefined || !isSound) return undefined;
  const { texts, patterns, standard, isVolatile, hasHostnames } = reader;
  return { variable, source, texts, patterns, standard, isVolatile, hasHostnames };
}

/** The directives, in the context of a service's own block. */
export function mapDirectives(context: "http" | "stream") {
  return {
    map: list(parseMap, {
      in: context,
      args: 2,
      block: true,
      syntax: "string $variable { ... }",
      doc: "Defines a variable whose value follows from a text by a table of texts, host names and regular expressions.",
    }),
    map_hash_max_size: num(2048, { in: context, doc: "Accepted without effect: tables grow as they need." }),
    map_hash_bucket_size: num(64, { in: context, doc: "Accepted without effect: tables grow as they need." }),
  };
}

/** What a line gives: mostly a constant. */
type Value<S> = string | Text<S>;

function compileValue<S>(value: Template, place: TextPlace<S>): Value<S> {
  return constantOf(value) ?? place.compile(value);
}

function print<S>(value: Value<S>, subject: S): string {
  return typeof value === "string" ? value : value(subject);
}

function compileMap<S>(block: MapBlock, place: TextPlace<S>): Getter<S> {
  const source = place.compile(block.source);
  const table = new HostTable<Value<S>>();
  for (const { key, value } of block.texts) table.add(key, compileValue(value, place));
  const patterns = block.patterns.map(({ pattern, value }): readonly [Matcher<S>, Value<S>] => [
    place.matcher(pattern.regexp, pattern.names),
    compileValue(value, place),
  ]);
  const standard = block.standard === undefined ? "" : compileValue(block.standard, place);
  const { hasHostnames } = block;
  return (subject) => {
    let text = source(subject);
    if (hasHostnames && text.endsWith(".")) text = text.slice(0, -1);
    let found = table.find(text);
    if (found === undefined && text !== "")
      for (let i = 0; i < patterns.length; i++) {
        const [matches, value] = patterns[i] as readonly [Matcher<S>, Value<S>];
        if (!matches(subject, text)) continue;
        found = value;
        break;
      }
    return print(found ?? standard, subject);
  };
}

/** The variables that the blocks define. */
export function mapDefinitions<S>({ map: blocks }: ConfOf<ReturnType<typeof mapDirectives>>): readonly Definition<S>[] {
  return blocks.map((block) => ({
    name: block.variable,
    isVolatile: block.isVolatile,
    compile: (place) => compileMap(block, place),
  }));
}
