/** An exchange whose connection was upgraded: opens the tunnel, counts and logs for it. nginx: ngx_http_upstream_upgrade. */
import type { Stream } from "../io/stream.ts";
import { CLIENT_TIMED_OUT, Tunnel, type TunnelUser, UPSTREAM_TIMED_OUT } from "../net/tunnel.ts";
import type { Try } from "../net/upstream-try.ts";
import { bytesChunk } from "./body.ts";
import type { Request } from "./request.ts";
import type { Piece } from "./upstream-body.ts";
import type { UpstreamRules } from "./upstream-rules.ts";

const ETIMEDOUT = 110;

export class Upgrade implements TunnelUser {
  private readonly request: Request;
  private readonly attempt: Try;
  private readonly onEnd: (outcome: number) => void;
  private tunnel: Tunnel | undefined = undefined;

  /** `onEnd` is told how the tunnel has ended, as `TunnelUser.onTunnelEnd`. */
  constructor(request: Request, attempt: Try, onEnd: (outcome: number) => void) {
    this.request = request;
    this.attempt = attempt;
    this.onEnd = onEnd;
  }

  /** The head of the answer has been composed: sends it with the bytes behind it, and opens. False when the client has gone. */
  open(peer: Stream, following: Piece, rules: UpstreamRules): boolean {
    const { request } = this;
    const { connection } = request;
    const { core } = request.location;
    if (core.tcp_nodelay) {
      connection.stream.setNoDelay(true);
      peer.setNoDelay(true);
    }
    connection.emit(request, bytesChunk(following.bytes, following.start, following.end));
    connection.flush();
    if (connection.request !== request) return false;
    this.tunnel = new Tunnel(
      connection.worker,
      { client: connection.stream, peer },
      { readMs: rules.readTimeoutMs, sendMs: rules.sendTimeoutMs, clientMs: core.send_timeout },
      this,
    );
    this.tunnel.open(connection.lendStream());
    return true;
  }

  close(): void {
    this.tunnel?.close();
  }

  /** Nobody asks for them. */
  countFromClient(): void {}

  countReceived(sizeBytes: number): void {
    this.attempt.receivedBytes += sizeBytes;
  }

  countSent(sizeBytes: number): void {
    this.attempt.sentBytes += sizeBytes;
  }

  countToClient(sizeBytes: number): void {
    this.request.sentBytes += sizeBytes;
  }

  onTunnelError(call: string, errno: number, isClient: boolean): void {
    this.request.connection.logError(isClient ? "info" : "error", `${call} failed`, errno);
  }

  onNoMemory(message: string): void {
    this.request.connection.onNoMemory(message);
  }

  onTunnelEnd(outcome: number): void {
    const { connection } = this.request;
    if (outcome === CLIENT_TIMED_OUT) connection.logError("info", "client timed out", ETIMEDOUT);
    else if (outcome === UPSTREAM_TIMED_OUT) connection.logError("info", "upstream timed out", ETIMEDOUT);
    connection.stream.owner = connection;
    this.onEnd(outcome);
  }
}
