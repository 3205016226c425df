/** The last word of `try_files` is not looked for: the request goes on there. */
import { named, placeOf, wordsOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxTryFilesFallback = siteRule(
  "nginx-try-files-fallback",
  "try_files ends with a file instead of a fallback.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "try_files").flatMap((directive) => {
        const last = wordsOf(directive).at(-1) ?? "";
        const returns = /^\$(uri|document_uri|request_uri|\{uri\})/.test(last);
        if (!returns && /^[/@=$]/.test(last)) return [];
        return [
          {
            severity: "error" as const,
            title: `try_files has no fallback: ${last} is where the request goes when nothing was found`,
            why: returns
              ? "nginx does not look whether the last one exists. It goes there, comes to the same location, finds nothing again, and after ten rounds answers 500 instead of 404."
              : "nginx does not look whether the last one exists. It takes it as the new path, which begins with a slash in every location's name, so no location is found.",
            fix: returns ? `${print(directive)} =404;` : `${print(directive).replace(last, `/${last}`)};`,
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);

function print(directive: Parameters<typeof wordsOf>[0]): string {
  return [directive.name, ...wordsOf(directive)].join(" ");
}
