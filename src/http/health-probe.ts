/**
 * One health check of one peer: connect, ask, judge. Counterpart in nginx Plus: ngx_http_upstream_hc_module.
 *
 * | phase      | means                                        | timer           |
 * |------------|----------------------------------------------|-----------------|
 * | idle       | none is under way; a connection may be kept  | none            |
 * | connecting | a new connection is on its way               | connect_timeout |
 * | sending    | the socket has not taken the whole request   | send_timeout    |
 * | reading    | the answer is awaited                        | read_timeout    |
 */
import { type Bytes, latin1 } from "../base/bytes.ts";
import type { Level } from "../base/log.ts";
import type { Memory } from "../io/memory.ts";
import type { ConnectSettings } from "../io/reactor.ts";
import type { Endpoint } from "../io/stream.ts";
import { Timed } from "../net/timers.ts";
import type { ResponseHead } from "../wire/http1/response-head.ts";
import { ANSWER_MALFORMED, ANSWER_MORE, HealthAnswer } from "./health-answer.ts";
import { failingTest, type MatchTests } from "./health-match.ts";
import type { Output } from "./output.ts";
import { PeerConnection, type PeerUser } from "./peer-connection.ts";
import type { Upstream } from "./upstream-group.ts";
import type { Worker } from "./worker.ts";

const IDLE = 0;
const CONNECTING = 1;
const SENDING = 2;
const READING = 3;

const WHILE_CONNECTING = "connecting to upstream";
const WHILE_SENDING = "sending request to upstream";
const WHILE_READING_HEAD = "reading response header from upstream";
const WHILE_READING_BODY = "reading upstream";

const ETIMEDOUT = 110;

/** How the peers of a location's upstream are checked. */
export interface ProbeRules {
  readonly upstream: Upstream;
  /** `type=tcp`: a connection is enough. */
  readonly connectOnly: boolean;
  /** Instead of the peer's own; undefined: that. */
  readonly port: number | undefined;
  readonly tests: MatchTests;
  /** Age up to which a connection is used again; 0: never. */
  readonly keepAliveMs: number;
  readonly connectTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly headBytes: number;
  local(): Endpoint | undefined;
  readonly connectSettings: ConnectSettings | undefined;
  /** Writes the request into memory that belongs to nobody. */
  compose(): Output;
  /** A variable, for `require`; `head` is the answer's. */
  valueOf(variable: string, head: ResponseHead): string | undefined;
}

/** Who wants to know. */
export interface ProbeOwner {
  /** It has ended. `doing`: what it failed at, undefined when it has passed. `detail`: more words about a failure. */
  onProbe(doing: string | undefined, detail: string): void;
  log(level: Level, message: string, doing: string, errno?: number): void;
}

export class Probe extends Timed implements PeerUser {
  private readonly worker: Worker;
  private readonly rules: ProbeRules;
  private readonly endpoint: Endpoint;
  private readonly owner: ProbeOwner;
  private phase = IDLE;
  private connection: PeerConnection | undefined = undefined;
  /** What the socket has not taken. */
  private unsent: Bytes | undefined = undefined;
  private answer: HealthAnswer | undefined = undefined;

  constructor(worker: Worker, rules: ProbeRules, endpoint: Endpoint, owner: ProbeOwner) {
    super();
    this.worker = worker;
    this.rules = rules;
    this.endpoint = "ip" in endpoint && rules.port !== undefined ? { ip: endpoint.ip, port: rules.port } : endpoint;
    this.owner = owner;
  }

  /** Begins; the owner is told how it ends. */
  start(): void {
    const { worker, rules, endpoint, connection } = this;
    if (connection !== undefined) {
      if (worker.ports.reactor.clock.now() - connection.startMs < rules.keepAliveMs) {
        this.send();
        return;
      }
      this.close();
    }
    this.phase = CONNECTING;
    worker.timers.arm(this, rules.connectTimeoutMs);
    this.connection = new PeerConnection(
      worker,
      rules.upstream,
      { endpoint, local: rules.local(), settings: rules.connectSettings },
      this,
    );
  }

