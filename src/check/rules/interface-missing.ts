/** Interfaces and source addresses that this machine does not have. */
import { printIp } from "../../base/ip.ts";
import type { Found, Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const interfaceMissing: Rule<Subject> = {
  id: "interface-missing",
  doc: "An interface or a source address is not on this machine.",
  check: ({ node, facts, isHere }) => {
    if (facts === undefined) return [];
    const severity = isHere ? ("error" as const) : ("warning" as const);
    const doubt = isHere
      ? ""
      : ` (This machine, ${facts.hostName}, may be another one than ${node.label}: then use --offline.)`;
    return node.config.instances.flatMap((instance): Found[] => {
      const device = facts.interfaces.find(({ name }) => name === instance.interface);
      const there = facts.interfaces.map(({ name }) => name).filter((name) => name !== "lo");
      if (device === undefined && instance.interface !== undefined)
        return [
          {
            severity,
            title: `There is no interface ${instance.interface} here`,
            why: `keepalived does not start: Non-existent interface specified in configuration. Here are: ${there.join(", ") || "none but lo"}.${doubt}`,
            fix: 'the name that "ip link" shows, on each node its own',
            places: [placeOf(instance, "interface")],
          },
        ];
      const source = instance.sourceAddress === undefined ? undefined : printIp(instance.sourceAddress);
      if (device !== undefined && !device.isRunning)
        return [
          {
            severity,
            title: `The interface ${device.name} is down or has no carrier`,
            why: `${instance.name} is in FAULT for as long as this is so, and the node can't take the address.${doubt}`,
            fix: `ip link set ${device.name} up, or look at the cable`,
            places: [placeOf(instance, "interface")],
          },
        ];
      if (source === undefined || device === undefined || device.addresses.includes(source)) return [];
      const elsewhere = facts.interfaces.find(({ addresses }) => addresses.includes(source));
      return [
        {
          severity,
          title: `${source} is not an address of ${device.name}`,
          why: `${elsewhere === undefined ? "No interface here has it" : `It is on ${elsewhere.name}`}; ${device.name} has ${device.addresses.join(", ") || "no address"}. Adverts with a foreign source address may be dropped on their way, and both nodes would be active.${doubt}`,
          fix: "an address of the interface, or none: then its first address is taken",
          places: [placeOf(instance, "mcast_src_ip", "unicast_src_ip")],
        },
      ];
    });
  },
};
