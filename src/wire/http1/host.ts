/**
 * The host of a Host field or an absolute-form target: checked, in lower case, without port and final dot.
 * RFC 3986 §3.2.2; counterpart in nginx: ngx_http_validate_host.
 */
import { type Bytes, latin1 } from "../../base/bytes.ts";

export interface HostAndPort {
  readonly host: string;
  /** 0 when none was given. */
  readonly port: number;
}

// What a byte is to a host: 0 refused, 1 fine, 2 fine but a capital.
const HOST_BYTE: Uint8Array = (() => {
  const table = new Uint8Array(256);
  for (const character of "abcdefghijklmnopqrstuvwxyz0123456789-_~!$&'()*+,;=") table[character.charCodeAt(0)] = 1;
  for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZ") table[character.charCodeAt(0)] = 2;
  return table;
})();

const DOT = 0x2e;
const COLON = 0x3a;

/** Undefined when it is no host: forbidden bytes, `..`, an unclosed bracket, a port above 65535, or nothing at all. */
export function parseHost(bytes: Bytes, start: number, end: number): HostAndPort | undefined {
  let p = start;
  let capitals = false;
  let lastDot = -1;
  const literal = p < end && bytes[p] === 0x5b;
  if (literal) p++;
  let closed = !literal;
  for (; p < end; p++) {
    const code = bytes[p] as number;
    const kind = HOST_BYTE[code] as number;
    if (kind !== 0) {
      if (kind === 2) capitals = true;
    } else if (code === DOT) {
      if (lastDot === p - 1 && lastDot >= 0) return undefined;
      lastDot = p;
    } else if (literal && code === 0x5d) {
      closed = true;
      p++;
      break;
    } else if (literal ? code !== COLON : code !== 0x25) {
      if (!literal && code === COLON) break;
      return undefined;
    }
  }
  if (!closed) return undefined;
  let hostEnd = p;
  let port = 0;
  if (p < end) {
    if (bytes[p] !== COLON) return undefined;
    for (p++; p < end; p++) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) return undefined;
      port = port * 10 + digit;
      if (port > 65535) return undefined;
    }
  }
  if (lastDot >= 0 && lastDot === hostEnd - 1) hostEnd--;
  if (hostEnd === start) return undefined;
  const host = latin1(bytes, start, hostEnd);
  return { host: capitals ? host.toLowerCase() : host, port };
}
