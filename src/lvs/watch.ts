/**
 * A checker at work: its machine, its timer, the check that is under way. What it finds out about its server goes to the
 * server's pool. keepalived: checker_t and the threads of check_*.c.
 */
import type { Bytes } from "../base/bytes.ts";
import type { BfdChecker, Checker, CheckerTls, FileChecker, MiscChecker } from "../conf/keepalived/lvs/config.ts";
import { Timer, type Timers } from "../net/timers.ts";
import { beginCheck } from "./check.ts";
import { type CheckerNames, type CheckerState, initialState, type NetworkChecker, step } from "./checker.ts";
import { checkText } from "./mail-text.ts";
import { initialMisc, type MiscState, stepMisc } from "./misc-checker.ts";
import type { Pool, RealServerState } from "./pool.ts";
import type { BodyPattern, LvsPorts } from "./ports.ts";
import { BfdWatch, FileWatch } from "./told-watches.ts";

/** The first checks come this long after the start, and their warm-up later. */
const BOOTSTRAP_MS = 1000;

/** Those that look from time to time. */
type TimedChecker = Exclude<Checker, FileChecker | BfdChecker>;

/** What all watches of a node share. */
export interface WatchContext {
  readonly ports: LvsPorts;
  readonly timers: Timers;
  readonly tls: CheckerTls;
}

/** What mail says of a verdict besides the verdict. */
interface Found {
  readonly why: string;
  readonly isTimeout?: boolean;
}

/** One checker of one real server. */
export interface Watch {
  readonly checker: Checker;
  readonly server: RealServerState;
  readonly isUp: boolean;
  readonly hasRun: boolean;
  /** What it adds to the server's weight. */
  readonly weight: number;
  readonly isEnabled: boolean;
  /** Failures in a row that have been forgiven. */
  readonly tries: number;
  /** Of a program: how it ended last, and when it was started last, by the wall clock. */
  readonly lastStatus?: number;
  readonly lastRunMs?: number;
  /** Takes over what another watch of the same thing knows. */
  inherit(before: Watch): void;
  /** Down until it has run, if it is an `alpha` checker or `always`; one failure is enough. */
  distrust(always: boolean): void;
  start(): void;
  enable(on: boolean): void;
  close(): void;
}

/** Makes the watch of a checker. */
export function makeWatch(checker: Checker, server: RealServerState, pool: Pool, context: WatchContext): Watch {
  if (checker.kind === "FILE_CHECK") return new FileWatch(checker, server, pool);
  if (checker.kind === "BFD_CHECK") return new BfdWatch(checker, server, pool, context.ports.log);
  if (checker.kind === "MISC_CHECK") return new MiscWatch(checker, server, pool, context);
  return new NetworkWatch(checker, server, pool, context);
}

/** The part that asking over the network and running a program have in common: a timer, and the way from a verdict to the pool. */
abstract class TimedWatch {
  abstract readonly checker: TimedChecker;
  readonly server: RealServerState;
  protected readonly pool: Pool;
  protected readonly context: WatchContext;
  protected readonly names: CheckerNames;
  readonly #timer = new Timer(() => this.#ring());
  #isEnabled = true;
  protected isClosed = false;

  constructor(server: RealServerState, pool: Pool, context: WatchContext) {
    this.server = server;
    this.pool = pool;
    this.context = context;
    this.names = { server: server.settings.name, service: pool.settings.name };
  }

  start(): void {
    const { server, service } = this.names;
    const word = this.#isEnabled ? "A" : "Dea";
    this.context.ports.log.write("notice", `${word}ctivating healthchecker for service ${server} for VS ${service}`);
    // A random wait, so that not all checks come at once.
    this.schedule(BOOTSTRAP_MS + this.checker.warmupMs * this.context.ports.random());
  }

  enable(on: boolean): void {
    this.#isEnabled = on;
  }

  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  protected schedule(delayMs: number): void {
    if (!this.isClosed) this.context.timers.arm(this.#timer, delayMs);
  }

  #ring(): void {
    if (this.#isEnabled) this.run();
    else this.schedule(this.checker.delayLoopMs);
  }

  protected abstract run(): void;

  protected log(lines: readonly string[]): void {
    for (const line of lines) this.context.ports.log.write("notice", line);
  }

  /** `wasUp`, `hadRun`: before the verdict. */
  protected tell(verdict: boolean | undefined, wasUp: boolean, hadRun: boolean, found: Found): void {
    if (verdict === undefined) return;
    const body = checkText(this.checker, verdict, found);
    const tellsFirst = this.checker.kind === "MISC_CHECK";
    this.pool.judge(this.server, verdict, { wasUp, hadRun, alpha: this.checker.alpha }, { body, tellsFirst });
  }

  close(): void {
    this.isClosed = true;
    this.context.timers.discard(this.#timer);
  }
}

/** Failures in a row that are carried over: one more must be enough when the new checker forgives fewer. */
function inheritTries(before: number, retries: number): number {
  return before > 0 && retries > 0 ? Math.min(before, retries - 1) : 0;
}

class NetworkWatch extends TimedWatch implements Watch {
  readonly checker: NetworkChecker;
  readonly weight = 0;
  #state: CheckerState;
  #check: { close(): void } | undefined;
  readonly #patterns: readonly (BodyPattern | undefined)[];
  /** Differences of length that have been told about, by url. */
  readonly #mismatches = new Map<number, number>();

  constructor(checker: NetworkChecker, server: RealServerState, pool: Pool, context: WatchContext) {
    super(server, pool, context);
    this.checker = checker;
    this.#state = initialState(checker);
    const urls = checker.kind === "HTTP_GET" || checker.kind === "SSL_GET" ? checker.urls : [];
    this.#patterns = urls.map(({ regex }) => {
      const compiled = regex && context.ports.compile(regex);
      // What can't be compiled has been refused with the configuration; nothing matches it.
      return compiled === undefined ? undefined : compiled.ok ? compiled.value : (_: Bytes) => false;
    });
  }

