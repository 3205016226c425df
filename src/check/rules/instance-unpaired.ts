/** An instance that only one node has. */
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const instanceUnpaired: Rule<Subject> = {
  id: "instance-unpaired",
  doc: "An instance exists on one node only.",
  check: ({ node, peer, pairs }) => {
    if (peer === undefined) return [];
    const paired = new Set(pairs.flatMap(({ a, b }) => [a, b]));
    return [
      { own: node, other: peer },
      { own: peer, other: node },
    ].flatMap(({ own, other }) =>
      own.config.instances
        .filter((instance) => !paired.has(instance))
        .map((instance) => ({
          severity: "error" as const,
          title: `${instance.name} (virtual_router_id ${instance.virtualRouterId}) is on ${own.label} only`,
          why: `When ${own.label} dies nobody takes its addresses.`,
          fix: `the same instance on ${other.label}`,
          places: [placeOf(instance)],
        })),
    );
  },
};
