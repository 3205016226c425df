/**
 * The head of an HTTP/1.x request: request line and header lines, RFC 9112, with nginx's rules where the two differ
 * (bare LF ends a line, HTTP/0.9 is served, odd header names are marked rather than refused).
 * Counterpart in nginx: ngx_http_parse_request_line, ngx_http_parse_header_line and the header buffers around them.
 *
 * Long because it is one state machine. Written for speed: states with tight inner loops over bytes, offsets in an Int32Array, no strings. The parser stops
 * where the data stop and goes on from there, so that a head that comes byte by byte costs no more than one in a piece.
 */
import type { Bytes } from "../../base/bytes.ts";
import { latin1 } from "../../base/bytes.ts";
import { HEADER_NAME, IP_LITERAL, METHOD, PLAIN_URI, TARGET_HOST } from "./chars.ts";
import { HOST, KNOWN_FIELDS, knownField, UNIQUE_FIELDS } from "./fields.ts";
import {
  COMPLETE,
  DUPLICATE_HEADER,
  HEADER_TOO_LARGE,
  type HeadLimits,
  type HeadResult,
  INCOMPLETE,
  INVALID_09_METHOD,
  INVALID_HEADER,
  INVALID_METHOD,
  INVALID_REQUEST,
  INVALID_VERSION,
  NOTHING_JUDGED,
  TOO_MANY_HEADERS,
  URI_TOO_LARGE,
} from "./head-results.ts";
import { CONNECT, GET, METHOD_NAMES, methodNumber, OTHER_METHOD } from "./methods.ts";
import { findControl, viewOf } from "./words.ts";

const SP = 0x20;
const CR = 0x0d;
const LF = 0x0a;

// States of the request line.
const START = 0;
const IN_METHOD = 1;
const BEFORE_TARGET = 2;
const IN_SCHEME = 3;
const SCHEME_SLASH = 4;
const SCHEME_SLASHES = 5;
const BEFORE_HOST = 6;
const HOST_START = 7;
const IN_HOST = 8;
const HOST_END = 9;
const IN_IP_LITERAL = 10;
const PORT_START = 11;
const IN_PORT = 12;
const AFTER_SLASH = 13;
const IN_PATH = 14;
const IN_URI = 15;
const BEFORE_VERSION = 16;
const VERSION_WORD = 17;
const MAJOR_FIRST = 18;
const MAJOR = 19;
const MINOR_FIRST = 20;
const MINOR = 21;
const AFTER_VERSION = 22;
const LINE_LF = 23;
// States of the header lines; above all those of the request line.
const LINE_START = 32;
const IN_NAME = 33;
const BEFORE_VALUE = 34;
const IN_VALUE = 35;
const VALUE_LF = 36;
const HEAD_LF = 37;
const FINISHED = 38;

const VERSION = Uint8Array.from("HTTP/", (character) => character.charCodeAt(0));

const NO_BYTES: Bytes = new Uint8Array(0);
const FIRST_OWN_BYTES = 1024;

/** Integers a header line takes in `fields`: name start, name end, value start, value end, known field or -1. */
export const FIELD_STRIDE = 5;
const FIRST_FIELDS = 24;

/**
 * One head, used again and again. Offsets are relative to `base` in `bytes`, so that a partial head can be moved to
 * other memory: set `bytes` and `base`, nothing else.
 */
export class RequestHead {
  bytes: Bytes = new Uint8Array(0);
  base = 0;
  /** Bytes of this head that have been looked at; when complete, its length. */
  scanned = 0;
  method = OTHER_METHOD;
  methodEnd = 0;
  lineEnd = 0;
  uriStart = 0;
  uriEnd = 0;
  /** Of the byte behind `?`, or -1. */
  argsStart = -1;
  schemeStart = 0;
  schemeEnd = -1;
  hostStart = 0;
  /** Of the host and port of an absolute-form or authority-form target, or -1. */
  hostEnd = -1;
  protocolStart = -1;
  /** 9, 1000 or 1001 … for HTTP/0.9, 1.0, 1.1 … */
  version = 9;
  /** The path has `//`, `/.` or `#` in it and must be normalised. */
  complexUri = false;
  /** The path has `%` in it. */
  quotedUri = false;
  /** The target is `scheme://host?args`: its path is empty. */
  emptyPath = false;
  fieldCount = 0;
  fields = new Int32Array(FIRST_FIELDS * FIELD_STRIDE);
  /** Index of the first header line of each known field, or -1. */
  readonly known = new Int16Array(KNOWN_FIELDS.length).fill(-1);
  /** A known field has come more than once. */
  hasRepeats = false;
  /** Of the line that `parse` refused, for the log. */
  errorStart = 0;
  errorEnd = 0;
  /** Where the line begins that is being looked at: what lies before it has been understood. */
  lineStart = 0;

