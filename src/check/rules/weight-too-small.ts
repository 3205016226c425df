/** A weight that does not bring the priority below that of the other node. */
import { outlookOf } from "../failover.ts";
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const weightTooSmall: Rule<Subject> = {
  id: "weight-too-small",
  doc: "A failing check does not bring the priority below the other node's.",
  check: ({ pairs }) =>
    pairs.flatMap((pair) => {
      const { serviceDies, roles, activePriority, backupPriority } = outlookOf(pair);
      if (serviceDies.kind !== "stays" || serviceDies.reason !== "priority-too-high") return [];
      const { active, activeNode, backup, backupNode } = roles;
      const need = activePriority - backupPriority + 1;
      return [
        {
          severity: "error",
          title: `The weight is too small: with a failed check ${activeNode.label} is still not below ${backupNode.label}`,
          why: `${serviceDies.how}. The failure is noticed, and the address stays where it is.`,
          fix: `a weight of -${need} or below on ${activeNode.label}, or weight 0, which makes a failure a fault`,
          places: [placeOf(active, "priority"), placeOf(backup, "priority")],
        },
      ];
    }),
};
