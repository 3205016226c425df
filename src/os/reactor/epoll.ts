/**
 * The reactor on epoll(7), called through FFI: nginx's own event loop (ngx_epoll_module) inside a Node process.
 *
 * libuv watches our epoll descriptor, so that an idle worker sleeps in libuv and timers, IPC and DNS work as usual. Once it has
 * woken us, we stay in our own epoll_wait for several turns before libuv has its next one.
 * Nothing is allocated per event (bench: reactor against nginx). Streams are found by slot; the generation that travels with
 * each event tells a late event of a closed socket from one of the socket that has its slot now.
 */
import type { Clock } from "../../base/clock.ts";
import type { Memory } from "../../io/memory.ts";
import type { AcceptOptions, Acceptor, Alarm, ConnectSettings, Reactor } from "../../io/reactor.ts";
import type { Endpoint, Stream, StreamOwner } from "../../io/stream.ts";
import { systemError } from "../errno.ts";
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  EVENT_DATA_WORD,
  EVENT_WORDS,
  epollCreate1,
  epollCtl,
  epollWait,
} from "../ffi/epoll.ts";
import { close } from "../ffi/files.ts";
import { errno, type FdWatch, watchReadable } from "../ffi/native.ts";
import { allocateMemory } from "../memory.ts";
import { SocketOptions } from "../socket-options.ts";
import { Alarms } from "./alarms.ts";
import { type AcceptorHost, EpollAcceptor, unclaimedOwner } from "./epoll-acceptor.ts";
import { EpollStream, type StreamHost } from "./epoll-stream.ts";
import { GatheredSend } from "./gathered-send.ts";
import { type OutgoingFailure, openOutgoing } from "./outgoing.ts";
import { TurnClock } from "./turn-clock.ts";

/** One epoll_wait brings at most so many events unless `epoll_events` says otherwise. */
const EVENTS_PER_TURN = 512;
const MAX_EVENTS_PER_TURN = 65536;
const READ_BUFFER_BYTES = 64 * 1024;
/** Libuv, and with it timers and promises, waits at most this long, and so many turns, while events keep coming. */
const TURNS_PER_WAKE = 16;
const WAKE_BUDGET_MS = 2;
const STREAM_EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

/** Offsets in the page that holds the small structures for system calls. */
const EVENT_OFFSET = 0;
const FILE_OFFSET_OFFSET = 64;

type Watched = EpollStream | EpollAcceptor;

/** The reactor of a worker. Its descriptor keeps the process alive until `close`. */
export class EpollReactor implements Reactor, StreamHost, AcceptorHost {
  readonly clock: Clock;
  readonly readBuffer: Memory;
  readonly addressMemory: Memory;
  readonly socketOptions: SocketOptions;
  readonly gathered = new GatheredSend();
  readonly fileOffset: { readonly address: number; readonly word: BigInt64Array };

  private readonly turnClock: TurnClock;
  private readonly epfd: number;
  private readonly watch: FdWatch;
  private readonly alarms: Alarms;
  private readonly page: Memory;
  private readonly pageWords: Int32Array;
  private readonly eventsPerTurn: number;
  private readonly events: Memory;
  private readonly eventWords: Int32Array;
  private readonly watched: (Watched | undefined)[] = [];
  private readonly generations: number[] = [];
  private readonly freeSlots: number[] = [];
  private readers: EpollStream[] = [];
  private readersNow: EpollStream[] = [];
  private tasks: (() => void)[] = [];
  private tasksNow: (() => void)[] = [];
  private inTurn = false;
  private wakeScheduled = false;
  private closed = false;

