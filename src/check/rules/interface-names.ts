/** Interfaces may well be called differently on two machines. */
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const interfaceNames: Rule<Subject> = {
  id: "interface-names",
  doc: "The nodes use interfaces with different names.",
  check: ({ pairs }) =>
    pairs
      .filter(({ a, b }) => a.interface !== b.interface && a.interface !== undefined && b.interface !== undefined)
      .map(({ a, b, nodeA, nodeB }) => ({
        severity: "info" as const,
        title: `${a.interface} on ${nodeA.label}, ${b.interface} on ${nodeB.label}`,
        why: "That is fine when each exists on its own node and both are on the same network segment. If it was copied by mistake, keepalived on that node does not start: Non-existent interface specified in configuration.",
        places: [placeOf(a, "interface"), placeOf(b, "interface")],
      })),
};
