/** A redirect that leads to where it came from. */
import { parseTemplate, type Template } from "../../conf/template.ts";
import type { Found } from "../finding.ts";
import { returnedStatus } from "../nginx/access.ts";
import { addressesOf, serverNamesOf } from "../nginx/lookup.ts";
import { finalReturn, headerOfLevel, type Level, labelOf, placeOf, wordsOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxRedirectLoop = siteRule(
  "nginx-redirect-loop",
  "A server redirects every request to itself.",
  ({ servers }) =>
    servers.flatMap((server) => {
      const root = server.inner.find(
        (level) => headerOfLevel(level)?.kind === "prefix" && headerOfLevel(level)?.name === "/",
      );
      return [server, ...(root === undefined ? [] : [root])].flatMap((level) => look(server, level));
    }),
);

function look(server: Level, level: Level): readonly Found[] {
  const end = finalReturn(level);
  const status = returnedStatus(level) ?? 0;
  // An if in front may well have sent others elsewhere.
  if (end?.name !== "return" || status < 301 || status > 308 || level.inner.some(({ context }) => /^if/.test(context)))
    return [];
  const url = parseTemplate(wordsOf(end).at(-1) ?? "");
  if (!url.ok || !leadsTo(server, url.value)) return [];
  return [
    {
      severity: "error",
      title: `${labelOf(server)} redirects to itself`,
      why: "The redirect comes back to the same server, which redirects it again. Browsers give up after some twenty rounds.",
      fix: "separate servers: one for the names and ports that redirect, one that answers",
      places: [placeOf(end)],
    },
  ];
}

/** `scheme://host` and the path as it is, where the server itself answers. */
function leadsTo(server: Level, { text }: Template): boolean {
  const match = /^(https?|\$scheme):\/\/(\$\{?\w+\}?|[\w.-]+)(:\d+)?(\$request_uri|\$uri)/.exec(text);
  if (match === null) return false;
  const [, scheme = "", host = "", port] = match;
  const isOwn = /^\$\{?(host|http_host|server_name)\b/.test(host) || serverNamesOf(server).includes(host.toLowerCase());
  const own = addressesOf([server]).flatMap(({ address, listens }) =>
    listens.map(({ isTls }) => ({ isTls, port: address.slice(address.lastIndexOf(":")) })),
  );
  if (!isOwn) return false;
  if (scheme === "$scheme") return port === undefined || own.some((one) => one.port === port);
  const wanted = port ?? (scheme === "https" ? ":443" : ":80");
  // A server that also listens without TLS may be meant for the one and redirect the other; it can't tell them apart here.
  return own.some(({ isTls, port: at }) => at === wanted && isTls === (scheme === "https"));
}
