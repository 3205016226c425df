/** Virtual addresses that differ: a node drops adverts whose list is not its own. */
import { printIp } from "../../base/ip.ts";
import type { VirtualAddress } from "../../conf/keepalived/config.ts";
import type { Found, Rule } from "../finding.ts";
import { type InstancePair, placeOf, type Subject } from "../subject.ts";

export const addressesDiffer: Rule<Subject> = {
  id: "addresses-differ",
  doc: "The nodes have different virtual addresses, or different prefixes for them.",
  check: ({ pairs }) =>
    pairs.flatMap((pair) => [...differentLists(pair), ...differentPrefixes(pair), ...differentExcluded(pair)]),
};

function names(addresses: readonly VirtualAddress[]): string[] {
  return addresses.map(({ address }) => printIp(address));
}

function missing(from: readonly VirtualAddress[], than: readonly VirtualAddress[]): string[] {
  const known = new Set(names(than));
  return names(from).filter((name) => !known.has(name));
}

function differentLists({ a, b, nodeA, nodeB }: InstancePair): Found[] {
  const onlyA = missing(a.addresses, b.addresses);
  const onlyB = missing(b.addresses, a.addresses);
  if (onlyA.length === 0 && onlyB.length === 0) return [];
  const said = [
    ...(onlyA.length > 0 ? [`only ${nodeA.label} has ${onlyA.join(", ")}`] : []),
    ...(onlyB.length > 0 ? [`only ${nodeB.label} has ${onlyB.join(", ")}`] : []),
  ];
  return [
    {
      severity: "error",
      title: `The virtual addresses differ: ${said.join("; ")}`,
      why: "A node compares the list in an advert with its own and drops the advert when they differ. Then each node believes that it is alone, and both hold the address at the same time.",
      fix: "the same virtual_ipaddress list on both nodes; addresses that may differ belong into virtual_ipaddress_excluded",
      places: [placeOf(a, "virtual_ipaddress"), placeOf(b, "virtual_ipaddress")],
    },
  ];
}

function differentPrefixes({ a, b, nodeA, nodeB }: InstancePair): Found[] {
  return a.addresses.flatMap((address): Found[] => {
    const text = printIp(address.address);
    const other = b.addresses.find((one) => printIp(one.address) === text);
    if (other === undefined || other.prefixLength === address.prefixLength) return [];
    return [
      {
        severity: "warning",
        title: `${text} is /${address.prefixLength} on ${nodeA.label} and /${other.prefixLength} on ${nodeB.label}`,
        why: "The prefix is not in the adverts, so nobody complains; but after a fail-over the node has another route to the network than before.",
        fix: "the same prefix length on both nodes",
        places: [placeOf(a, "virtual_ipaddress"), placeOf(b, "virtual_ipaddress")],
      },
    ];
  });
}

function differentExcluded({ a, b, nodeA, nodeB }: InstancePair): Found[] {
  const only = [
    ...missing(a.excludedAddresses, b.excludedAddresses).map((text) => `${text} (only on ${nodeA.label})`),
    ...missing(b.excludedAddresses, a.excludedAddresses).map((text) => `${text} (only on ${nodeB.label})`),
  ];
  if (only.length === 0) return [];
  return [
    {
      severity: "warning",
      title: `virtual_ipaddress_excluded differs: ${only.join(", ")}`,
      why: "These addresses are not in the adverts, so nobody complains; after a fail-over they are simply gone, or there for the first time.",
      fix: "the same list on both nodes",
      places: [placeOf(a, "virtual_ipaddress_excluded"), placeOf(b, "virtual_ipaddress_excluded")],
    },
  ];
}
