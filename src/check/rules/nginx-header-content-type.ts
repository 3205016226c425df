/** `add_header Content-Type` makes a second one. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxHeaderContentType = siteRule(
  "nginx-header-content-type",
  "add_header adds a second Content-Type instead of setting it.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "add_header")
        .filter(({ args }) => /^content-(type|length|encoding)$/i.test(args[0]?.text ?? ""))
        .map((directive) => ({
          severity: "warning" as const,
          title: `add_header sends a second ${directive.args[0]?.text}`,
          why: "add_header never replaces what the answer has already. Of two of these fields a client takes whichever it likes.",
          fix: "default_type application/json; (with types { } where the path has an extension)",
          places: [placeOf(directive)],
        })),
    ),
);
