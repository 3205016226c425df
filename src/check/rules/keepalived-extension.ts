/** Keywords that Tandem has and keepalived has not. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject, trackedUpstreams } from "../subject.ts";

export const keepalivedExtension: Rule<Subject> = {
  id: "keepalived-extension",
  doc: "The file uses a keyword that keepalived does not know; with --strict this is an error.",
  check: (subject) =>
    nodesOf(subject).flatMap((node): readonly Found[] => {
      const places = trackedUpstreams(node).map(({ at }) => at);
      if (places.length === 0) return [];
      return [
        {
          severity: "info",
          title: "track_upstream is an extension: keepalived does not know it",
          why: "keepalived complains about the line and runs without it: on a node with keepalived the priority would not follow the back ends.",
          places,
        },
      ];
    }),
};
