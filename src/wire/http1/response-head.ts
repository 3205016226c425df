/**
 * The head of an HTTP/1.x response from an upstream: status line and header lines, RFC 9112, as leniently as nginx reads it
 * (bare LF ends a line, any visible byte may stand in a name). Counterpart in nginx: ngx_http_parse_status_line and
 * ngx_http_parse_header_line.
 *
 * A head nearly always comes in one piece, so it is parsed line by line: an unfinished line is looked at again when more has come.
 */
import { type Bytes, latin1 } from "../../base/bytes.ts";
import { type FieldTable, fieldTable, findField } from "./fields.ts";
import { findControl, viewOf } from "./words.ts";

/** What `parse` says: more is needed, the head is whole, or what is wrong. */
export const HEAD_INCOMPLETE = 0;
export const HEAD_COMPLETE = 1;
/** No status line: an answer as HTTP/0.9 has it, or something that is no HTTP. */
export const HEAD_NO_STATUS = 2;
/** `errorStart` and `errorEnd` tell where. */
export const HEAD_INVALID_LINE = 3;
export type ResponseHeadResult = number;

/** Lower-case names of the response fields that a proxy looks at; the index is the field's number. */
export const RESPONSE_FIELDS = [
  "status",
  "content-type",
  "content-length",
  "date",
  "last-modified",
  "etag",
  "server",
  "location",
  "refresh",
  "set-cookie",
  "accept-ranges",
  "upgrade",
  "connection",
  "keep-alive",
  "x-accel-expires",
  "x-accel-redirect",
  "x-accel-limit-rate",
  "x-accel-buffering",
  "x-accel-charset",
  "transfer-encoding",
  "content-encoding",
  "www-authenticate",
  "cache-control",
  "expires",
  "content-disposition",
  "x-pad",
  "vary",
] as const;

export const STATUS_FIELD = 0;
export const CONTENT_TYPE_FIELD = 1;
export const CONTENT_LENGTH_FIELD = 2;
export const DATE_FIELD = 3;
export const LAST_MODIFIED_FIELD = 4;
export const ETAG_FIELD = 5;
export const SERVER_FIELD = 6;
export const LOCATION_FIELD = 7;
export const REFRESH_FIELD = 8;
export const SET_COOKIE_FIELD = 9;
export const ACCEPT_RANGES_FIELD = 10;
export const UPGRADE_FIELD = 11;
export const CONNECTION_FIELD = 12;
export const KEEP_ALIVE_FIELD = 13;
export const X_ACCEL_EXPIRES_FIELD = 14;
export const X_ACCEL_REDIRECT_FIELD = 15;
export const X_ACCEL_LIMIT_RATE_FIELD = 16;
export const X_ACCEL_BUFFERING_FIELD = 17;
export const X_ACCEL_CHARSET_FIELD = 18;
export const TRANSFER_ENCODING_FIELD = 19;
export const CONTENT_ENCODING_FIELD = 20;
export const WWW_AUTHENTICATE_FIELD = 21;
export const CACHE_CONTROL_FIELD = 22;
export const EXPIRES_FIELD = 23;
export const CONTENT_DISPOSITION_FIELD = 24;
export const VARY_FIELD = 26;

const TABLE: FieldTable = fieldTable(RESPONSE_FIELDS);

const SP = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const SLASH = 0x2f;
const DOT = 0x2e;
const DEL = 0x7f;

const PROTOCOL = [0x48, 0x54, 0x54, 0x50, SLASH] as const;
const STATUS_DIGITS = 3;
/** Major and minor versions have at most three digits. */
const MAX_VERSION = 999;

/** Stands for the status where there is none to come. */
const NO_STATUS = -1;

/** Integers a header line takes in `fields`: name start, name end, value start, value end, number of a known field or -1. */
export const RESPONSE_STRIDE = 5;
const FIRST_FIELDS = 16;

/** One head, used again and again. Offsets are relative to `base` in `bytes`, which may be moved to other memory between calls. */
export class ResponseHead {
  bytes: Bytes = new Uint8Array(0);
  base = 0;
  /** Length of the whole lines that have been parsed; when complete, that of the head. */
  scanned = 0;
  status = 0;
  /** 1000 for HTTP/1.0, 1001 for HTTP/1.1. */
  version = 0;
  /** Code and reason, `200 OK`. */
  statusStart = 0;
  statusEnd = 0;
  fieldCount = 0;
  fields = new Int32Array(FIRST_FIELDS * RESPONSE_STRIDE);
  errorStart = 0;
  errorEnd = 0;
  /** Of the bytes that were parsed last: mostly the memory of a reactor, where the next head will be, too. */
  private view = viewOf(this.bytes);
  private viewed = this.bytes;

