/** Errno values that a connection to a peer can fail with, and whose failures they are. nginx: ngx_connection_error. */
import { printEndpoint } from "../io/listen.ts";
import type { Endpoint } from "../io/stream.ts";

const EPERM = 1;
export const ENOENT = 2;
const EACCES = 13;
const EINVAL = 22;
export const EPIPE = 32;
const ENETDOWN = 100;
const ENETUNREACH = 101;
const ECONNRESET = 104;
const ENOTCONN = 107;
export const ETIMEDOUT = 110;
const ECONNREFUSED = 111;
const EHOSTDOWN = 112;
const EHOSTUNREACH = 113;
const EAFNOSUPPORT = 97;
const EADDRNOTAVAIL = 99;
/** Failures that are the peer's or the network's; any other is ours. */
export const PEER_FAILURES: ReadonlySet<number> = new Set([
  ECONNRESET,
  EPIPE,
  ENOTCONN,
  ETIMEDOUT,
  ECONNREFUSED,
  ENETDOWN,
  ENETUNREACH,
  EHOSTDOWN,
  EHOSTUNREACH,
]);
/** Failures that connect(2) itself tells: nginx names the peer in their message. */
export const AT_ONCE: ReadonlySet<number> = new Set([EPERM, EACCES, EINVAL, EAFNOSUPPORT, ENETUNREACH, EADDRNOTAVAIL]);

/** A call of ours that has failed, as nginx names it: `bind()` with the address. */
export function callText(call: string, local: Endpoint | undefined): string {
  return call === "bind()" && local !== undefined ? `bind(${printEndpoint(local).replace(/:0$/, "")})` : call;
}
