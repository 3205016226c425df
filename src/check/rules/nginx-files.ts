/** Files that nginx.conf counts on. */
import type { Found, Rule } from "../finding.ts";
import type { Subject } from "../subject.ts";

export const nginxFiles: Rule<Subject> = {
  id: "nginx-files",
  doc: "A file that nginx.conf names is missing, or the file can't be read to its end.",
  check: ({ node, facts, isHere }) => {
    const { nginx } = node;
    if (nginx === undefined) return [];
    const found: Found[] = nginx.faults.map(({ message, place }) => {
      const isInclude = message.includes("failed (");
      return {
        severity: isInclude ? (isHere ? "error" : "info") : "error",
        title: message,
        why: isInclude
          ? `nginx does not start without this file.${isHere ? "" : " It may well be in its place on the node; here the rest was checked without it."}`
          : "nginx does not start with this configuration.",
        places: [place],
      };
    });
    if (facts === undefined) return found;
    const severity = isHere ? "warning" : "info";
    const seen = new Set<string>();
    for (const { path, place } of nginx.roots) {
      if (seen.has(path) || facts.file(path)?.isDirectory === true) continue;
      seen.add(path);
      found.push({
        severity,
        title: `The root ${path} is not a folder on this machine`,
        why: "Every request for a file below it is answered with 404.",
        fix: "make the folder, on both nodes",
        places: [place],
      });
    }
    for (const { path, uri, place } of nginx.errorPages) {
      if (facts.file(path)?.isFile === true || seen.has(path)) continue;
      seen.add(path);
      found.push({
        severity,
        title: `The error page ${uri} is not there: ${path}`,
        why: "Instead of it clients get a bare 404 in the moment of an error.",
        fix: "put the file there, on both nodes",
        places: [place],
      });
    }
    return found;
  },
};
