/** A check that succeeds although nginx is dead. */
import type { Found, Rule } from "../finding.ts";
import { eachCommand } from "../shell.ts";
import { nodesOf, placeOf, type Subject } from "../subject.ts";

export const scriptBlind: Rule<Subject> = {
  id: "script-blind",
  doc: "A check script succeeds although nginx is dead and can't be started.",
  check: (subject) =>
    nodesOf(subject).flatMap((node) =>
      node.scripts.flatMap(({ runs, script, shell, source, path }): Found[] => {
        if (runs === undefined || runs.whileBroken.verdict !== "success" || runs.whileBroken.stopsKeepalived) return [];
        if (!mentionsNginx(shell)) return [];
        const isSeen = path.includes("nginx") && listsAllProcesses(shell);
        const why = isSeen
          ? `It looks for "nginx" in a list of all processes, and finds itself: the script is called ${path}. So it never notices that nginx is gone.`
          : `Walking through ${source} with nginx dead and not startable, it still ends with success, so keepalived never learns of it.`;
        return [
          {
            severity: "error",
            nodes: [node.label],
            title: `The check "${script.name}" succeeds although nginx is dead`,
            why,
            fix: isSeen
              ? 'ask "pidof nginx" instead of searching the list of all processes'
              : "end with exit 1 where nginx is found dead",
            places: [placeOf(script, "script")],
          },
        ];
      }),
    ),
};

function mentionsNginx(shell: Parameters<typeof listsAllProcesses>[0]): boolean {
  let isFound = false;
  eachCommand(shell?.list ?? [], ({ words }) => {
    if (words.some(({ source }) => source.includes("nginx"))) isFound = true;
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
