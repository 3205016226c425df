/** Which server answers for unknown names is left to the order of files. */
import { addressesOf } from "../nginx/lookup.ts";
import { labelOf, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxDefaultServer = siteRule(
  "nginx-default-server",
  "Servers of one address are in several files, and none is the default server.",
  ({ servers }) =>
    addressesOf(servers).flatMap(({ address, listens }) => {
      const files = new Set(listens.map(({ place }) => place.file));
      const [first] = listens;
      if (first === undefined || files.size < 2 || listens.some(({ isDefault }) => isDefault)) return [];
      return [
        {
          severity: "info" as const,
          title: `Which server of ${address} answers for unknown names depends on the names of files`,
          why: `Without default_server it is the first one that is read, now ${labelOf(first.server)}. A new file that is sorted before it takes its place.`,
          fix: `server { listen ${address.replace(/^\*:/, "")} default_server; return 444; }`,
          places: listens.map(({ server }) => placeOfLevel(server)),
        },
      ];
    }),
);
