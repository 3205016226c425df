/** Ports that only one node's nginx listens on: after a fail-over nobody answers there. */
import type { Found, Rule } from "../finding.ts";
import type { ListenView } from "../nginx-view.ts";
import type { CheckedNode, Subject } from "../subject.ts";

export const listensDiffer: Rule<Subject> = {
  id: "listens-differ",
  doc: "nginx listens on a port on one node only.",
  check: ({ node, peer }) =>
    peer === undefined || node.nginx === peer.nginx ? [] : [...missing(node, peer), ...missing(peer, node)],
};

/** On whatever address: those of the nodes themselves differ as they should. */
function missing(node: CheckedNode, other: CheckedNode): Found[] {
  if (node.nginx === undefined || other.nginx === undefined || other.nginx.faults.length > 0) return [];
  const theirs = new Set(other.nginx.listens.filter(isForClients).map(({ port }) => port));
  const only = node.nginx.listens.filter((listen) => isForClients(listen) && !theirs.has(listen.port));
  return [...new Set(only.map(({ port }) => port))].map((port) => ({
    severity: "warning",
    title: `Only nginx of ${node.label} listens on port ${port}`,
    why: `When ${other.label} has the address, connections to that port are refused.`,
    fix: `listen ${port}; on both nodes`,
    places: only.filter((listen) => listen.port === port).map(({ place }) => place),
  }));
}

function isForClients({ address }: ListenView): boolean {
  return address !== undefined && !/^(127\.|localhost$|\[::1\]$)/.test(address);
}
