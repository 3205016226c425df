/** `valid_referers` that lets through what it should refuse, or that nobody asks. */
import type { Found } from "../finding.ts";
import { type Level, labelOf, named, placeOf, serverOf, within, wordsOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxValidReferers = siteRule(
  "nginx-valid-referers",
  "valid_referers takes requests without Referer, or its result is not asked for.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "valid_referers").flatMap((directive) => [...none(level, directive), ...unasked(level, directive)]),
    ),
);

type Use = Parameters<typeof wordsOf>[0];

function none(level: Level, directive: Use): readonly Found[] {
  const open: readonly string[] = wordsOf(directive).filter((word) => word === "none" || word === "blocked");
  if (!open.includes("none")) return [];
  return [
    {
      severity: "warning",
      title: `${labelOf(level)} takes requests without Referer`,
      why: "Any page can leave the field out (Referrer-Policy: no-referrer), so this keeps nobody out who wants to come in. Against requests from other sites' forms it is no protection at all.",
      fix: `valid_referers ${wordsOf(directive)
        .filter((word) => !open.includes(word))
        .join(" ")}; or, against links to images only, leave it and know that it is a courtesy`,
      places: [placeOf(directive)],
    },
  ];
}

function unasked(level: Level, directive: Use): readonly Found[] {
  const texts = within(serverOf(level) ?? level).flatMap(({ opener, directives }) => [
    ...(opener?.args ?? []),
    ...directives.flatMap(({ args }) => args),
  ]);
  if (texts.some(({ text }) => text.includes("invalid_referer"))) return [];
  return [
    {
      severity: "warning",
      title: `valid_referers of ${labelOf(level)} refuses nobody`,
      why: "It only sets $invalid_referer. Nothing in this server asks for it.",
      fix: "if ($invalid_referer) { return 403; }",
      places: [placeOf(directive)],
    },
  ];
}