  /**
   * The clock begins at `clockOriginMs` of CLOCK_MONOTONIC, so that processes can share it; without it at the process' start.
   * `eventsPerTurn`: how many events one epoll_wait may bring.
   */
  constructor(clockOriginMs?: number, eventsPerTurn = EVENTS_PER_TURN) {
    this.eventsPerTurn = Math.min(Math.max(eventsPerTurn, 1), MAX_EVENTS_PER_TURN);
    this.turnClock = new TurnClock(clockOriginMs);
    this.clock = this.turnClock;
    this.readBuffer = allocateMemory(READ_BUFFER_BYTES);
    this.addressMemory = allocateMemory(1);
    this.socketOptions = new SocketOptions(allocateMemory(1));
    this.page = allocateMemory(1);
    this.pageWords = new Int32Array(this.page.bytes.buffer, this.page.bytes.byteOffset, 16);
    this.fileOffset = {
      address: this.page.address + FILE_OFFSET_OFFSET,
      word: new BigInt64Array(this.page.bytes.buffer, this.page.bytes.byteOffset + FILE_OFFSET_OFFSET, 1),
    };
    this.events = allocateMemory(this.eventsPerTurn * EVENT_WORDS * 4);
    this.eventWords = new Int32Array(
      this.events.bytes.buffer,
      this.events.bytes.byteOffset,
      this.eventsPerTurn * EVENT_WORDS,
    );
    this.alarms = new Alarms(this.turnClock, (ring) => this.ringInTurn(ring));
    this.epfd = epollCreate1(EPOLL_CLOEXEC);
    if (this.epfd < 0) throw systemError("epoll_create1", errno());
    this.watch = watchReadable(this.epfd, () => this.wake());
  }

  accept(listeningFd: number, options: AcceptOptions): Acceptor {
    const acceptor = new EpollAcceptor(this, listeningFd, options);
    this.watchListener(acceptor);
    return acceptor;
  }

  connect(remote: Endpoint, local: Endpoint | undefined, owner: StreamOwner, settings?: ConnectSettings): Stream {
    const fd = openOutgoing(this, remote, local, settings);
    if (typeof fd !== "number") return this.failedConnect(remote, owner, fd);
    const stream = new EpollStream(this, fd, remote, owner, true);
    const error = this.register(stream, STREAM_EVENTS);
    if (error !== 0) this.defer(() => stream.failLater(error));
    return stream;
  }

  /** A stream whose owner hears of the failure later: `connect` itself never calls back. */
  private failedConnect(remote: Endpoint, owner: StreamOwner, { call, errno: error }: OutgoingFailure): Stream {
    const stream = new EpollStream(this, -1, remote, owner, true);
    stream.refusedCall = call;
    this.defer(() => stream.failLater(error));
    return stream;
  }

  defer(task: () => void): void {
    this.tasks.push(task);
    if (!this.inTurn) this.scheduleWake();
  }

  alarm(ring: () => void): Alarm {
    return this.alarms.create(ring);
  }

  /** Ends the loop. Streams and acceptors must be closed before. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.alarms.close();
    this.watch.close();
    // libuv lets go of the descriptor at the end of this iteration only.
    setImmediate(() => close(this.epfd));
  }

  /** How many descriptors are watched: connections and listeners. */
  get watchedCount(): number {
    return this.watched.length - this.freeSlots.length;
  }

  // For streams and acceptors.

  adopt(fd: number, remote: Endpoint): Stream {
    const stream = new EpollStream(this, fd, remote, unclaimedOwner, false);
    const error = this.register(stream, STREAM_EVENTS);
    if (error !== 0) this.defer(() => stream.failLater(error));
    return stream;
  }

  readLater(stream: EpollStream): void {
    this.readers.push(stream);
    if (!this.inTurn) this.scheduleWake();
  }

  forget(stream: EpollStream): void {
    if (stream.slot >= 0) this.release(stream);
  }

  watchListener(acceptor: EpollAcceptor): void {
    const error = this.register(acceptor, EPOLLIN | EPOLLEXCLUSIVE);
    if (error !== 0) throw systemError("epoll_ctl", error, `of listening descriptor ${acceptor.fd}`);
  }

  unwatchListener(acceptor: EpollAcceptor): void {
    epollCtl(this.epfd, EPOLL_CTL_DEL, acceptor.fd, this.page.address);
    this.release(acceptor);
  }

