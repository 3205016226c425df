/** The priority shall follow an upstream that isn't there. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject, trackedUpstreams } from "../subject.ts";

export const upstreamUnknown: Rule<Subject> = {
  id: "upstream-unknown",
  doc: "track_upstream names an upstream that nginx.conf doesn't have, or one without a zone.",
  check: (subject) =>
    nodesOf(subject).flatMap((node) => {
      const { nginx } = node;
      if (nginx === undefined) return [];
      return trackedUpstreams(node).flatMap(({ name, at }): readonly Found[] => {
        const known = nginx.upstreams.find((upstream) => upstream.name === name);
        if (known?.hasZone === true) return [];
        const where = known === undefined ? [at] : [at, known.place];
        return [known === undefined ? unknown(name, where) : withoutZone(name, where)];
      });
    }),
};

function unknown(name: string, places: Found["places"]): Found {
  return {
    severity: "error",
    title: `track_upstream names "${name}", which nginx.conf does not have`,
    why: "tandem up refuses to start: the priority would follow nothing, and the node would keep the address without back ends.",
    fix: `upstream ${name} { zone ${name} 64k; server …; } in nginx.conf, or the right name here`,
    places,
  };
}

function withoutZone(name: string, places: Found["places"]): Found {
  return {
    severity: "error",
    title: `track_upstream names "${name}", which has no zone`,
    why: "Each worker knows only its own failures then, so nobody knows how the back ends really are; tandem up refuses to start.",
    fix: `zone ${name} 64k; in the upstream`,
    places,
  };
}
