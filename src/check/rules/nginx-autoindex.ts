/** Folders that are listed, with `.git` beside what is listed. */
import { isGuarded, refusesAll } from "../nginx/access.ts";
import { findLocation } from "../nginx/lookup.ts";
import { headerOfLevel, labelOf, named, placeOf, serverOf } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxAutoindex = absenceRule(
  "nginx-autoindex",
  "Folders are listed for everybody, and files whose names begin with a dot are not refused.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const directive = named(level, "autoindex").find(({ args }) => args[0]?.text.toLowerCase() === "on");
      const server = serverOf(level);
      if (directive === undefined || server === undefined || isGuarded(level)) return [];
      const header = headerOfLevel(level);
      const prefix = header === undefined || header.kind === "regex" ? "/" : `${header.name.replace(/\/$/, "")}/`;
      if (refusesAll(findLocation(server, `${prefix}.git/config`))) return [];
      return [
        {
          severity: "warning" as const,
          title: `${labelOf(level)} lists its folders, and serves .git and .env to who guesses the name`,
          why: `The list leaves names out that begin with a dot, but ${prefix}.git/config and ${prefix}.env are answered all the same. A list is an invitation to look for them.`,
          fix: "location ~ /\\. { deny all; } in the server; autoindex off; where no list is meant",
          places: [placeOf(directive)],
        },
      ];
    }),
);
