/**
 * What a checker makes of the results of its checks: tries again, changes its mind, waits. A step of a pure machine for each
 * kind, because keepalived's kinds differ in their details, log lines included. keepalived: the epilog of each check_*.c.
 *
 * | state  | means                                                         |
 * |--------|---------------------------------------------------------------|
 * | isUp   | what it says of its server; true at first, unless `alpha`     |
 * | hasRun | it has had a result                                           |
 * | tries  | failures in a row that have been forgiven; at first all are    |
 */
import type { Checker, DnsChecker, HttpChecker, SmtpChecker } from "../conf/keepalived/lvs/config.ts";

/** Checkers that ask over the network. */
export type NetworkChecker = Exclude<Checker, { readonly kind: "MISC_CHECK" | "FILE_CHECK" | "BFD_CHECK" }>;

export interface CheckerState {
  readonly isUp: boolean;
  readonly hasRun: boolean;
  readonly tries: number;
  /** HTTP_GET: index of the url that is asked next, and of the one that has failed. */
  readonly url: number;
  readonly failedUrl: number | undefined;
}

/** The result of one check. */
export type Outcome =
  | { readonly ok: true; readonly what?: string }
  | {
      readonly ok: false;
      /** In keepalived's words, as far as it has any. */
      readonly why: string;
      readonly isTimeout?: boolean;
    };

export interface Step {
  readonly state: CheckerState;
  readonly logs: readonly string[];
  /** What it says of its server now; undefined: nothing new. */
  readonly verdict: boolean | undefined;
  /** Whether it had a result before, when it says something. */
  readonly hadRun: boolean;
  readonly delayMs: number;
}

/** Names for log lines. */
export interface CheckerNames {
  readonly server: string;
  readonly service: string;
}

/** A checker that has just been made: one failure is enough then, but SMTP_CHECK begins every round anew. */
export function initialState({
  kind,
  alpha,
  retries,
}: Pick<NetworkChecker, "kind" | "alpha" | "retries">): CheckerState {
  return { isUp: !alpha, hasRun: false, tries: kind === "SMTP_CHECK" ? 0 : retries, url: 0, failedUrl: undefined };
}

/** What the check's result means. */
export function step(checker: NetworkChecker, names: CheckerNames, state: CheckerState, outcome: Outcome): Step {
  switch (checker.kind) {
    case "TCP_CHECK":
    case "UDP_CHECK":
    case "PING_CHECK":
      return plainStep(checker, names, state, outcome);
    case "HTTP_GET":
    case "SSL_GET":
      return httpStep(checker, names, state, outcome);
    case "SMTP_CHECK":
      return smtpStep(checker, names, state, outcome);
    case "DNS_CHECK":
      return dnsStep(checker, names, state, outcome);
  }
}

type PlainChecker = Extract<NetworkChecker, { readonly kind: "TCP_CHECK" | "UDP_CHECK" | "PING_CHECK" }>;

const PLAIN_WORDS = {
  TCP_CHECK: { connection: "TCP connection", check: "TCP_CHECK" },
  UDP_CHECK: { connection: "UDP connection", check: "UDP_CHECK" },
  PING_CHECK: { connection: "ICMP connection", check: "ICMP CHECK" },
} as const;

function plainStep(
  checker: PlainChecker,
  { server, service }: CheckerNames,
  state: CheckerState,
  outcome: Outcome,
): Step {
  const { kind, retries, delayLoopMs, delayBeforeRetryMs, logAllFailures } = checker;
  const { connection, check } = PLAIN_WORDS[kind];
  const { isUp, hasRun, tries } = state;
  const logs: string[] = [];
  if (!outcome.ok && isUp && logAllFailures) logs.push(outcome.why);
  const isKnownDown = !isUp && hasRun;
  // UDP and PING don't count what they know already.
  const isFinal = tries >= retries && !(kind !== "TCP_CHECK" && isKnownDown);
  if (!outcome.ok && !isFinal) {
    const counts = kind === "TCP_CHECK" || isUp;
    const delayMs = counts ? delayBeforeRetryMs : delayLoopMs;
    return {
      state: { ...state, hasRun: true, tries: tries + (counts ? 1 : 0) },
      logs,
      verdict: undefined,
      hadRun: hasRun,
      delayMs,
    };
  }
  const isNews = outcome.ok ? !isUp || !hasRun : isUp || !hasRun;
  if (isNews && outcome.ok) logs.push(`${connection} to ${server} success.`);
  else if (isNews) {
    const subject = kind === "PING_CHECK" && retries > 0 && hasRun ? `${server} of ${service}` : server;
    const after = retries > 0 && hasRun ? ` after ${retries} retries` : "";
    logs.push(`${check} on service ${subject} failed${after}.`);
  }
  const next = { ...state, hasRun: true, tries: 0, isUp: isNews ? outcome.ok : isUp };
  return { state: next, logs, verdict: isNews ? outcome.ok : undefined, hadRun: hasRun, delayMs: delayLoopMs };
}

function httpStep(checker: HttpChecker, { server }: CheckerNames, state: CheckerState, outcome: Outcome): Step {
  return outcome.ok ? urlPassed(checker, server, state, outcome.what) : urlFailed(checker, server, state, outcome.why);
}

