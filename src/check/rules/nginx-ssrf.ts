/** The client says which host its request is passed on to. */
import type { TemplatePart } from "../../conf/template.ts";
import type { Found } from "../finding.ts";
import { isInternal } from "../nginx/access.ts";
import { type Level, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { type Pass, passesOf, splitUrl } from "../nginx/urls.ts";
import { type Values, valuesOf } from "../nginx/values.ts";
import { mayHold, setOf } from "../regex/syntax.ts";

/** What ends the name of a host, so that what follows it no longer belongs to it. */
const ENDS = setOf("/?#@:\\");

export const nginxSsrf = siteRule(
  "nginx-ssrf",
  "A client chooses the host that its request is passed on to.",
  (site) => {
    const values = valuesOf(site);
    return passesOf(site)
      .filter(({ hasVariables, level }) => hasVariables && !isInternal(level))
      .flatMap((pass) => look(pass, values));
  },
);

function look({ level, directive, url }: Pass, values: Values): readonly Found[] {
  const { host = url.parts } = splitUrl(url);
  const chosen = host.find((part) => values.hasTrait("client", part, level));
  if (chosen === undefined || typeof chosen === "string" || isConfined(host, chosen, level, values)) return [];
  const name = chosen.kind === "capture" ? `$${chosen.index}` : `$${chosen.name}`;
  return [
    {
      severity: "error",
      title: `The client chooses where its request is passed to, by ${name}`,
      why: "It can name machines that only this one reaches: other services of the network, those that listen on 127.0.0.1, the metadata of a cloud (169.254.169.254).",
      fix: "a map from what the client says to names that are written down here, or an expression with the names in it: ^/(shop|blog)/",
      places: [placeOf(directive)],
    },
  ];
}

/** `$1.internal.example` with a capture that can't end the name of the host: somewhere in that domain. */
function isConfined(
  host: readonly TemplatePart[],
  chosen: Exclude<TemplatePart, string>,
  level: Level,
  values: Values,
): boolean {
  const last = host.at(-1);
  if (typeof last !== "string" || !/^[\w-]*\.[a-z][\w.-]*(:\d+)?$/i.test(last)) return false;
  if (chosen.kind === "variable" && /^(host|server_name)$/.test(chosen.name)) return true;
  const before = chosen.kind === "capture" ? values.matchedBefore(level) : undefined;
  const capture =
    chosen.kind === "variable" ? values.captureOf(chosen.name) : before && { pattern: before, group: chosen.index };
  const group = capture && values.groupOf(capture.pattern, capture.group);
  return group !== undefined && !mayHold(group, ENDS);
}
