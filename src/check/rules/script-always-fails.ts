/** A check that fails while everything is well says nothing. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, placeOf, type Subject, trackedScripts } from "../subject.ts";

export const scriptAlwaysFails: Rule<Subject> = {
  id: "script-always-fails",
  doc: "A check script fails even while what it checks is well.",
  check: (subject) => {
    const nodes = nodesOf(subject);
    return nodes.flatMap((node) =>
      node.config.instances.flatMap((instance) =>
        trackedScripts(node, instance).flatMap(({ checked, weight }): Found[] => {
          const { runs, script, service } = checked;
          if (runs?.whileUp.verdict !== "failure") return [];
          const isTimeout = runs.whileUp.outcomes.every(({ status }) => status === "timeout");
          const how = isTimeout
            ? `it is still running when its ${script.timeoutMs / 1000} s are over, which counts as failed`
            : "it ends with a failure";
          const priority = Math.max(1, instance.priority + Math.min(0, weight));
          const detail =
            weight < 0
              ? `${instance.name} on ${node.label} runs at priority ${priority} instead of ${instance.priority}`
              : weight === 0
                ? `${instance.name} on ${node.label} is in FAULT and never holds the address`
                : `${instance.name} on ${node.label} never gets the ${weight} that a working ${service} should give it`;
          return [
            {
              severity: "error",
              nodes: [node.label],
              title: `The check "${script.name}" fails even while ${service} runs`,
              why: `Walking through ${checked.source} with a running ${service}, ${how}. So it says nothing: when ${service} really dies, nothing changes.`,
              detail,
              fix: `let the script only ask, quickly: "pidof ${service}" or, for a web server, "curl -fs -m 1 -o /dev/null http://127.0.0.1:PORT/"; leave restarting to systemd`,
              places: [placeOf(script, "script")],
            },
          ];
        }),
      ),
    );
  },
};
