/** Access that is decided by `$request_uri` as the client wrote it. */
import { rewrite } from "../../http/modules/rewrite.ts";
import { returnedStatus } from "../nginx/access.ts";
import { onlyVariable } from "../nginx/patterns.ts";
import { placeOfLevel, wordsOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxRawUriAccess = siteRule(
  "nginx-raw-uri-access",
  "A path is refused by $request_uri, which can be written in many ways.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const condition = level.outer?.scope.own(rewrite).if?.find(({ scope }) => scope === level.scope)?.header;
      if (condition === undefined || condition.kind === "file" || condition.kind === "value" || condition.negated)
        return [];
      if (onlyVariable(condition.value) !== "request_uri") return [];
      const text = level.opener === undefined ? "" : wordsOf(level.opener).slice(2).join(" ");
      const status = returnedStatus(level) ?? 0;
      // Arguments are nowhere else as they were sent.
      if (status < 400 || /[?=&]/.test(text.replace(/\(\?/g, ""))) return [];
      return [
        {
          severity: "warning" as const,
          title: "What is refused here can be asked for all the same",
          why: "$request_uri is as the client wrote it: /%61dmin, //admin and /x/../admin are the same path to the locations, but another text here.",
          fix: "location ^~ /admin { return 403; }, or $uri instead of $request_uri",
          places: [placeOfLevel(level)],
        },
      ];
    }),
);
