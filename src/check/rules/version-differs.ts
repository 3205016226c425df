/** Different VRRP versions don't understand each other. */
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const versionDiffers: Rule<Subject> = {
  id: "version-differs",
  doc: "The nodes speak different VRRP versions.",
  check: ({ pairs }) =>
    pairs
      .filter(({ a, b }) => a.version !== b.version)
      .map(({ a, b, nodeA, nodeB }) => ({
        severity: "error" as const,
        title: `${nodeA.label} speaks VRRP version ${a.version}, ${nodeB.label} version ${b.version}`,
        why: "An advert of the other version is dropped. Each node believes that it is alone, and both hold the address at the same time.",
        fix: "the same version on both nodes (vrrp_version in global_defs)",
        places: [placeOf(a, "version"), placeOf(b, "version")],
      })),
};
