/** Expressions that match no path, no host, nothing. */
import { domainOf, subjectKind } from "../nginx/patterns.ts";
import { placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { valuesOf } from "../nginx/values.ts";
import { matchesNothing } from "../regex/language.ts";

const TEXTS: Readonly<Record<string, string>> = {
  path: "A path begins with a slash, has no two in a row (merge_slashes), has been decoded, and its arguments are no part of it.",
  host: "The name of a host is in lower case, and has neither scheme nor path.",
};

export const nginxRegexNever = siteRule("nginx-regex-never", "A regular expression never matches.", (site) =>
  valuesOf(site).patterns.flatMap((use) => {
    if (use.automaton === undefined || matchesNothing(use.automaton, domainOf(use)) !== true) return [];
    const kind = subjectKind(use.subject);
    return [
      {
        severity: "warning" as const,
        title: `The expression ${use.source} never matches`,
        why: TEXTS[kind ?? ""] ?? "Nothing can stand in front of ^ or behind $.",
        fix: kind === "path" ? "begin it with ^/; for arguments use $args or $arg_name" : "write it as the text is",
        places: [placeOf(use.directive)],
      },
    ];
  }),
);
