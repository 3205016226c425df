/** A media type or an extension that is said twice. */
import type { Position } from "../../conf/diagnostics.ts";
import type { Found, Rule } from "../finding.ts";
import { nodesOf, type Subject } from "../subject.ts";

/** What nginx says of it. */
export const MIME_DUPLICATE = /^duplicate (extension|MIME type) "([^"]*)"/;
/** So many are named. */
const NAMED = 5;

interface Duplicate {
  readonly name: string;
  readonly position: Position;
}

export const nginxMimeDuplicate: Rule<Subject> = {
  id: "nginx-mime-duplicate",
  doc: "A file extension has two media types, or a list of types names one twice.",
  check: (subject) => {
    const extensions = new Map<string, Duplicate>();
    const types = new Map<string, Duplicate>();
    for (const { nginx } of nodesOf(subject))
      for (const { message, position } of nginx?.diagnostics ?? []) {
        const [, kind, name = ""] = MIME_DUPLICATE.exec(message) ?? [];
        if (kind === undefined || position === undefined) continue;
        const list = kind === "extension" ? extensions : types;
        list.set(`${position.file}:${position.line}:${name}`, { name, position });
      }
    return [
      ...say(
        [...extensions.values()],
        "a media type already",
        "The last one wins, without an error: files of this kind are sent with another type than the first line says.",
        "keep the line that is right, remove the other",
      ),
      ...say(
        [...types.values()],
        "in the list already",
        "text/html is in lists of gzip and the like by itself; nginx warns of it at every start.",
        "remove the word",
      ),
    ];
  },
};

function say(duplicates: readonly Duplicate[], what: string, why: string, fix: string): readonly Found[] {
  const names = [...new Set(duplicates.map(({ name }) => name))];
  if (names.length === 0) return [];
  const shown = names.slice(0, NAMED).join(", ") + (names.length > NAMED ? ` and ${names.length - NAMED} more` : "");
  const has = what.startsWith("a ") ? (names.length === 1 ? "has" : "have") : names.length === 1 ? "is" : "are";
  return [
    {
      severity: "warning",
      title: `${shown} ${has} ${what}`,
      why,
      fix,
      places: duplicates.map(({ position }) => position),
    },
  ];
}
