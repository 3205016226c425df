/**
 * The reactor on io_uring: receiving and accepting wait in the kernel, one system call a turn submits what the
 * turn has brought and fetches what has been completed. Libuv wakes it by an eventfd.
 * Every operation carries slot and generation of its stream: a completion that was on its way when the stream was closed
 * finds another generation, and only its buffer is given back.
 */
import type { Clock } from "../../base/clock.ts";
import type { Memory } from "../../io/memory.ts";
import type { AcceptOptions, Acceptor, Alarm, ConnectSettings, Reactor } from "../../io/reactor.ts";
import type { Endpoint, KeptMemory, Stream, StreamOwner } from "../../io/stream.ts";
import { close } from "../ffi/files.ts";
import { type FdWatch, watchReadable } from "../ffi/native.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from "../ffi/sockets.ts";
import {
  CQE_BUFFER,
  CQE_BUFFER_SHIFT,
  OP_ASYNC_CANCEL,
  OP_CLOSE,
  OP_POLL_ADD,
  OP_RECV,
  RECV_MULTISHOT,
  RECVSEND_POLL_FIRST,
  SQE_BUFFER_SELECT,
  SQE_SKIP_SUCCESS,
} from "../ffi/uring.ts";
import { allocateMemory } from "../memory.ts";
import { SocketOptions } from "../socket-options.ts";
import { Alarms } from "./alarms.ts";
import { unclaimedOwner } from "./epoll-acceptor.ts";
import { GatheredSend } from "./gathered-send.ts";
import { openOutgoing } from "./outgoing.ts";
import { TurnClock } from "./turn-clock.ts";
import { ACCEPTS, UringAcceptor, type UringAcceptorHost } from "./uring-acceptor.ts";
import { BUFFER_BYTES, UringRing } from "./uring-ring.ts";
import { UringSends } from "./uring-sends.ts";
import { RECEIVE, UringStream, type UringStreamHost } from "./uring-stream.ts";

/** Libuv, and with it timers and promises, waits at most this long, and so many turns, while completions keep coming. */
const TURNS_PER_WAKE = 16;
const WAKE_BUDGET_MS = 2;
/** One for pieces, one for the ends behind them, and one more. */
const CALLS_AT_LEAVING = 3;

/** The first words of submissions: operation, flags, priority. */
const RECEIVE_ONCE_WORD = OP_RECV | (SQE_BUFFER_SELECT << 8) | (RECVSEND_POLL_FIRST << 16);
const RECEIVE_WORD = RECEIVE_ONCE_WORD | (RECV_MULTISHOT << 16);
const CANCEL_WORD = OP_ASYNC_CANCEL | (SQE_SKIP_SUCCESS << 8);
const CLOSE_WORD = OP_CLOSE | (SQE_SKIP_SUCCESS << 8);

/** User data: the slot, then the generation and in its lowest bits the operation. */
const SILENT_SLOT = -1;
const OPERATION_BITS = 4;
const OPERATION_MASK = (1 << OPERATION_BITS) - 1;
const GENERATION_MASK = 0x07ffffff;
/** Of these the first word is a slot of `UringSends`, and there is no generation. */
const SEND = 5;
const LINGER = 6;
/** The first of the operations of an acceptor. */
const ACCEPT = 8;

type Watched = UringStream | UringAcceptor;

/** A buffer of the ring that stays with an owner of a stream for a while. */
class KeptBuffer implements KeptMemory {
  readonly memory: Memory;
  private readonly ring: UringRing;
  private number: number;

  constructor(ring: UringRing, number: number) {
    this.memory = ring.buffers;
    this.ring = ring;
    this.number = number;
  }

  release(): void {
    // Given back twice it would be filled for two streams at once.
    if (this.number >= 0) this.ring.spareBuffer(this.number);
    this.number = -1;
  }
}

