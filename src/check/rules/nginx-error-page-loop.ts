/** Error pages that fail themselves. */
import type { Directive } from "../../conf/directive.ts";
import { core } from "../../http/modules/core.ts";
import type { Found } from "../finding.ts";
import { heldAccess, returnedStatus } from "../nginx/access.ts";
import { findLocation } from "../nginx/lookup.ts";
import {
  contentOf,
  type Level,
  labelOf,
  named,
  outwards,
  placeOf,
  placeOfLevel,
  within,
  wordsOf,
} from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

const GATEWAY = new Set(["502", "503", "504"]);

export const nginxErrorPageLoop = siteRule(
  "nginx-error-page-loop",
  "An error page is asked of what has just failed, or is refused itself.",
  ({ servers }) =>
    servers.flatMap((server) => {
      const outer = [...outwards(server)].slice(1).find((level) => named(level, "error_page").length > 0);
      const inherited = named(server, "error_page").length > 0 || outer === undefined ? [] : named(outer, "error_page");
      const own = within(server).flatMap((level) => named(level, "error_page").map((line) => ({ level, line })));
      return [...own, ...inherited.map((line) => ({ level: server, line }))].flatMap(({ level, line }) =>
        look(server, level, line),
      );
    }),
);

function look(server: Level, level: Level, line: Directive): readonly Found[] {
  const words = wordsOf(line);
  const uri = words.at(-1) ?? "";
  if (!uri.startsWith("/") || uri.includes("$")) return [];
  const target = findLocation(server, uri.split("?", 1)[0] as string);
  const codes = words.slice(0, -1).filter((word) => /^\d+$/.test(word));
  const places = [placeOf(line), ...(target.opener === line ? [] : [placeOfLevel(target)])];
  if (contentOf(target) === "proxy" && codes.some((code) => GATEWAY.has(code)) && proxies(level))
    return [
      {
        severity: "warning",
        title: `The page for ${codes.filter((code) => GATEWAY.has(code)).join(", ")} is asked of a back end: ${uri} comes to ${labelOf(target)}`,
        why: "When the back end is down, so is its error page, and clients get nginx's own.",
        fix: `location = ${uri} { root /srv/errors; internal; }`,
        places,
      },
    ];
  if (isRefused(target, codes))
    return [
      {
        severity: "warning",
        title: `The error page ${uri} is refused itself`,
        why: "The page is fetched like any other path, through allow and deny: who may not see the site may not see its error page, and gets nginx's own.",
        fix: `location = ${uri} { allow all; root /srv/errors; internal; }`,
        places,
      },
    ];
  if (!repeats(target, codes, uri)) return [];
  return [
    {
      severity: "warning",
      title: `When ${uri} fails it is answered with ${uri}`,
      why: "With recursive_error_pages a missing error page is an error that has the same page. After ten rounds the answer is 500.",
      fix: `recursive_error_pages off; in location = ${uri}`,
      places,
    },
  ];
}

function proxies(level: Level): boolean {
  return within(level).some((inner) => contentOf(inner) === "proxy");
}

function isRefused(target: Level, codes: readonly string[]): boolean {
  const status = returnedStatus(target) ?? 0;
  if (status >= 400 && codes.includes(`${status}`) && named(target, "return").every(({ args }) => args.length < 2))
    return true;
  return codes.includes("403") && heldAccess(target).some(({ deny, isAll }) => deny && isAll);
}

function repeats(target: Level, codes: readonly string[], uri: string): boolean {
  const conf = target.scope.conf(core);
  if (!conf.recursive_error_pages || contentOf(target) !== "files") return false;
  return codes.includes("404") && conf.error_page.some((page) => page.uri.text === uri && page.statuses.includes(404));
}
