/** A rate without any tolerance. */
import { limitReq } from "../../http/modules/limit_req.ts";
import { labelOf, linesOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxLimitReqBurst = siteRule(
  "nginx-limit-req-burst",
  "limit_req without burst refuses the second of two requests that come together.",
  ({ levels }) =>
    levels.flatMap((level) =>
      linesOf(level, limitReq, "limit_req")
        .filter(({ value }) => value.burst === 0)
        .map(({ directive }) => ({
          severity: "warning" as const,
          title: `limit_req of ${labelOf(level)} has no burst`,
          why: "Rates are counted by the millisecond: at 10r/s a request less than 100 ms behind the last one is refused, also the second one ever. A page with its pictures does not get through.",
          fix: "burst=20 nodelay (as many at once as a page needs)",
          places: [placeOf(directive)],
        })),
    ),
);
