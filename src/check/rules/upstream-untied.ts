/** Back ends whose loss moves no address, or is noticed only by clients. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject, trackedUpstreams } from "../subject.ts";

export const upstreamUntied: Rule<Subject> = {
  id: "upstream-untied",
  doc: "The loss of an upstream's servers moves no address, or only clients notice it.",
  check: (subject) =>
    nodesOf(subject).flatMap((node) => {
      const { nginx } = node;
      if (nginx === undefined || node.config.instances.length === 0) return [];
      const tracked = trackedUpstreams(node);
      return nginx.upstreams.flatMap(({ name, place }): readonly Found[] => {
        const proxies = nginx.proxies.filter(({ target }) => target === name.toLowerCase());
        if (proxies.length === 0) return [];
        const track = tracked.find((one) => one.name === name);
        if (track === undefined) return [untied(name, [place])];
        return proxies.some(({ isChecked }) => isChecked) ? [] : [unchecked(name, [track.at, place])];
      });
    }),
};

function untied(name: string, places: Found["places"]): Found {
  return {
    severity: "info",
    title: `A node that can't reach the servers of "${name}" keeps the address`,
    why: "nginx runs, so nothing that is tracked fails: clients get 502 from this node while the other one may reach all servers.",
    fix: `health_check mandatory persistent; beside proxy_pass, zone in the upstream, and track_upstream ${name} weight -30 in the instance: then the address goes to the node that reaches more of them`,
    places,
  };
}

function unchecked(name: string, places: Found["places"]): Found {
  return {
    severity: "warning",
    title: `The priority follows upstream "${name}", which nobody checks`,
    why: "Without health_check only requests find out that a server is dead: on the node that waits there are none, and on the other one a failure is forgotten after fail_timeout, so the address may move to and fro.",
    fix: "health_check mandatory persistent; in a location that passes requests to it",
    places,
  };
}
