/** A `proxy_pass` with variables has to look names up, and no `resolver` says where. */
import { core } from "../../http/modules/core.ts";
import type { Found } from "../finding.ts";
import { holding, placeOf, type Site } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";
import { hostName, isAddress, type Pass, passesOf, splitUrl, upstreamNames } from "../nginx/urls.ts";
import { valuesOf } from "../nginx/values.ts";

export const nginxResolverMissing = absenceRule(
  "nginx-resolver-missing",
  "The host of a proxy_pass has to be looked up while the server runs, and there is no resolver.",
  (site) => passesOf(site).flatMap((pass) => look(pass, site)),
);

function look(pass: Pass, site: Site): readonly Found[] {
  const { level, directive, url, hasVariables } = pass;
  if (!hasVariables || level.scope.conf(core).resolver !== undefined || holding(level, "resolver").length > 0)
    return [];
  const hosts = hostsOf(pass, site);
  if (hosts?.length === 0) return [];
  const name = hosts?.[0];
  return [
    {
      severity: name === undefined ? "warning" : "error",
      title:
        name === undefined
          ? `A resolver may be needed for ${url.text}, and there is none`
          : `There is no resolver to look ${name} up`,
      why: 'With a variable in it the name of the host is looked up for each request, unless it is that of an upstream block or an address. Without a resolver the answer is 502 ("no resolver defined to resolve").',
      fix: "resolver 127.0.0.53 valid=30s; (the name server of this network), or an upstream block of that name",
      places: [placeOf(directive)],
    },
  ];
}

/** Names that have to be looked up; undefined when it is not known what they can be. */
function hostsOf({ url }: Pass, site: Site): readonly string[] | undefined {
  const values = valuesOf(site);
  const { host } = splitUrl(url);
  // An address whose port is a variable.
  if (typeof host?.[0] === "string" && isAddress(host[0].replace(/:$/, ""))) return [];
  const texts =
    host === undefined
      ? values
          .textsOf({ text: url.text, parts: untilUnknown(url.parts, values.isDefined.bind(values)) })
          ?.map((text) => text.replace(/^\w+:\/\//, "").replace(/[/?].*$/s, ""))
      : values.textsOf({ text: url.text, parts: host });
  if (texts === undefined) return undefined;
  const upstreams = upstreamNames(site);
  return texts.filter(
    (text) => text !== "" && !isAddress(text) && !upstreams.has(hostName(text)) && hostName(text) !== "localhost",
  );
}

type Parts = Pass["url"]["parts"];

/** The variable that the whole URL begins with, without what is put behind it. */
function untilUnknown(parts: Parts, isDefined: (name: string) => boolean): Parts {
  const end = parts.findIndex((part) => typeof part !== "string" && (part.kind === "capture" || !isDefined(part.name)));
  return end <= 0 ? parts : parts.slice(0, end);
}
