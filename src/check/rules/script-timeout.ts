/** A script that takes longer than its timeout never gets to what it does last. */
import type { Found, Place, Rule } from "../finding.ts";
import { eachCommand } from "../shell.ts";
import { type CheckedNode, type CheckedScript, nodesOf, placeOf, type Subject } from "../subject.ts";

export const scriptTimeout: Rule<Subject> = {
  id: "script-timeout",
  doc: "A check script outlasts its timeout when what it checks is dead.",
  check: (subject) => nodesOf(subject).flatMap((node) => node.scripts.flatMap((checked) => timeouts(node, checked))),
};

function timeouts(node: CheckedNode, checked: CheckedScript): Found[] {
  const { runs, script, shell, source, service } = checked;
  if (runs === undefined || shell === undefined || source === undefined) return [];
  const outlasts = runs.whileBroken.outcomes.some(({ status }) => status === "timeout");
  if (!outlasts) return [];
  const seconds = script.timeoutMs / 1000;
  const sleeps = runs.whileBroken.outcomes.flatMap(({ deeds }) => deeds).filter(({ kind }) => kind === "sleep");
  const slept = sleeps[0];
  const stop = stopCommand(checked);
  const isMissed = stop !== undefined && !runs.whileBroken.stopsKeepalived;
  const isRestarting = runs.whileRestartable.outcomes.some(
    ({ status, deeds }) => status === "timeout" && deeds.some(({ kind }) => kind === "start-service"),
  );
  const hasTimeout = script.where.has("timeout");
  const end = `keepalived ends it after ${seconds} s (${hasTimeout ? "its timeout" : "no timeout is written, so the interval counts"})`;
  const sleep = slept === undefined ? "It takes" : `"sleep ${slept.detail}" in line ${slept.line} alone takes`;
  const places = [
    placeOf(script, "timeout", "interval"),
    ...(slept === undefined ? [] : [lineOf(checked, slept.line)]),
    ...(isMissed ? [lineOf(checked, stop)] : []),
  ];
  return [
    {
      severity: isMissed ? "error" : "warning",
      title: isMissed
        ? `"${script.name}" is ended before it reaches the line that stops keepalived`
        : `"${script.name}" outlasts its timeout when ${service} is dead`,
      nodes: [node.label],
      why: `${sleep} as long as the script may run at all: ${end}.${isMissed ? " What stands behind it, stopping keepalived to hand the address over, never happens." : ""}${isRestarting ? ` A restart of ${service} that works counts as a failed check, too.` : ""}`,
      fix: `write "timeout ${Math.ceil(seconds + 8)}" in vrrp_script ${script.name}, or better: let the check only fail and let the weight or a fault move the address`,
      places,
    },
  ];
}

/** Line of the command that would stop keepalived. */
function stopCommand({ shell }: CheckedScript): number | undefined {
  let line: number | undefined;
  eachCommand(shell?.list ?? [], (command) => {
    const text = command.words.map(({ source }) => source).join(" ");
    if (/\bkeepalived\b/.test(text) && /^(\S*\/)?(killall|pkill|kill|systemctl|service|keepalived)\b/.test(text))
      line ??= command.line;
  });
  return line;
}

function lineOf({ source }: CheckedScript, line: number): Place {
  return { file: source as string, line };
}
