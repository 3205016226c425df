/**
 * Bytes go both ways between a client and an upstream until either side ends: upgraded connections of HTTP, CONNECT, and all that
 * stream passes on. Counterpart in nginx: ngx_http_upstream_process_upgraded, ngx_stream_proxy_process.
 *
 * Both streams get owners of their own here, so that what passes costs one read and one write and nothing of a protocol. Bytes are
 * written from the memory they were read into; only what a socket does not take is copied, and until that has gone nothing
 * more is read from the other side. An idle tunnel owns no buffer (`npm run bench`, WebSocket echo and stream echo).
 */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Memory } from "../io/memory.ts";
import type { Stream, StreamOwner } from "../io/stream.ts";
import { Timed, type Timers } from "./timers.ts";

/** What a tunnel needs of its worker. */
export interface TunnelPorts {
  readonly timers: Timers;
  /** Keeps memory back: see `MemoryGuard`. */
  readonly guard: { claim(sizeBytes: number): void };
  /** Memory for bytes on their way to a socket; belongs to nobody between calls. */
  readonly scratch: { readonly memory: Memory; readonly bytes: Bytes; readonly size: number };
  readonly clock: Clock;
}

/** What may pass, and how long nothing may. */
export interface TunnelRules {
  /** Time between two events. */
  readonly readMs: number;
  /** Time in which the upstream does not take what it is sent. */
  readonly sendMs: number;
  /** The same of the client. */
  readonly clientMs: number;
  /** The end of one side is passed on, and the tunnel goes on until the other one has ended too. */
  readonly halfClose?: boolean;
  /** Bytes per second that are read from the client and from the upstream; 0 for any. */
  readonly uploadRate?: number;
  readonly downloadRate?: number;
}

/** Who has opened a tunnel. */
export interface TunnelUser {
  /** Bytes that the client has sent. */
  countFromClient(sizeBytes: number): void;
  /** Bytes that the upstream has sent, and those that the sockets have taken. */
  countReceived(sizeBytes: number): void;
  countSent(sizeBytes: number): void;
  countToClient(sizeBytes: number): void;
  /** One side has failed: the log's word for the call, and whose connection it was. */
  onTunnelError(call: "recv()" | "send()", errno: number, isClient: boolean): void;
  /** As `StreamOwner.onNoMemory`. */
  onNoMemory(message: string): void;
  /**
   * It is over, by what the client's side has done or the other: PASSED, FAILED, or CLIENT_TIMED_OUT or UPSTREAM_TIMED_OUT for a side
   * that takes nothing or says nothing.
   */
  onTunnelEnd(outcome: number, isClients: boolean): void;
}

/** Bytes that are on their way when a tunnel opens. */
export interface TunnelStart {
  readonly toClient: Bytes | undefined;
  readonly toPeer: Bytes | undefined;
  /** The client has sent everything. */
  readonly clientEnded: boolean;
}

/** How a tunnel ends. The numbers are those of HTTP's outcomes and statuses. */
export const PASSED = 0;
export const FAILED = -1;
export const CLIENT_TIMED_OUT = 408;
export const UPSTREAM_TIMED_OUT = 504;

/**
 * Lets bytes of one end pass at a rate. nginx allows a whole second's bytes at once, then waits as long as what has passed is worth.
 * What was read and may not pass yet waits here: no more than a reactor reads at once, for reading is paused meanwhile.
 */
class Pacer extends Timed {
  pending: Bytes | undefined = undefined;
  private readonly end: End;
  private readonly rate: number;
  private readonly startS: number;
  private passed = 0;

  constructor(end: End, rate: number, nowMs: number) {
    super();
    this.end = end;
    this.rate = rate;
    this.startS = Math.floor(nowMs / 1000);
  }

  take(bytes: Bytes): void {
    this.pending = this.pending === undefined ? bytes.slice() : concatBytes([this.pending, bytes]);
    if (!this.armed) this.onTimer();
  }

  /** Lets pass what may. */
  onTimer(): void {
    const { end, pending, rate } = this;
    const { tunnel } = end;
    if (pending === undefined) {
      end.resume();
      tunnel.touch();
      return;
    }
    // What passed before has not gone yet: the end is asked again when it has.
    if (end.other.waiting !== undefined) return;
    const { ports } = tunnel;
    const allowed = rate * (Math.floor(ports.clock.now() / 1000) - this.startS + 1) - this.passed;
    if (allowed <= 0) {
      this.wait(Math.floor((-allowed * 1000) / rate) + 1);
      return;
    }
    const size = Math.min(allowed, pending.length);
    this.pending = size === pending.length ? undefined : pending.subarray(size);
    this.passed += size;
    end.count(size);
    end.other.give(pending.subarray(0, size));
    if (!tunnel.isOpen) return;
    const delayMs = Math.floor((size * 1000) / rate);
    if (delayMs > 0) this.wait(delayMs);
    else if (this.pending !== undefined) this.onTimer();
    else if (end.other.waiting === undefined) end.resume();
  }

