/** Virtual servers that differ: after a fail-over other servers answer, or none. */
import type { VirtualServer } from "../../conf/keepalived/lvs/config.ts";
import type { Found, Rule } from "../finding.ts";
import type { CheckedNode, Subject } from "../subject.ts";

export const serversDiffer: Rule<Subject> = {
  id: "servers-differ",
  doc: "The nodes have different virtual servers, or different real servers behind them.",
  check: ({ node, peer }) => {
    if (peer === undefined) return [];
    return [...missingServers(node, peer), ...missingServers(peer, node), ...otherServers(node, peer)];
  },
};

function findServer({ config }: CheckedNode, name: string): VirtualServer | undefined {
  return config.virtualServers.find((server) => server.name === name);
}

function missingServers(node: CheckedNode, other: CheckedNode): Found[] {
  return node.config.virtualServers
    .filter(({ name }) => findServer(other, name) === undefined)
    .map(({ name, at }) => ({
      severity: "warning",
      title: `Only ${node.label} has virtual server ${name}`,
      why: "Nothing of it is in the adverts, so nobody complains; when the other node has the address, nobody answers there.",
      fix: "the same virtual servers on both nodes",
      places: [at],
    }));
}

/** What a node says of each real server, as far as clients see it. */
function realServersOf({ realServers }: VirtualServer): readonly string[] {
  return realServers.map(({ name, weight, forwarding }) => `${name} with weight ${weight} by ${forwarding.method}`);
}

function otherServers(node: CheckedNode, peer: CheckedNode): Found[] {
  return node.config.virtualServers.flatMap((server): Found[] => {
    const other = findServer(peer, server.name);
    if (other === undefined) return [];
    const [ours, theirs] = [realServersOf(server), realServersOf(other)];
    const said = [
      ...ours.filter((text) => !theirs.includes(text)).map((text) => `${text} (only on ${node.label})`),
      ...theirs.filter((text) => !ours.includes(text)).map((text) => `${text} (only on ${peer.label})`),
    ];
    if (said.length === 0) return [];
    return [
      {
        severity: "warning",
        title: `The real servers of virtual server ${server.name} differ: ${said.join(", ")}`,
        why: "After a fail-over other servers answer, or the same ones in another share, though nothing has happened to them.",
        fix: "the same real servers, with the same weights and lvs_method, on both nodes",
        places: [server.at, other.at],
      },
    ];
  });
}
