/** What MISC_CHECK makes of the ends of its program. A pure machine. keepalived: misc_check_child_thread. */
import type { MiscChecker } from "../conf/keepalived/lvs/config.ts";
import type { CheckerNames } from "./checker.ts";
import type { CommandResult } from "./ports.ts";

export interface MiscState {
  readonly isUp: boolean;
  readonly hasRun: boolean;
  readonly tries: number;
  /** Exit status by which the weight was set last. */
  readonly lastStatus: number;
  /** What it adds to the server's weight. */
  readonly weight: number;
}

export interface MiscStep {
  readonly state: MiscState;
  readonly logs: readonly string[];
  readonly verdict: boolean | undefined;
  readonly hadRun: boolean;
  /** From the program's start. */
  readonly delayMs: number;
}

/** A checker that has just been made. */
export function initialMisc({ alpha, retries }: Pick<MiscChecker, "alpha" | "retries">): MiscState {
  return { isUp: !alpha, hasRun: false, tries: retries, lastStatus: 0, weight: 0 };
}

/** What the end of the program means. `ownWeight`: of the server in the configuration. */
export function stepMisc(
  checker: MiscChecker,
  names: CheckerNames,
  state: MiscState,
  result: CommandResult,
  ownWeight: number,
): MiscStep {
  const { dynamic } = checker;
  if (result.kind === "exited") {
    const { status } = result;
    if (status === 0 || (dynamic && status >= 2)) return succeeded(checker, names, state, status, ownWeight);
    return failed(checker, names, state, { type: "failed", reason: `exited with status ${status}`, status });
  }
  if (result.kind === "timed out")
    return failed(checker, names, state, { type: "timed out", reason: undefined, status: undefined });
  const reason = result.kind === "signalled" ? `due to signal ${result.signal}` : result.why;
  return failed(checker, names, state, { type: "failed", reason, status: undefined });
}

function nameOf({ server, service }: CheckerNames, { command }: MiscChecker): string {
  return `Misc check for [${server} VS ${service}] by [${command.argv[0] ?? ""}]`;
}

function succeeded(
  checker: MiscChecker,
  names: CheckerNames,
  state: MiscState,
  status: number,
  ownWeight: number,
): MiscStep {
  const { isUp, hasRun, lastStatus } = state;
  const weight = status === lastStatus ? state.weight : status === 0 ? 0 : status - 2 - ownWeight;
  const isNews = !isUp || !hasRun;
  return {
    state: { isUp: true, hasRun: true, tries: 0, lastStatus: status, weight },
    logs: isNews ? [`${nameOf(names, checker)} succeeded.`] : [],
    verdict: isNews ? true : undefined,
    hadRun: hasRun,
    delayMs: checker.delayLoopMs,
  };
}

interface Failure {
  readonly type: "failed" | "timed out";
  readonly reason: string | undefined;
  readonly status: number | undefined;
}

function failed(checker: MiscChecker, names: CheckerNames, state: MiscState, failure: Failure): MiscStep {
  const { retries, delayLoopMs, delayBeforeRetryMs, logAllFailures } = checker;
  const { isUp, hasRun } = state;
  const next = { ...state, hasRun: true };
  const delayMs = (tries: number): number => (tries > 0 ? delayBeforeRetryMs : delayLoopMs);
  if (!isUp && hasRun)
    return { state: next, logs: [], verdict: undefined, hadRun: hasRun, delayMs: delayMs(state.tries) };
  const isFinal = state.tries >= retries;
  const tries = isFinal ? 0 : state.tries + 1;
  const line = `${nameOf(names, checker)} ${failure.type}${retriesText(retries, tries)}`;
  const why = failure.reason === undefined ? "" : ` (${failure.reason})`;
  const logs = isFinal || logAllFailures ? [`${line}${why}.`] : [];
  if (!isFinal) return { state: { ...next, tries }, logs, verdict: undefined, hadRun: hasRun, delayMs: delayMs(tries) };
  const lastStatus = failure.status ?? state.lastStatus;
  return {
    state: { isUp: false, hasRun: true, tries: 0, lastStatus, weight: 0 },
    logs,
    verdict: false,
    hadRun: hasRun,
    delayMs: delayMs(0),
  };
}

function retriesText(retries: number, tries: number): string {
  const some = retries === 1 ? "retry" : "retries";
  if (retries === 0) return " with retry disabled";
  if (tries === 1) return `, will do ${retries} ${some}`;
  return tries > 1 ? ` on retry ${tries - 1}/${retries}` : ` after ${retries} ${some}`;
}
