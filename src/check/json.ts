/** The findings for programs: one JSON document, whose shape is kept. */
import { outlookOf } from "./failover.ts";
import type { Finding } from "./finding.ts";
import { nodesOf, type Subject } from "./subject.ts";
import type { Verdict } from "./verdict.ts";

/** The document as text, with an end of line. */
export function printJson(
  subject: Subject,
  findings: readonly Finding[],
  verdict: Verdict,
  exitStatus: number,
): string {
  return `${JSON.stringify(checkDocument(subject, findings, verdict, exitStatus), null, 2)}\n`;
}

/** Times are milliseconds. */
export function checkDocument(
  subject: Subject,
  findings: readonly Finding[],
  verdict: Verdict,
  exitStatus: number,
): object {
  return {
    version: 1,
    verdict,
    exitStatus,
    nodes: nodesOf(subject).map(({ label, file, nginx, scripts }) => ({
      label,
      file: file === "" ? null : file,
      nginx: nginx?.file ?? null,
      scripts: scripts.map(({ script, path, source }) => ({ name: script.name, path, read: source ?? null })),
    })),
    pairs: subject.pairs.map((pair) => {
      const { roles, ...outlook } = outlookOf(pair);
      return {
        active: { node: roles.activeNode.label, instance: roles.active.name, priority: outlook.activePriority },
        backup: { node: roles.backupNode.label, instance: roles.backup.name, priority: outlook.backupPriority },
        gracefulStop: outlook.gracefulStop,
        nodeDies: outlook.nodeDies,
        service: outlook.service ?? null,
        serviceDies: outlook.serviceDies,
        returnsAfter: outlook.returnsAfter ?? null,
      };
    }),
    findings,
  };
}
