/** `nopreempt` on a node that says `state MASTER`. */
import { downMs, printSpan } from "../failover.ts";
import type { Found, Rule } from "../finding.ts";
import { nodesOf, placeOf, type Subject } from "../subject.ts";

export const nopreemptVoid: Rule<Subject> = {
  id: "nopreempt-void",
  doc: "nopreempt is cleared by state MASTER or priority 255.",
  check: (subject) =>
    nodesOf(subject).flatMap((node) =>
      node.config.instances.flatMap((instance): Found[] => {
        const written = instance.where.get("nopreempt");
        if (written === undefined || instance.nopreempt) return [];
        const last = instance.where.get("preempt");
        if (last !== undefined && last.line > written.line) return [];
        const isOwner = instance.priority === 255;
        const ms = downMs(instance, instance.priority);
        const cause = isOwner ? "priority 255" : "state MASTER";
        return [
          {
            severity: "warning",
            nodes: [node.label],
            title: `nopreempt is void, because of ${cause}`,
            why: "keepalived clears it and says so in one line of its log. What happens instead: a node that comes back takes the address back, and connections that the other node was serving break.",
            detail: `${node.label} takes it back ${printSpan({ minMs: ms, maxMs: ms })} after its start`,
            fix: isOwner
              ? "a priority below 255"
              : "state BACKUP on both nodes, nopreempt on the one of higher priority (then whoever starts first holds the address), or remove nopreempt if taking back is what you want",
            places: [
              placeOf(instance, "nopreempt"),
              isOwner ? placeOf(instance, "priority") : placeOf(instance, "state"),
            ],
          },
        ];
      }),
    ),
};