  private wait(delayMs: number): void {
    this.end.pause();
    this.end.tunnel.ports.timers.arm(this, delayMs);
    this.end.tunnel.touch();
  }
}

/** One end of a tunnel: reads from its own stream and writes to the other end's. */
class End implements StreamOwner {
  readonly stream: Stream;
  readonly isClient: boolean;
  readonly tunnel: Tunnel;
  other!: End;
  /** What has come for this end and its socket has not taken yet. While there is any, the other end is not read. */
  waiting: Bytes | undefined = undefined;
  /** It sends no more: what it has sent before is still passed on. */
  ended = false;
  /** The other end has been told so (`halfClose`). */
  passedOn = false;
  pacer: Pacer | undefined = undefined;
  private paused = false;

  constructor(tunnel: Tunnel, stream: Stream, isClient: boolean) {
    this.tunnel = tunnel;
    this.stream = stream;
    this.isClient = isClient;
  }

  onData(memory: Memory, start: number, end: number): void {
    const { tunnel, other, pacer } = this;
    const size = end - start;
    if (pacer !== undefined) {
      this.pause();
      tunnel.ports.guard.claim(size);
      pacer.take(memory.bytes.subarray(start, end));
      return;
    }
    this.count(size);
    if (other.waiting !== undefined) {
      // A reactor may have had more in hand when it was told to pause.
      other.waiting = concatBytes([other.waiting, memory.bytes.subarray(start, end)]);
      return;
    }
    const taken = other.stream.write(memory, start, size, false);
    if (taken < 0) {
      tunnel.writeFailed(other, -taken);
      return;
    }
    other.countTaken(taken);
    if (taken < size) {
      tunnel.ports.guard.claim(size - taken);
      other.keep(memory.bytes.slice(start + taken, end));
    }
    tunnel.touch();
  }

  onEnd(): void {
    // While it is paused this is a hint only: it comes again behind the last byte.
    if (!this.paused) this.finish();
  }

  onWritable(): void {
    if (this.waiting !== undefined) this.tunnel.push(this);
  }

  onError(errno: number): void {
    this.tunnel.user.onTunnelError("recv()", errno, this.isClient);
    this.ended = true;
    if (this.other.waiting === undefined && this.pacer?.pending === undefined) this.finish();
  }

  onNoMemory(message: string): void {
    this.tunnel.user.onNoMemory(message);
  }

  /** All that it has sent has been passed on. */
  finish(): void {
    this.ended = true;
    this.tunnel.sideEnded(this);
  }

  /** Its socket is full: the rest waits here. */
  keep(bytes: Bytes): void {
    this.waiting = bytes;
    this.other.pause();
  }

  /** Sends bytes that lie in memory of their own. */
  give(bytes: Bytes): void {
    this.keep(bytes);
    this.tunnel.push(this);
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.stream.pauseReading();
  }

  resume(): void {
    if (!this.paused || this.ended) return;
    this.paused = false;
    this.stream.resumeReading();
  }

  /** Bytes of it have been read. */
  count(sizeBytes: number): void {
    if (this.isClient) this.tunnel.user.countFromClient(sizeBytes);
    else this.tunnel.user.countReceived(sizeBytes);
  }

  /** Its socket has taken bytes. */
  countTaken(sizeBytes: number): void {
    if (this.isClient) this.tunnel.user.countToClient(sizeBytes);
    else this.tunnel.user.countSent(sizeBytes);
  }
}

export class Tunnel extends Timed {
  readonly user: TunnelUser;
  readonly ports: TunnelPorts;
  isOpen = true;
  private readonly rules: TunnelRules;
  private readonly client: End;
  private readonly peer: End;

