/** User and password of Basic authentication (RFC 7617). Counterpart in nginx: ngx_http_auth_basic_user. */
import { decodeBase64 } from "../base/base64.ts";
import { latin1 } from "../base/bytes.ts";
import { AUTHORIZATION, PROXY_AUTHORIZATION } from "../wire/http1/fields.ts";
import { CONNECT } from "../wire/http1/methods.ts";
import type { Request } from "./request.ts";

export interface Credentials {
  /** Not empty. One character a byte, as the password. */
  readonly user: string;
  readonly password: string;
}

/** What the client shows: to the server, or with CONNECT to the proxy; undefined without, or when it can't be read. */
export function credentialsOf({ head, method }: Request): Credentials | undefined {
  const value = head.knownValue(method === CONNECT ? PROXY_AUTHORIZATION : AUTHORIZATION);
  return value === undefined ? undefined : parseCredentials(value);
}

/** Reads the value of a line Authorization. */
export function parseCredentials(value: string): Credentials | undefined {
  const match = /^basic +/i.exec(value);
  const decoded = match === null ? undefined : decodeBase64(value.slice(match[0].length));
  if (decoded === undefined) return undefined;
  const text = latin1(decoded);
  const colon = text.indexOf(":");
  return colon <= 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
