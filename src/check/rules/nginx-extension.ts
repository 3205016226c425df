/** Directives that Tandem has and nginx has not. */
import { OWN_DIRECTIVES } from "../bind-nginx.ts";
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxExtension = siteRule(
  "nginx-extension",
  "The file uses a directive that nginx does not know; with --strict this is an error.",
  ({ main, levels }) => {
    const written = [main, ...levels].flatMap((level) => named(level, ...OWN_DIRECTIVES));
    return OWN_DIRECTIVES.flatMap((name) => {
      const places = written.filter((directive) => directive.name === name).map(placeOf);
      if (places.length === 0) return [];
      return [
        {
          severity: "info" as const,
          title: `${name}: an extension, nginx does not know it`,
          why: "nginx refuses the whole file (unknown directive): it does not start with it, and goes on with the file of before at a reload.",
          places,
        },
      ];
    });
  },
);
