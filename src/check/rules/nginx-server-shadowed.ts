/** Servers that no request comes to, because others have their names. */
import type { Found } from "../finding.ts";
import { translatedNames } from "../nginx/host-names.ts";
import { addressesOf, type SharedAddress, serverNamesOf } from "../nginx/lookup.ts";
import { type Level, labelOf, named, placeOf, placeOfLevel, wordsOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxServerShadowed = siteRule(
  "nginx-server-shadowed",
  "Two servers of one address have the same name, or a server can't be reached by any.",
  ({ servers }) => {
    const addresses = addressesOf(servers);
    return [...addresses.flatMap(conflicts), ...servers.flatMap((server) => nameless(server, addresses))];
  },
);

/** Names of one address that two servers have. */
function conflicts({ address, listens }: SharedAddress): readonly Found[] {
  const owners = new Map<string, Level>();
  const found: Found[] = [];
  for (const { server } of listens) {
    for (const name of new Set(serverNamesOf(server).flatMap(translatedNames))) {
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, server);
      else if (owner !== server && name !== "")
        found.push({
          severity: "warning",
          title: `Two servers of ${address} are called ${name}`,
          why: "The first one in the order of reading gets all requests for that name; the other one gets none, and says nothing.",
          fix: "remove the name (or the server) that is out of date; nginx -T shows all files in their order",
          places: [placeOfName(owner), placeOfName(server)],
        });
    }
  }
  return found;
}

function placeOfName(server: Level) {
  const [directive] = named(server, "server_name");
  return directive === undefined ? placeOfLevel(server) : placeOf(directive);
}

/** A server without a name, or called `_`, is only reached as the default one. */
function nameless(server: Level, addresses: readonly SharedAddress[]): readonly Found[] {
  // `server_name ""` says aloud that it is for requests without Host.
  const names = named(server, "server_name").flatMap(wordsOf);
  if (!names.every((name) => name === "_")) return [];
  const own = addresses.filter(({ listens }) => listens.some((one) => one.server === server));
  const isReached = own.some(
    ({ listens }) => (listens.find(({ isDefault }) => isDefault) ?? listens[0])?.server === server,
  );
  if (isReached || own.length === 0) return [];
  const takers = own.flatMap(({ listens }) => listens.find(({ isDefault }) => isDefault) ?? listens[0] ?? []);
  return [
    {
      severity: "warning",
      title: `${labelOf(server)} gets no request: it is not the default server of its address`,
      why: `"_" is no wildcard, and without a name a server is only asked by requests without Host. Requests for names that no server has go to the default server: the one with default_server, else the first one in the order of reading (${labelOf(takers[0]?.server ?? server)}).`,
      fix: `listen ${named(server, "listen")[0]?.args[0]?.text ?? "80"} default_server;`,
      places: [placeOfLevel(server), ...takers.map(({ place }) => place)],
    },
  ];
}
