/** A header line that goes on in the next line of the file. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxHeaderMultiline = siteRule(
  "nginx-header-multiline",
  "The value of a header line has a line break in it.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "add_header", "add_trailer", "proxy_set_header", "more_set_headers")
        .filter(({ args }) => args.slice(1).some(({ text }) => /[\r\n]/.test(text)))
        .map((directive) => ({
          severity: "warning" as const,
          title: `The value of ${directive.args[0]?.text} is written over several lines`,
          why: "The line breaks are sent as they are. HTTP no longer allows a field to go on in the next line: some clients refuse the answer, others read a field of its own.",
          fix: 'one line, or a variable for each part: set $csp "default-src \'self\'; "; set $csp "${csp}img-src *";',
          places: [placeOf(directive)],
        })),
    ),
);
