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
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Level } from "../base/log.ts";
import type { Memory } from "../io/memory.ts";
import type { ConnectSettings } from "../io/reactor.ts";
import type { Endpoint } from "../io/stream.ts";
import { Timed } from "../net/timers.ts";
import { ANSWER_MORE, ANSWER_REFUSED, ANSWER_WHOLE, type ProbeTalk } from "./health-talk.ts";
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

const ENOMEM = 12;
const ETIMEDOUT = 110;
/** What may wait for a server that takes nothing: a request and what is said meanwhile. */
const MAX_UNSENT_BYTES = 256 * 1024;

/** How the peers of a location's upstream are checked. */
export interface ProbeRules {
  readonly upstream: Upstream;
  /** What is said on a new connection; undefined: to be connected is enough (`type=tcp`). */
  readonly talk: (() => ProbeTalk) | undefined;
  /** Instead of the peer's own; undefined: that. */
  readonly port: number | undefined;
  /** Age up to which a connection is used again; 0: never. */
  readonly keepAliveMs: number;
  readonly connectTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly readTimeoutMs: number;
  local(): Endpoint | undefined;
  readonly connectSettings: ConnectSettings | undefined;
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
  private talk: ProbeTalk | undefined = undefined;
  /** What the socket has not taken. */
  private unsent: Bytes | undefined = undefined;
  /** The connection is a kept one without the head of an answer: it may have been given up before it was asked. */
  private mayBeStale = false;

  constructor(worker: Worker, rules: ProbeRules, endpoint: Endpoint, owner: ProbeOwner) {
    super();
    this.worker = worker;
    this.rules = rules;
    this.endpoint = "ip" in endpoint && rules.port !== undefined ? { ip: endpoint.ip, port: rules.port } : endpoint;
    this.owner = owner;
  }

  /** Begins; the owner is told how it ends. */
  start(): void {
    const { worker, rules, connection, talk } = this;
    if (connection !== undefined && talk !== undefined) {
      if (worker.ports.reactor.clock.now() - connection.startMs < rules.keepAliveMs) {
        this.mayBeStale = true;
        this.send(talk);
        return;
      }
      this.close();
    }
    this.connect();
  }

  private connect(): void {
    const { worker, rules, endpoint } = this;
    this.phase = CONNECTING;
    this.mayBeStale = false;
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
    this.talk = undefined;
    this.unsent = undefined;
  }

  private send(talk: ProbeTalk): void {
    this.phase = SENDING;
    this.offer(talk.ask());
  }

  /** Behind what is waiting. False when the check has ended with it. */
  private offer(bytes: Bytes): boolean {
    const { unsent } = this;
    if (unsent !== undefined) {
      if (unsent.length + bytes.length > MAX_UNSENT_BYTES) return this.fail(WHILE_SENDING, "upstream takes no data");
      this.unsent = concatBytes([unsent, bytes]);
      return true;
    }
    const scratch = this.worker.scratchFor(bytes.length);
    scratch.used = 0;
    scratch.copy(bytes, 0, bytes.length);
    const taken = (this.connection as PeerConnection).stream.write(scratch.memory, 0, bytes.length, false);
    if (taken < 0) return this.fail(WHILE_SENDING, "send() failed", -taken);
    const isSent = taken === bytes.length;
    this.unsent = isSent ? undefined : bytes.slice(taken);
    if (this.phase === IDLE) return true;
    if (isSent) this.phase = READING;
    this.worker.timers.arm(this, isSent ? this.rules.readTimeoutMs : this.rules.sendTimeoutMs);
    return true;
  }

  onPeerWritable(): void {
    if (this.phase === CONNECTING) {
      this.talk = this.rules.talk?.();
      if (this.talk === undefined) this.finish(undefined, "");
      else this.send(this.talk);
    } else if (this.unsent !== undefined) {
      const { unsent } = this;
      this.unsent = undefined;
      this.offer(unsent);
    }
  }

  onPeerData(memory: Memory, start: number, end: number): void {
    const { talk } = this;
    if (talk === undefined) this.close();
    else if (this.phase === IDLE) {
      if (!talk.idle(memory.bytes, start, end)) this.close();
      else this.reply(talk);
    } else this.takeAnswer(talk, memory.bytes, start, end);
  }

  private takeAnswer(talk: ProbeTalk, bytes: Bytes, start: number, end: number): void {
    const result = talk.take(bytes, start, end);
    if (result === ANSWER_REFUSED && this.again()) return;
    if (result !== ANSWER_MORE || talk.headRead) this.mayBeStale = false;
    if (result === ANSWER_MORE) {
      if (this.phase === READING) this.worker.timers.arm(this, this.rules.readTimeoutMs);
      this.reply(talk);
    } else if (result !== ANSWER_WHOLE) this.fail(this.reading, talk.fault);
    else if (this.reply(talk)) this.judge(talk);
  }

  /** What the talk has to say to what it heard. */
  private reply(talk: ProbeTalk): boolean {
    const replies = talk.replies();
    return replies.length === 0 || this.offer(replies);
  }

  /** A kept connection that its server has given up meanwhile says nothing of the server: another one is asked. */
  private again(): boolean {
    if (!this.mayBeStale) return false;
    this.close();
    this.connect();
    return true;
  }

  onPeerEnd(): void {
    if (this.phase === IDLE) this.close();
    else if (this.talk?.end() === true) this.judge(this.talk);
    else this.fail(this.reading, "upstream prematurely closed connection");
  }

  onPeerError(errno: number): void {
    if (this.phase === IDLE) this.close();
    else if (this.phase === CONNECTING) this.fail(WHILE_CONNECTING, "connect() failed", errno);
    else this.fail(this.reading, "recv() failed", errno);
  }

  onPeerNoMemory(message: string): void {
    this.fail(this.reading, message, ENOMEM);
  }

  onTimer(): void {
    const doing = this.phase === CONNECTING ? WHILE_CONNECTING : this.phase === SENDING ? WHILE_SENDING : this.reading;
    this.fail(doing, "upstream timed out", ETIMEDOUT);
  }

  private get reading(): string {
    return this.talk?.headRead === true ? WHILE_READING_BODY : WHILE_READING_HEAD;
  }

  private judge(talk: ProbeTalk): void {
    const { failing, detail } = talk.judge();
    const mayKeep = this.rules.keepAliveMs > 0 && talk.reusable && this.unsent === undefined;
    if (!mayKeep) this.close();
    this.finish(failing === undefined ? undefined : `checking ${failing}`, detail);
  }

  private fail(doing: string, message: string, errno?: number): false {
    if (this.phase === IDLE) {
      this.close();
      return false;
    }
    // A time-out is an answer of a kind: the request was taken.
    if (errno !== ETIMEDOUT && this.again()) return false;
    this.close();
    this.owner.log("error", message, doing, errno);
    this.finish(doing, errno === ETIMEDOUT ? "timed out" : message);
    return false;
  }

  private finish(doing: string | undefined, detail: string): void {
    this.phase = IDLE;
    this.stopTimer();
    if (this.rules.talk === undefined) this.close();
    this.owner.onProbe(doing, detail);
  }
}
