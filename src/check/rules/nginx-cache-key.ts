/** Keys of a cache that leave out what tells answers apart. */
import { proxy } from "../../http/modules/proxy.ts";
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

const PATH = /^(uri|document_uri|request_filename)$/;
const ARGUMENTS = /^(args|query_string|request_uri|arg_.*)$/;

export const nginxCacheKey = siteRule(
  "nginx-cache-key",
  "The key of a cache has the path of a request, but not its arguments.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "proxy_cache_key").flatMap((directive) => {
        const names = (level.scope.own(proxy).proxy_cache_key?.parts ?? []).flatMap((part) =>
          typeof part !== "string" && part.kind === "variable" ? [part.name] : [],
        );
        if (!names.some((name) => PATH.test(name)) || names.some((name) => ARGUMENTS.test(name))) return [];
        return [
          {
            severity: "warning" as const,
            title: "Requests that differ in their arguments get the same answer",
            why: "The key names the path alone: /list?page=1 and /list?page=2 are one answer, that of whoever asks first.",
            fix: "proxy_cache_key $scheme$proxy_host$uri$is_args$args; (or the arguments that count: $arg_page)",
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);
