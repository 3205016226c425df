/** Names are asked of a name server far away. */
import { named, placeOf, wordsOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

const PUBLIC =
  /^(8\.8\.(8\.8|4\.4)|1\.(1\.1\.1|0\.0\.1)|9\.9\.9\.9|149\.112\.112\.112|208\.67\.22[02]\.22[02]|\[?2001:4860:4860::88(88|44)\]?|\[?2606:4700:4700::1(111|001)\]?)(:53)?$/;

export const nginxResolverPublic = siteRule(
  "nginx-resolver-public",
  "Names of back ends are asked of a public name server.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "resolver").flatMap((directive) => {
        const far = wordsOf(directive).filter((word) => PUBLIC.test(word));
        if (far.length === 0) return [];
        return [
          {
            severity: "info" as const,
            title: `Names of back ends are asked of ${far.join(", ")}`,
            why: "The questions go through the Internet unprotected: who answers first decides where requests are passed to, and without that network nothing is found.",
            fix: "a name server of this network or machine: resolver 127.0.0.53;",
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);
