/** Keywords that Tandem has and keepalived has not. */

import { FLAP_DAMPING_KEYWORDS } from "../../conf/keepalived/flap-damping.ts";
import { FLIGHT_KEYWORDS } from "../../conf/keepalived/flight.ts";
import { MAIL_EXTENSIONS } from "../../conf/keepalived/mail.ts";
import { PEER_KEYWORDS } from "../../conf/keepalived/peer.ts";
import { SPLIT_BRAIN_KEYWORDS } from "../../conf/keepalived/split-brain.ts";
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject, trackedUpstreams } from "../subject.ts";

const FLAPPING = "a node with keepalived takes the address back as often as its health comes back";

/** Keywords of `global_defs`, and what a node with keepalived goes without. */
const GLOBAL_KEYWORDS = [
  {
    keywords: PEER_KEYWORDS,
    loss: "with a node that runs keepalived no address is handed over without breaking connections",
  },
  {
    keywords: MAIL_EXTENSIONS,
    loss: "its mail goes out in clear and without a name, if the relay takes it at all",
  },
  { keywords: FLAP_DAMPING_KEYWORDS, loss: FLAPPING },
  { keywords: FLIGHT_KEYWORDS, loss: "keepalived keeps no record of what happened before a change of state" },
] as const;

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
      for (const { keywords, loss } of GLOBAL_KEYWORDS) {
        const written = keywords.filter((keyword) => where.has(keyword));
        if (written.length > 0)
          found.push({
            severity: "info",
            title: `${written.join(", ")}: ${written.length === 1 ? "an extension" : "extensions"}, keepalived does not know ${written.length === 1 ? "it" : "them"}`,
            why: `keepalived complains about the line and runs without it: ${loss}.`,
            places: written.flatMap((keyword) => where.get(keyword) ?? []),
          });
      }
      const guarded = node.config.instances.flatMap((instance) =>
        SPLIT_BRAIN_KEYWORDS.flatMap((keyword) => instance.where.get(keyword) ?? []),
      );
      if (guarded.length > 0)
        found.push({
          severity: "info",
          title: "split_brain_…: extensions, keepalived does not know them",
          why: "keepalived complains about the lines and runs without them: a node with keepalived becomes active in a partition, whatever its partner does.",
          places: guarded,
        });
      const damped = node.config.instances.flatMap(({ where: own }) => own.get("flap_damping") ?? []);
      if (damped.length > 0)
        found.push({
          severity: "info",
          title: "flap_damping: an extension, keepalived does not know it",
          why: `keepalived complains about the line and runs without it: ${FLAPPING}.`,
          places: damped,
        });
      return found;
    }),
};
