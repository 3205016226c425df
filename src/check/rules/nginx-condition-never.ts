/** Conditions that no request fulfils. */

import { constantOf } from "../../conf/template.ts";
import { rewrite } from "../../http/modules/rewrite.ts";
import { onlyVariable } from "../nginx/patterns.ts";
import { placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

/** What a variable can be, and why. */
const POSSIBLE: Readonly<Record<string, readonly [pattern: RegExp, why: string]>> = {
  host: [/^[^A-Z]*$/, "$host is in lower case, whatever the client has written"],
  server_name: [/^[^A-Z]*$/, "$server_name is in lower case"],
  request_method: [/^[A-Z_-]+$/, "methods are in capital letters"],
  scheme: [/^https?$/, '$scheme is "http" or "https"'],
  https: [/^(on)?$/, '$https is "on" or empty'],
  uri: [/^\//, "$uri begins with a slash"],
  document_uri: [/^\//, "$document_uri begins with a slash"],
  request_uri: [/^(\/|https?:)/, "$request_uri begins with a slash"],
  server_protocol: [/^HTTP\/\d\.\d$/, '$server_protocol looks like "HTTP/1.1"'],
  remote_addr: [/^([\da-f.:]+|unix:)$/, "$remote_addr is a single address, not a network or a name"],
  is_args: [/^\??$/, '$is_args is "?" or empty'],
};

export const nginxConditionNever = siteRule(
  "nginx-condition-never",
  "An if compares with a value that its variable never has.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const condition = level.outer?.scope.own(rewrite).if?.find(({ scope }) => scope === level.scope)?.header;
      if (condition?.kind !== "equal") return [];
      const variable = onlyVariable(condition.value);
      const value = constantOf(condition.other);
      const known = variable === undefined || !Object.hasOwn(POSSIBLE, variable) ? undefined : POSSIBLE[variable];
      if (known === undefined || value === undefined || known[0].test(value)) return [];
      return [
        {
          severity: "warning" as const,
          title: condition.negated ? "This condition always holds" : "This condition never holds",
          why: `It compares with "${value}", but ${known[1]}.`,
          fix: "write the value as the variable has it; for networks geo, for several values map",
          places: [placeOfLevel(level)],
        },
      ];
    }),
);
