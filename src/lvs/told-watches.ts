/** Checkers that look at nothing themselves: others tell them, and they have neither timer nor retries. */
import type { Log } from "../base/log.ts";
import type { BfdChecker, FileChecker } from "../conf/keepalived/lvs/config.ts";
import { checkText } from "./mail-text.ts";
import type { Pool, RealServerState } from "./pool.ts";
import type { Watch } from "./watch.ts";

/** Weights at or below this are a failure. */
const WEIGHT_FAULT = -0x8000_0000;
const MAX_WEIGHT = 0x7fff_ffff;

/** A number in a file: it is known at once. keepalived: track_file.c. */
export class FileWatch implements Watch {
  readonly checker: FileChecker;
  readonly server: RealServerState;
  readonly hasRun = true;
  readonly isEnabled = true;
  readonly tries = 0;
  readonly #pool: Pool;
  /** What it adds to the weight; WEIGHT_FAULT: the server is down. */
  #status = 0;

  constructor(checker: FileChecker, server: RealServerState, pool: Pool) {
    this.checker = checker;
    this.server = server;
    this.#pool = pool;
  }

  get isUp(): boolean {
    return this.#status !== WEIGHT_FAULT;
  }

  get weight(): number {
    return this.isUp ? this.#status : 0;
  }

  #statusOf(value: number): number {
    const { weight, weightReverse } = this.checker;
    if (weight === 0) return (value !== 0) !== weightReverse ? WEIGHT_FAULT : 0;
    return Math.min(Math.max(value * weight * (weightReverse ? -1 : 1), WEIGHT_FAULT), MAX_WEIGHT);
  }

  /** What is in the file before anything runs. */
  begin(value: number): void {
    this.#status = this.#statusOf(value);
  }

  /** Another number is in the file. */
  change(value: number): void {
    const before = this.#status;
    const after = this.#statusOf(value);
    if (before === after) return;
    this.#status = after;
    if (after === WEIGHT_FAULT) {
      this.#pool.checked(this.server, false);
      this.server.weight -= before;
    } else if (before === WEIGHT_FAULT) {
      this.server.weight += after;
      this.#pool.checked(this.server, true);
    } else this.#pool.reweigh(this.server, this.server.weight + after - before);
  }

  inherit(): void {}
  distrust(): void {}
  start(): void {}
  enable(): void {}
  close(): void {}
}

/** A BFD session: up until it says that it is not, unless `alpha`. keepalived: check_bfd.c. */
export class BfdWatch implements Watch {
  readonly checker: BfdChecker;
  readonly server: RealServerState;
  readonly weight = 0;
  readonly isEnabled = true;
  readonly tries = 0;
  readonly #pool: Pool;
  readonly #log: Log;
  #isUp: boolean;
  #hasRun = false;

  constructor(checker: BfdChecker, server: RealServerState, pool: Pool, log: Log) {
    this.checker = checker;
    this.server = server;
    this.#pool = pool;
    this.#log = log;
    this.#isUp = !checker.alpha;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get hasRun(): boolean {
    return this.#hasRun;
  }

  /** What the session has said last; undefined: it has said nothing yet. */
  begin(isUp: boolean | undefined): void {
    if (isUp === undefined) return;
    this.#isUp = isUp;
    this.#hasRun = true;
  }

  /** The session has come up or gone down. */
  change(isUp: boolean): void {
    const [wasUp, hadRun] = [this.#isUp, this.#hasRun];
    if (isUp === wasUp && hadRun) return;
    const { session, alpha } = this.checker;
    const word = isUp ? "UP" : "DOWN";
    this.#log.write("notice", `BFD check of [${session}] RS(${this.server.settings.name}) is ${word}`);
    this.begin(isUp);
    const body = checkText(this.checker, isUp, { why: word });
    this.#pool.judge(this.server, isUp, { wasUp, hadRun, alpha }, { body, tellsFirst: false });
  }

  distrust(always: boolean): void {
    if (this.checker.alpha || always) this.#isUp = false;
  }

  inherit(): void {}
  start(): void {}
  enable(): void {}
  close(): void {}
}
