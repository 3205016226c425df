/** The URL of a `proxy_pass`, with or without variables. */
import type { Directive } from "../../conf/directive.ts";
import { parseTemplate, type Template, type TemplatePart } from "../../conf/template.ts";
import { upstream } from "../../http/modules/upstream.ts";
import { type Level, named, type Site } from "./site.ts";

/** A URL in its two halves; `host` is undefined when variables decide where it ends. */
export interface SplitUrl {
  readonly host: readonly TemplatePart[] | undefined;
  readonly path: readonly TemplatePart[];
}

/** A `proxy_pass` right in a level. */
export interface Pass {
  readonly level: Level;
  readonly directive: Directive;
  readonly url: Template;
  readonly hasVariables: boolean;
}

/** All of them. */
export function passesOf(site: Site): readonly Pass[] {
  return site.levels.flatMap((level) =>
    named(level, "proxy_pass").flatMap((directive) => {
      const url = parseTemplate(directive.args[0]?.text ?? "");
      if (!url.ok) return [];
      return [
        { level, directive, url: url.value, hasVariables: url.value.parts.some((part) => typeof part !== "string") },
      ];
    }),
  );
}

/** Cuts behind the name of the host. */
export function splitUrl({ parts }: Template): SplitUrl {
  const first = parts[0];
  const second = parts[1];
  // `http://…`, or `$scheme://…`
  const lead = typeof first === "string" ? 0 : typeof second === "string" && second.startsWith("://") ? 1 : -1;
  const scheme = lead < 0 ? undefined : /^(?:https?)?:\/\//i.exec(parts[lead] as string);
  if (scheme === undefined || scheme === null) return { host: undefined, path: [] };
  const literal = (parts[lead] as string).slice(scheme[0].length);
  const rest: readonly TemplatePart[] = [literal, ...parts.slice(lead + 1)];
  // `unix:/run/app.sock:/path`
  const socket = /^(unix:[^:]*)(?::(.*))?$/s.exec(literal);
  if (socket !== null)
    return { host: [socket[1] as string], path: [socket[2] ?? "", ...rest.slice(1)].filter((part) => part !== "") };
  const at = rest.findIndex((part) => typeof part === "string" && part.includes("/"));
  const compact = (list: readonly TemplatePart[]): readonly TemplatePart[] => list.filter((part) => part !== "");
  if (at < 0) return { host: compact(untilPath(rest)), path: compact(rest.slice(untilPath(rest).length)) };
  const text = rest[at] as string;
  const slash = text.indexOf("/");
  const before = untilPath([...rest.slice(0, at), text.slice(0, slash)]);
  const behind = [...rest.slice(before.length, at), text.slice(slash)];
  return { host: compact(before), path: compact([...behind, ...rest.slice(at + 1)]) };
}

/** The path of a URL without variables; undefined when it has none. */
export function pathOf(url: string): string | undefined {
  return /^\w+:\/\/(?:unix:[^:]*:|(?!unix:)[^/]+)(\/.*)$/i.exec(url)?.[1];
}

/** Variables that begin with the slash themselves. */
const PATH_VARIABLES = new Set(["request_uri", "uri", "document_uri"]);

/** What comes in front of a variable that is a path. */
function untilPath(parts: readonly TemplatePart[]): readonly TemplatePart[] {
  const at = parts.findIndex(
    (part) => typeof part !== "string" && part.kind === "variable" && PATH_VARIABLES.has(part.name),
  );
  return at < 0 ? parts : parts.slice(0, at);
}

/** The names of the `upstream` blocks, in lower case. */
export function upstreamNames({ http }: Site): ReadonlySet<string> {
  return new Set((http?.scope.conf(upstream).upstream ?? []).map(({ header }) => header.toLowerCase()));
}

/** A literal address, with or without port: no name that has to be looked up. */
export function isAddress(host: string): boolean {
  return /^(unix:|\[[0-9a-f:.]+\](:\d+)?$|(\d{1,3}\.){3}\d{1,3}(:\d+)?$)/i.test(host);
}

/** Without the port. */
export function hostName(host: string): string {
  return host.replace(/:\d+$/, "").toLowerCase();
}
