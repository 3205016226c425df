/** Names that only one node's nginx has a server for: after a fail-over another server answers. */
import type { Found, Rule } from "../finding.ts";
import { serverNamesOf } from "../nginx/lookup.ts";
import { type Level, named, placeOf, placeOfLevel, type Site } from "../nginx/site.ts";
import type { CheckedNode, Subject } from "../subject.ts";

export const serverNamesDiffer: Rule<Subject> = {
  id: "server-names-differ",
  doc: "A name has a server on one node only.",
  check: ({ node, peer }) =>
    peer === undefined || node.nginx === peer.nginx ? [] : [...missing(node, peer), ...missing(peer, node)],
};

/** Names of a site, each with the server that has it first. */
function namesOf({ servers }: Site): ReadonlyMap<string, Level> {
  const names = new Map<string, Level>();
  for (const server of servers)
    for (const name of serverNamesOf(server))
      if (name !== "" && name !== "_" && !names.has(name)) names.set(name, server);
  return names;
}

function missing(node: CheckedNode, other: CheckedNode): Found[] {
  const ours = node.nginx?.site;
  const theirs = other.nginx?.site;
  // What is not there may be in a file that could not be read.
  if (ours === undefined || theirs?.isComplete !== true) return [];
  const known = namesOf(theirs);
  return [...namesOf(ours)]
    .filter(([name]) => !known.has(name))
    .map(([name, server]) => ({
      severity: "warning",
      title: `Only nginx of ${node.label} has a server called ${name}`,
      why: `When ${other.label} has the address, requests for ${name} go to its default server.`,
      fix: "the same servers on both nodes",
      places: [placeOfName(server)],
    }));
}

function placeOfName(server: Level) {
  const [directive] = named(server, "server_name");
  return directive === undefined ? placeOfLevel(server) : placeOf(directive);
}
