/** Keywords that Tandem has and keepalived has not. */
import { MAIL_EXTENSIONS } from "../../conf/keepalived/mail.ts";
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
      const add = (keywords: readonly string[], why: string): void => {
        const written = keywords.filter((keyword) => where.has(keyword));
        if (written.length === 0) return;
        const isOne = written.length === 1;
        found.push({
          severity: "info",
          title: `${written.join(", ")}: ${isOne ? "an extension" : "extensions"}, keepalived does not know ${isOne ? "it" : "them"}`,
          why: `keepalived complains about the line and runs without it: ${why}`,
          places: written.flatMap((keyword) => where.get(keyword) ?? []),
        });
      };
      add(PEER_KEYWORDS, "with a node that runs keepalived no address is handed over without breaking connections.");
      add(MAIL_EXTENSIONS, "its mail goes out in clear and without a name, if the relay takes it at all.");
      return found;
    }),
};
