/** Different advert_int: version 2 drops the adverts, version 3 adapts. */
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const advertIntervalDiffers: Rule<Subject> = {
  id: "advert-interval-differs",
  doc: "The nodes have different advert intervals.",
  check: ({ pairs }) =>
    pairs
      .filter(({ a, b }) => a.advertIntervalMs !== b.advertIntervalMs && a.version === b.version)
      .map(({ a, b, nodeA, nodeB }) => {
        const isV2 = a.version === 2;
        return {
          severity: isV2 ? ("error" as const) : ("warning" as const),
          title: `advert_int is ${a.advertIntervalMs / 1000} s on ${nodeA.label} and ${b.advertIntervalMs / 1000} s on ${nodeB.label}`,
          why: isV2
            ? "In version 2 an advert with another interval is dropped. Each node believes that it is alone, and both hold the address at the same time."
            : "In version 3 the backup follows the active node's interval, so how long a failure goes unnoticed depends on who is active.",
          fix: "the same advert_int on both nodes",
          places: [placeOf(a, "advert_int"), placeOf(b, "advert_int")],
        };
      }),
};
