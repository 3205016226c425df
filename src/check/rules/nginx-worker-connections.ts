/** More connections than files that a worker may open. */
import { named, placeOf } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

/** What a service gets from systemd, and a shell from login, unless told otherwise. */
const USUAL_FILES = 1024;

export const nginxWorkerConnections = absenceRule(
  "nginx-worker-connections",
  "worker_connections is more than the files that a worker may have open.",
  ({ main, levels }) => {
    const events = main.inner.find(({ context }) => context === "events");
    const [connections] = events === undefined ? [] : named(events, "worker_connections");
    const [limit] = named(main, "worker_rlimit_nofile");
    const count = Number(connections?.args[0]?.text ?? 0);
    const files = limit === undefined ? USUAL_FILES : Number(limit.args[0]?.text ?? 0);
    if (connections === undefined || !(count > files)) return [];
    const isProxy = levels.some(({ directives }) => directives.some(({ name }) => name === "proxy_pass"));
    return [
      {
        severity: "warning" as const,
        title: `A worker takes ${count} connections, but may open only ${files} files${limit === undefined ? ", unless the system allows more" : ""}`,
        why: `Each connection is an open file${isProxy ? ", a proxied request has two," : ""} and files that are served count, too. Beyond that new connections fail: "Too many open files".`,
        fix: `worker_rlimit_nofile ${count * 2}; in the main context`,
        places: [placeOf(connections), ...(limit === undefined ? [] : [placeOf(limit)])],
      },
    ];
  },
);
