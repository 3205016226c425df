/** Running nodes of different versions. */
import type { Rule } from "../finding.ts";
import type { Subject } from "../subject.ts";

export const tandemVersionDiffers: Rule<Subject> = {
  id: "tandem-version-differs",
  doc: "Two running nodes are of different versions of Tandem (--peers).",
  check: ({ node, peer, live }) =>
    peer === undefined || live === undefined || live.version === live.peerVersion
      ? []
      : [
          {
            severity: "warning",
            title: `${node.label} runs Tandem ${live.version}, ${peer.label} ${live.peerVersion}`,
            why: "The same files may mean something else there. For the time of an upgrade that is as it has to be.",
            fix: "the same version on both nodes: tandem drain, upgrade, tandem drain --undo, one node after the other",
            places: [],
          },
        ],
};
