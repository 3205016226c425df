/** Blocks that declare what can be tracked: `vrrp_script`, `vrrp_track_process`, `track_file`. */
import { readCommand, readUser } from "./commands.ts";
import type { FileDraft, ProcessDraft, ScriptDraft } from "./drafts.ts";
import type { Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { readDecimal, readInteger } from "./numbers.ts";
import { keyword, number, slotsOf } from "./slots.ts";

/** Weight of a script or an interface: beyond it a priority makes no sense. */
const MAX_WEIGHT = 253;
/** Weight of a process or a file. */
const MAX_FILE_WEIGHT = 254;
const MAX_SECONDS = 4294;
const MAX_COUNT = 0x7fff_ffff;

const script = slotsOf<ScriptDraft>();

/** Keywords of `vrrp_script`. */
export const scriptKeywords: Keywords<ScriptDraft> = {
  script: keyword(
    { syntax: '"PROGRAM ARGUMENT…"', doc: "Program that is run again and again; exit status 0 is success." },
    (draft, line, scope) => {
      const found = readCommand(line, scope);
      if (found !== undefined) draft.command = found;
    },
  ),
  interval: secondsAtLeastOne(
    "intervalMs",
    "interval",
    "Seconds from one run to the next.",
    (text, { name }) => `(${name}): vrrp script interval '${text}' must be between 1 and ${MAX_SECONDS} - ignoring`,
  ),
  timeout: secondsAtLeastOne(
    "timeoutMs",
    "timeout",
    "Seconds until a run is ended and counts as failed.",
    (text, draft) => `(${draft.name}): vrrp script timeout '${text}' invalid - ignoring`,
  ),
  weight: keyword(
    {
      syntax: "-253…253 [reverse]",
      default: "0",
      doc: "0: failure is a fault; above 0: added to the priority on success; below 0: added on failure.",
    },
    (draft, line, scope) => {
      const invalid = (text: string): string =>
        `vrrp_script ${draft.name} weight ${text} must be in [-${MAX_WEIGHT}, ${MAX_WEIGHT}]`;
      const weight = number(line, scope, { min: -MAX_WEIGHT, max: MAX_WEIGHT, invalid }, draft);
      const option = line.words[2];
      if (option !== undefined && option !== "reverse")
        scope.report("warn", `vrrp_script ${draft.name} unknown weight option ${option}`, line.position);
      if (weight === undefined) return;
      draft.weight = weight;
      draft.weightReverse = option === "reverse";
    },
  ),
  rise: count("rise", "Successes in a row that it takes to be up."),
  fall: count("fall", "Failures in a row that it takes to be down."),
  user: keyword(
    { syntax: "USER [GROUP]", default: "script_user", doc: "Who the script runs as." },
    (draft, line, scope) => {
      if (scope.word(line, 1) === undefined) return;
      const user = readUser(line.words.slice(1));
      if (user !== undefined) draft.user = user;
    },
  ),
  init_fail: script.flag("initFail", { doc: "Failed until it has succeeded for the first time." }),
};

function secondsAtLeastOne(
  key: "intervalMs" | "timeoutMs",
  name: string,
  doc: string,
  invalid: (text: string, draft: ScriptDraft) => string,
): Keyword<ScriptDraft> {
  return keyword(
    { syntax: `0.001…${MAX_SECONDS}`, default: key === "intervalMs" ? "1" : "interval", doc },
    (draft, line, scope) => {
      const text = scope.word(line, 1);
      if (text === undefined) return;
      // Whole seconds first, for their message; a fraction is what newer versions of keepalived read.
      const whole = readInteger(text, 0, MAX_SECONDS);
      const read = /^\+?[0-9]*\.[0-9]+$/.test(text) ? readDecimal(text, 0.001, MAX_SECONDS) : whole;
      if (!read.ok) {
        scope.report("warn", read.reason, line.position);
        scope.report("warn", invalid(text, draft), line.position);
      } else if (read.value === 0) {
        const message = `(${draft.name}): vrrp script ${name} must be greater than 0, setting to 1`;
        scope.report("warn", message, line.position);
        draft[key] = 1000;
      } else draft[key] = Math.round(read.value * 1000);
    },
  );
}

function count(key: "rise" | "fall", doc: string): Keyword<ScriptDraft> {
  return script.integer(key, {
    min: 1,
    max: MAX_COUNT,
    default: "1",
    doc,
    invalid: (text, { name }) => `(${name}): vrrp script ${key} value '${text}' invalid, defaulting to 1`,
  });
}

const process = slotsOf<ProcessDraft>();

/** Keywords of `vrrp_track_process`. */
export const processKeywords: Keywords<ProcessDraft> = {
  process: keyword(
    { syntax: "NAME [PARAMETER…]", doc: "Name of the program; with parameters, only processes that have them count." },
    (draft, line, scope) => {
      const name = scope.word(line, 1);
      if (name === undefined) return;
      if (draft.process !== undefined) {
        const message = `Process already set for track process ${draft.name} - ignoring ${name}`;
        scope.report("warn", message, line.position);
        return;
      }
      draft.process = name;
      draft.parameters = line.words.slice(2);
    },
  ),
  param_match: keyword(
    {
      syntax: "[initial|partial]",
      doc: "How the parameters are compared: exactly, their beginning, or each one's beginning.",
    },
    (draft, line, scope) => {
      const mode = line.words[1];
      if (mode === undefined) draft.parameterMatch = "exact";
      else if (mode === "initial" || mode === "partial") draft.parameterMatch = mode;
      else scope.report("warn", `Invalid param_match type ${mode} - ignoring`, line.position);
    },
  ),
  weight: namedWeight("vrrp_track_process", "track process"),
  quorum: process.integer("quorum", {
    min: 1,
    max: 65535,
    default: "1",
    doc: "Processes that must run.",
    invalid: (text, { name }) =>
      `Quorum (${text}) for vrrp_track_process ${name} must be between [1..65535] inclusive. Ignoring...`,
  }),
  quorum_max: keyword(
    { syntax: "0…65535", default: "no bound", doc: "Processes that may run." },
    (draft, line, scope) => {
      const invalid = (text: string): string =>
        `quorum_max (${text}) for vrrp_track_process ${draft.name} must be between [0..65535] inclusive. Ignoring...`;
      const value = number(line, scope, { min: 0, max: 65535, invalid }, draft);
      if (value === undefined) return;
      if (draft.quorum !== undefined && value < draft.quorum)
        scope.report("warn", "quorum_max is less than quorum - ignoring", line.position);
      else draft.quorumMax = value;
    },
  ),
  delay: processDelay(["forkDelayMs", "terminateDelayMs"], "delay", "Seconds until a start or an end counts."),
  fork_delay: processDelay(["forkDelayMs"], "fork_delay", "Seconds until a start counts."),
  terminate_delay: processDelay(["terminateDelayMs"], "terminate_delay", "Seconds until an end counts."),
  full_command: process.flag("fullCommand", {
    doc: "The whole command line is compared, not only the program's name.",
  }),
};

function processDelay(
  keys: readonly ("forkDelayMs" | "terminateDelayMs")[],
  name: string,
  doc: string,
): Keyword<ProcessDraft> {
  return keyword({ syntax: "0.000001…3600", default: "0", doc }, (draft, line, scope) => {
    const about = {
      min: 0.000001,
      max: 3600,
      invalid: (text: string) =>
        `${name} (${text}) for vrrp_track_process ${draft.name} must be between [0.000001..3600] inclusive. Ignoring...`,
    };
    const value = number(line, scope, about, draft, readDecimal);
    if (value !== undefined) for (const key of keys) draft[key] = value * 1000;
  });
}

/** `weight N [reverse]` of processes and files, which only counts once. */
function namedWeight<D extends ProcessDraft | FileDraft>(block: string, thing: string): Keyword<D> {
  return keyword(
    { syntax: `-${MAX_FILE_WEIGHT}…${MAX_FILE_WEIGHT} [reverse]`, doc: "Weight; 0: failure is a fault." },
    (draft, line, scope) => {
      const warn = (message: string): void => scope.report("warn", message, line.position);
      const [, text, option] = line.words;
      if (text === undefined) return warn(`No weight specified for ${thing} ${draft.name} - ignoring`);
      if (draft.weight !== undefined) return warn(`Weight already set for ${thing} ${draft.name} - ignoring ${text}`);
      const read = readInteger(text, -MAX_FILE_WEIGHT, MAX_FILE_WEIGHT);
      if (!read.ok) {
        warn(read.reason);
        const range = `[-${MAX_FILE_WEIGHT}..${MAX_FILE_WEIGHT}]`;
        return warn(`Weight (${text}) for ${block} ${draft.name} must be between ${range} inclusive. Ignoring...`);
      }
      if (option !== undefined && option !== "reverse")
        return warn(`${block} ${draft.name} unknown weight option ${option}`);
      draft.weight = read.value;
      draft.weightReverse = option === "reverse";
    },
  );
}

/** Keywords of `track_file`. */
export const fileKeywords: Keywords<FileDraft> = {
  file: keyword({ syntax: "PATH", doc: "File with a number in it." }, (draft, line, scope) => {
    const path = scope.word(line, 1);
    if (path === undefined) return;
    if (draft.path === undefined) draft.path = path;
    else scope.report("warn", `File already set for track file ${draft.name} - ignoring ${path}`, line.position);
  }),
  weight: namedWeight("track_file", "track file"),
  init_file: keyword(
    { syntax: "[VALUE] [overwrite]", doc: "The file is written at the start when it is missing, or always." },
    readInitialValue,
  ),
};

function readInitialValue(draft: FileDraft, line: Line, scope: Interpreter): void {
  let value = 0;
  let overwrite = false;
  for (const word of line.words.slice(1)) {
    const read = readInteger(word, -0x8000_0000, 0x7fff_ffff);
    if (read.ok) value = read.value;
    else if (word === "overwrite") overwrite = true;
    else scope.report("warn", `Unknown track file init option ${word}`, line.position);
  }
  draft.initialise = { value, overwrite };
}
