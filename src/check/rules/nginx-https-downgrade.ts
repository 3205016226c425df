/** A server that speaks TLS sends its clients away from it. */
import { addressesOf } from "../nginx/lookup.ts";
import { labelOf, named, placeOf, within } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxHttpsDowngrade = siteRule(
  "nginx-https-downgrade",
  "A server with TLS redirects to http://.",
  ({ servers }) =>
    servers.flatMap((server) => {
      const listens = addressesOf([server]).flatMap((address) => address.listens);
      if (!listens.every(({ isTls }) => isTls)) return [];
      const lines = within(server)
        .flatMap((level) => named(level, "return", "rewrite"))
        .filter(({ name, args }) => args.slice(name === "rewrite" ? 1 : 0).some(({ text }) => /^http:\/\//.test(text)));
      if (lines.length === 0) return [];
      return [
        {
          severity: "warning" as const,
          title: `${labelOf(server)} redirects from https to http`,
          why: "Whoever sits between reads the next request, cookies included, and can answer it.",
          fix: "return 301 https://$host…;",
          places: lines.map(placeOf),
        },
      ];
    }),
);
