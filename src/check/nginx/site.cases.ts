/** nginx.conf files for tests of rules: the lines of an http block, checked as `tandem check` checks a file. */
import { anyHost, bindNginx } from "../bind-nginx.ts";
import type { Finding } from "../finding.ts";
import { found } from "../subject.cases.ts";

/** The findings of a rule about a whole file. */
export function lintFile(rule: string, text: string): readonly Finding[] {
  return found(rule, { nginx: text, bindNginx: (source) => bindNginx(source, anyHost) });
}

/** The findings of a rule about the lines of an http block. */
export function lint(rule: string, ...lines: readonly string[]): readonly Finding[] {
  return lintFile(rule, `worker_processes auto;\nevents {\n}\nhttp {\n${lines.join("\n")}\n}\n`);
}

/** The lines that a rule points at, as they are written, each finding's in order. */
export function flagged(rule: string, ...lines: readonly string[]): readonly string[] {
  return textsOf(lint(rule, ...lines));
}

/** The same inside of one server. */
export function flaggedInServer(rule: string, ...lines: readonly string[]): readonly string[] {
  return flagged(rule, "server {", ...lines, "}");
}

/** The lines of findings. */
export function textsOf(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(({ places }) => places.map(({ text = "" }) => text.trim()));
}
