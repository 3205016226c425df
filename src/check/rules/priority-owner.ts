/** Priority 255 means: these are my own addresses. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, placeOf, type Subject } from "../subject.ts";

export const priorityOwner: Rule<Subject> = {
  id: "priority-owner",
  doc: "Priority 255 can't be lowered by any check.",
  check: (subject) =>
    nodesOf(subject).flatMap((node) =>
      node.config.instances
        .filter(({ priority }) => priority === 255)
        .map((instance): Found => {
          const isWritten = instance.where.has("priority");
          return {
            severity: "warning",
            nodes: [node.label],
            title: `${instance.name} has priority 255${isWritten ? "" : ', because "state MASTER" without a priority means 255'}`,
            why: "255 is for a router whose own addresses these are. It is active at once, it always takes the address back, nopreempt is cleared, and every check with a weight is ignored.",
            fix: "priority 150 here and 100 on the other node, for example",
            places: [placeOf(instance, "priority", "state")],
          };
        }),
    ),
};
