/** Rules that look at one nginx.conf. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject } from "../subject.ts";
import type { Site } from "./site.ts";

/** Makes a rule of what it finds in one nginx.conf. Two nodes with the same file are looked at once. */
export function siteRule(id: string, doc: string, look: (site: Site) => readonly Found[]): Rule<Subject> {
  return ruleOf(id, doc, look);
}

/** A rule about what is not there: says nothing of a file with missing parts. */
export function absenceRule(id: string, doc: string, look: (site: Site) => readonly Found[]): Rule<Subject> {
  return ruleOf(id, doc, (site) => (site.isComplete ? look(site) : []));
}

function ruleOf(id: string, doc: string, look: (site: Site) => readonly Found[]): Rule<Subject> {
  return {
    id,
    doc,
    check: (subject) => {
      const sites = new Map<string, Site>();
      for (const { nginx } of nodesOf(subject)) if (nginx?.site !== undefined) sites.set(nginx.file, nginx.site);
      return [...sites.values()].flatMap(look);
    },
  };
}
