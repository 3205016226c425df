/** A script that starts another nginx than the one that serves. */
import type { Found, Rule } from "../finding.ts";
import { eachCommand } from "../shell.ts";
import { type CheckedNode, nodesOf, type Subject } from "../subject.ts";

export const scriptNginxPath: Rule<Subject> = {
  id: "script-nginx-path",
  doc: "A check script starts an nginx that is not the one that serves.",
  check: (subject) => {
    const found = new Map<string, Found>();
    for (const node of nodesOf(subject)) {
      for (const { shell, source } of node.scripts) {
        eachCommand(shell?.list ?? [], ({ words, line }) => {
          const path = words[0]?.source;
          if (path === undefined || source === undefined || !/^\/.*\/nginx$/.test(path)) return;
          if (words.some((word) => word.source === "-s" || word.source === "-t")) return;
          const judged = judge(path, node, subject);
          if (judged === undefined) return;
          const places = [{ file: source, line }];
          found.set(`${source}:${line}`, { ...judged, places });
        });
      }
    }
    return [...found.values()];
  },
};

/** What there is to say about the path; undefined when it is the right one. */
function judge(path: string, node: CheckedNode, subject: Subject): Omit<Found, "places"> | undefined {
  const { facts, isHere } = subject;
  const prefix = node.nginx?.prefix?.startsWith("/etc/") === true ? undefined : node.nginx?.prefix;
  const expected = prefix === undefined ? undefined : `${prefix}/sbin/nginx`;
  if (expected !== undefined && expected !== path)
    return {
      severity: "error",
      title: `The script starts ${path}, but nginx.conf belongs to ${expected}`,
      why: `${node.nginx?.file} is in the prefix ${prefix}. A nginx of another prefix reads another nginx.conf, or does not exist: the restart fails or brings up the wrong server.`,
      fix: `start ${expected}, or "systemctl start nginx"`,
    };
  if (expected === path) return undefined;
  if (facts !== undefined && facts.file(path) === undefined) {
    const installed =
      facts.nginxPath === undefined ? "No other nginx is on the path here." : `Installed here is ${facts.nginxPath}.`;
    return {
      severity: isHere ? "error" : "warning",
      title: `The script starts ${path}, which does not exist on this machine`,
      why: `${installed} If the node is installed likewise, a dead nginx is never restarted.`,
      fix: `start ${facts.nginxPath ?? "the nginx that is installed"}, or "systemctl start nginx"`,
    };
  }
  return {
    severity: "info",
    title: `The script starts ${path}: make sure that this is the nginx that serves`,
    why: "Nothing in these files says where nginx is installed. A script that starts another build, with another prefix, brings up another configuration or fails.",
  };
}
