/**
 * The PROXY protocol header ahead of a connection's first request: owns the stream until the header is whole, then hands it
 * over. The connection's own timer runs meanwhile. nginx reads the header in ngx_http_wait_request_handler.
 */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { StreamOwner } from "../io/stream.ts";
import { decodeProxyHeader } from "../wire/proxy-protocol/decode.ts";
import { READING_PROXY_HEADER, WAITING_FOR_REQUEST } from "./actions.ts";
import type { Connection } from "./connection.ts";

const NOTHING = new Uint8Array(0);

export class ProxyHeaderReader implements StreamOwner {
  private readonly connection: Connection;
  /** The beginning of the header, in memory of its own; the decoder bounds it. */
  private begun: Bytes = NOTHING;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.waitingFor = READING_PROXY_HEADER;
  }

  onData(memory: Memory, start: number, end: number): void {
    const { connection, begun } = this;
    const arrived = memory.bytes.subarray(start, end);
    const result = decodeProxyHeader(begun.length === 0 ? arrived : concatBytes([begun, arrived]));
    if (result.kind === "incomplete") {
      this.begun = concatBytes([begun, arrived]);
      return;
    }
    if (result.kind === "malformed") {
      this.refuse(result.reason);
      return;
    }
    const { header } = result;
    connection.waitingFor = WAITING_FOR_REQUEST;
    if (header.ends !== undefined) connection.proxyHeader = header;
    connection.stream.owner = connection;
    const rest = start + header.sizeBytes - begun.length;
    if (rest < end) connection.onData(memory, rest, end);
  }

  onEnd(): void {
    if (this.begun.length === 0) {
      this.connection.onEnd();
      return;
    }
    const result = decodeProxyHeader(this.begun);
    this.refuse(result.kind === "header" ? "" : result.reason);
  }

  private refuse(reason: string): void {
    this.connection.logError("error", reason, undefined, READING_PROXY_HEADER);
    this.connection.terminate(0);
  }

  onWritable(): void {
    this.connection.onWritable();
  }

  onError(errno: number): void {
    this.connection.onError(errno);
  }
}
