/** Nodes that are to know each other over the peer channel and can't. */
import type { Found, Rule } from "../finding.ts";
import type { Subject } from "../subject.ts";

export const peerChannelDiffers: Rule<Subject> = {
  id: "peer-channel-differs",
  doc: "peer_key or peer_port is another one on the other node, or is on one node only.",
  check: ({ node, peer }) => {
    if (peer === undefined) return [];
    const nodes = [node, peer];
    const keyed = nodes.filter(({ config }) => config.globals.peer.key !== undefined);
    if (keyed.length === 0) return [];
    const differing = (["key", "port"] as const).filter(
      (what) => node.config.globals.peer[what] !== peer.config.globals.peer[what],
    );
    return differing.slice(0, 1).map((what): Found => {
      const keyword = what === "key" ? "peer_key" : "peer_port";
      const written = nodes.flatMap(({ config }) => config.globals.where.get(keyword) ?? []);
      return {
        severity: "warning",
        title:
          keyed.length === 1
            ? `Only ${keyed[0]?.label} has a peer_key`
            : `${keyword} of ${node.label} is not that of ${peer.label}`,
        why: "The nodes don't know each other: no address is handed over without breaking connections, and tandem why and tandem check --peers know one side only.",
        fix: `the same ${keyword} on both nodes`,
        places: written,
      };
    });
  },
};
