/** Keywords of `global_defs` about reloads. keepalived: global_parser.c. */
import type { GlobalsDraft } from "./drafts.ts";
import type { Keywords } from "./interpreter.ts";
import { keyword, slotsOf } from "./slots.ts";

const slots = slotsOf<GlobalsDraft>();

export const reloadKeywords: Keywords<GlobalsDraft> = {
  reload_check_config: keyword(
    {
      syntax: "[LOG_FILE]",
      doc: "A reload happens only when the configuration passes what -t checks; what it complains about is written to the file.",
    },
    (draft, line) => {
      draft.reloadCheck = { log: line.words[1] };
    },
  ),
  reload_time_file: keyword(
    {
      syntax: "FILE",
      doc: "A file with a time in its first line, [[YY]YY-MM-DD ]HH:MM:SS[Z]: when to reload next. It is removed then.",
    },
    (draft, line, scope) => {
      const [, path] = line.words;
      if (path !== undefined && line.words.length === 2) draft.reloadTimeFile = path;
      else scope.report("warn", "reload_time_file invalid", line.position);
    },
  ),
  reload_repeat: slots.flag("reloadRepeats", {
    doc: "The reload_time_file stays, and a time without a date is one of every day.",
  }),
  reload_file: keyword(
    {
      syntax: "[FILE]",
      default: "none; keepalived.reload beside the pid file when bare",
      doc: "A file that is there while a reload reads the configuration, for whoever writes it.",
    },
    (draft, line) => {
      draft.reloadFile = { path: line.words[1] };
    },
  ),
};
