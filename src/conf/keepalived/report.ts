/**
 * Findings in keepalived's words and form. Severities: `error` and above: Tandem refuses the file; `warn`: keepalived
 * complains but runs (`-t` ends with 5); `notice`: said, without effect on the exit status.
 */
import type { Diagnostic, Position } from "../diagnostics.ts";

/** Writes down a finding; without position for what only the whole configuration shows. */
export type Report = (severity: Diagnostic["severity"], message: string, position?: Position) => void;

/** `(keepalived.conf: Line 17) Unknown keyword 'advert_intt'`, as keepalived prints it. */
export function printKeepalivedDiagnostic({ message, position }: Diagnostic): string {
  return position === undefined ? message : `(${position.file}: Line ${position.line}) ${message}`;
}
