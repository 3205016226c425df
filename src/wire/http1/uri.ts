/**
 * The path of a request target: normalised (percent-decoding, `//`, `/./`, `/../`, `#`), checked, escaped and unescaped.
 * All texts are one character a byte. RFC 3986 §5.2.4, §6.2.2; counterpart in nginx: ngx_http_parse_complex_uri,
 * ngx_http_parse_unsafe_uri, ngx_escape_uri, ngx_unescape_uri.
 */
import { type Bytes, latin1, writeLatin1 } from "../../base/bytes.ts";
import { HEX_VALUE } from "./chars.ts";

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const QUESTION = 0x3f;
const HASH = 0x23;

export interface NormalPath {
  readonly path: string;
  /** Behind the first `?` that ends the path, up to `#`; undefined when there is none. */
  readonly args: string | undefined;
}

// States of the walk: what stands in front of the next byte.
const USUAL = 0;
const AFTER_SLASH = 1;
const AFTER_DOT = 2;
const AFTER_DOTS = 3;

/** Drops `x/..` at the end of `out[0, length)`, which ends with `/x/..`: the new length, or -1 above the root. */
function parent(out: Bytes, length: number): number {
  let at = length - 4;
  while (at >= 0 && out[at] !== SLASH) at--;
  return at < 0 ? -1 : at + 1;
}

/**
 * Normalises `bytes[start, end)`, a target from its path on. Undefined when it is malformed: a bad or NUL escape, or
 * a `..` above the root. `emptyPath` puts the `/` in front that `scheme://host?args` lacks.
 */
export function normalisePath(
  bytes: Bytes,
  start: number,
  end: number,
  mergeSlashes: boolean,
  emptyPath: boolean,
): NormalPath | undefined {
  const out = new Uint8Array(end - start + 1);
  let length = 0;
  let state = USUAL;
  if (emptyPath) out[length++] = SLASH;
  let argsStart = -1;
  let p = start;
  while (p < end) {
    let code = bytes[p++] as number;
    let literal = false;
    if (code === PERCENT) {
      if (p + 2 > end) return undefined;
      const high = HEX_VALUE[bytes[p] as number] as number;
      const low = HEX_VALUE[bytes[p + 1] as number] as number;
      if (high === 255 || low === 255) return undefined;
      code = (high << 4) | low;
      p += 2;
      if (code === 0) return undefined;
      // An escaped delimiter is an ordinary character; an escaped dot or slash is not.
      literal = code === PERCENT || code === HASH || code === QUESTION;
    } else if (code === QUESTION || code === HASH) {
      if (code === QUESTION) argsStart = p;
      break;
    }
    if (literal) {
      out[length++] = code;
      state = USUAL;
    } else if (code === SLASH) {
      if (state === AFTER_DOT) length--;
      else if (state === AFTER_DOTS) {
        length = parent(out, length);
        if (length < 0) return undefined;
      } else if (state === USUAL || !mergeSlashes) out[length++] = SLASH;
      state = AFTER_SLASH;
    } else {
      out[length++] = code;
      if (code === DOT && state !== USUAL)
        state = state === AFTER_SLASH ? AFTER_DOT : state === AFTER_DOT ? AFTER_DOTS : USUAL;
      else state = USUAL;
    }
  }
  if (state === AFTER_DOT) length--;
  else if (state === AFTER_DOTS) {
    length = parent(out, length);
    if (length < 0) return undefined;
  }
  let args: string | undefined;
  if (argsStart >= 0) {
    let argsEnd = argsStart;
    while (argsEnd < end && bytes[argsEnd] !== HASH) argsEnd++;
    args = latin1(bytes, argsStart, argsEnd);
  }
  return { path: latin1(out, 0, length), args };
}

/** The sets of characters that `escapeUri` escapes; nginx's NGX_ESCAPE_ constants. */
export type EscapeKind = "uri" | "args" | "uriComponent" | "html" | "refresh" | "memcached";

