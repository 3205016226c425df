/** A check that succeeds although nginx is dead. */
import type { Found, Rule } from "../finding.ts";
import { eachCommand } from "../shell.ts";
import { nodesOf, placeOf, type Subject } from "../subject.ts";

export const scriptBlind: Rule<Subject> = {
  id: "script-blind",
  doc: "A check script succeeds although what it checks is dead and can't be started.",
  check: (subject) =>
    nodesOf(subject).flatMap((node) =>
      node.scripts.flatMap(({ runs, script, shell, source, path, service }): Found[] => {
        if (runs === undefined || runs.whileBroken.verdict !== "success" || runs.whileBroken.stopsKeepalived) return [];
        if (!mentions(shell, service)) return [];
        const isSeen = path.includes(service) && listsAllProcesses(shell);
        const why = isSeen
          ? `It looks for "${service}" in a list of all processes, and finds itself: the script is called ${path}. So it never notices that ${service} is gone.`
          : `Walking through ${source} with ${service} dead and not startable, it still ends with success, so keepalived never learns of it.`;
        return [
          {
            severity: "error",
            nodes: [node.label],
            title: `The check "${script.name}" succeeds although ${service} is dead`,
            why,
            fix: isSeen
              ? `ask "pidof ${service}" instead of searching the list of all processes`
              : `end with exit 1 where ${service} is found dead`,
            places: [placeOf(script, "script")],
          },
        ];
      }),
    ),
};

function mentions(shell: Parameters<typeof listsAllProcesses>[0], service: string): boolean {
  let isFound = false;
  eachCommand(shell?.list ?? [], ({ words }) => {
    if (words.some(({ source }) => source.includes(service))) isFound = true;
  });
  return isFound;
}

function listsAllProcesses(shell: { readonly list: Parameters<typeof eachCommand>[0] } | undefined): boolean {
  let isFound = false;
  eachCommand(shell?.list ?? [], ({ words }) => {
    const [program, ...options] = words.map(({ source }) => source);
    if (program !== undefined && /(^|\/)ps$/.test(program) && !options.includes("-C")) isFound = true;
  });
  return isFound;
}
