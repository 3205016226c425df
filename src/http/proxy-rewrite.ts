/** Redirects and cookies of an upstream, rewritten for the client. nginx: ngx_http_proxy_rewrite_redirect, ngx_http_proxy_rewrite_cookie. */

import type { Pattern } from "../conf/pcre.ts";
import type { Template } from "../conf/template.ts";
import type { Place } from "./module.ts";
import type { Request } from "./request.ts";
import type { Rewrite } from "./upstream-rules.ts";
import type { Matcher, Text } from "./variables.ts";

/** A pattern and what takes its place; a text pattern is a prefix (redirects, paths) or a domain. */
export interface Replacement {
  readonly pattern: Pattern | Template;
  readonly replacement: Template;
}

function isPattern(pattern: Pattern | Template): pattern is Pattern {
  return "regexp" in pattern;
}

type Compare = (value: string, wanted: string) => readonly [start: number, length: number] | undefined;

const asPrefix: Compare = (value, wanted) => (value.startsWith(wanted) ? [0, wanted.length] : undefined);

const asDomain: Compare = (value, wanted) => {
  const start = value.startsWith(".") ? 1 : 0;
  return value.slice(start).toLowerCase() === wanted.toLowerCase() ? [start, value.length - start] : undefined;
};

function compileOne({ pattern, replacement }: Replacement, compare: Compare, place: Place): Rewrite {
  const text = place.compile(replacement);
  if (isPattern(pattern)) {
    const matches: Matcher = place.matcher(pattern.regexp, pattern.names);
    return (request, value) => (matches(request, value) ? text(request) : undefined);
  }
  const wanted = place.compile(pattern);
  return (request, value) => {
    const found = compare(value, wanted(request));
    if (found === undefined) return undefined;
    const [start, length] = found;
    return value.slice(0, start) + text(request) + value.slice(start + length);
  };
}

function firstOf(rewrites: readonly Rewrite[]): Rewrite | undefined {
  if (rewrites.length === 0) return undefined;
  return (request, value) => {
    for (const rewrite of rewrites) {
      const rewritten = rewrite(request, value);
      if (rewritten !== undefined) return rewritten;
    }
    return undefined;
  };
}

/** `proxy_redirect` lines: the first that fits rewrites. Undefined when there are none: then nothing is rewritten. */
export function redirectRewrite(lines: readonly Replacement[], place: Place): Rewrite | undefined {
  return firstOf(lines.map((line) => compileOne(line, asPrefix, place)));
}

const FLAGS = [
  "secure",
  "nosecure",
  "httponly",
  "nohttponly",
  "samesite=strict",
  "samesite=lax",
  "samesite=none",
  "nosamesite",
] as const;
type Flag = (typeof FLAGS)[number];

/** One `proxy_cookie_flags`. */
export interface CookieFlags {
  readonly cookie: Pattern | Template;
  readonly flags: readonly Template[];
}

/** What is done to cookies. */
export interface CookieRules {
  readonly domains: readonly Replacement[];
  readonly paths: readonly Replacement[];
  readonly flags: readonly CookieFlags[];
}

interface Attribute {
  key: string;
  /** Undefined without `=`. */
  value: string | undefined;
}

/** All that is done to a Set-Cookie; undefined when nothing is. */
export function cookieRewrite(rules: CookieRules, place: Place): Rewrite | undefined {
  const { domains, paths, flags } = rules;
  if (domains.length + paths.length + flags.length === 0) return undefined;
  const domain = firstOf(domains.map((line) => compileOne(line, asDomain, place)));
  const path = firstOf(paths.map((line) => compileOne(line, asPrefix, place)));
  const flagsOf = compileFlags(flags, place);
  return (request, text) => {
    const attributes = parseCookie(text);
    if ((attributes[0] as Attribute).value === undefined) return undefined;
    let changed = false;
    for (const attribute of attributes.slice(1)) {
      const key = attribute.key.toLowerCase();
      const rewrite = key === "domain" ? domain : key === "path" ? path : undefined;
      const value = attribute.value === undefined ? undefined : rewrite?.(request, attribute.value);
      if (value === undefined) continue;
      attribute.value = value;
      changed = true;
    }
    const wanted = flagsOf(request, (attributes[0] as Attribute).key);
    if (wanted.size > 0) {
      setFlags(attributes, wanted);
      changed = true;
    }
    return changed ? attributes.map(printAttribute).join("; ") : undefined;
  };
}

function printAttribute({ key, value }: Attribute): string {
  return value === undefined ? key : `${key}=${value}`;
}

function parseCookie(text: string): Attribute[] {
  return text.split(";").map((part) => {
    const equals = part.indexOf("=");
    if (equals < 0) return { key: trim(part), value: undefined };
    return { key: trim(part.slice(0, equals)), value: trim(part.slice(equals + 1)) };
  });
}

function trim(text: string): string {
  return text.replace(/^ +| +$/g, "");
}

const NO_FLAGS: ReadonlySet<Flag> = new Set();

/** The flags of the first line that names the cookie. */
function compileFlags(
  lines: readonly CookieFlags[],
  place: Place,
): (request: Request, cookie: string) => ReadonlySet<Flag> {
  const compiled = lines.map(({ cookie, flags }) => ({
    matches: cookieMatcher(cookie, place),
    flags: flags.map((flag): Text => place.compile(flag)),
  }));
  return (request, cookie) => {
    const line = compiled.find(({ matches }) => matches(request, cookie));
    if (line === undefined) return NO_FLAGS;
    const words = line.flags.map((flag) => flag(request).toLowerCase());
    return new Set(FLAGS.filter((flag) => words.includes(flag)));
  };
}

function cookieMatcher(cookie: Pattern | Template, place: Place): Matcher {
  if (isPattern(cookie)) return place.matcher(cookie.regexp, cookie.names);
  const wanted = place.compile(cookie);
  return (request, name) => wanted(request).toLowerCase() === name.toLowerCase();
}

const SAME_SITE: readonly (readonly [Flag, string])[] = [
  ["samesite=strict", "Strict"],
  ["samesite=lax", "Lax"],
  ["samesite=none", "None"],
];

function setFlags(attributes: Attribute[], flags: ReadonlySet<Flag>): void {
  setWord(attributes, "Secure", flags.has("secure"), flags.has("nosecure"));
  setWord(attributes, "HttpOnly", flags.has("httponly"), flags.has("nohttponly"));
  const sameSite = SAME_SITE.find(([flag]) => flags.has(flag))?.[1];
  const present = attributes.slice(1).filter(({ key }) => key.toLowerCase() === "samesite");
  if (sameSite === undefined) {
    if (flags.has("nosamesite")) remove(attributes, present);
    return;
  }
  for (const attribute of present) {
    if (attribute.value?.toLowerCase() === sameSite.toLowerCase()) continue;
    attribute.key = "SameSite";
    attribute.value = sameSite;
  }
  if (present.length === 0) attributes.push({ key: "SameSite", value: sameSite });
}

function setWord(attributes: Attribute[], word: string, on: boolean, off: boolean): void {
  const present = attributes.slice(1).filter(({ key }) => key.toLowerCase() === word.toLowerCase());
  if (on && present.length === 0) attributes.push({ key: word, value: undefined });
  else if (!on && off) remove(attributes, present);
}

function remove(attributes: Attribute[], unwanted: readonly Attribute[]): void {
  for (const attribute of unwanted) attributes.splice(attributes.indexOf(attribute), 1);
}
