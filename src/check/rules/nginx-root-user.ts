/** Workers that run as root. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject } from "../subject.ts";

export const nginxRootUser: Rule<Subject> = {
  id: "nginx-root-user",
  doc: "nginx's workers run as root.",
  check: (subject) => {
    const found = new Map<string, Found>();
    for (const { nginx } of nodesOf(subject)) {
      if (nginx?.user?.name !== "root") continue;
      found.set(nginx.file, {
        severity: "warning",
        title: "The workers of nginx run as root",
        why: 'Workers read what clients send. With "user root" a fault in one of them gives the whole machine away; the master alone needs root, for the ports.',
        fix: "user nginx; (or www-data), and files that this user may read",
        places: [nginx.user.place],
      });
    }
    return [...found.values()];
  },
};
