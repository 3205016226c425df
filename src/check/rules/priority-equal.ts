/** Two nodes with one priority. */
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const priorityEqual: Rule<Subject> = {
  id: "priority-equal",
  doc: "Both nodes have the same priority.",
  check: ({ pairs }) =>
    pairs
      .filter(({ a, b }) => a.priority === b.priority)
      .map(({ a, b }) => ({
        severity: a.priority === 255 ? ("error" as const) : ("warning" as const),
        title: `Both nodes have priority ${a.priority}`,
        why:
          a.priority === 255
            ? "Both claim to own the addresses. Each one sees the other as a mistake in the configuration, and keepalived lowers one of them only after an argument."
            : "Who has the address is decided by the higher IP address of the sender. When both start at the same moment, both are active for a moment first.",
        fix: "give one of them a lower priority",
        places: [placeOf(a, "priority"), placeOf(b, "priority")],
      })),
};
