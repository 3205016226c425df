/** Names that no request has. */
import { named, placeOf, wordsOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxServerNameMalformed = siteRule(
  "nginx-server-name-malformed",
  "A server_name has a port, a scheme or a comma in it and matches nothing.",
  ({ servers }) =>
    servers.flatMap((server) =>
      named(server, "server_name").flatMap((directive) => {
        const wrong = wordsOf(directive).filter((name) => /^[^~$[].*[:/,;]|,$/.test(name));
        if (wrong.length === 0) return [];
        return [
          {
            severity: "warning" as const,
            title: `No host is called ${wrong.join(" or ")}`,
            why: "Names are compared without scheme, port and path, and they are separated by blanks. Requests for this host go to the default server.",
            fix: `server_name ${wordsOf(directive)
              .map((name) => (wrong.includes(name) ? name.replace(/^\w+:\/\//, "").replace(/[:/,;].*$/, "") : name))
              .join(" ")};`,
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);
