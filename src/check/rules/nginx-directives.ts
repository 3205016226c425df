/** What Tandem's nginx half says about the directives of an nginx.conf. */
import { isFatal } from "../../conf/diagnostics.ts";
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject } from "../subject.ts";
import { MIME_DUPLICATE } from "./nginx-mime-duplicate.ts";

export const nginxDirectives: Rule<Subject> = {
  id: "nginx-directives",
  doc: "A directive of nginx.conf is unknown or wrong.",
  check: (subject) => {
    const found = new Map<string, Found>();
    for (const { nginx } of nodesOf(subject)) {
      const known = new Set(nginx?.faults.map(({ message }) => message));
      for (const diagnostic of nginx?.diagnostics ?? []) {
        const { message, position } = diagnostic;
        if (known.has(message) || MIME_DUPLICATE.test(message)) continue;
        const isUnknown = message.startsWith("unknown directive");
        const places = [position ?? { file: nginx?.file ?? "", line: 1 }];
        const earlier = found.get(message);
        if (earlier !== undefined) found.set(message, { ...earlier, places: [...earlier.places, ...places] });
        else
          found.set(message, {
            severity: isUnknown ? "info" : isFatal(diagnostic) ? "error" : "warning",
            title: message,
            why: isUnknown
              ? "Tandem refuses the file: either nginx does not know it either, or Tandem has not implemented it yet. nginx -t tells which."
              : isFatal(diagnostic)
                ? "The server does not start with this."
                : "The server starts all the same.",
            places,
          });
      }
    }
    return [...found.values()];
  },
};
