/** Variables of a request that go into a line of an access log without a string in between: see `LogLine`. */
import type * as net from "../net/log-line.ts";
import type { LogLine } from "../net/log-line.ts";
import { AUTHORIZATION, CONTENT_TYPE, HOST, REFERER, USER_AGENT } from "../wire/http1/fields.ts";
import { CONNECT } from "../wire/http1/methods.ts";
import { FIELD_STRIDE } from "../wire/http1/request-head.ts";
import type { Request } from "./request.ts";
import type { Getter } from "./variables.ts";

const DASH = 0x2d;

/** Appends one part of a request's line. */
type Append = net.Append<Request>;

/** The value of a header line that the head knows by number; `getter` joins those of several. */
function field(known: number, getter: Getter): Append {
  return (request, line) => {
    const { head } = request;
    if (head.hasRepeats) {
      line.text(getter(request));
      return;
    }
    const index = head.known[known] as number;
    if (index < 0) {
      line.byte(DASH);
      return;
    }
    const at = index * FIELD_STRIDE;
    const { view, base, fields } = head;
    line.slice(view, base + (fields[at + 2] as number), base + (fields[at + 3] as number));
  };
}

function remoteAddress({ connection }: Request, line: LogLine): void {
  const { remote } = connection;
  if (!("ip" in remote) || remote.ip.length !== 4) {
    line.text(connection.remoteAddress);
    return;
  }
  line.address(remote.ip);
}

/** Variables that can be appended without a string. A user name has to be decoded, but there seldom is one. */
const DIRECT = new Map<string, (getter: Getter) => Append>([
  ["remote_addr", () => remoteAddress],
  [
    "remote_user",
    (getter) => (request, line) =>
      request.head.known[AUTHORIZATION] === -1 && request.method !== CONNECT
        ? line.byte(DASH)
        : line.text(getter(request)),
  ],
  [
    "request",
    () =>
      ({ head }, line) =>
        head.lineEnd === 0 ? line.byte(DASH) : line.slice(head.view, head.base, head.base + head.lineEnd),
  ],
  [
    "status",
    (getter) => (request, line) => {
      const status = request.errStatus !== 0 ? request.errStatus : request.status;
      if (status === 0) line.text(getter(request));
      else line.decimal(status);
    },
  ],
  ["body_bytes_sent", () => (request, line) => line.decimal(Math.max(0, request.sentBytes - request.headerBytes))],
  ["bytes_sent", () => (request, line) => line.decimal(Math.max(0, request.sentBytes))],
  ["request_length", () => (request, line) => line.decimal(request.requestLength)],
  ["connection", () => (request, line) => line.decimal(request.connection.number)],
  ["connection_requests", () => (request, line) => line.decimal(request.connection.requests)],
  ["http_host", (getter) => field(HOST, getter)],
  ["http_user_agent", (getter) => field(USER_AGENT, getter)],
  ["http_referer", (getter) => field(REFERER, getter)],
  ["content_type", (getter) => field(CONTENT_TYPE, getter)],
]);

/** Appends a variable. */
export function appendVariable(name: string, getter: Getter): Append {
  return DIRECT.get(name)?.(getter) ?? ((request, line) => line.text(getter(request)));
}
