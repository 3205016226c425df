/** Keywords of `global_defs` about virtual servers. keepalived: global_parser.c. */
import type { GlobalsDraft } from "../drafts.ts";
import type { Interpreter, Keyword, Keywords, Line } from "../interpreter.ts";
import { readInteger } from "../numbers.ts";
import { keyword, slotsOf } from "../slots.ts";
import { toggle } from "./slots.ts";

const slots = slotsOf<GlobalsDraft>();

/** 31 days. */
const MAX_TIMEOUT_S = 86_400 * 31;

function readTimeouts(draft: GlobalsDraft, line: Line, scope: Interpreter): void {
  const warn = (message: string): void => scope.report("warn", message, line.position);
  if (line.words.length < 3) {
    warn("lvs_timeouts requires at least one option");
    return;
  }
  for (let index = 1; index < line.words.length; index++) {
    const word = line.words[index] as string;
    if (word !== "tcp" && word !== "tcpfin" && word !== "udp") {
      warn(`Unknown option ${word} specified for lvs_timeouts`);
      continue;
    }
    const text = line.words[++index];
    if (text === undefined) {
      warn(`No value specified for lvs_timeout ${word} - ignoring`);
      return;
    }
    const read = readInteger(text, 0, MAX_TIMEOUT_S);
    if (!read.ok) {
      warn(read.reason);
      warn(`Invalid lvs_timeout ${word} (${text}) - ignoring`);
    } else if (word === "tcp") draft.lvsTcpTimeoutS = read.value;
    else if (word === "tcpfin") draft.lvsTcpFinTimeoutS = read.value;
    else draft.lvsUdpTimeoutS = read.value;
  }
}

function flushOnStop(doc: string): Keyword<GlobalsDraft> {
  return keyword({ syntax: "[VS]", doc }, (draft, line, scope) => {
    const [, word] = line.words;
    if (word === undefined) draft.lvsFlushOnStop = "all";
    else if (word === "VS") draft.lvsFlushOnStop = "own";
    else scope.report("warn", `Unknown lvs_flush_on_stop type ${word}`, line.position);
  });
}

/** What concerns all virtual servers. */
export const lvsGlobals: Keywords<GlobalsDraft> = {
  checker_log_all_failures: toggle<GlobalsDraft>("checkerLogAllFailures", {
    default: "off",
    doc: "Failures of checks that are tried again are logged, too.",
    invalid: () => "Invalid value for checker_log_all_failures specified",
  }),
  rs_init_notifies: toggle<GlobalsDraft>("rsInitNotifies", {
    default: "off",
    doc: "Real servers that are up from the start are told about.",
    invalid: (text) => `Invalid value '${text}' for global rs_init_notifies specified`,
  }),
  lvs_timeouts: keyword(
    { syntax: "[tcp N] [tcpfin N] [udp N]", doc: "Seconds that idle connections are kept; no effect without IPVS." },
    readTimeouts,
  ),
  lvs_flush: slots.flag("lvsFlush", { doc: "What others have set up in IPVS is removed at the start." }),
  lvs_flush_on_stop: flushOnStop(
    "What others have set up in IPVS is removed at the end, too; VS: of own services only.",
  ),
  lvs_flush_onstop: flushOnStop("Old spelling of lvs_flush_on_stop."),
};
