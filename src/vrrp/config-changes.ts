/** What a new configuration changes of the old one, in sentences, without secrets. */
import { printIp } from "../base/ip.ts";

/** Sentences at most; what is behind is counted. */
const MAX_CHANGES = 20;
const MAX_VALUE_CHARACTERS = 60;
/** Where something is written says nothing about what it does. */
const IGNORED = new Set(["at", "where"]);
const SECRET = /key|password|secret/i;

/** Differences between two values of a configuration: a path into them, and both sides as text. */
export interface ConfigChange {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** All differences, named things by their names: `VI_1 priority`. Of a secret is only said that it differs. */
export function configChanges(before: unknown, after: unknown): ConfigChange[] {
  const changes: ConfigChange[] = [];
  compare([], before, after, changes);
  return changes;
}

/** One sentence for each. */
export function printChanges(changes: readonly ConfigChange[]): string[] {
  const sentences = changes.slice(0, MAX_CHANGES).map(({ path, before, after }) => `${path}: ${before} → ${after}`);
  const left = changes.length - sentences.length;
  return left > 0 ? [...sentences, `and ${left} more`] : sentences;
}

function compare(path: readonly string[], before: unknown, after: unknown, changes: ConfigChange[]): void {
  if (Object.is(before, after)) return;
  const a = childrenOf(before);
  const b = childrenOf(after);
  if (a !== undefined && b !== undefined) {
    for (const name of new Set([...a.keys(), ...b.keys()]))
      if (!IGNORED.has(name)) compare([...path, name], a.get(name), b.get(name), changes);
    return;
  }
  const isSecret = path.some((name) => SECRET.test(name));
  const [was, is] = isSecret ? ["one secret", "another"] : [printValue(before), printValue(after)];
  if (isSecret ? !isSame(before, after) : was !== is) changes.push({ path: path.join(" "), before: was, after: is });
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Properties of an object; elements of a list by their names, when they have some. undefined: a value of its own. */
function childrenOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (Array.isArray(value)) {
    const isNamed = value.length > 0 && value.every((element) => nameOf(element) !== undefined);
    return isNamed || value.length === 0
      ? new Map(value.map((element: unknown) => [nameOf(element) as string, element]))
      : undefined;
  }
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || value instanceof Map)
    return undefined;
  return new Map(Object.entries(value));
}

function nameOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, address } = value as { readonly name?: unknown; readonly address?: unknown };
  if (typeof name === "string") return name;
  return address instanceof Uint8Array ? printIp(address) : undefined;
}

function printValue(value: unknown): string {
  if (value === undefined) return "none";
  if (value instanceof Uint8Array) return value.length === 4 || value.length === 16 ? printIp(value) : "bytes";
  if (Array.isArray(value))
    return value.length === 0 ? "none" : value.map(printValue).join(", ").slice(0, MAX_VALUE_CHARACTERS);
  if (typeof value === "object" && value !== null) {
    const name = nameOf(value);
    if (name !== undefined) return name;
    const { text } = value as { readonly text?: unknown };
    return typeof text === "string" ? text.slice(0, MAX_VALUE_CHARACTERS) : "something";
  }
  return String(value).slice(0, MAX_VALUE_CHARACTERS);
}
