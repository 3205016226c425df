/** What keepalived itself would say about the files, as far as no other rule explains it better. */
import type { Found, Rule, Severity } from "../finding.ts";
import { nodesOf, type Subject } from "../subject.ts";

/** Messages that other rules explain. */
const EXPLAINED = [
  /nopreempt will not work with initial state MASTER/,
  /nopreempt is incompatible with priority/,
  /^SECURITY VIOLATION/,
  /^Truncating auth_pass/,
];

export const configurationMessages: Rule<Subject> = {
  id: "configuration-messages",
  doc: "keepalived's own complaints, and what Tandem has not implemented.",
  check: (subject) => {
    const found = new Map<string, Found>();
    for (const node of nodesOf(subject)) {
      for (const { message, severity, position } of node.diagnostics) {
        if (EXPLAINED.some((pattern) => pattern.test(message))) continue;
        const level: Severity =
          severity === "info" || severity === "notice" ? "info" : severity === "warn" ? "warning" : "error";
        found.set(`${position?.file ?? node.file}:${position?.line}:${message}`, {
          severity: level,
          title: message,
          why: explain(message, level),
          places: [position === undefined ? { file: node.file, line: 1 } : position],
        });
      }
    }
    return [...found.values()];
  },
};

function explain(message: string, level: Severity): string {
  if (/' (?:of a route )?is refused: /.test(message))
    return "keepalived knows it, Tandem does not: it refuses the file rather than doing something else than what is written.";
  if (message.startsWith("Unknown keyword"))
    return "keepalived says so once, skips the line and runs without it. If a block belongs to it, its } closes the block around it, and what follows is lost, too.";
  return level === "error"
    ? "With this the node does not start."
    : "keepalived says this when it reads the file, and goes on.";
}
