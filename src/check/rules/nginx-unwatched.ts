/** Nobody looks at nginx: keepalived watches the node, not the service. */
import { outlookOf } from "../failover.ts";
import type { Found, Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const nginxUnwatched: Rule<Subject> = {
  id: "nginx-unwatched",
  doc: "Nothing tracks nginx, so its death moves no address.",
  check: ({ pairs, node, peer }) => {
    const hasNginx = node.nginx !== undefined;
    const explain = (places: Found["places"]): Found => ({
      severity: hasNginx ? "error" : "warning",
      title: hasNginx ? "Nothing watches nginx" : "Nothing watches the service behind the address",
      why: "As long as the machine is alive it keeps the address, also when the service on it is dead: clients get connection refused until somebody comes.",
      fix: "add a vrrp_script or, without any script, vrrp_track_process web { process nginx } and, in the instance, track_process { web }",
      places,
    });
    if (peer === undefined)
      return node.config.instances
        .filter(
          ({ tracks }) => tracks.scripts.length === 0 && tracks.processes.length === 0 && tracks.files.length === 0,
        )
        .filter(({ syncGroup }) => syncGroup === undefined)
        .map((instance) => explain([placeOf(instance)]));
    return pairs.flatMap((pair) => {
      const { serviceDies, roles } = outlookOf(pair);
      if (serviceDies.kind !== "stays" || serviceDies.reason !== "untracked") return [];
      return [explain([placeOf(roles.active)])];
    });
  },
};
