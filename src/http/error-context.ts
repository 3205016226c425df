/** What the error log says about a connection and its request, in nginx's order. nginx: ngx_http_log_error_handler. */
import type { LogContext } from "../base/log.ts";
import { HOST, REFERER } from "../wire/http1/fields.ts";
import {
  READING_HEADERS,
  READING_LINE,
  READING_PIPELINED_LINE,
  SENDING_RESPONSE,
  SENDING_TO_CLIENT,
} from "./actions.ts";
import type { Connection } from "./connection.ts";
import type { VirtualServer } from "./location.ts";
import type { Request } from "./request.ts";

/** Client, server, request line, subrequest, host and referrer, as far as they are known. */
export function errorContext(
  connection: Connection,
  request: Request | undefined,
  action?: string,
  errno?: number,
): LogContext {
  const context: { -readonly [K in keyof LogContext]: LogContext[K] } = {
    connection: connection.number,
    client: connection.remoteAddress,
    server: request === undefined ? connection.point.name : request.main.server.name,
  };
  const doing = action ?? request?.exchange?.action ?? request?.refusedWhile;
  if (doing !== undefined) context.action = doing;
  if (errno !== undefined) context.errno = errno;
  if (request === undefined) return context;
  const { head } = request;
  if (request.parent !== undefined) context.subrequest = request.uri;
  if (head.lineEnd > 0) context.request = request.requestLine;
  // The line is refused before any header line is looked at.
  if (action === READING_LINE || action === READING_PIPELINED_LINE) return context;
  const upstream = request.exchange?.logName;
  if (upstream !== undefined) context.upstream = upstream;
  const host = head.knownValue(HOST);
  if (host !== undefined) context.host = host;
  const referrer = head.knownValue(REFERER);
  if (referrer !== undefined) context.referrer = referrer;
  return context;
}

/** What is being done while filters of a request's body are at work. */
export function sendingAction({ exchange, file, main }: Request): string | undefined {
  if (exchange?.active === true) return SENDING_TO_CLIENT;
  return file !== undefined || main.file !== undefined ? SENDING_RESPONSE : undefined;
}

/** The same for a request whose head is being parsed and that isn't the connection's request yet. */
export function parsingContext(connection: Connection, server: VirtualServer): LogContext {
  const { head } = connection.worker.parsing as Request;
  const host = head.knownValue(HOST);
  return {
    connection: connection.number,
    client: connection.remoteAddress,
    server: server.name,
    request: head.text(0, head.lineEnd),
    action: READING_HEADERS,
    ...(host === undefined ? {} : { host }),
  };
}
