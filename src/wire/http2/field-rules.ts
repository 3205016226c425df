/** What a field of HTTP/2 may look like, RFC 9113 §8.2: what breaks these rules makes a message malformed. */
import type { Bytes } from "../../base/bytes.ts";

const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;

/** By byte: may stand in a name. Capitals, controls, space, colon, DEL and everything above ASCII may not (§8.2.1). */
const NAME: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) =>
  code > SPACE && code < 0x7f && code !== COLON && !(code >= 0x41 && code <= 0x5a) ? 1 : 0,
);

/** A name; `isPseudo` when it begins with a colon. */
export function isFieldName(bytes: Bytes, start: number, end: number, isPseudo: boolean): boolean {
  const first = isPseudo ? start + 1 : start;
  if (first >= end || (isPseudo && bytes[start] !== COLON)) return false;
  for (let i = first; i < end; i++) if (NAME[bytes[i] as number] === 0) return false;
  return true;
}

/** A value: no NUL, CR or LF, no white space at either end. */
export function isFieldValue(bytes: Bytes, start: number, end: number): boolean {
  if (start === end) return true;
  if (isBlank(bytes[start] as number) || isBlank(bytes[end - 1] as number)) return false;
  for (let i = start; i < end; i++) {
    const code = bytes[i] as number;
    if (code === 0 || code === 0x0a || code === 0x0d) return false;
  }
  return true;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

/** A field about the connection, which HTTP/2 has no use for and forbids (§8.2.2). `te` may say "trailers". */
export function isConnectionField(name: string, value: string): boolean {
  return CONNECTION_FIELDS.has(name) || (name === "te" && value.toLowerCase() !== "trailers");
}