/** The reactor of a worker. Throws a system error where the kernel doesn't allow it. */
export class UringReactor implements Reactor, UringStreamHost, UringAcceptorHost {
  readonly clock: Clock;
  readonly buffers: Memory;
  readonly readBuffer: Memory;
  readonly addressMemory: Memory;
  readonly socketOptions: SocketOptions;
  readonly gathered = new GatheredSend();
  readonly fileOffset: { readonly address: number; readonly word: BigInt64Array };

  private readonly wakeBudgetMs: number;
  private readonly turnClock: TurnClock;
  private readonly ring: UringRing;
  private readonly watch: FdWatch;
  private readonly alarms: Alarms;
  readonly sends: UringSends;
  private readonly watched: (Watched | undefined)[] = [];
  private readonly generations: number[] = [];
  private readonly freeSlots: number[] = [];
  private waiting: UringStream[] = [];
  private waitingNow: UringStream[] = [];
  private tasks: (() => void)[] = [];
  private tasksNow: (() => void)[] = [];
  private inTurn = false;
  private wakeScheduled = false;
  private closed = false;

  /** The clock begins at `clockOriginMs` of CLOCK_MONOTONIC. `wakeBudgetMs`: less than a second. */
  constructor(clockOriginMs?: number, wakeBudgetMs = WAKE_BUDGET_MS) {
    this.wakeBudgetMs = wakeBudgetMs;
    this.turnClock = new TurnClock(clockOriginMs);
    this.clock = this.turnClock;
    this.ring = new UringRing();
    this.buffers = this.ring.buffers;
    this.sends = new UringSends(this.ring, { send: SEND, linger: LINGER, silentSlot: SILENT_SLOT }, this.wakeSoon);
    this.readBuffer = allocateMemory(BUFFER_BYTES);
    this.addressMemory = allocateMemory(1);
    this.socketOptions = new SocketOptions(allocateMemory(1));
    const offset = allocateMemory(8);
    this.fileOffset = {
      address: offset.address,
      word: new BigInt64Array(offset.bytes.buffer, offset.bytes.byteOffset, 1),
    };
    this.alarms = new Alarms(this.turnClock, (ring) => this.ringInTurn(ring));
    process.on("exit", this.submitNow);
    this.watch = watchReadable(this.ring.eventFd, () => {
      this.ring.clearEvent();
      this.wake();
    });
  }

  accept(listeningFd: number, options: AcceptOptions): Acceptor {
    const acceptor = new UringAcceptor(this, listeningFd, options);
    this.register(acceptor);
    acceptor.begin();
    return acceptor;
  }

  connect(remote: Endpoint, local: Endpoint | undefined, owner: StreamOwner, settings?: ConnectSettings): Stream {
    const fd = openOutgoing(this, remote, local, settings);
    const stream = new UringStream(this, typeof fd === "number" ? fd : -1, remote, owner, true);
    if (typeof fd !== "number") {
      stream.refusedCall = fd.call;
      this.defer(() => stream.failLater(fd.errno));
    } else {
      this.register(stream);
      stream.begin();
    }
    return stream;
  }

  defer(task: () => void): void {
    this.tasks.push(task);
    this.wakeSoon();
  }

  alarm(ring: () => void): Alarm {
    return this.alarms.create(ring);
  }

  /** Ends the loop. Streams and acceptors must be closed before. */
  close(): void {
    if (this.closed) return;
    this.submitNow();
    if (this.ring.hasPending) this.submitNow();
    process.removeListener("exit", this.submitNow);
    this.closed = true;
    this.alarms.close();
    this.watch.close();
    // libuv lets go of the descriptor at the end of this iteration only.
    setImmediate(() => this.ring.close());
  }

  /** How many streams and listeners there are. */
  get watchedCount(): number {
    return this.watched.length - this.freeSlots.length;
  }

  // For streams and acceptors.

