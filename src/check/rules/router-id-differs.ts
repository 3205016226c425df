/** Different virtual_router_id: two routers that never speak to each other. */
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const routerIdDiffers: Rule<Subject> = {
  id: "router-id-differs",
  doc: "The nodes have different virtual router ids.",
  check: ({ pairs }) =>
    pairs
      .filter(({ a, b }) => a.virtualRouterId !== b.virtualRouterId)
      .map(({ a, b, nodeA, nodeB }) => ({
        severity: "error" as const,
        title: `virtual_router_id is ${a.virtualRouterId} on ${nodeA.label} and ${b.virtualRouterId} on ${nodeB.label}`,
        why: "Each node ignores the adverts of the other, believes that it is alone, and takes the address: both hold it at the same time, and which one a client reaches is a matter of luck.",
        fix: "the same virtual_router_id on both nodes",
        places: [placeOf(a, "virtual_router_id"), placeOf(b, "virtual_router_id")],
      })),
};
