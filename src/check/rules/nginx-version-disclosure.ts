/** Versions that are told to everybody. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxVersionDisclosure = siteRule(
  "nginx-version-disclosure",
  "The version of nginx or of a back end is told to clients on purpose.",
  ({ levels }) =>
    levels.flatMap((level) => [
      ...named(level, "server_tokens")
        .filter(({ args }) => /^(on|build)$/i.test(args[0]?.text ?? ""))
        .map((directive) => ({
          severity: "info" as const,
          title: "Answers and error pages tell the version of the server",
          why: "Who looks for servers with a known fault finds this one by its Server field.",
          fix: "server_tokens off;",
          places: [placeOf(directive)],
        })),
      ...named(level, "proxy_pass_header", "fastcgi_pass_header", "uwsgi_pass_header", "scgi_pass_header")
        .filter(({ args }) => /^(server|x-powered-by|x-aspnet-version)$/i.test(args[0]?.text ?? ""))
        .map((directive) => ({
          severity: "info" as const,
          title: `The back end's ${directive.args[0]?.text} field is passed on to clients`,
          why: "It names the program behind this server, and often its version.",
          fix: `remove the line; proxy_hide_header ${directive.args[0]?.text}; hides a field that is not hidden anyway`,
          places: [placeOf(directive)],
        })),
    ]),
);
