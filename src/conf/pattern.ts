/** Regular expressions of a configuration. nginx: ngx_regex_compile with its callers. */
import { type Pattern, translatePattern } from "./pcre.ts";
import type { Use } from "./slot.ts";

/** Translates a pattern of the configuration and declares its captures; undefined when it has been refused. */
export function parsePattern(use: Use, source: string, ignoreCase: boolean): Pattern | undefined {
  const translated = translatePattern(source, ignoreCase);
  if (!translated.ok) return use.fail(`pcre2_compile() failed: ${translated.reason} in "${source}"`);
  for (const name of translated.value.names) if (name !== "") use.define(name.toLowerCase());
  return translated.value;
}
