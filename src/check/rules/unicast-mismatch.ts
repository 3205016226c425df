/** Unicast peers that don't find each other. */
import { printIp } from "../../base/ip.ts";
import type { VrrpInstance } from "../../conf/keepalived/config.ts";
import type { Found, Rule } from "../finding.ts";
import { type CheckedNode, type InstancePair, placeOf, type Subject } from "../subject.ts";

export const unicastMismatch: Rule<Subject> = {
  id: "unicast-mismatch",
  doc: "The nodes don't reach each other: unicast against multicast, or a wrong peer.",
  check: ({ pairs }) => pairs.flatMap(mismatches),
};

function mismatches({ a, b, nodeA, nodeB }: InstancePair): Found[] {
  const places = [placeOf(a, "unicast_peer", "mcast_dst_ip"), placeOf(b, "unicast_peer", "mcast_dst_ip")];
  const alone =
    "Adverts don't arrive. Each node believes that it is alone, and both hold the address at the same time.";
  if (a.unicast !== b.unicast) {
    const [unicast, multicast] = a.unicast ? [nodeA, nodeB] : [nodeB, nodeA];
    return [
      {
        severity: "error",
        title: `${unicast.label} sends to unicast peers, ${multicast.label} to the multicast group`,
        why: alone,
        fix: "unicast_peer on both nodes, or on none",
        places,
      },
    ];
  }
  if (!a.unicast) {
    if (a.family !== b.family || printIp(a.multicastGroup) === printIp(b.multicastGroup)) return [];
    return [
      {
        severity: "error",
        title: `The multicast groups differ: ${printIp(a.multicastGroup)} and ${printIp(b.multicastGroup)}`,
        why: alone,
        fix: "the same vrrp_mcast_group4, vrrp_mcast_group6 or mcast_dst_ip on both nodes",
        places,
      },
    ];
  }
  return [...wrongPeers(a, nodeA, b, nodeB), ...wrongPeers(b, nodeB, a, nodeA)];
}

function wrongPeers(from: VrrpInstance, fromNode: CheckedNode, to: VrrpInstance, toNode: CheckedNode): Found[] {
  if (to.sourceAddress === undefined) return [];
  const target = printIp(to.sourceAddress);
  const peers = from.unicastPeers.map(({ address }) => printIp(address));
  if (peers.includes(target)) return [];
  return [
    {
      severity: "error",
      title: `${fromNode.label} does not send to ${toNode.label}: ${target} is not among its unicast_peer (${peers.join(", ")})`,
      why: `${toNode.label} never hears an advert, believes that it is alone and takes the address, too.`,
      fix: `unicast_peer { ${target} } on ${fromNode.label}`,
      places: [placeOf(from, "unicast_peer"), placeOf(to, "unicast_src_ip", "mcast_src_ip")],
    },
  ];
}
