/**
 * An upgraded connection: bytes go both ways between client and upstream until either side ends. Counterpart in nginx:
 * ngx_http_upstream_process_upgraded.
 *
 * Both streams get owners of their own here, so that what passes costs one read and one write and nothing of HTTP. Bytes are
 * written from the memory they were read into; only what a socket does not take is copied, and until that has gone nothing
 * more is read from the other side. An idle tunnel owns no buffer (`npm run bench`, WebSocket echo).
 */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { Stream, StreamOwner } from "../io/stream.ts";
import { Timed } from "../net/timers.ts";
import { OK } from "./outcome.ts";
import type { Worker } from "./worker.ts";

/** Times between two events of a tunnel. */
export interface TunnelTimeouts {
  /** `proxy_read_timeout` */
  readonly readMs: number;
  /** `proxy_send_timeout`: the upstream does not take what it is sent. */
  readonly sendMs: number;
  /** `send_timeout`: the client does not. */
  readonly clientMs: number;
}

/** Who has opened a tunnel. */
export interface TunnelUser {
  /** Bytes that the upstream has sent, and those that the sockets have taken. */
  countReceived(sizeBytes: number): void;
  countSent(sizeBytes: number): void;
  countToClient(sizeBytes: number): void;
  /** One side has failed: the log's word for the call, and whose connection it was. */
  onTunnelError(call: "recv()" | "send()", errno: number, isClient: boolean): void;
  /** As `StreamOwner.onNoMemory`. */
  onNoMemory(message: string): void;
  /** It is over: OK, 408 for a client and 504 for an upstream that takes nothing or says nothing, ERROR. */
  onTunnelEnd(outcome: number): void;
}

/** Bytes that are on their way when a tunnel opens. */
export interface TunnelStart {
  readonly toClient: Bytes | undefined;
  readonly toPeer: Bytes | undefined;
  /** The client has sent everything. */
  readonly clientEnded: boolean;
}

export const CLIENT_TIMED_OUT = 408;
export const UPSTREAM_TIMED_OUT = 504;
const ERROR = -1;

/** One end of a tunnel: reads from its own stream and writes to the other end's. */
class End implements StreamOwner {
  readonly stream: Stream;
  readonly isClient: boolean;
  other!: End;
  /** What has come for this end and its socket has not taken yet. While there is any, the other end is not read. */
  waiting: Bytes | undefined = undefined;
  /** It sends no more: what it has sent before is still passed on. */
  ended = false;
  private readonly tunnel: Tunnel;

  constructor(tunnel: Tunnel, stream: Stream, isClient: boolean) {
    this.tunnel = tunnel;
    this.stream = stream;
    this.isClient = isClient;
  }

  onData(memory: Memory, start: number, end: number): void {
    const { tunnel, other } = this;
    const size = end - start;
    if (!this.isClient) tunnel.user.countReceived(size);
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
    other.count(taken);
    if (taken < size) {
      tunnel.worker.guard.claim(size - taken);
      other.keep(memory.bytes.slice(start + taken, end));
    }
    tunnel.touch();
  }

  onEnd(): void {
    // While the other end is full this is a hint only: it comes again behind the last byte.
    if (this.other.waiting === undefined) this.tunnel.end(OK);
  }

  onWritable(): void {
    if (this.waiting !== undefined) this.tunnel.push(this);
  }

  onError(errno: number): void {
    this.tunnel.user.onTunnelError("recv()", errno, this.isClient);
    this.ended = true;
    if (this.other.waiting === undefined) this.tunnel.end(OK);
  }

  onNoMemory(message: string): void {
    this.tunnel.user.onNoMemory(message);
  }

  /** Its socket is full: the rest waits here. */
  keep(bytes: Bytes): void {
    this.waiting = bytes;
    this.other.stream.pauseReading();
  }

  count(sizeBytes: number): void {
    if (this.isClient) this.tunnel.user.countToClient(sizeBytes);
    else this.tunnel.user.countSent(sizeBytes);
  }
}

export class Tunnel extends Timed {
  readonly user: TunnelUser;
  readonly worker: Worker;
  private readonly timeouts: TunnelTimeouts;
  private readonly client: End;
  private readonly peer: End;
  private isOpen = true;

  constructor(
    worker: Worker,
    streams: { readonly client: Stream; readonly peer: Stream },
    timeouts: TunnelTimeouts,
    user: TunnelUser,
  ) {
    super();
    this.worker = worker;
    this.timeouts = timeouts;
    this.user = user;
    this.client = new End(this, streams.client, true);
    this.peer = new End(this, streams.peer, false);
    this.client.other = this.peer;
    this.peer.other = this.client;
  }

  /** Takes the streams over and sends what is on its way. It may have ended within this call. */
  open({ toClient, toPeer, clientEnded }: TunnelStart): void {
    const { client, peer } = this;
    client.ended = clientEnded;
    client.stream.owner = client;
    peer.stream.owner = peer;
    if (toClient !== undefined) client.keep(toClient);
    if (toPeer !== undefined) peer.keep(toPeer);
    this.touch();
    // The client's socket was full a moment ago, or there would be nothing for it: an event will say when there is room.
    if (toPeer !== undefined) this.push(peer);
    else if (clientEnded) this.end(OK);
    else client.stream.resumeReading();
  }

  /** Something has happened: the time begins anew. */
  touch(): void {
    this.worker.timers.arm(this, this.timeoutMs());
  }

  private timeoutMs(): number {
    const { client, peer, timeouts } = this;
    if (client.waiting === undefined && peer.waiting === undefined) return timeouts.readMs;
    const clientMs = client.waiting === undefined ? timeouts.readMs : timeouts.clientMs;
    return peer.waiting === undefined ? clientMs : Math.min(clientMs, timeouts.sendMs);
  }

  onTimer(): void {
    const { client, peer, timeouts } = this;
    const isClients =
      client.waiting !== undefined && (peer.waiting === undefined || timeouts.clientMs <= timeouts.sendMs);
    this.end(isClients ? CLIENT_TIMED_OUT : UPSTREAM_TIMED_OUT);
  }

  /** Sends on what waits for an end; when all has gone, the other one is read again. */
  push(end: End): void {
    const { scratch } = this.worker;
    let bytes = end.waiting as Bytes;
    while (bytes.length > 0) {
      const size = Math.min(bytes.length, scratch.size);
      scratch.bytes.set(bytes.subarray(0, size), 0);
      const taken = end.stream.write(scratch.memory, 0, size, false);
      if (taken < 0) {
        this.writeFailed(end, -taken);
        return;
      }
      end.count(taken);
      bytes = bytes.subarray(taken);
      if (taken < size) break;
    }
    if (bytes.length > 0) end.waiting = bytes;
    else {
      end.waiting = undefined;
      if (end.other.ended) {
        this.end(OK);
        return;
      }
      end.other.stream.resumeReading();
    }
    this.touch();
  }

  writeFailed(end: End, errno: number): void {
    this.user.onTunnelError("send()", errno, end.isClient);
    this.end(ERROR);
  }

  end(outcome: number): void {
    if (!this.isOpen) return;
    this.close();
    this.user.onTunnelEnd(outcome);
  }

  /** Lets go of the streams; their owners are to be set anew. What was on its way is lost. */
  close(): void {
    this.isOpen = false;
    this.worker.timers.discard(this);
    this.client.waiting = undefined;
    this.peer.waiting = undefined;
  }
}
