/** The Host field of the client, unchecked, where a name should be. */

import type { Directive } from "../../conf/directive.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { proxy } from "../../http/modules/proxy.ts";
import { rewrite } from "../../http/modules/rewrite.ts";
import type { Found } from "../finding.ts";
import { linesOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { splitUrl } from "../nginx/urls.ts";

/** Variables that say what the client wrote, whatever that is. */
const UNCHECKED = /^(http_host|http_x_forwarded_host|http_x_host|http_forwarded|arg_.*|cookie_.*)$/;

export const nginxHostSpoofing = siteRule(
  "nginx-host-spoofing",
  "The Host field of the client goes unchecked to a back end or into a redirect.",
  ({ levels }) =>
    levels.flatMap((level) => [
      ...linesOf(level, proxy, "proxy_set_header")
        .filter(({ value }) => value.name.toLowerCase() === "host")
        .flatMap(({ value, directive }) => passedOn(value.value, directive)),
      ...linesOf(level, rewrite, "return").flatMap(({ value, directive }) => redirected(value.text, directive)),
      ...linesOf(level, rewrite, "rewrite").flatMap(({ value, directive }) => redirected(value.replacement, directive)),
    ]),
);

function unchecked({ parts }: Template): string | undefined {
  for (const part of parts)
    if (typeof part !== "string" && part.kind === "variable" && UNCHECKED.test(part.name)) return part.name;
  return undefined;
}

function passedOn(value: Template, directive: Directive): readonly Found[] {
  const variable = constantOf(value) === undefined ? unchecked(value) : undefined;
  if (variable === undefined) return [];
  return [
    {
      severity: "warning",
      title: `The back end is told the name of the host as the client wrote it ($${variable})`,
      why: "With an absolute request line nginx takes the server from that line, while this variable still holds the Host field, which may say anything: a back end that chooses a site, or builds links for mails and caches, by that name is misled.",
      fix: "proxy_set_header Host $host; (or $host:$server_port)",
      places: [placeOf(directive)],
    },
  ];
}

function redirected(text: Template | undefined, directive: Directive): readonly Found[] {
  const host = text === undefined ? undefined : splitUrl(text).host;
  const variable = host === undefined ? undefined : unchecked({ text: "", parts: host });
  if (variable === undefined) return [];
  return [
    {
      severity: "warning",
      title: `A redirect goes to the host that the client has named ($${variable})`,
      why: "The name has not been checked. A cache that keeps the redirect sends others there, too.",
      fix: "the site's own name, or $host: return 301 https://$host$request_uri;",
      places: [placeOf(directive)],
    },
  ];
}