/** A server whose next check may bring it up is not kept waiting, if it is asked for. */
function httpDelay({ fastRecovery }: HttpChecker, { hasRun, isUp, failedUrl }: CheckerState, delayMs: number): number {
  return fastRecovery && (!hasRun || (!isUp && failedUrl === undefined)) ? 0 : delayMs;
}

function urlPassed(checker: HttpChecker, server: string, state: CheckerState, what = "HTTP status code"): Step {
  const { urls, delayLoopMs, retries } = checker;
  const { isUp, hasRun, url, failedUrl } = state;
  const logs: string[] = [];
  if (!isUp) logs.push(`${what} success to ${server} url(${urls[url]?.path ?? ""})`);
  const isLast = url + 1 >= urls.length;
  let next: CheckerState = { ...state, url: isLast ? 0 : url + 1, tries: 0 };
  let verdict: boolean | undefined;
  if (failedUrl !== undefined) next = { ...next, url: 0, failedUrl: undefined };
  else if (isLast && (!isUp || !hasRun)) {
    logs.push(`Remote Web server ${server} succeed on service.`);
    verdict = true;
    next = { ...next, isUp: true, hasRun: true };
  }
  if (!next.hasRun) next = { ...next, tries: retries };
  return { state: next, logs, verdict, hadRun: hasRun, delayMs: httpDelay(checker, next, delayLoopMs) };
}

function urlFailed(checker: HttpChecker, server: string, state: CheckerState, why: string): Step {
  const { retries, delayLoopMs, delayBeforeRetryMs, logAllFailures } = checker;
  const { isUp, hasRun, url } = state;
  const logs: string[] = [];
  const longest = Math.max(delayBeforeRetryMs, delayLoopMs);
  if (!isUp && hasRun) {
    const delayMs = state.failedUrl === undefined ? delayBeforeRetryMs : longest;
    return { state, logs, verdict: undefined, hadRun: hasRun, delayMs: httpDelay(checker, state, delayMs) };
  }
  if (logAllFailures) logs.push(`${why} server ${server}.`);
  const tries = state.tries + 1;
  if (tries <= retries) {
    const next = { ...state, hasRun: true, tries };
    const delayMs = state.failedUrl === undefined ? delayBeforeRetryMs : longest;
    return { state: next, logs, verdict: undefined, hadRun: true, delayMs: httpDelay(checker, next, delayMs) };
  }
  const after = retries > 0 ? ` after ${tries - 1} retries` : "";
  logs.push(`HTTP_CHECK on service ${server} failed${after}.`);
  const next = { ...state, hasRun: true, tries, isUp: false, failedUrl: url };
  return { state: next, logs, verdict: false, hadRun: true, delayMs: httpDelay(checker, next, longest) };
}

function smtpStep(checker: SmtpChecker, { server }: CheckerNames, state: CheckerState, outcome: Outcome): Step {
  const { retries, delayLoopMs, delayBeforeRetryMs, logAllFailures } = checker;
  const { isUp, hasRun } = state;
  const logs: string[] = [];
  if (outcome.ok) {
    const isNews = !isUp || !hasRun;
    if (isNews) logs.push(`Remote SMTP server ${server} succeed on service.`);
    const next = { ...state, isUp: true, hasRun: true, tries: 0 };
    return { state: next, logs, verdict: isNews ? true : undefined, hadRun: hasRun, delayMs: delayLoopMs };
  }
  const isNews = isUp || !hasRun;
  if (isNews && (logAllFailures || state.tries >= retries)) logs.push(`SMTP_CHECK ${outcome.why}`);
  const tries = state.tries + 1;
  if (tries <= retries)
    return { state: { ...state, tries }, logs, verdict: undefined, hadRun: hasRun, delayMs: delayBeforeRetryMs };
  const next = { ...state, tries: 0, isUp: false, hasRun: true };
  return { state: next, logs, verdict: isNews ? false : undefined, hadRun: hasRun, delayMs: delayLoopMs };
}

function dnsStep(checker: DnsChecker, { server }: CheckerNames, state: CheckerState, outcome: Outcome): Step {
  const { retries, delayLoopMs, delayBeforeRetryMs, logAllFailures } = checker;
  const { isUp, hasRun, tries } = state;
  const logs: string[] = [];
  const isNews = outcome.ok ? !isUp || !hasRun : isUp || !hasRun;
  if (!outcome.ok && isNews) {
    const isFinal = tries >= retries;
    const after = hasRun && isFinal ? ` after ${retries} retries` : "";
    if (logAllFailures || isFinal) logs.push(`DNS_CHECK (${server}) ${outcome.why}${after}`);
    if (!isFinal)
      return {
        state: { ...state, tries: tries + 1, hasRun: true },
        logs,
        verdict: undefined,
        hadRun: hasRun,
        delayMs: delayBeforeRetryMs,
      };
  }
  const next = isNews ? { ...state, tries: 0, isUp: outcome.ok, hasRun: true } : { ...state, tries: 0 };
  return { state: next, logs, verdict: isNews ? outcome.ok : undefined, hadRun: hasRun, delayMs: delayLoopMs };
}
