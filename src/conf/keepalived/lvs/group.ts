/** `virtual_server_group` and `SSL`. keepalived: vsg_handler, ssl_handler. */
import type { Interpreter, Keyword, Keywords, Line } from "../interpreter.ts";
import { readInteger } from "../numbers.ts";
import { keyword } from "../slots.ts";
import { portText, readRange } from "./addresses.ts";
import type { ServerGroupDraft, SslDraft } from "./drafts.ts";
import { MAX_U32 } from "./slots.ts";

/** Addresses of one group, ranges counted in full. */
export const MAX_GROUP_ENTRIES = 4096;

/** Reads one line of a group. */
export function readGroupEntry(group: ServerGroupDraft, line: Line, scope: Interpreter): void {
  const warn = (message: string): void => scope.report("warn", message, line.position);
  const [first = "", second] = line.words;
  if (group.ranges.length + group.marks.length >= MAX_GROUP_ENTRIES) {
    scope.report(
      "error",
      `virtual server group ${group.name} has more than ${MAX_GROUP_ENTRIES} entries`,
      line.position,
    );
    return;
  }
  if (first === "fwmark") {
    readMark(group, line, scope);
    return;
  }
  const range = readRange(first, portText(second), warn);
  if (range !== undefined) group.ranges.push(range);
}

function readMark(group: ServerGroupDraft, line: Line, scope: Interpreter): void {
  const warn = (message: string): void => scope.report("warn", message, line.position);
  const text = scope.word(line, 1);
  if (text === undefined) return;
  const read = readInteger(text, 0, MAX_U32);
  if (!read.ok) {
    warn(read.reason);
    warn(`(${group.name}): fwmark '${text}' must be in [0, ${MAX_U32}] - ignoring`);
    return;
  }
  const [, , family] = line.words;
  if (family !== undefined && family !== "inet" && family !== "inet6") {
    warn(`(${group.name}): fwmark '${read.value}' family ${family} unknown - ignoring`);
    return;
  }
  const families = { inet: 4, inet6: 6 } as const;
  group.marks.push(Object.freeze({ mark: read.value, family: family === undefined ? undefined : families[family] }));
}

/** Which families a group has: those of its addresses and of the marks that say one. */
export function groupFamilies({ ranges, marks }: Pick<ServerGroupDraft, "ranges" | "marks">): ReadonlySet<4 | 6> {
  return new Set([
    ...ranges.map(({ ip }) => (ip.length === 4 ? (4 as const) : (6 as const))),
    ...marks.flatMap(({ family }) => (family === undefined ? [] : [family])),
  ]);
}

/** Files and password of the connections that SSL_GET makes. */
export const sslKeywords: Keywords<SslDraft> = {
  password: sslFile("password", "password", "Password of the key."),
  ca: sslFile("ca", "cafile", "File of the authorities; servers are not verified with it, as in keepalived."),
  certificate: sslFile("certificate", "certfile", "File of the certificate that is shown."),
  key: sslFile("key", "keyfile", "File of the key of that certificate."),
};

function sslFile(key: "password" | "ca" | "certificate" | "key", what: string, doc: string): Keyword<SslDraft> {
  return keyword({ syntax: what === "password" ? "TEXT" : "PATH", doc }, (draft, line, scope) => {
    const [, word] = line.words;
    if (word === undefined) {
      scope.report("warn", `SSL ${what} missing`, line.position);
      return;
    }
    if (draft[key] !== undefined) scope.report("warn", `SSL ${what} already specified - replacing`, line.position);
    draft[key] = word;
  });
}