  get isUp(): boolean {
    return this.#state.isUp;
  }

  get hasRun(): boolean {
    return this.#state.hasRun;
  }

  get tries(): number {
    return this.#state.tries;
  }

  inherit(before: Watch): void {
    if (!(before instanceof NetworkWatch) || !before.hasRun) return;
    const { isUp, tries } = before.#state;
    this.#state = { ...this.#state, isUp, hasRun: true, tries: inheritTries(tries, this.checker.retries) };
  }

  distrust(always: boolean): void {
    const isUp = this.checker.alpha || always ? false : this.#state.isUp;
    this.#state = { ...this.#state, isUp, tries: this.checker.retries };
  }

  protected run(): void {
    const { url } = this.#state;
    const { ports, timers, tls } = this.context;
    // From the beginning every time: SMTP_CHECK forgives anew with each round.
    this.#check = beginCheck(
      this.checker,
      {
        ports,
        timers,
        tls,
        server: this.names.server,
        url,
        pattern: this.#patterns[url],
        onMismatch: (announced, received) => this.#mismatch(url, announced, received),
      },
      (outcome, why) => {
        this.#check = undefined;
        if (outcome === undefined) {
          this.log([`${this.checker.kind} of ${this.names.server} could not be made: ${why}. Rescheduling.`]);
          this.schedule(this.checker.delayLoopMs);
          return;
        }
        const { isUp } = this.#state;
        const next = step(this.checker, this.names, this.#state, outcome);
        this.#state = next.state;
        this.log(next.logs);
        this.tell(next.verdict, isUp, next.hadRun, { why: outcome.ok ? "" : outcome.why });
        this.schedule(next.delayMs);
      },
    );
  }

  #mismatch(url: number, announced: number, received: number): void {
    const difference = announced - received;
    if (this.#mismatches.get(url) === difference) return;
    this.#mismatches.set(url, difference);
    const { server, service } = this.names;
    const checked = "urls" in this.checker ? this.checker.urls[url] : undefined;
    const where = `${checked?.virtualHost ?? ""}${checked?.path ?? ""}`;
    const lengths = `content_length (${announced}) does not match received bytes (${received})`;
    this.log([`http_check for RS ${server} VS ${service} url ${where}: ${lengths}`]);
  }

  override close(): void {
    super.close();
    this.#check?.close();
    this.#check = undefined;
  }
}

class MiscWatch extends TimedWatch implements Watch {
  readonly checker: MiscChecker;
  #state: MiscState;
  #running: { kill(): void } | undefined;
  lastRunMs = 0;

  constructor(checker: MiscChecker, server: RealServerState, pool: Pool, context: WatchContext) {
    super(server, pool, context);
    this.checker = checker;
    this.#state = initialMisc(checker);
  }

  get isUp(): boolean {
    return this.#state.isUp;
  }

  get hasRun(): boolean {
    return this.#state.hasRun;
  }

  get weight(): number {
    return this.#state.weight;
  }

  get tries(): number {
    return this.#state.tries;
  }

  get lastStatus(): number {
    return this.#state.lastStatus;
  }

  inherit(before: Watch): void {
    if (!(before instanceof MiscWatch) || !before.hasRun) return;
    const { isUp, tries, lastStatus } = before.#state;
    const isWeighted = this.checker.dynamic && lastStatus >= 2;
    this.#state = {
      isUp,
      hasRun: true,
      tries: inheritTries(tries, this.checker.retries),
      lastStatus,
      weight: isWeighted ? lastStatus - 2 - this.server.settings.weight : 0,
    };
  }

  distrust(always: boolean): void {
    const isUp = this.checker.alpha || always ? false : this.#state.isUp;
    this.#state = { ...this.#state, isUp, tries: this.checker.retries };
  }

  protected run(): void {
    const { clock, run } = this.context.ports;
    const startedMs = clock.now();
    this.lastRunMs = clock.wall();
    this.#running = run(this.checker.command, this.checker.timeoutMs, (result) => {
      this.#running = undefined;
      if (this.isClosed) return;
      const before = this.#state;
      const next = stepMisc(this.checker, this.names, before, result, this.server.settings.weight);
      this.#state = next.state;
      const weight = this.server.weight - before.weight + next.state.weight;
      // A server that goes down takes its own weight along, without a word.
      if (next.state.isUp) this.pool.reweigh(this.server, weight);
      else this.server.weight = weight;
      this.log(next.logs);
      this.tell(next.verdict, before.isUp, next.hadRun, { why: "", isTimeout: result.kind === "timed out" });
      this.schedule(Math.max(0, startedMs + next.delayMs - clock.now()));
    });
  }

  override close(): void {
    super.close();
    this.#running?.kill();
    this.#running = undefined;
  }
}

/** Whether two checkers look at the same thing the same way, so that a reload can carry over what one has found. */
export function isSameCheck(a: Checker, b: Checker): boolean {
  // What others tell is told to whoever is new.
  if (a.kind === "FILE_CHECK" || a.kind === "BFD_CHECK") return false;
  return a.kind === b.kind && subjectOf(a) === subjectOf(b as TimedChecker);
}

function subjectOf(checker: TimedChecker): string {
  const { alpha, retries, delayBeforeRetryMs, warmupMs, delayLoopMs, logAllFailures, ...rest } = checker;
  const subject =
    "command" in rest ? { command: rest.command.argv, user: rest.command.user, dynamic: rest.dynamic } : rest;
  return JSON.stringify(subject, (_key, value) => (value instanceof Uint8Array ? [...value] : value));
}
