/** The same source address on both nodes: a file that was copied and not changed. */
import { compareIp, printIp } from "../../base/ip.ts";
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const sourceAddress: Rule<Subject> = {
  id: "source-address",
  doc: "Both nodes send from the same source address.",
  check: ({ pairs }) =>
    pairs.flatMap(({ a, b }) => {
      const [from, to] = [a.sourceAddress, b.sourceAddress];
      if (from === undefined || to === undefined || from.length !== to.length || compareIp(from, to) !== 0) return [];
      return [
        {
          severity: "error" as const,
          title: `Both nodes send from ${printIp(from)}`,
          why: "Each node takes the adverts of the other for its own and ignores them, or for a copy of itself. Neither knows that there is another one.",
          fix: "on each node its own address",
          places: [placeOf(a, "mcast_src_ip", "unicast_src_ip"), placeOf(b, "mcast_src_ip", "unicast_src_ip")],
        },
      ];
    }),
};
