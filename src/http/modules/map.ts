/** `map`: a variable whose value follows from a text, by a table. nginx: ngx_http_map_module. */
import type { ConfOf, Use } from "../../conf/slot.ts";
import { list, num } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { type HostKey, HostTable, parseHostKey } from "../host-table.ts";
import type { Matcher } from "../location-tree.ts";
import { httpModule, type Place } from "../module.ts";
import type { Pattern } from "../pcre.ts";
import type { Request } from "../request.ts";
import type { Definition, Getter, Text } from "../variables.ts";
import { parsePattern } from "./core.ts";

/** A line with a text that is compared whole. */
interface TextLine {
  readonly key: HostKey;
  readonly value: Template;
}

interface PatternLine {
  readonly pattern: Pattern;
  readonly value: Template;
}

interface MapBlock {
  readonly variable: string;
  readonly source: Template;
  readonly texts: readonly TextLine[];
  readonly patterns: readonly PatternLine[];
  readonly standard: Template | undefined;
  readonly isVolatile: boolean;
  /** A trailing dot of the source is dropped. */
  readonly hasHostnames: boolean;
}

/** The name of the variable that a block defines, without `$`; undefined when it has been refused. */
export function parseDefined(use: Use, word: string): string | undefined {
  if (!word.startsWith("$") || word.length === 1) return use.fail(`invalid variable name "${word}"`);
  const name = word.slice(1).toLowerCase();
  use.define(name);
  return name;
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

const directives = {
  map: list(parseMap, {
    in: "http",
    args: 2,
    block: true,
    syntax: "string $variable { ... }",
    doc: "Defines a variable whose value follows from a text by a table of texts, host names and regular expressions.",
  }),
  map_hash_max_size: num(2048, { in: "http", doc: "Accepted without effect: tables grow as they need." }),
  map_hash_bucket_size: num(64, { in: "http", doc: "Accepted without effect: tables grow as they need." }),
};

/** What a line gives: mostly a constant. */
type Value = string | Text;

function compileValue(value: Template, place: Place): Value {
  return constantOf(value) ?? place.compile(value);
}

function print(value: Value, request: Request): string {
  return typeof value === "string" ? value : value(request);
}

function compileMap(block: MapBlock, place: Place): Getter {
  const source = place.compile(block.source);
  const table = new HostTable<Value>();
  for (const { key, value } of block.texts) table.add(key, compileValue(value, place));
  const patterns = block.patterns.map(({ pattern, value }): readonly [Matcher, Value] => [
    place.matcher(pattern.regexp, pattern.names),
    compileValue(value, place),
  ]);
  const standard = block.standard === undefined ? "" : compileValue(block.standard, place);
  const { hasHostnames } = block;
  return (request) => {
    let text = source(request);
    if (hasHostnames && text.endsWith(".")) text = text.slice(0, -1);
    let found = table.find(text);
    if (found === undefined && text !== "")
      for (let i = 0; i < patterns.length; i++) {
        const [matches, value] = patterns[i] as readonly [Matcher, Value];
        if (!matches(request, text)) continue;
        found = value;
        break;
      }
    return print(found ?? standard, request);
  };
}

function definitions({ map: blocks }: ConfOf<typeof directives>): readonly Definition[] {
  return blocks.map((block) => ({
    name: block.variable,
    isVolatile: block.isVolatile,
    compile: (place) => compileMap(block, place),
  }));
}

export const map = httpModule({ name: "map", directives, definitions });