  /** 0, or the errno of epoll_ctl. */
  private register(watched: Watched, events: number): number {
    let slot = this.freeSlots.pop();
    if (slot === undefined) {
      slot = this.watched.length;
      this.watched.push(watched);
      this.generations.push(0);
    } else this.watched[slot] = watched;
    watched.slot = slot;
    this.pageWords[EVENT_OFFSET] = events;
    this.pageWords[EVENT_OFFSET + EVENT_DATA_WORD] = slot;
    this.pageWords[EVENT_OFFSET + EVENT_DATA_WORD + 1] = this.generations[slot] as number;
    if (epollCtl(this.epfd, EPOLL_CTL_ADD, watched.fd, this.page.address) === 0) return 0;
    const error = errno();
    this.release(watched);
    return error;
  }

  private release(watched: Watched): void {
    const slot = watched.slot;
    watched.slot = -1;
    this.watched[slot] = undefined;
    this.generations[slot] = ((this.generations[slot] as number) + 1) | 0;
    this.freeSlots.push(slot);
  }

  // The loop.

  private wake(): void {
    if (this.closed || this.inTurn) return;
    this.inTurn = true;
    this.turnClock.freeze();
    const leaveAtMs = this.clock.now() + WAKE_BUDGET_MS;
    let waitMs = 0;
    for (let turns = 0; turns < TURNS_PER_WAKE; turns++) {
      const count = epollWait(this.epfd, this.events.address, this.eventsPerTurn, waitMs);
      if (turns > 0) this.turnClock.freeze();
      this.finishTurn(count);
      if (count <= 0 && !this.hasWork()) break;
      const leftMs = leaveAtMs - this.clock.now();
      if (leftMs <= 0 || this.closed) break;
      // Waiting for the next event here is cheaper than a pass through libuv, which wakes as soon as the budget is used up.
      waitMs = this.hasWork() ? 0 : Math.ceil(leftMs);
    }
    this.leave();
  }

  /** A turn for alarms. What has come by now goes first: while this process was held up it was not late. */
  private ringInTurn(ring: () => void): void {
    if (this.closed) return;
    this.inTurn = true;
    this.turnClock.freeze();
    for (let turns = 0; turns < TURNS_PER_WAKE; turns++) {
      const count = epollWait(this.epfd, this.events.address, this.eventsPerTurn, 0);
      this.finishTurn(count);
      if (count < this.eventsPerTurn) break;
    }
    ring();
    this.finishTurn(0);
    this.leave();
  }

  private finishTurn(count: number): void {
    const readers = this.readers;
    this.readers = this.readersNow;
    this.readersNow = readers;
    const words = this.eventWords;
    for (let i = 0, word = 0; i < count; i++, word += EVENT_WORDS) {
      const slot = words[word + EVENT_DATA_WORD] as number;
      const watched = this.watched[slot];
      if (watched === undefined || this.generations[slot] !== words[word + EVENT_DATA_WORD + 1]) continue;
      try {
        watched.onEvents(words[word] as number);
      } catch (error) {
        watched.survive(error);
      }
    }
    for (let i = 0; i < readers.length; i++) {
      const reader = readers[i] as EpollStream;
      try {
        reader.continueReading();
      } catch (error) {
        reader.survive(error);
      }
    }
    // Setting a length is a call into the runtime, also from 0 to 0.
    if (readers.length > 0) readers.length = 0;
    if (this.tasks.length === 0) return;
    const tasks = this.tasks;
    this.tasks = this.tasksNow;
    this.tasksNow = tasks;
    for (let i = 0; i < tasks.length; i++) (tasks[i] as () => void)();
    tasks.length = 0;
  }

  private hasWork(): boolean {
    return this.tasks.length > 0 || this.readers.length > 0;
  }

  private leave(): void {
    this.inTurn = false;
    this.turnClock.thaw();
    if (this.hasWork()) this.scheduleWake();
  }

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
