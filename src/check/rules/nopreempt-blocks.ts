/** `nopreempt` on the backup makes weights useless. */
import { outlookOf } from "../failover.ts";
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const nopreemptBlocks: Rule<Subject> = {
  id: "nopreempt-blocks",
  doc: "The backup's nopreempt keeps it from taking over when a check lowers the active node's priority.",
  check: ({ pairs }) =>
    pairs.flatMap((pair) => {
      const { serviceDies, roles, service = "its service" } = outlookOf(pair);
      if (serviceDies.kind !== "stays" || serviceDies.reason !== "nopreempt") return [];
      return [
        {
          severity: "error",
          title: `nopreempt keeps ${roles.backupNode.label} from taking over when ${service} dies on ${roles.activeNode.label}`,
          why: "A node with nopreempt stays backup for as long as it hears any advert, however low its priority. A check that lowers the priority by a weight changes nothing then.",
          fix: "weight 0 (a failed check is a fault, and the node falls silent), or no nopreempt on this node",
          places: [placeOf(roles.backup, "nopreempt")],
        },
      ];
    }),
};
