/** What a conversation with a web server looked like: to its client, and in the logs, in a form that two servers can be compared by. */

import { normalise } from "./proxy-views.ts";

export interface Http1View {
  /** What the client was sent, date and chunk sizes taken out. */
  readonly client: string;
  /** Whether the server ended the connection, and whether by a reset; `open`: not before the client's time was up. */
  readonly fate: "closed" | "reset" | "open";
  /** Lines of the access log. */
  readonly access: readonly string[];
  /** Lines of the error log, without time, process and connection. */
  readonly errors: readonly string[];
}

/** A line ends at 2048 bytes, those of process and connection included. */
const LONGEST_LINE = 1850;
const LINE_START = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (\[\w+\]) \d+#\d+: (?:\*\d+ )?/;
/** What a client has sent may have line feeds in it. */
const NEXT_LINE = /^(?=\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[)/m;

/** What a client got, without what differs from run to run. */
export function normaliseClient(text: string, folder: string): string {
  return normalise(text.replaceAll(folder, "DIR").replace(/(boundary=|--)0\d{19}/g, "$1B"));
}

/** Takes out of a piece of an error log what differs by nature. */
export function normaliseErrors(text: string, folder: string): string[] {
  return text
    .replaceAll(folder, "DIR")
    .split(NEXT_LINE)
    .filter((line) => line !== "")
    .map((line) =>
      escapeControls(
        line
          .replace(/\n$/, "")
          .replace(LINE_START, "$1 ")
          .replace(/body\/\d{10}/, "body/N"),
      ).slice(0, LONGEST_LINE),
    );
}

/** As Tandem prints the control bytes that a client has sent: docs/compatibility.md says why. */
function escapeControls(line: string): string {
  return line.replace(
    /[\x00-\x1f\x7f]/g,
    (control) => `\\x${control.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