  /** What whoever reads an incomplete head has found out about it. */
  verdict = NOTHING_JUDGED;

  private state = START;
  private nameEnd = 0;
  private valueStart = 0;
  private valueEnd = 0;
  private major = 0;
  private minor = 0;
  private matched = 0;
  private own: Bytes = NO_BYTES;
  private ownView = viewOf(NO_BYTES);
  /** Of memory that isn't its own: mostly that of a reactor, where the next head will be, too. */
  private lentView = this.ownView;
  private lent: Bytes = NO_BYTES;
  private oddName = false;
  private bufferEnd = 0;
  private buffersUsed = 0;

  /** Forgets the last head. The next begins at `bytes[base]`. */
  begin(bytes: Bytes, base: number): void {
    this.bytes = bytes;
    this.base = base;
    this.scanned = 0;
    this.state = START;
    this.argsStart = -1;
    this.schemeEnd = -1;
    this.hostEnd = -1;
    this.protocolStart = -1;
    this.complexUri = false;
    this.quotedUri = false;
    this.emptyPath = false;
    this.forgetFields();
    this.lineEnd = 0;
    this.lineStart = 0;
    this.bufferEnd = 0;
    this.buffersUsed = 0;
    this.verdict = NOTHING_JUDGED;
  }

  /** A view of `bytes`. */
  get view(): DataView {
    const { bytes } = this;
    if (bytes === this.own) return this.ownView;
    if (bytes !== this.lent) {
      this.lent = bytes;
      this.lentView = viewOf(bytes);
    }
    return this.lentView;
  }

  /** As if there were no header lines from this one on. */
  forgetFields(from = 0): void {
    // Faster than a fill: heads are short, and most of the known fields are absent.
    for (let index = this.fieldCount - 1; index >= from; index--) {
      const field = this.fields[index * FIELD_STRIDE + FIELD_STRIDE - 1] as number;
      if (field >= 0 && (this.known[field] as number) >= from) this.known[field] = -1;
    }
    this.fieldCount = Math.min(this.fieldCount, from);
    this.hasRepeats = false;
  }

  /** As if there were no target: it can't be used. */
  forgetTarget(): void {
    this.uriEnd = this.uriStart;
  }

  /** Of the byte behind a header line and its end. */
  endOfField(index: number): number {
    let p = this.base + (this.fields[index * FIELD_STRIDE + 3] as number);
    while (this.bytes[p] !== LF) p++;
    return p + 1 - this.base;
  }

  /** Bytes of the request line with its end; it must be whole. */
  get lineSize(): number {
    return this.lineEnd + (this.bytes[this.base + this.lineEnd] === CR ? 2 : 1);
  }

  /** True until the first byte of a request line has been seen. */
  get empty(): boolean {
    return this.state === START;
  }

  /** True while the request line is unfinished. */
  get inRequestLine(): boolean {
    return this.state < LINE_START;
  }

  /** Goes on up to `bytes[end)`. With COMPLETE, `scanned` is the length of the head. */
  parse(end: number, limits: HeadLimits): HeadResult {
    if (this.bufferEnd === 0) this.bufferEnd = limits.bufferSize;
    if (this.state < LINE_START) {
      const result = this.parseRequestLine(end);
      if (result !== COMPLETE) {
        // It needs at least one byte more, or has met one that is wrong: that byte must have room too.
        return this.fits(0, this.scanned + 1, limits) ? result : URI_TOO_LARGE;
      }
      if (this.scanned > this.bufferEnd && !this.fits(0, this.scanned, limits)) return URI_TOO_LARGE;
      if (this.version === 9) {
        if (this.method !== GET) return this.stop(INVALID_09_METHOD, LINE_LF, this.base + this.scanned);
        this.state = FINISHED;
        // The version is 9 for the answer, which has no header then.
        return COMPLETE;
      }
      this.state = LINE_START;
    }
    const result = this.parseHeaderLines(end, this.chosen(limits));
    if ((result === INCOMPLETE || result === INVALID_HEADER) && this.scanned >= this.bufferEnd) {
      const line = result === INCOMPLETE && this.state === LINE_START ? this.scanned : this.lineStart;
      const rules = this.chosen(limits);
      if (!this.fits(line, this.scanned + 1, rules))
        return this.refuse(HEADER_TOO_LARGE, line, Math.min(this.scanned, this.bufferEnd));
    }
    return result;
  }

