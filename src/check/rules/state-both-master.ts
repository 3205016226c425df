/** `state MASTER` on both nodes. */
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const stateBothMaster: Rule<Subject> = {
  id: "state-both-master",
  doc: "Both nodes say state MASTER.",
  check: ({ pairs }) =>
    pairs
      .filter(({ a, b }) => a.initialState === "MASTER" && b.initialState === "MASTER")
      .map(({ a, b }) => ({
        severity: "warning" as const,
        title: "Both nodes say state MASTER",
        why: "It does less than it seems to: both start as backup, wait, and the priority decides. But it voids nopreempt and preempt_delay on both, and whoever reads the files is misled.",
        fix: "state BACKUP on both, and let the priorities say who is preferred",
        places: [placeOf(a, "state", "priority"), placeOf(b, "state", "priority")],
      })),
};
