/**
 * One DNS server: queries go out by datagram, those whose answers did not fit by TCP, each behind its length (RFC 1035, 4.2).
 * nginx: ngx_resolver_connection_t.
 */
import { type Bytes, writeBytes } from "../base/bytes.ts";
import type { Log } from "../base/log.ts";
import type { Datagram, DatagramOwner, Datagrams } from "../io/datagram.ts";
import type { Memory, MemorySource } from "../io/memory.ts";
import type { Reactor } from "../io/reactor.ts";
import type { Endpoint, Stream, StreamOwner } from "../io/stream.ts";
import { Timer, type Timers } from "./timers.ts";

export interface NameServerPorts {
  readonly datagrams: Datagrams;
  readonly streams: Pick<Reactor, "connect">;
  readonly memory: MemorySource;
  readonly timers: Timers;
  readonly log: Log;
}

/** Time to connect and to send, ms. */
const TCP_TIMEOUT_MS = 5000;
/** Room for queries that TCP has not taken yet. */
const TCP_WRITE_SIZE = 8192;
/** A message and its length. */
const TCP_READ_SIZE = 2 + 65535;

export class NameServer implements DatagramOwner {
  private readonly endpoint: Endpoint;
  private readonly label: string;
  private readonly ports: NameServerPorts;
  private readonly onMessage: (message: Bytes, tcp: boolean) => void;
  private readonly onRefused: () => void;
  private datagram: Datagram | undefined = undefined;
  private stream: Stream | undefined = undefined;
  private connected = false;
  private output: Memory | undefined = undefined;
  private outputStart = 0;
  private outputEnd = 0;
  private input: Bytes = new Uint8Array(0);
  private inputEnd = 0;
  private readonly timer: Timer;

  /**
   * `label`: address and port as the log prints them. `message` is lent for the length of the call. `onRefused`: datagrams sent so
   * far will have no answer.
   */
  constructor(
    endpoint: Endpoint,
    label: string,
    ports: NameServerPorts,
    onMessage: (message: Bytes, tcp: boolean) => void,
    onRefused: () => void,
  ) {
    this.endpoint = endpoint;
    this.label = label;
    this.ports = ports;
    this.onMessage = onMessage;
    this.onRefused = onRefused;
    this.timer = new Timer(() => this.closeStream());
  }

  /** Sends a query; false when that failed at once and another server had better be asked. */
  send(query: Bytes, tcp: boolean): boolean {
    return tcp ? this.sendByStream(query) : this.sendByDatagram(query);
  }

  close(): void {
    this.closeDatagram();
    this.closeStream();
  }

  private sendByDatagram(query: Bytes): boolean {
    if (this.datagram === undefined) {
      const opened = this.ports.datagrams.connect(this.endpoint, this);
      if (typeof opened === "number") return this.fail("connect() failed", -opened);
      this.datagram = opened;
    }
    const result = this.datagram.send(query);
    if (result >= 0) return true;
    this.closeDatagram();
    return this.fail("send() failed", -result);
  }

  private fail(what: string, errno: number): false {
    this.ports.log.write("error", what, { errno, action: `while resolving, resolver: ${this.label}` });
    return false;
  }

  onDatagram(bytes: Bytes): void {
    this.onMessage(bytes, false);
  }

  onError(errno: number): void {
    this.fail("recv() failed", errno);
    this.closeDatagram();
    this.onRefused();
  }

  private closeDatagram(): void {
    this.datagram?.close();
    this.datagram = undefined;
  }

  private sendByStream(query: Bytes): boolean {
    this.output ??= this.ports.memory.allocate(TCP_WRITE_SIZE);
    if (this.stream === undefined) this.openStream();
    const { bytes } = this.output;
    if (this.outputEnd + 2 + query.length > TCP_WRITE_SIZE) {
      this.ports.log.write("crit", "buffer overflow", { action: `while resolving, resolver: ${this.label}` });
      return false;
    }
    bytes[this.outputEnd] = query.length >> 8;
    bytes[this.outputEnd + 1] = query.length & 0xff;
    this.outputEnd = writeBytes(bytes, query, this.outputEnd + 2);
    if (this.connected) this.flush();
    return this.stream !== undefined;
  }

  private openStream(): void {
    this.outputStart = 0;
    this.outputEnd = 0;
    this.inputEnd = 0;
    this.connected = false;
    if (this.input.length === 0) this.input = new Uint8Array(TCP_READ_SIZE);
    const owner: StreamOwner = {
      onData: (memory, start, end) => this.onData(memory, start, end),
      onEnd: () => this.onEnd(),
      onWritable: () => this.onWritable(),
      onError: (errno) => this.onStreamError(errno),
    };
    this.stream = this.ports.streams.connect(this.endpoint, undefined, owner);
    this.ports.timers.arm(this.timer, TCP_TIMEOUT_MS);
  }

  private onWritable(): void {
    this.connected = true;
    this.flush();
  }

  private flush(): void {
    const { stream, output } = this;
    if (stream === undefined || output === undefined || this.outputStart === this.outputEnd) return;
    const taken = stream.write(output, this.outputStart, this.outputEnd - this.outputStart, false);
    if (taken < 0) {
      this.onStreamError(-taken);
      return;
    }
    this.outputStart += taken;
    if (this.outputStart < this.outputEnd) return;
    this.outputStart = 0;
    this.outputEnd = 0;
    this.timer.stopTimer();
  }

  private onData(memory: Memory, start: number, end: number): void {
    const { stream } = this;
    while (start < end && this.stream === stream) {
      const part = Math.min(end - start, this.input.length - this.inputEnd);
      this.inputEnd = writeBytes(this.input, memory.bytes.subarray(start, start + part), this.inputEnd);
      start += part;
      this.deliver();
    }
  }

  /** Hands over the whole messages of the input, and keeps the rest. */
  private deliver(): void {
    const { input, stream } = this;
    let at = 0;
    while (this.inputEnd - at >= 2) {
      const size = ((input[at] as number) << 8) | (input[at + 1] as number);
      if (this.inputEnd - at < 2 + size) break;
      this.onMessage(input.subarray(at + 2, at + 2 + size), true);
      if (this.stream !== stream) return;
      at += 2 + size;
    }
    input.copyWithin(0, at, this.inputEnd);
    this.inputEnd -= at;
  }

  private onEnd(): void {
    this.closeStream();
  }

  private onStreamError(errno: number): void {
    this.fail(this.connected ? "recv() failed" : "connect() failed", errno);
    this.closeStream();
  }

  private closeStream(): void {
    this.ports.timers.discard(this.timer);
    this.stream?.close();
    this.stream = undefined;
    this.connected = false;
  }
}