  adopt(fd: number, remote: Endpoint, onAccept: (stream: Stream) => void): void {
    const stream = new UringStream(this, fd, remote, unclaimedOwner, false);
    this.register(stream);
    onAccept(stream);
    stream.begin();
  }

  startAccepting(acceptor: UringAcceptor, index: number, address: number, lengthAddress: number): void {
    const { slot, fd } = acceptor;
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    this.ring.submitAccept(fd, address, lengthAddress, flags, slot, this.userDataOf(slot, ACCEPT + index));
    this.wakeSoon();
  }

  stopAccepting(acceptor: UringAcceptor, take: (index: number, result: number) => void): void {
    const { slot } = acceptor;
    const words = Array.from({ length: ACCEPTS }, (_, index) => this.userDataOf(slot, ACCEPT + index));
    for (const high of words) this.ring.submitCancel(CANCEL_WORD, slot, high, SILENT_SLOT);
    this.submitNow();
    for (const [index, high] of words.entries()) {
      this.ring.extract(high, SILENT_SLOT, (low, result) => {
        if (low === slot) take(index, result);
        return low === slot;
      });
    }
    this.release(acceptor);
  }

  /** Also when the process ends: an answer may be among what was written last. */
  readonly submitNow = (): void => {
    this.ring.enter(0);
    this.sends.settle();
  };

  startReceiving(stream: UringStream, isOnce: boolean): void {
    this.submit(isOnce ? RECEIVE_ONCE_WORD : RECEIVE_WORD, stream, 0, RECEIVE);
  }

  startWatching(stream: UringStream, operation: number, events: number): void {
    this.submit(OP_POLL_ADD, stream, events, operation);
  }

  isEndQueued({ slot }: UringStream): boolean {
    return this.ring.hasResult(slot, this.userDataOf(slot, RECEIVE), 0);
  }

  cancel({ slot }: UringStream, operation: number): void {
    this.ring.submitCancel(CANCEL_WORD, slot, this.userDataOf(slot, operation), SILENT_SLOT);
    this.wakeSoon();
  }

  forget(stream: UringStream): void {
    this.release(stream);
  }

  closeDescriptor(fd: number): void {
    this.ring.submit(CLOSE_WORD, fd, 0, 0, 0, SILENT_SLOT, 0);
    this.wakeSoon();
  }

  continueLater(stream: UringStream): void {
    this.waiting.push(stream);
    this.wakeSoon();
  }

  returnBuffer(number: number): void {
    this.ring.returnBuffer(number);
  }

  keepBuffer(number: number): KeptMemory | undefined {
    return this.ring.exchangeBuffer() ? new KeptBuffer(this.ring, number) : undefined;
  }

  private submit(word: number, watched: Watched, opFlags: number, operation: number): void {
    const { slot } = watched;
    this.ring.submit(word, watched.fd, 0, 0, opFlags, slot, this.userDataOf(slot, operation));
    this.wakeSoon();
  }

  private userDataOf(slot: number, operation: number): number {
    return ((this.generations[slot] as number) << OPERATION_BITS) | operation;
  }

  private register(watched: Watched): void {
    let slot = this.freeSlots.pop();
    if (slot === undefined) {
      slot = this.watched.length;
      this.watched.push(watched);
      this.generations.push(0);
    } else this.watched[slot] = watched;
    watched.slot = slot;
  }

  private release(watched: Watched): void {
    const { slot } = watched;
    watched.slot = -1;
    this.watched[slot] = undefined;
    this.generations[slot] = ((this.generations[slot] as number) + 1) & GENERATION_MASK;
    this.freeSlots.push(slot);
  }

  // The loop.