  /** Forgets the last head. The next begins at `bytes[base]`. */
  begin(bytes: Bytes, base: number): void {
    this.bytes = bytes;
    this.base = base;
    this.scanned = 0;
    this.status = 0;
    this.version = 0;
    this.fieldCount = 0;
  }

  /** The same for lines without a status line: trailers. */
  beginFields(bytes: Bytes, base: number): void {
    this.begin(bytes, base);
    this.status = NO_STATUS;
  }

  /** Goes on up to `bytes[end)`. */
  parse(end: number): ResponseHeadResult {
    if (this.viewed !== this.bytes) {
      this.viewed = this.bytes;
      this.view = viewOf(this.bytes);
    }
    if (this.status === 0 && this.scanned === 0) {
      const result = this.parseStatusLine(end);
      if (result !== HEAD_COMPLETE) return result;
    }
    for (;;) {
      const result = this.parseLine(end);
      if (result !== LINE_PARSED) return result;
    }
  }

  private parseStatusLine(end: number): ResponseHeadResult {
    const { bytes, base } = this;
    let p = base;
    for (const code of PROTOCOL) {
      if (p === end) return HEAD_INCOMPLETE;
      if (bytes[p++] !== code) return HEAD_NO_STATUS;
    }
    const major = this.number(p, end);
    if (major < 0) return major === UNFINISHED ? HEAD_INCOMPLETE : HEAD_NO_STATUS;
    if (major === 0 || bytes[this.at] !== DOT) return HEAD_NO_STATUS;
    const minor = this.number(this.at + 1, end);
    if (minor < 0) return minor === UNFINISHED ? HEAD_INCOMPLETE : HEAD_NO_STATUS;
    p = this.at;
    if (bytes[p] !== SP) return HEAD_NO_STATUS;
    while (p < end && bytes[p] === SP) p++;
    const start = p;
    let status = 0;
    for (let digits = 0; digits < STATUS_DIGITS; digits++, p++) {
      if (p >= end) return HEAD_INCOMPLETE;
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) return HEAD_NO_STATUS;
      status = status * 10 + digit;
    }
    if (p >= end) return HEAD_INCOMPLETE;
    const after = bytes[p] as number;
    if (after !== SP && after !== DOT && after !== CR && after !== LF) return HEAD_NO_STATUS;
    while (p < end && bytes[p] !== CR && bytes[p] !== LF) p++;
    if (p === end) return HEAD_INCOMPLETE;
    const textEnd = p;
    if (bytes[p] === CR) {
      if (++p === end) return HEAD_INCOMPLETE;
      if (bytes[p] !== LF) return HEAD_NO_STATUS;
    }
    this.version = major * 1000 + minor;
    this.status = status;
    this.statusStart = start - base;
    this.statusEnd = textEnd - base;
    this.scanned = p + 1 - base;
    return HEAD_COMPLETE;
  }

  /** Where `number` has stopped. */
  private at = 0;

  /** Digits from `p` on, followed by at least one more byte. */
  private number(p: number, end: number): number {
    const { bytes } = this;
    const start = p;
    let value = 0;
    while (p < end) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      if (value > MAX_VERSION) return MALFORMED;
      p++;
    }
    if (p === end) return UNFINISHED;
    this.at = p;
    return p === start ? MALFORMED : value;
  }

  private parseLine(end: number): ResponseHeadResult {
    const { bytes, base } = this;
    const start = base + this.scanned;
    let p = start;
    if (p >= end) return HEAD_INCOMPLETE;
    if (bytes[p] === LF) return this.endHead(p);
    if (bytes[p] === CR) {
      if (++p === end) return HEAD_INCOMPLETE;
      return bytes[p] === LF ? this.endHead(p) : this.refuse(start, start);
    }
    if (bytes[p] === COLON) return this.refuse(start, p);
    if (isStatusLine(bytes, start, end)) return this.skipLine(start, end);
    while (p < end) {
      const code = bytes[p] as number;
      if (code <= SP || code === COLON || code === DEL) break;
      p++;
    }
    if (p === end) return HEAD_INCOMPLETE;
    const nameEnd = p;
    const stop = bytes[p] as number;
    if (stop !== COLON && stop !== CR && stop !== LF) return this.refuse(start, p);
    if (stop === COLON) {
      p++;
      while (p < end && bytes[p] === SP) p++;
    }
    const valueStart = p;
    for (;;) {
      p = findControl(this.view, p, end);
      if (p === end) return HEAD_INCOMPLETE;
      const code = bytes[p] as number;
      if (code === CR || code === LF) break;
      if (code === 0) return this.refuse(start, p);
      p++;
    }
    let valueEnd = p;
    while (valueEnd > valueStart && bytes[valueEnd - 1] === SP) valueEnd--;
    while (p < end && bytes[p] === CR) p++;
    if (p === end) return HEAD_INCOMPLETE;
    if (bytes[p] !== LF) return this.refuse(start, valueEnd);
    this.scanned = p + 1 - base;
    this.addField(start, nameEnd, valueStart, valueEnd);
    return LINE_PARSED;
  }

  /** A second status line is left out, as nginx does for servers that send two. */
  private skipLine(p: number, end: number): ResponseHeadResult {
    while (p < end && this.bytes[p] !== LF) p++;
    if (p === end) return HEAD_INCOMPLETE;
    this.scanned = p + 1 - this.base;
    return LINE_PARSED;
  }

  private addField(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const { base } = this;
    let at = this.fieldCount * RESPONSE_STRIDE;
    if (at === this.fields.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.fields);
      this.fields = larger;
    }
    const { fields } = this;
    fields[at++] = nameStart - base;
    fields[at++] = nameEnd - base;
    fields[at++] = valueStart - base;
    fields[at++] = valueEnd - base;
    fields[at] = findField(TABLE, this.view, nameStart, nameEnd);
    this.fieldCount++;
  }

  private endHead(lf: number): ResponseHeadResult {
    this.scanned = lf + 1 - this.base;
    return HEAD_COMPLETE;
  }

  private refuse(start: number, end: number): ResponseHeadResult {
    this.errorStart = start - this.base;
    this.errorEnd = end - this.base;
    return HEAD_INVALID_LINE;
  }

  /** The known field that line `index` is, or -1. */
  field(index: number): number {
    return this.fields[index * RESPONSE_STRIDE + 4] as number;
  }

  /** Offset in `bytes` of the value of line `index`, and of the byte behind it. */
  valueStart(index: number): number {
    return this.base + (this.fields[index * RESPONSE_STRIDE + 2] as number);
  }

  valueEnd(index: number): number {
    return this.base + (this.fields[index * RESPONSE_STRIDE + 3] as number);
  }

  nameStart(index: number): number {
    return this.base + (this.fields[index * RESPONSE_STRIDE] as number);
  }

  nameEnd(index: number): number {
    return this.base + (this.fields[index * RESPONSE_STRIDE + 1] as number);
  }

  name(index: number): string {
    return latin1(this.bytes, this.nameStart(index), this.nameEnd(index));
  }

  /** The value of line `index` holds this lower-case text, in whatever case. */
  valueContains(index: number, text: Bytes): boolean {
    const { bytes } = this;
    const last = this.valueEnd(index) - text.length;
    next: for (let at = this.valueStart(index); at <= last; at++) {
      for (let i = 0; i < text.length; i++) {
        let code = bytes[at + i] as number;
        if (code >= 0x41 && code <= 0x5a) code |= 0x20;
        if (code !== text[i]) continue next;
      }
      return true;
    }
    return false;
  }

  value(index: number): string {
    return latin1(this.bytes, this.valueStart(index), this.valueEnd(index));
  }

  /** Index of the next line with this lower-case name, from `from` on, or -1; `_` in the name stands for `-`, too. */
  find(name: string, from = 0): number {
    const { bytes } = this;
    const { length } = name;
    next: for (let index = from; index < this.fieldCount; index++) {
      const start = this.nameStart(index);
      if (this.nameEnd(index) - start !== length) continue;
      for (let i = 0; i < length; i++) {
        let code = bytes[start + i] as number;
        if (code >= 0x41 && code <= 0x5a) code |= 0x20;
        else if (code === 0x2d) code = 0x5f;
        const wanted = name.charCodeAt(i);
        if (code !== (wanted === 0x2d ? 0x5f : wanted)) continue next;
      }
      return index;
    }
    return -1;
  }

  /** Moves the head's bytes into other memory, where there is room for `scanned` of them. */
  moveTo(target: Bytes): void {
    const { bytes, base, scanned } = this;
    target.set(bytes.subarray(base, base + scanned), 0);
    this.bytes = target;
    this.base = 0;
  }
}

const LINE_PARSED = 4;
const UNFINISHED = -1;
const MALFORMED = -2;

function isStatusLine(bytes: Bytes, start: number, end: number): boolean {
  if (bytes[start] !== PROTOCOL[0] || end - start < PROTOCOL.length) return false;
  return PROTOCOL.every((code, i) => bytes[start + i] === code);
}
