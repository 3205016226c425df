/** A bound configuration as plain JSON values: what golden tests compare and a person can read. */
import { fromLatin1, utf8 } from "../base/bytes.ts";
import type { Catalog } from "./catalog.ts";
import type { Scope } from "./scope.ts";
import type { Template } from "./template.ts";

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** One scope: its opening words, what is set in it, what it inherits that is not the default, and the scopes inside. */
export interface AdaptedScope {
  readonly [name: string]: Json;
}

/** The tree of scopes. Values keep the names of their directives; sizes are bytes, times what their slot says. */
export function adapt(scope: Scope, catalog: Catalog, outer?: Scope): AdaptedScope {
  const set: Record<string, Json> = {};
  const inherited: Record<string, Json> = {};
  for (const module of catalog.modules) {
    const own = scope.own(module);
    const conf = scope.conf(module);
    for (const [name, slot] of Object.entries(module.directives)) {
      if (slot.form === "scope") continue;
      if (own[name] !== undefined) set[name] = toJson(own[name]);
      else if (outer !== undefined && isKnownIn(name, scope, catalog) && scope.origin(module, name) !== undefined)
        inherited[name] = toJson(conf[name]);
    }
  }
  const words = scope.directive === undefined ? ["main"] : wordsOf(scope.directive);
  return {
    scope: toJson(words.join(" ")),
    ...(Object.keys(set).length === 0 ? {} : { set }),
    ...(Object.keys(inherited).length === 0 ? {} : { inherited }),
    ...(scope.children.length === 0 ? {} : { scopes: scope.children.map((child) => adapt(child, catalog, scope)) }),
  };
}

/** Values also pass through scopes in which their directive may not stand. */
function isKnownIn(name: string, { context }: Scope, { declarations }: Catalog): boolean {
  return declarations.get(name)?.some(({ contexts }) => contexts.includes(context)) ?? false;
}

function wordsOf({ name, args }: NonNullable<Scope["directive"]>): string[] {
  return [name, ...args.map(({ text }) => text)];
}

/** Values nest a few levels; a cycle would be a defect of a module's parser. */
const MAX_DEPTH = 16;

function toJson(value: unknown, depth = 0): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean" || typeof value === "number") return value;
  if (typeof value === "string") return utf8(fromLatin1(value));
  if (depth > MAX_DEPTH) return "…";
  if (typeof value === "bigint" || value instanceof RegExp) return String(value);
  if (typeof value === "function") return "(code)";
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), toJson(item, depth + 1)]));
  if (value instanceof Set || Array.isArray(value)) return [...value].map((item) => toJson(item, depth + 1));
  const entries = Object.entries(value as object).filter(([, item]) => item !== undefined);
  // A template is its text.
  if (entries.length === 2 && "text" in (value as object) && "parts" in (value as object))
    return toJson((value as Template).text);
  return Object.fromEntries(entries.map(([key, item]) => [key, toJson(item, depth + 1)]));
}
