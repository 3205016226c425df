/** A line feed in the path of a request, decoded, becomes one in a header. */

import type { Directive } from "../../conf/directive.ts";
import type { Template } from "../../conf/template.ts";
import { headers } from "../../http/modules/headers.ts";
import { proxy } from "../../http/modules/proxy.ts";
import { rewrite } from "../../http/modules/rewrite.ts";
import type { Found } from "../finding.ts";
import { type Level, linesOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { passesOf } from "../nginx/urls.ts";
import { type Values, valuesOf } from "../nginx/values.ts";

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export const nginxHttpSplitting = siteRule(
  "nginx-http-splitting",
  "A client can bring a line feed into an answer's header or into the request to a back end.",
  (site) => {
    const values = valuesOf(site);
    return [
      ...site.levels.flatMap((level) => look(level, values)),
      ...passesOf(site)
        .filter(({ hasVariables }) => hasVariables)
        .flatMap(({ level, directive, url }) => one(values.bringing("newline", url, level), directive, "request")),
    ];
  },
);

type Where = "answer" | "request";

function look(level: Level, values: Values): readonly Found[] {
  const judge = (text: Template | undefined, directive: Directive, where: Where): readonly Found[] =>
    text === undefined ? [] : one(values.bringing("newline", text, level), directive, where);
  return [
    ...linesOf(level, rewrite, "return")
      .filter(({ value }) => REDIRECTS.has(value.status))
      .flatMap(({ value, directive }) => judge(value.text, directive, "answer")),
    // Captures of a rewrite are escaped in a redirect, variables are not.
    ...linesOf(level, rewrite, "rewrite")
      .filter(({ value }) => value.flag === "redirect" || value.flag === "permanent")
      .flatMap(({ value: { replacement }, directive }) => {
        const parts = replacement.parts.filter((part) => typeof part === "string" || part.kind === "variable");
        return judge({ text: replacement.text, parts }, directive, "answer");
      }),
    ...[...linesOf(level, headers, "add_header"), ...linesOf(level, headers, "add_trailer")].flatMap(
      ({ value, directive }) => judge(value.value, directive, "answer"),
    ),
    ...linesOf(level, proxy, "proxy_set_header").flatMap(({ value, directive }) =>
      judge(value.value, directive, "request"),
    ),
  ];
}

function one(variable: string | undefined, directive: Directive, where: Where): readonly Found[] {
  if (variable === undefined) return [];
  const isPath = /^\$(uri|document_uri|request_filename)$/.test(variable);
  return [
    {
      severity: "error",
      title: `${variable} can bring a line feed into the header of ${where === "answer" ? "an answer" : "a request to a back end"}`,
      why: `The path has been decoded: %0A in it is a line feed by then. What follows it is read as a field of its own, ${
        where === "answer"
          ? "so a link can set cookies, or make a whole answer up"
          : "or as a second request, which passes whatever is checked here"
      }.`,
      fix: isPath
        ? "$request_uri, which is as the client sent it"
        : "an expression that takes no line feed: [^/\\s]+ instead of [^/]+, or . instead of a negated class",
      places: [placeOf(directive)],
    },
  ];
}
