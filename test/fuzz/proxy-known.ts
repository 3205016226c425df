/** Differences to nginx that are meant: docs/compatibility.md lists them with their reasons. */
import type { ProxyCase } from "./proxy-cases.ts";
import type { View } from "./proxy-views.ts";

/** What may come ahead of the answer itself. */
const EARLY = /^HTTP\/1\.1 103 Early Hints\r\nLink: x\r\n\r\n/;
const STATUS_LINE = /^HTTP\/\d+\.\d+ +\d{3}(?: [^\r\n]*)?\r?\n/;
const WHOLE_HEAD = /\r?\n\r?\n/;

/** Which of the known differences explains that these two differ; undefined when none does. */
export function reasonFor(one: ProxyCase, theirs: View, ours: View): string | undefined {
  const answers = one.answers.map(({ bytes }) => bytes.replace(EARLY, ""));
  const client = one.client.join("");
  // After it nginx serves the client's next request, though nobody can tell where that answer begins.
  const isLonger = ours.client.startsWith(theirs.client);
  if (answers.some((bytes) => !STATUS_LINE.test(bytes)) && (isLonger || theirs.client.startsWith(ours.client)))
    return "an answer without a status line ends the client's connection";
  if (isLonger && ours.closed && sameList(theirs.backEnd, ours.backEnd))
    return "what has come of an answer that stays incomplete is passed on";
  const huge = /content-length:\s*\d{16}/i;
  if (answers.some((bytes) => huge.test(bytes)) && ours.client.includes(" 502 "))
    return "a length of more than 2^53 - 1 bytes is refused";
  if (huge.test(client) && ours.client.includes(" 400 ")) return "a length of more than 2^53 - 1 bytes is refused";
  const isUnfinished = answers.some((bytes) => !WHOLE_HEAD.test(bytes));
  if (isUnfinished && theirs.client.includes(" 502 ") && ours.client.includes(" 504 "))
    return "a fault in a head that stays incomplete is not seen";
  return undefined;
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, i) => text === other[i]);
}
