/** Zones that no limit uses. */
import { named, placeOf, wordsOf } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxLimitUnused = absenceRule(
  "nginx-limit-unused",
  "A zone of a limit is declared, but nothing is limited by it.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "limit_req_zone", "limit_conn_zone").flatMap((directive) => {
        const isRate = directive.name === "limit_req_zone";
        const name = wordsOf(directive)
          .map((word) => /^zone=([^:]*)/.exec(word)?.[1])
          .find((word) => word !== undefined);
        const uses = levels.flatMap((inner) => named(inner, isRate ? "limit_req" : "limit_conn"));
        const isUsed = uses.some(({ args }) => args.some(({ text }) => text === (isRate ? `zone=${name}` : name)));
        if (name === undefined || isUsed) return [];
        return [
          {
            severity: "warning" as const,
            title: `Nothing is limited by the zone ${name}`,
            why: `${directive.name} only says how it is counted. Without ${isRate ? "limit_req" : "limit_conn"} somewhere nobody is counted or refused.`,
            fix: isRate ? `limit_req zone=${name} burst=20 nodelay;` : `limit_conn ${name} 20;`,
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);
