/** BFD_CHECK: a BFD session says whether a real server can be reached. keepalived: check_bfd.c. */
import { isForChecker } from "../bfd.ts";
import type { ConfigDraft } from "../drafts.ts";
import type { Keyword, Keywords, Line } from "../interpreter.ts";
import { keyword } from "../slots.ts";
import { printServer } from "./addresses.ts";
import { addChecker } from "./connection.ts";
import type { BfdCheckerDraft, RealServerDraft } from "./drafts.ts";
import { readSwitch } from "./slots.ts";

const keywords = (config: ConfigDraft): Keywords<BfdCheckerDraft> => ({
  name: keyword({ syntax: "NAME", doc: "Name of a bfd_instance that stands in front." }, (draft, line, scope) => {
    if (draft.isRemoved === true) return;
    const fault = faultOf(draft, line, config);
    draft.isRemoved = fault !== undefined;
    if (fault === undefined) draft.session = line.words[1] as string;
    else scope.report("warn", `(${subjectOf(draft)}) BFD_CHECK - ${fault}`, line.position);
  }),
  alpha: keyword(
    { syntax: "[on|off]", default: "the real server's", doc: "The real server is down until the session is up." },
    (draft, line, scope) => {
      if (draft.isRemoved === true) return;
      const value = readSwitch(line);
      if (value === undefined) scope.report("warn", `Invalid alpha parameter ${line.words[1]}`, line.position);
      else draft.alpha = value;
    },
  ),
});

function subjectOf({ realServer: { address, server } }: BfdCheckerDraft): string {
  return printServer(address, server.protocol);
}

/** Why the checker is none with this name. */
function faultOf({ session, realServer }: BfdCheckerDraft, line: Line, { bfds }: ConfigDraft): string | undefined {
  const [, name] = line.words;
  if (line.words.length !== 2) return "No or too many names specified - skipping checker";
  if (!bfds.some((bfd) => bfd.name === name && isForChecker(bfd))) return `BFD ${name} not configured`;
  if (session !== undefined) return `BFD ${name} already specified as ${session}`;
  const isTwin = realServer.checkers.some((other) => other.kind === "BFD_CHECK" && other.session === name);
  return isTwin ? `RS already monitoring ${name}` : undefined;
}

/** The block. */
export function bfdChecker(config: ConfigDraft): Keyword<RealServerDraft> {
  const table = keywords(config);
  return keyword(
    { syntax: "{ … }", doc: "A BFD session says whether the server can be reached." },
    (realServer, line, scope) => {
      const draft: BfdCheckerDraft = { kind: "BFD_CHECK", at: line.position, where: new Map(), realServer };
      const end = scope.block(table, draft);
      if (draft.isRemoved === true) return;
      if (draft.session !== undefined) addChecker(realServer, draft, scope);
      else scope.report("warn", `(${subjectOf(draft)}) No name has been specified for BFD_CHECKER - skipping`, end);
    },
    table as Keywords<never>,
  );
}