  /** The rules of the virtual server, if the host has come and they are others. */
  private chosen(limits: HeadLimits): HeadLimits {
    if (limits.choose === undefined || (this.hostEnd < 0 && this.known[HOST] === -1)) return limits;
    return limits.choose();
  }

  /** Accounts for nginx's header buffers: a line must lie in one of them, and there are only so many. */
  private fits(lineStart: number, neededEnd: number, limits: HeadLimits): boolean {
    while (neededEnd > this.bufferEnd) {
      const partial = this.bufferEnd - lineStart;
      if (partial >= limits.largeBufferSize || this.buffersUsed >= limits.largeBuffers) return false;
      this.buffersUsed++;
      this.bufferEnd = lineStart + limits.largeBufferSize;
    }
    return true;
  }

  private refuse(result: HeadResult, start: number, end: number): HeadResult {
    this.errorStart = start;
    this.errorEnd = end;
    return result;
  }

  private refuseHeader(at: number, start: number, end: number): HeadResult {
    this.scanned = at - this.base;
    return this.refuse(INVALID_HEADER, start, end);
  }

  private stop(result: HeadResult, state: number, at: number): HeadResult {
    this.state = state;
    this.scanned = at - this.base;
    if (state === LINE_START) this.lineStart = this.scanned;
    return result;
  }