  /** Forgets what is under way; the owner hears nothing. */
  stop(): void {
    this.phase = IDLE;
    this.worker.timers.discard(this);
    this.close();
  }

  private close(): void {
    this.connection?.close();
    this.connection = undefined;
    this.unsent = undefined;
    this.answer = undefined;
  }

  private send(): void {
    const output = this.rules.compose();
    this.answer = new HealthAnswer(this.rules.headBytes);
    this.phase = SENDING;
    this.offer(output, output.used);
  }

  private offer(output: Output, size: number): void {
    const taken = (this.connection as PeerConnection).stream.write(output.memory, 0, size, false);
    if (taken < 0) {
      this.fail(WHILE_SENDING, "send() failed", -taken);
      return;
    }
    const isSent = taken === size;
    this.unsent = isSent ? undefined : output.bytes.slice(taken, size);
    if (isSent) this.phase = READING;
    this.worker.timers.arm(this, isSent ? this.rules.readTimeoutMs : this.rules.sendTimeoutMs);
  }

  onPeerWritable(): void {
    if (this.phase === CONNECTING) {
      if (this.rules.connectOnly) this.finish(undefined, "");
      else this.send();
    } else if (this.phase === SENDING && this.unsent !== undefined) {
      const scratch = this.worker.scratchFor(this.unsent.length);
      scratch.used = 0;
      scratch.copy(this.unsent, 0, this.unsent.length);
      this.offer(scratch, scratch.used);
    }
  }

  onPeerData(memory: Memory, start: number, end: number): void {
    const { answer } = this;
    if (this.phase === IDLE || answer === undefined) {
      this.close();
      return;
    }
    const result = answer.take(memory.bytes, start, end);
    if (result === ANSWER_MORE) {
      if (this.phase === READING) this.worker.timers.arm(this, this.rules.readTimeoutMs);
    } else if (result === ANSWER_MALFORMED) {
      const what = answer.headRead ? "response" : "header";
      this.fail(this.reading, `upstream sent invalid ${what}`);
    } else this.judge(answer);
  }

  onPeerEnd(): void {
    if (this.phase === IDLE) this.close();
    else if (this.answer?.end() === true) this.judge(this.answer);
    else this.fail(this.reading, "upstream prematurely closed connection");
  }

  onPeerError(errno: number): void {
    if (this.phase === IDLE) this.close();
    else if (this.phase === CONNECTING) this.fail(WHILE_CONNECTING, "connect() failed", errno);
    else this.fail(this.reading, "recv() failed", errno);
  }

  onTimer(): void {
    const doing = this.phase === CONNECTING ? WHILE_CONNECTING : this.phase === SENDING ? WHILE_SENDING : this.reading;
    this.fail(doing, "upstream timed out", ETIMEDOUT);
  }

  private get reading(): string {
    return this.answer?.headRead === true ? WHILE_READING_BODY : WHILE_READING_HEAD;
  }

  private judge(answer: HealthAnswer): void {
    const { tests } = this.rules;
    const failing = failingTest(tests, answer.head, answer.text, (name) => this.rules.valueOf(name, answer.head));
    const mayKeep = this.rules.keepAliveMs > 0 && answer.reusable && this.phase === READING;
    const { head } = answer;
    const status = latin1(head.bytes, head.base + head.statusStart, head.base + head.statusEnd);
    this.answer = undefined;
    if (!mayKeep) this.close();
    this.finish(failing === undefined ? undefined : `checking ${failing}`, `answer: ${status}`);
  }

  private fail(doing: string, message: string, errno?: number): void {
    this.close();
    this.owner.log("error", message, doing, errno);
    this.finish(doing, errno === ETIMEDOUT ? "timed out" : message);
  }

  private finish(doing: string | undefined, detail: string): void {
    this.phase = IDLE;
    this.stopTimer();
    if (this.rules.connectOnly) this.close();
    this.owner.onProbe(doing, detail);
  }
}
