/** `if (!-e $request_filename)`, where `try_files` would do. */
import { rewrite } from "../../http/modules/rewrite.ts";
import { onlyVariable } from "../nginx/patterns.ts";
import { has, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxIfFile = siteRule(
  "nginx-if-file",
  "An if asks whether the file of a request exists, instead of try_files.",
  ({ levels }) =>
    levels.flatMap((level) => {
      if (!/^if /.test(level.context) || !has(level, "rewrite", "proxy_pass", "fastcgi_pass", "break")) return [];
      const condition = level.outer?.scope.own(rewrite).if?.find(({ scope }) => scope === level.scope)?.header;
      if (condition?.kind !== "file" || onlyVariable(condition.path) !== "request_filename") return [];
      return [
        {
          severity: "info" as const,
          title: "An if asks whether the file exists",
          why: "try_files does the same in one line, without a rewrite and without the traps of if.",
          fix: "location / { try_files $uri $uri/ /index.php?$args; }",
          places: [placeOfLevel(level)],
        },
      ];
    }),
);
