/** A `rewrite` to something that is neither a path nor a URL. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxRewriteTarget = siteRule(
  "nginx-rewrite-target",
  "The target of a rewrite begins neither with a slash nor with http://.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "rewrite").flatMap((directive) => {
        const target = directive.args[1]?.text ?? "";
        if (target === "" || /^(\/|https?:\/\/|\$)/.test(target)) return [];
        const isHost = /^(www\.|[\w-]+\.(com|net|org|de|io|example)\b)/i.test(target);
        return [
          {
            severity: "warning" as const,
            title: `The rewrite to ${target} leads nowhere`,
            why: isHost
              ? "Without http:// or https:// in front it is a path, not a redirect to that host."
              : "A path begins with a slash; this one is found in no location, and with a folder in front it becomes another name.",
            fix: isHost ? `https://${target}` : `/${target}`,
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);