  private wake(): void {
    if (this.closed || this.inTurn) return;
    this.inTurn = true;
    this.ring.awake();
    this.turnClock.freeze();
    const leaveAtMs = this.clock.now() + this.wakeBudgetMs;
    let waitMs = 0;
    for (let turns = 0; turns < TURNS_PER_WAKE; turns++) {
      this.ring.enter(waitMs);
      this.sends.settle();
      if (turns > 0) this.turnClock.freeze();
      const count = this.finishTurn();
      if (count === 0 && !this.hasWork() && !this.ring.hasPending) break;
      const leftMs = leaveAtMs - this.clock.now();
      if (leftMs <= 0 || this.closed) break;
      // Waiting for the next completion here is cheaper than a pass through libuv, which wakes as soon as the budget is used up.
      waitMs = this.hasWork() || this.sends.isAwaited ? 0 : leftMs;
    }
    this.leave();
  }

  /** A turn for alarms. What has come by now goes first: while this process was held up it was not late. */
  private ringInTurn(ring: () => void): void {
    if (this.closed) return;
    this.inTurn = true;
    this.ring.awake();
    this.turnClock.freeze();
    this.submitNow();
    this.finishTurn();
    ring();
    this.finishTurn();
    this.leave();
  }

  /** How many completions it has brought. */
  private finishTurn(): number {
    const waiting = this.waiting;
    this.waiting = this.waitingNow;
    this.waitingNow = waiting;
    let count = 0;
    while (this.ring.next()) {
      count++;
      this.dispatch();
    }
    for (let i = 0; i < waiting.length; i++) {
      const stream = waiting[i] as UringStream;
      try {
        stream.continue();
      } catch (error) {
        stream.survive(error);
      }
    }
    // Setting a length is a call into the runtime, also from 0 to 0.
    if (waiting.length > 0) waiting.length = 0;
    if (this.tasks.length === 0) return count;
    const tasks = this.tasks;
    this.tasks = this.tasksNow;
    this.tasksNow = tasks;
    for (let i = 0; i < tasks.length; i++) (tasks[i] as () => void)();
    tasks.length = 0;
    return count;
  }

  private dispatch(): void {
    const { low: slot, high, result, flags } = this.ring.completion;
    if (slot === SILENT_SLOT) return;
    if (high === LINGER) {
      this.sends.onLingered(slot);
      return;
    }
    const watched = this.watched[slot];
    if (watched !== undefined && this.generations[slot] === high >>> OPERATION_BITS) {
      const operation = high & OPERATION_MASK;
      if (operation >= ACCEPT) (watched as UringAcceptor).onCompletion(operation - ACCEPT, result);
      else this.complete(watched as UringStream, operation, result, flags);
      return;
    }
    // It was on its way when its stream or acceptor was closed.
    if ((flags & CQE_BUFFER) !== 0) this.ring.returnBuffer(flags >>> CQE_BUFFER_SHIFT);
    if ((high & OPERATION_MASK) >= ACCEPT && result >= 0) close(result);
  }

  private complete(stream: UringStream, operation: number, result: number, flags: number): void {
    try {
      stream.onCompletion(operation, result, flags);
    } catch (error) {
      stream.survive(error);
    }
  }

  private hasWork(): boolean {
    return this.tasks.length > 0 || this.waiting.length > 0;
  }

  private leave(): void {
    if (!this.closed) {
      this.ring.sleep();
      this.sends.settle();
      // A piece that is gone may bring the end of its descriptor.
      for (let calls = 0; this.ring.hasPending && calls < CALLS_AT_LEAVING; calls++) this.submitNow();
    }
    this.inTurn = false;
    this.turnClock.thaw();
    if (this.hasWork()) this.scheduleWake();
  }

  /** Whatever was asked for outside of a turn gets one. */
  private readonly wakeSoon = (): void => {
    if (!this.inTurn) this.scheduleWake();
  };

  private scheduleWake(): void {
    if (this.wakeScheduled || this.closed) return;
    this.wakeScheduled = true;
    setImmediate(this.wakeNow);
  }

  private readonly wakeNow = (): void => {
    this.wakeScheduled = false;
    this.wake();
  };
}
