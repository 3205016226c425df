/** Scripts that can't be run, and those whose text is not here. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, placeOf, type Subject } from "../subject.ts";

export const scriptRunnable: Rule<Subject> = {
  id: "script-runnable",
  doc: "A check script is missing, not executable, or has no #! line.",
  check: (subject) => {
    const { facts, isHere, node: here } = subject;
    return nodesOf(subject).flatMap((node) =>
      node.scripts.flatMap(({ script, path, source, text, shell, service, runs }): Found[] => {
        const places = [placeOf(script, "script")];
        const isOnThisNode = isHere && node === here;
        const fact = facts?.file(path);
        const found: Found[] = [];
        if (isOnThisNode && fact === undefined)
          found.push({
            severity: "error",
            title: `${path} does not exist on this node`,
            why: "keepalived disables the check and goes on, as if it always succeeded.",
            fix: "install the script, executable and owned by root",
            places,
          });
        else if (isOnThisNode && fact?.isExecutable === false)
          found.push({
            severity: "error",
            title: `${path} is not executable`,
            why: "keepalived disables the check and goes on, as if it always succeeded.",
            fix: `chmod 755 ${path}`,
            places,
          });
        if (text !== undefined && shell !== undefined && source !== undefined) {
          if (shell.interpreter === undefined && /^[\x20-\x7e\s]*$/.test(text.slice(0, 200)))
            found.push({
              severity: "error",
              title: `${source} has no #! line`,
              why: "The kernel refuses to run it (exec format error), so every run fails.",
              fix: "begin the file with #!/bin/sh or #!/bin/bash",
              places: [{ file: source, line: 1 }],
            });
          const unknowns = [
            ...new Set([...shell.unread, ...(runs?.whileBroken.outcomes ?? []).flatMap((one) => one.unknowns)]),
          ];
          if (runs?.whileBroken.verdict === undefined && runs?.whileBroken.stopsKeepalived !== true)
            found.push({
              severity: "info",
              title: `What "${script.name}" does when ${service} is dead can't be told from its text`,
              why: `Tandem reads simple scripts only; here it met ${list(unknowns)}. Try the script by hand: stop ${service}, run it, look at its exit status and how long it takes.`,
              places: [{ file: source, line: 1 }],
            });
        } else if (!isOnThisNode || fact !== undefined)
          found.push({
            severity: "info",
            title: `The script ${path} was not read`,
            why: "It is neither at its place on this machine nor beside the configuration, so nothing can be said about what it does.",
            fix: "put a copy beside keepalived.conf and check again",
            places,
          });
        return found;
      }),
    );
  },
};

function list(names: readonly string[]): string {
  const known = names.slice(0, 3).map((name) => (/\s/.test(name) ? name : `"${name}"`));
  return known.length === 0 ? "something it doesn't know" : known.join(", ");
}
