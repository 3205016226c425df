/** Files that have changed since the running node has read them. */
import type { Found, Rule } from "../finding.ts";
import type { Subject } from "../subject.ts";

export const configurationStale: Rule<Subject> = {
  id: "configuration-stale",
  doc: "A running node has not read its files as they are on disk now (--peers).",
  check: ({ node, peer, live }) => {
    if (live === undefined) return [];
    return [
      { label: node.label, stale: live.stale },
      { label: peer?.label ?? "", stale: live.peerStale },
    ].flatMap(({ label, stale }): Found[] =>
      stale.length === 0
        ? []
        : [
            {
              severity: "warning",
              title: `${label} runs another configuration than its files say: ${stale.join(", ")}`,
              why: "It was changed on disk and not reloaded, or the reload was refused. What was checked here is what runs; the next start takes what is on disk.",
              fix: `look at the log of ${label}, then systemctl reload tandem there (SIGHUP)`,
              places: stale.map((file) => ({ file, line: 1 })),
            },
          ],
    );
  },
};