  private parseRequestLine(end: number): HeadResult {
    const bytes = this.bytes;
    let base = this.base;
    let p = base + this.scanned;
    let state = this.state;
    while (p < end) {
      const code = bytes[p] as number;
      switch (state) {
        case START:
          if (code === CR || code === LF) {
            p++;
            base = p;
            this.base = p;
            break;
          }
          state = IN_METHOD;
          break;
        case IN_METHOD: {
          while (p < end && METHOD[bytes[p] as number] === 1) p++;
          if (p === end) break;
          if (bytes[p] !== SP || p === base) {
            this.method = OTHER_METHOD;
            return this.stop(INVALID_METHOD, state, p);
          }
          this.methodEnd = p - base;
          this.method = methodNumber(bytes, base, p);
          state = this.method === CONNECT ? BEFORE_HOST : BEFORE_TARGET;
          p++;
          break;
        }
        case BEFORE_TARGET:
          if (code === 0x2f) {
            this.uriStart = p - base;
            state = AFTER_SLASH;
          } else if ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) {
            this.schemeStart = p - base;
            state = IN_SCHEME;
          } else if (code !== SP) {
            return this.stop(INVALID_REQUEST, state, p);
          }
          p++;
          break;
        case AFTER_SLASH:
        case IN_PATH: {
          // The common part of nearly every request: plain bytes run through here.
          let afterSlash = state === AFTER_SLASH;
          while (p < end) {
            const c = bytes[p] as number;
            if (PLAIN_URI[c] === 1 || c === 0x2b) {
              if (c !== 0x2b) afterSlash = false;
              p++;
            } else if (c === 0x2f) {
              if (afterSlash) break;
              afterSlash = true;
              p++;
            } else if (c === 0x2e && !afterSlash) p++;
            else break;
          }
          if (p === end) {
            state = afterSlash ? AFTER_SLASH : IN_PATH;
            break;
          }
          const c = bytes[p] as number;
          if (c === SP || c === CR || c === LF) {
            state = IN_URI; // it knows how a target ends
            break;
          }
          if (c === 0x3f) this.argsStart = p + 1 - base;
          else if (c === 0x25) this.quotedUri = true;
          else if (c === 0x23 || c === 0x2e || c === 0x2f) this.complexUri = true;
          else return this.stop(INVALID_REQUEST, state, p);
          state = IN_URI;
          p++;
          break;
        }
        case IN_URI: {
          while (p < end) {
            const c = bytes[p] as number;
            if (c === 0x23) this.complexUri = true;
            else if (c <= SP || c === 0x7f) break;
            p++;
          }
          if (p === end) break;
          this.uriEnd = p - base;
          const c = bytes[p] as number;
          if (c === SP) state = BEFORE_VERSION;
          else if (c === CR) state = LINE_LF;
          else if (c === LF) return this.endLine(p, p);
          else return this.stop(INVALID_REQUEST, state, p);
          p++;
          break;
        }
        case BEFORE_VERSION:
          if (code === CR) state = LINE_LF;
          else if (code === LF) return this.endLine(p, p);
          else if (code === 0x48) {
            this.protocolStart = p - base;
            this.matched = 1;
            state = VERSION_WORD;
          } else if (code !== SP) return this.stop(INVALID_REQUEST, state, p);
          p++;
          break;
        case VERSION_WORD:
          if (code !== VERSION[this.matched]) return this.stop(INVALID_REQUEST, state, p);
          if (++this.matched === VERSION.length) {
            if (this.method === CONNECT) {
              this.uriStart = p - base;
              this.uriEnd = p + 1 - base;
            }
            state = MAJOR_FIRST;
          }
          p++;
          break;
        case MAJOR_FIRST:
          if (code < 0x31 || code > 0x39) return this.stop(INVALID_REQUEST, state, p);
          if (code > 0x31) return this.stop(INVALID_VERSION, state, p);
          this.major = 1;
          state = MAJOR;
          p++;
          break;
        case MAJOR:
          if (code === 0x2e) state = MINOR_FIRST;
          else if (code < 0x30 || code > 0x39) return this.stop(INVALID_REQUEST, state, p);
          else return this.stop(INVALID_VERSION, state, p); // two digits make at least 10
          p++;
          break;
        case MINOR_FIRST:
          if (code < 0x30 || code > 0x39) return this.stop(INVALID_REQUEST, state, p);
          this.minor = code - 0x30;
          state = MINOR;
          p++;
          break;
        case MINOR:
          if (code === CR || code === LF || code === SP) {
            this.version = this.major * 1000 + this.minor;
            if (code === LF) return this.endLine(p, p);
            state = code === CR ? LINE_LF : AFTER_VERSION;
          } else {
            if (code < 0x30 || code > 0x39 || this.minor > 99) return this.stop(INVALID_REQUEST, state, p);
            this.minor = this.minor * 10 + code - 0x30;
          }
          p++;
          break;
        case AFTER_VERSION:
          if (code === LF) return this.endLine(p, p);
          if (code === CR) state = LINE_LF;
          else if (code !== SP) return this.stop(INVALID_REQUEST, state, p);
          p++;
          break;
        case LINE_LF:
          if (code !== LF) return this.stop(INVALID_REQUEST, state, p);
          return this.endLine(p - 1, p);
        default: {
          const next = this.parseAuthority(state, p, end);
          if (next < 0) return this.stop(INVALID_REQUEST, state, p);
          state = next & 0x3f;
          p = base + (next >> 6);
        }
      }
    }
    return this.stop(INCOMPLETE, state, p);
  }

  /** Scheme, host and port of absolute-form and authority-form: rare, so out of the way. New offset << 6 | new state, or -1. */
  private parseAuthority(state: number, p: number, end: number): number {
    const { bytes, base } = this;
    const code = bytes[p] as number;
    const at = p - base;
    switch (state) {
      case IN_SCHEME:
        if (code === 0x3a) {
          this.schemeEnd = at;
          return ((at + 1) << 6) | SCHEME_SLASH;
        }
        return TARGET_HOST[code] === 1 || code === 0x2b ? ((at + 1) << 6) | IN_SCHEME : -1;
      case SCHEME_SLASH:
        return code === 0x2f ? ((at + 1) << 6) | SCHEME_SLASHES : -1;
      case SCHEME_SLASHES:
        return code === 0x2f ? ((at + 1) << 6) | HOST_START : -1;
      case BEFORE_HOST:
        return code === SP ? ((at + 1) << 6) | BEFORE_HOST : (at << 6) | HOST_START;
      case HOST_START:
        this.hostStart = at;
        return code === 0x5b ? ((at + 1) << 6) | IN_IP_LITERAL : (at << 6) | IN_HOST;
      case IN_HOST:
        while (p < end && TARGET_HOST[bytes[p] as number] === 1) p++;
        return ((p - base) << 6) | (p === end ? IN_HOST : HOST_END);
      case IN_IP_LITERAL:
        while (p < end && IP_LITERAL[bytes[p] as number] === 1) p++;
        if (p === end) return ((p - base) << 6) | IN_IP_LITERAL;
        return bytes[p] === 0x5d ? ((p + 1 - base) << 6) | HOST_END : -1;
      case HOST_END:
        if (code === 0x3a) return ((at + 1) << 6) | PORT_START;
        return this.method === CONNECT ? -1 : this.endHost(at, code);
      case PORT_START:
        if (this.method === CONNECT && (code < 0x30 || code > 0x39)) return -1;
        return (at << 6) | IN_PORT;
      default: {
        while (p < end && (bytes[p] as number) >= 0x30 && (bytes[p] as number) <= 0x39) p++;
        if (p === end) return ((p - base) << 6) | IN_PORT;
        const after = bytes[p] as number;
        if (this.method !== CONNECT) return this.endHost(p - base, after);
        this.hostEnd = p - base;
        return after === SP ? ((p + 1 - base) << 6) | BEFORE_VERSION : -1;
      }
    }
  }

  private endHost(at: number, code: number): number {
    this.hostEnd = at;
    if (code === 0x2f) {
      this.uriStart = at;
      return ((at + 1) << 6) | AFTER_SLASH;
    }
    if (code === 0x3f) {
      this.uriStart = at;
      this.argsStart = at + 1;
      this.emptyPath = true;
      return ((at + 1) << 6) | IN_URI;
    }
    if (code !== SP) return -1;
    // The path is "/": the first slash of "://" stands for it.
    this.uriStart = this.schemeEnd + 1;
    this.uriEnd = this.schemeEnd + 2;
    return ((at + 1) << 6) | BEFORE_VERSION;
  }

  private endLine(lineEnd: number, lf: number): HeadResult {
    this.lineEnd = lineEnd - this.base;
    this.scanned = lf + 1 - this.base;
    if (this.protocolStart < 0) this.version = 9;
    return COMPLETE;
  }

  private parseHeaderLines(end: number, first: HeadLimits): HeadResult {
    let limits = first;
    const bytes = this.bytes;
    const base = this.base;
    let p = base + this.scanned;
    let state = this.state;
    while (p < end) {
      switch (state) {
        case LINE_START: {
          const code = bytes[p] as number;
          this.lineStart = p - base;
          this.oddName = false;
          if (code === CR) {
            state = HEAD_LF;
            p++;
            break;
          }
          if (code === LF) return this.endHead(p);
          if (code === 0x3a) return this.refuseHeader(p, p - base, p - base);
          state = IN_NAME;
          break;
        }
        case IN_NAME: {
          while (p < end && HEADER_NAME[bytes[p] as number] === 1) p++;
          if (p === end) break;
          const code = bytes[p] as number;
          if (code === 0x3a) {
            this.nameEnd = p - base;
            state = BEFORE_VALUE;
          } else if (code === CR || code === LF) {
            this.nameEnd = p - base;
            this.valueStart = p - base;
            this.valueEnd = p - base;
            state = VALUE_LF;
            if (code === LF) break;
          } else if (code <= SP || code === 0x7f) {
            return this.refuseHeader(p, this.lineStart, p - base);
          } else if (code !== 0x5f || !limits.underscores) {
            this.oddName = true;
          }
          p++;
          break;
        }
        case BEFORE_VALUE:
          while (p < end && bytes[p] === SP) p++;
          if (p === end) break;
          this.valueStart = p - base;
          this.valueEnd = p - base;
          state = IN_VALUE;
          break;
        case IN_VALUE: {
          const from = p;
          p = findControl(this.view, p, end);
          let last = p;
          while (last > from && bytes[last - 1] === SP) last--;
          if (last > from) this.valueEnd = last - base;
          if (p === end) break;
          const code = bytes[p] as number;
          if (code === CR || code === LF) {
            state = VALUE_LF;
            if (code === LF) break;
          } else if (code === 0) return this.refuseHeader(p, this.lineStart, p - base);
          else this.valueEnd = p + 1 - base;
          p++;
          break;
        }
        case VALUE_LF: {
          const code = bytes[p] as number;
          if (code === LF) {
            const result = this.endField(p, limits);
            if (result !== COMPLETE) return result;
            if (limits.choose !== undefined) limits = this.chosen(limits);
            state = LINE_START;
          } else if (code !== CR) return this.refuseHeader(p, this.lineStart, this.valueEnd);
          p++;
          break;
        }
        default:
          if (bytes[p] !== LF) return this.refuseHeader(p, this.lineStart, this.lineStart);
          return this.endHead(p);
      }
    }
    return this.stop(INCOMPLETE, state, p);
  }

  private endHead(lf: number): HeadResult {
    this.scanned = lf + 1 - this.base;
    this.state = FINISHED;
    return COMPLETE;
  }

  private endField(lf: number, limits: HeadLimits): HeadResult {
    const base = this.base;
    const lineEnd = lf + 1 - base;
    if (lineEnd > this.bufferEnd && !this.fits(this.lineStart, lineEnd, limits)) {
      return this.refuse(HEADER_TOO_LARGE, this.lineStart, Math.min(lineEnd, this.bufferEnd));
    }
    if (this.oddName && limits.ignoreInvalid) {
      limits.onIgnored?.(latin1(this.bytes, base + this.lineStart, base + this.valueEnd));
      return COMPLETE;
    }
    const index = this.fieldCount;
    if (index >= limits.maxHeaders) {
      this.lineStart = lineEnd;
      return this.refuse(TOO_MANY_HEADERS, lineEnd, lineEnd);
    }
    const field = this.oddName ? -1 : knownField(this.view, base + this.lineStart, base + this.nameEnd);
    let at = index * FIELD_STRIDE;
    if (at === this.fields.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.fields);
      this.fields = larger;
    }
    this.fields[at++] = this.lineStart;
    this.fields[at++] = this.nameEnd;
    this.fields[at++] = this.valueStart;
    this.fields[at++] = this.valueEnd;
    this.fields[at] = field;
    this.fieldCount = index + 1;
    if (field >= 0) {
      if (this.known[field] === -1) this.known[field] = index;
      else if (UNIQUE_FIELDS[field] === 1) {
        this.lineStart = lineEnd;
        return this.refuse(DUPLICATE_HEADER, index, this.known[field] as number);
      } else this.hasRepeats = true;
    }
    return COMPLETE;
  }

  /** For the log: takes what there is of a refused request line, up to `bytes[end)` and the end of nginx's buffer, as the line. */
  closeLine(end: number): void {
    const last = Math.min(end, this.base + this.bufferEnd);
    let p = this.base;
    while (p < last && this.bytes[p] !== CR && this.bytes[p] !== LF) p++;
    this.lineEnd = p - this.base;
    if (this.protocolStart >= this.lineEnd) this.protocolStart = -1;
  }

  /** Text of `[start, end)` of the head. */
  text(start: number, end: number): string {
    return latin1(this.bytes, this.base + start, this.base + end);
  }

  name(index: number): string {
    const at = index * FIELD_STRIDE;
    return this.text(this.fields[at] as number, this.fields[at + 1] as number);
  }

  value(index: number): string {
    const at = index * FIELD_STRIDE;
    return this.text(this.fields[at + 2] as number, this.fields[at + 3] as number);
  }

  /** Value of the first header line of a known field, or undefined. */
  knownValue(field: number): string | undefined {
    const index = this.known[field] as number;
    return index < 0 ? undefined : this.value(index);
  }

  /** Index of the next header line with this lower-case name, from `from` on, or -1. `_` matches `-` when `dashes` is set. */
  find(name: string, from = 0, dashes = false): number {
    const { bytes, base, fields } = this;
    const length = name.length;
    next: for (let index = from; index < this.fieldCount; index++) {
      const start = fields[index * FIELD_STRIDE] as number;
      if ((fields[index * FIELD_STRIDE + 1] as number) - start !== length) continue;
      for (let i = 0; i < length; i++) {
        let code = bytes[base + start + i] as number;
        if (code >= 0x41 && code <= 0x5a) code |= 0x20;
        else if (dashes && code === 0x2d) code = 0x5f;
        if (code !== name.charCodeAt(i)) continue next;
      }
      return index;
    }
    return -1;
  }

  /** The method as it was sent. */
  methodText(): string {
    return this.method === OTHER_METHOD ? this.text(0, this.methodEnd) : (METHOD_NAMES[this.method] as string);
  }

  /** True when a Host header line is there. */
  get hasHost(): boolean {
    return this.known[HOST] !== -1;
  }

  /** Copies the head into memory of its own, so that it outlives the memory that it was read in. */
  detach(): void {
    // Memory of its own is used again and again: allocating it for every request costs more than the copy.
    if (this.own.length < this.scanned) {
      this.own = new Uint8Array(Math.max(FIRST_OWN_BYTES, this.scanned));
      this.ownView = viewOf(this.own);
    }
    this.own.set(this.bytes.subarray(this.base, this.base + this.scanned));
    this.bytes = this.own;
    this.base = 0;
  }
}
