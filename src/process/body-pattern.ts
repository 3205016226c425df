/** `regex` of HTTP_GET and SSL_GET: PCRE of keepalived.conf as RegExp on bytes. What has no equal is refused by name. */

import { latin1 } from "../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../base/decoded.ts";
import type { Diagnostic } from "../conf/diagnostics.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import type { CheckedRegex } from "../conf/keepalived/lvs/config.ts";
import { translatePattern } from "../conf/pcre.ts";
import type { BodyPattern } from "../lvs/ports.ts";

/** Options that have a letter in a pattern. */
const LETTERS: Readonly<Record<string, string>> = { caseless: "i", dotall: "s", multiline: "m" };
/** Options about how PCRE works, not about what matches. */
const HARMLESS = new Set([
  "auto_callout",
  "alt_verbnames",
  "dupnames",
  "never_backslash_c",
  "never_ucp",
  "never_utf",
  "no_auto_possess",
  "no_dotstar_anchor",
  "no_start_optimize",
  "use_offset_limit",
]);

/** What finds the pattern in a body, or why there is none. */
export function compileBodyPattern(regex: CheckedRegex): Decoded<BodyPattern> {
  const { pattern, options, minOffset, maxOffset = Number.POSITIVE_INFINITY } = regex;
  const foreign = options.find((option) => LETTERS[option] === undefined && !HARMLESS.has(option));
  if (foreign !== undefined) return malformed(`regex_options ${foreign}`);
  const letters = options.map((option) => LETTERS[option] ?? "").join("");
  const translated = translatePattern(letters === "" ? pattern : `(?${letters})${pattern}`, false, true);
  if (!translated.ok) return translated;
  const { source, flags } = translated.value.regexp;
  // "m" has been told the translator; RegExp's own knows more ends of lines than a line feed.
  const regexp = new RegExp(source, `${flags.replace("m", "")}g`);
  return decoded((body) => {
    regexp.lastIndex = minOffset;
    const match = regexp.exec(latin1(body));
    return match !== null && match.index <= maxOffset;
  });
}

/** Patterns of a configuration that can't be had. */
export function patternFaults({ virtualServers }: KeepalivedConfig): readonly Diagnostic[] {
  const checkers = virtualServers.flatMap(({ realServers }) =>
    realServers.flatMap((server) => server.checkers.map((checker) => ({ server, checker }))),
  );
  return checkers.flatMap(({ server, checker }) => {
    if (checker.kind !== "HTTP_GET" && checker.kind !== "SSL_GET") return [];
    return checker.urls.flatMap(({ regex }): Diagnostic[] => {
      const compiled = regex && compileBodyPattern(regex);
      if (regex === undefined || compiled === undefined || compiled.ok) return [];
      const message = `regex "${regex.pattern}" of ${checker.kind} can't be used: ${compiled.reason}`;
      return [{ severity: "error", message, position: { ...server.at, column: 1 } }];
    });
  });
}
