/** Keywords that Tandem has and keepalived has not. */
import { PEER_KEYWORDS } from "../../conf/keepalived/peer.ts";
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject, trackedUpstreams } from "../subject.ts";

export const keepalivedExtension: Rule<Subject> = {
  id: "keepalived-extension",
  doc: "The file uses a keyword that keepalived does not know; with --strict this is an error.",
  check: (subject) =>
    nodesOf(subject).flatMap((node): readonly Found[] => {
      const found: Found[] = [];
      const tracked = trackedUpstreams(node).map(({ at }) => at);
      if (tracked.length > 0)
        found.push({
          severity: "info",
          title: "track_upstream is an extension: keepalived does not know it",
          why: "keepalived complains about the line and runs without it: on a node with keepalived the priority would not follow the back ends.",
          places: tracked,
        });
      const { where } = node.config.globals;
      const written = PEER_KEYWORDS.filter((keyword) => where.has(keyword));
      if (written.length > 0)
        found.push({
          severity: "info",
          title: `${written.join(", ")}: ${written.length === 1 ? "an extension" : "extensions"}, keepalived does not know ${written.length === 1 ? "it" : "them"}`,
          why: "keepalived complains about the line and runs without it: with a node that runs keepalived no address is handed over without breaking connections.",
          places: written.flatMap((keyword) => where.get(keyword) ?? []),
        });
      return found;
    }),
};
