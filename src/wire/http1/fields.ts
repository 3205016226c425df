/**
 * Request header fields that the server itself looks at, found by name while a head is parsed: a number instead of a
 * string. Counterpart in nginx: ngx_http_headers_in.
 */
import { foldWord, viewOf, WORD_BYTES } from "./words.ts";

/** Lower-case names; the index is the field's number. */
export const KNOWN_FIELDS = [
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "expect",
  "if-modified-since",
  "if-unmodified-since",
  "if-match",
  "if-none-match",
  "if-range",
  "range",
  "user-agent",
  "referer",
  "content-type",
  "keep-alive",
  "te",
  "upgrade",
  "authorization",
  "proxy-authorization",
  "content-range",
  "accept-encoding",
  "via",
  "cookie",
  "x-forwarded-for",
  "proxy-connection",
] as const;

export const HOST = 0;
export const CONNECTION = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const EXPECT = 4;
export const IF_MODIFIED_SINCE = 5;
export const IF_UNMODIFIED_SINCE = 6;
export const IF_MATCH = 7;
export const IF_NONE_MATCH = 8;
export const IF_RANGE = 9;
export const RANGE = 10;
export const USER_AGENT = 11;
export const REFERER = 12;
export const CONTENT_TYPE = 13;
export const KEEP_ALIVE = 14;
export const TE = 15;
export const UPGRADE = 16;
export const AUTHORIZATION = 17;
export const PROXY_AUTHORIZATION = 18;
export const CONTENT_RANGE = 19;
export const ACCEPT_ENCODING = 20;
export const VIA = 21;
export const COOKIE = 22;
export const X_FORWARDED_FOR = 23;
export const PROXY_CONNECTION = 24;

/** Fields that may stand only once in a head; a second one is answered with 400. */
export const UNIQUE_FIELDS: Uint8Array = (() => {
  const unique = new Uint8Array(KNOWN_FIELDS.length);
  for (const field of [
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    EXPECT,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_RANGE,
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    CONTENT_RANGE,
  ]) {
    unique[field] = 1;
  }
  return unique;
})();

interface Candidate {
  readonly field: number;
  readonly name: Uint8Array;
  /** The beginning of a name of letters, digits and `-`; nothing of one with other characters. */
  readonly words: Int32Array;
}

/** Names by their length. */
export type FieldTable = readonly (readonly Candidate[])[];

const LONGEST = 32;
const NONE: readonly Candidate[] = [];
const NO_WORDS = new Int32Array(0);

function candidate(text: string, field: number): Candidate {
  const name = Uint8Array.from(text, (character) => character.charCodeAt(0));
  if (!/^[a-z0-9-]*$/.test(text)) return { field, name, words: NO_WORDS };
  const view = viewOf(name);
  const words = Int32Array.from({ length: Math.floor(name.length / WORD_BYTES) }, (_, i) =>
    foldWord(view.getInt32(i * WORD_BYTES, true)),
  );
  return { field, name, words };
}

/** Makes a table of lower-case names; the index of a name is its number. */
export function fieldTable(names: readonly string[]): FieldTable {
  const lists: Candidate[][] = Array.from({ length: LONGEST }, () => []);
  names.forEach((name, field) => {
    lists[name.length]?.push(candidate(name, field));
  });
  return lists.map((list) => (list.length === 0 ? NONE : list));
}

/** The number of the name `[start, end)`, which has no control characters, in any case, or -1. */
export function findField(table: FieldTable, view: DataView, start: number, end: number): number {
  const length = end - start;
  if (length >= LONGEST) return -1;
  const candidates = table[length] as readonly Candidate[];
  next: for (let c = 0; c < candidates.length; c++) {
    const { field, name, words } = candidates[c] as Candidate;
    let i = 0;
    for (let word = 0; word < words.length; word++, i += WORD_BYTES) {
      if (foldWord(view.getInt32(start + i, true)) !== words[word]) continue next;
    }
    for (; i < length; i++) {
      const code = view.getUint8(start + i);
      if ((code >= 0x41 && code <= 0x5a ? code | 0x20 : code) !== name[i]) continue next;
    }
    return field;
  }
  return -1;
}

const REQUEST_FIELDS = fieldTable(KNOWN_FIELDS);

/** The number of the known request field that is named by `[start, end)` in any case, or -1. */
export function knownField(view: DataView, start: number, end: number): number {
  return findField(REQUEST_FIELDS, view, start, end);
}