  constructor(
    ports: TunnelPorts,
    streams: { readonly client: Stream; readonly peer: Stream },
    rules: TunnelRules,
    user: TunnelUser,
  ) {
    super();
    this.ports = ports;
    this.rules = rules;
    this.user = user;
    this.client = new End(this, streams.client, true);
    this.peer = new End(this, streams.peer, false);
    this.client.other = this.peer;
    this.peer.other = this.client;
    const { uploadRate = 0, downloadRate = 0 } = rules;
    if (uploadRate > 0) this.client.pacer = new Pacer(this.client, uploadRate, ports.clock.now());
    if (downloadRate > 0) this.peer.pacer = new Pacer(this.peer, downloadRate, ports.clock.now());
  }

  /** Takes the streams over and sends what is on its way. It may have ended within this call. */
  open({ toClient, toPeer, clientEnded }: TunnelStart): void {
    const { client, peer } = this;
    client.ended = clientEnded;
    client.stream.owner = client;
    peer.stream.owner = peer;
    // Its reading may have been paused while the peer was being found.
    client.pause();
    if (toClient !== undefined) client.keep(toClient);
    if (toPeer !== undefined) peer.keep(toPeer);
    this.touch();
    // The client's socket was full a moment ago, or there would be nothing for it: an event will say when there is room.
    if (toPeer !== undefined) this.push(peer);
    else if (clientEnded) this.sideEnded(client);
    else client.resume();
  }

  /** Something has happened: the time begins anew. It does not run while bytes wait for their rate, as in nginx. */
  touch(): void {
    if (this.client.pacer?.armed === true || this.peer.pacer?.armed === true) this.stopTimer();
    else this.ports.timers.arm(this, this.timeoutMs());
  }

  private timeoutMs(): number {
    const { client, peer, rules } = this;
    if (client.waiting === undefined && peer.waiting === undefined) return rules.readMs;
    const clientMs = client.waiting === undefined ? rules.readMs : rules.clientMs;
    return peer.waiting === undefined ? clientMs : Math.min(clientMs, rules.sendMs);
  }

  onTimer(): void {
    const { client, peer, rules } = this;
    const isClients = client.waiting !== undefined && (peer.waiting === undefined || rules.clientMs <= rules.sendMs);
    this.end(isClients ? CLIENT_TIMED_OUT : UPSTREAM_TIMED_OUT, isClients);
  }

  /** Sends on what waits for an end; when all has gone, the other one is read again. */
  push(end: End): void {
    const { scratch } = this.ports;
    let bytes = end.waiting as Bytes;
    while (bytes.length > 0) {
      const size = Math.min(bytes.length, scratch.size);
      scratch.bytes.set(bytes.subarray(0, size), 0);
      const taken = end.stream.write(scratch.memory, 0, size, false);
      if (taken < 0) {
        this.writeFailed(end, -taken);
        return;
      }
      end.countTaken(taken);
      bytes = bytes.subarray(taken);
      if (taken < size) break;
    }
    if (bytes.length > 0) end.waiting = bytes;
    else {
      end.waiting = undefined;
      if (!this.readOn(end.other)) return;
    }
    this.touch();
  }

  /** What an end has sent has gone: more of it. False when it was the last. */
  private readOn(end: End): boolean {
    const { pacer } = end;
    // The pacer itself goes on when its time has come, or is at work further up in the call.
    if (pacer?.armed === true) return true;
    if (pacer?.pending !== undefined) {
      this.ports.timers.arm(pacer, 0);
      return true;
    }
    if (end.ended) {
      this.sideEnded(end);
      return this.isOpen;
    }
    if (pacer === undefined) end.resume();
    else this.ports.timers.arm(pacer, 0);
    return true;
  }

  /** All that an end has sent has been passed on. */
  sideEnded(end: End): void {
    const { other } = end;
    if (this.rules.halfClose !== true || other.passedOn) {
      this.end(PASSED, end.isClient);
      return;
    }
    if (end.passedOn) return;
    end.passedOn = true;
    other.stream.shutdownWrite();
    this.touch();
  }

  writeFailed(end: End, errno: number): void {
    this.user.onTunnelError("send()", errno, end.isClient);
    this.end(FAILED, end.isClient);
  }

  private end(outcome: number, isClients: boolean): void {
    if (!this.isOpen) return;
    this.close();
    this.user.onTunnelEnd(outcome, isClients);
  }

  /** Lets go of the streams; their owners are to be set anew. What was on its way is lost. */
  close(): void {
    const { client, peer, ports } = this;
    this.isOpen = false;
    ports.timers.discard(this);
    for (const end of [client, peer]) {
      end.waiting = undefined;
      if (end.pacer === undefined) continue;
      ports.timers.discard(end.pacer);
      end.pacer.pending = undefined;
    }
  }
}
