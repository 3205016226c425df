/** Files are served, but no `types` say what they are. */
import { core } from "../../http/modules/core.ts";
import { contentOf, has, placeOfLevel, within } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxTypesMissing = absenceRule(
  "nginx-types-missing",
  "Files are served without a list of media types.",
  ({ servers }) => {
    const bare = servers.filter((server) => {
      if (server.scope.origin(core, "types") !== undefined) return false;
      const levels = within(server).filter(({ context }) => context === "server" || context === "location");
      return levels.some(
        (level) =>
          contentOf(level) === "files" &&
          level.scope.origin(core, "types") === undefined &&
          (has(level, "root", "alias", "try_files", "autoindex") || has(level, "index")),
      );
    });
    if (bare.length === 0) return [];
    return [
      {
        severity: "warning" as const,
        title: "Files are served, but only html, gif and jpg have a media type",
        why: "Without a types block style sheets and scripts are sent as text/plain or whatever default_type says, and browsers don't use them.",
        fix: "include mime.types; in the http block",
        places: bare.map(placeOfLevel),
      },
    ];
  },
);