const ALWAYS = (code: number): boolean => code <= 0x20 || code >= 0x7f;
const ESCAPED: Readonly<Record<EscapeKind, Uint8Array>> = (() => {
  const set = (characters: string): Uint8Array => {
    const table = new Uint8Array(256);
    for (let code = 0; code < 256; code++) {
      table[code] = ALWAYS(code) || characters.includes(String.fromCharCode(code)) ? 1 : 0;
    }
    return table;
  };
  const component = new Uint8Array(256).fill(1);
  for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
    component[character.charCodeAt(0)] = 0;
  }
  const memcached = Uint8Array.from({ length: 256 }, (_, code) => (code <= 0x20 || code === PERCENT ? 1 : 0));
  return {
    memcached,
    uri: set('"#%<>?\\^`{|}'),
    args: set('"#%&+;<>?\\^`{|}'),
    uriComponent: component,
    html: set("\"#%'<>\\^`{|}"),
    refresh: set("\"'<>\\^`{|~"),
  };
})();

const HEX = "0123456789ABCDEF";

/** Percent-escapes what the kind asks for. */
export function escapeUri(text: string, kind: EscapeKind): string {
  const table = ESCAPED[kind];
  let from = 0;
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i) & 0xff;
    if (table[code] === 0) continue;
    out += `${text.slice(from, i)}%${HEX[code >> 4]}${HEX[code & 15]}`;
    from = i + 1;
  }
  return from === 0 ? text : out + text.slice(from);
}

/** Decodes each well-formed `%XX`; what is malformed stays (a lone `%` before two non-digits is dropped, as nginx does). */
export function unescapeUri(text: string): string {
  if (!text.includes("%")) return text;
  let out = "";
  let p = 0;
  while (p < text.length) {
    const code = text.charCodeAt(p++);
    if (code !== PERCENT || p >= text.length) {
      if (code !== PERCENT) out += String.fromCharCode(code);
      continue;
    }
    const high = HEX_VALUE[text.charCodeAt(p) & 0xff] as number;
    if (high === 255) {
      out += text[p++];
      continue;
    }
    p++;
    if (p >= text.length) break;
    const low = HEX_VALUE[text.charCodeAt(p++) & 0xff] as number;
    if (low !== 255) out += String.fromCharCode((high << 4) | low);
  }
  return out;
}

/** True when a path that a module or a backend chose could leave the document root or hide a NUL. */
export function isUnsafePath(path: string): boolean {
  if (path === "" || path.startsWith("?") || path.includes("\0")) return true;
  return path === ".." || path.startsWith("../") || path.includes("/../") || path.endsWith("/..");
}

/** File extension of a path: behind the last dot of its last segment; "" when that segment has none or starts with its only dot. */
export function extension(path: string): string {
  for (let i = path.length - 1; i > 1; i--) {
    const code = path.charCodeAt(i);
    if (code === SLASH) return "";
    if (code === DOT && path.charCodeAt(i - 1) !== SLASH) return path.slice(i + 1);
  }
  return "";
}

/** Value of the query argument `name` (compared without case), undefined when absent. */
export function findArg(args: string, name: string): string | undefined {
  if (args === "") return undefined;
  const wanted = name.toLowerCase();
  for (let start = 0; start <= args.length; ) {
    let end = args.indexOf("&", start);
    if (end < 0) end = args.length;
    const equals = start + wanted.length;
    if (equals < end && args.charCodeAt(equals) === 0x3d && args.slice(start, equals).toLowerCase() === wanted) {
      return args.slice(equals + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/** `&`, `<`, `>` and `"` as character references. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) =>
    character === "&" ? "&amp;" : character === "<" ? "&lt;" : character === ">" ? "&gt;" : "&quot;",
  );
}

/** Bytes of a text that has one character a byte. */
export function bytesOf(text: string): Bytes {
  const bytes = new Uint8Array(text.length);
  writeLatin1(bytes, text, 0);
  return bytes;
}

/**
 * Decodes the escapes of a redirect's path that need not be escaped; those of controls, space, `"`, `#`, `%`, and bytes
 * above ASCII stay. nginx: ngx_unescape_uri with NGX_UNESCAPE_REDIRECT.
 */
export function unescapeRedirect(text: string): string {
  const question = text.indexOf("?");
  const path = question < 0 ? text : text.slice(0, question);
  const decoded = path.replace(/%([0-9a-fA-F]{2})/g, (escaped, digits: string) => {
    const code = Number.parseInt(digits, 16);
    return code > PERCENT && code < 0x7f ? String.fromCharCode(code) : escaped;
  });
  return question < 0 ? decoded : decoded + text.slice(question);
}
