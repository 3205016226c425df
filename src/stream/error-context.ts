/** What the error log says about a session, in nginx's order. nginx: ngx_stream_log_error, ngx_stream_proxy_log_error. */
import type { LogContext } from "../base/log.ts";
import type { Session } from "./session.ts";

export function errorContext(session: Session, errno: number | undefined): LogContext {
  const context: { -readonly [K in keyof LogContext]: LogContext[K] } = {
    connection: session.number,
    client: session.remoteAddress,
    server: session.point.name,
  };
  if (session.action !== "") context.action = `while ${session.action}`;
  if (errno !== undefined) context.errno = errno;
  const { proxying } = session;
  if (proxying === undefined) return context;
  if (proxying.peerName !== "") context.upstream = proxying.peerName;
  context.transfer = transferOf(session);
  return context;
}

/** `bytes from/to client:1/2, bytes from/to upstream:3/4`. */
export function transferOf({ receivedBytes, sentBytes, proxying }: Session): string {
  const { receivedBytes: received, sentBytes: sent } = proxying ?? { receivedBytes: 0, sentBytes: 0 };
  return `bytes from/to client:${receivedBytes}/${sentBytes}, bytes from/to upstream:${received}/${sent}`;
}
