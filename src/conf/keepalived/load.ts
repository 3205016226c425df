/** keepalived.conf, from file to typed configuration: the one entry for everybody who needs one. */
import type { Diagnostic } from "../diagnostics.ts";
import { Diagnostics } from "../diagnostics.ts";
import { complete, DEFAULT_SCRIPT_USER } from "./complete.ts";
import type { KeepalivedConfig } from "./config.ts";
import { type ConfigDraft, type GlobalsDraft, newConfig } from "./drafts.ts";
import { Interpreter } from "./interpreter.ts";
import { type Pieces, readPieces } from "./lines.ts";
import type { Machine } from "./machine.ts";
import type { ReadOptions } from "./reader.ts";
import type { Report } from "./report.ts";
import { rootKeywords } from "./root.ts";

/** How to read, and the node that the configuration is for. */
export interface LoadOptions extends ReadOptions {
  /** Interfaces, users and scripts are checked against it; without it all are taken to be there. */
  readonly machine?: Machine;
}

/** `keepalived -t`'s exit statuses, measured with 2.2.7. */
export const EXIT = {
  ok: 0,
  /** A parameter is missing: keepalived stops reading. */
  fatal: 2,
  /** Something was complained about; keepalived would run all the same. */
  complaints: 5,
  /** Scripts run as root unchecked (wins over `complaints`), or an include that must exist is missing. */
  security: 6,
} as const;

/** A configuration and what is to be said about it. */
export interface LoadedKeepalived {
  /** What it means; to be run only when `isUsable`. */
  readonly config: KeepalivedConfig;
  readonly diagnostics: readonly Diagnostic[];
  /** False when something is missing or not implemented, so that running it would not do what is written. */
  readonly isUsable: boolean;
  /** What `-t` ends with. */
  readonly exitStatus: number;
  /** Files that were read, in order. */
  readonly files: readonly string[];
}

/** Reads, interprets and completes `file`. Never throws on what is in the files. */
export function loadKeepalived(file: string, options: LoadOptions): LoadedKeepalived {
  const diagnostics = new Diagnostics();
  let isComplaint = false;
  const seen = new Set<string>();
  const report: Report = (severity, message, position) => {
    // The lines of a repeated or included piece would say the same thing many times.
    const key = `${position?.file}\n${position?.line}\n${message}`;
    if (seen.has(key)) return;
    seen.add(key);
    if (severity !== "info" && severity !== "notice") isComplaint = true;
    diagnostics.report(severity, message, position);
  };
  const pieces = readPieces(file, options, report);
  // keepalived reads the file once per process, the globals first: an instance sees globals that stand behind it.
  const { globals } = interpret(pieces, {}, { where: new Map() }, () => {}).draft;
  const { draft, isStopped } = interpret(pieces, options, globals, report);
  const { config, isSecurityViolation } = complete(draft, options.machine, isStopped ? () => {} : report);
  const isSecurity = isSecurityViolation || draft.isSecretOpen === true || pieces.isIncludeMissing;
  return {
    config,
    diagnostics: diagnostics.list,
    isUsable: diagnostics.fatalCount === 0,
    exitStatus: isStopped ? EXIT.fatal : isSecurity ? EXIT.security : isComplaint ? EXIT.complaints : EXIT.ok,
    files: pieces.files,
  };
}

function interpret(
  pieces: Pieces,
  { machine, reader }: Partial<LoadOptions>,
  globals: GlobalsDraft,
  report: Report,
): { draft: ConfigDraft; isStopped: boolean } {
  const draft = newConfig();
  // With script security somebody must be named to run a command, or keepalived_script must exist.
  const isNobody =
    machine !== undefined &&
    globals.enableScriptSecurity === true &&
    globals.scriptUser === undefined &&
    !machine.hasUser(DEFAULT_SCRIPT_USER);
  const interpreter = new Interpreter(pieces.pieces, pieces.end, report, (user, position) => {
    if (user !== undefined || !isNobody) return true;
    if (draft.isMissingUserReported !== true)
      report("warn", `Unable to set default user ${DEFAULT_SCRIPT_USER} for script`, position);
    draft.isMissingUserReported = true;
    return false;
  });
  interpreter.lines(rootKeywords({ config: draft, machine, globals, reader }), draft);
  return { draft, isStopped: interpreter.isStopped };
}
