/**
 * Records of FastCGI 1.0 (the specification's §3.3): eight bytes of header, content, padding. A decoder that takes its input in any pieces, and
 * the encoder's parts. Only requests with number 1 are spoken of: one request at a time has a connection. Counterpart in nginx:
 * ngx_http_fastcgi_process_record.
 */
import type { Bytes } from "../../base/bytes.ts";

export const HEADER_BYTES = 8;
/** The largest content of a record. */
export const MAX_CONTENT_BYTES = 0xffff;
const VERSION = 1;
const REQUEST_ID = 1;

/** Types of records. */
export const BEGIN_REQUEST = 1;
export const END_REQUEST = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;

const RESPONDER = 1;
const KEEP_CONN = 1;
const ALIGNMENT = 8;

/** Bytes that make the content a multiple of eight. */
export function paddingOf(sizeBytes: number): number {
  return (ALIGNMENT - (sizeBytes % ALIGNMENT)) % ALIGNMENT;
}

/** Writes a record's header at `bytes[at]`; the offset behind it. */
export function writeRecordHeader(bytes: Bytes, at: number, type: number, sizeBytes: number, padding: number): number {
  bytes[at] = VERSION;
  bytes[at + 1] = type;
  bytes[at + 2] = 0;
  bytes[at + 3] = REQUEST_ID;
  bytes[at + 4] = sizeBytes >> 8;
  bytes[at + 5] = sizeBytes & 0xff;
  bytes[at + 6] = padding;
  bytes[at + 7] = 0;
  return at + HEADER_BYTES;
}

/** Bytes of the record that begins a request. */
export const BEGIN_BYTES = HEADER_BYTES + 8;

/** Writes the record that begins a request of a responder; the offset behind it. */
export function writeBegin(bytes: Bytes, at: number, keepsConnection: boolean): number {
  const content = writeRecordHeader(bytes, at, BEGIN_REQUEST, 8, 0);
  bytes.fill(0, content, content + 8);
  bytes[content + 1] = RESPONDER;
  bytes[content + 2] = keepsConnection ? KEEP_CONN : 0;
  return content + 8;
}

const LONGEST_SHORT = 127;

/** Bytes of a length in a name-value pair: one up to 127, four above. */
export function lengthBytes(length: number): number {
  return length > LONGEST_SHORT ? 4 : 1;
}

/** Writes such a length; the offset behind it. */
export function writeLength(bytes: Bytes, at: number, length: number): number {
  if (length <= LONGEST_SHORT) {
    bytes[at] = length;
    return at + 1;
  }
  bytes[at] = ((length >> 24) & 0x7f) | 0x80;
  bytes[at + 1] = (length >> 16) & 0xff;
  bytes[at + 2] = (length >> 8) & 0xff;
  bytes[at + 3] = length & 0xff;
  return at + 4;
}

/** What `next` says: more is needed. */
export const RECORD_MORE = 0;
/** A header was read: `type`, and `left` bytes of content to come. */
export const RECORD_BEGIN = 1;
/** Content lies at `[dataStart, position)`; a record of `left` 0 has come to the end of its content. */
export const RECORD_CONTENT = 2;
/** The record is over, padding and all. */
export const RECORD_END = 3;
/** It is none: `reason` says why. */
export const RECORD_INVALID = 4;
export type RecordResult = number;

const IN_HEADER = 0;
const IN_CONTENT = 1;
const IN_PADDING = 2;

/** Decodes what an application sends. Call `next` again and again. */
export class RecordDecoder {
  /** Offset of the first byte that has not been consumed. */
  position = 0;
  dataStart = 0;
  /** Of the record at hand. */
  type = 0;
  /** Bytes of content to come. */
  left = 0;
  reason = "";
  private padding = 0;
  private state = IN_HEADER;
  /** Bytes of the header that have been read. */
  private headerBytes = 0;

  reset(): void {
    this.state = IN_HEADER;
    this.headerBytes = 0;
    this.type = 0;
    this.left = 0;
    this.padding = 0;
  }

  /** Consumes from `bytes[start, end)` what belongs to one result. */
  next(bytes: Bytes, start: number, end: number): RecordResult {
    this.position = start;
    switch (this.state) {
      case IN_HEADER:
        return this.readHeader(bytes, end);
      case IN_CONTENT: {
        if (this.left === 0) {
          this.state = IN_PADDING;
          return this.skipPadding(end);
        }
        if (start === end) return RECORD_MORE;
        const size = Math.min(this.left, end - start);
        this.dataStart = start;
        this.position = start + size;
        this.left -= size;
        return RECORD_CONTENT;
      }
      default:
        return this.skipPadding(end);
    }
  }

  /** The last `sizeBytes` of the content that was consumed last have not been, after all. */
  unread(sizeBytes: number): void {
    this.position -= sizeBytes;
    this.left += sizeBytes;
  }

  private skipPadding(end: number): RecordResult {
    const size = Math.min(this.padding, end - this.position);
    this.position += size;
    this.padding -= size;
    if (this.padding > 0) return RECORD_MORE;
    this.state = IN_HEADER;
    this.headerBytes = 0;
    return RECORD_END;
  }

  private readHeader(bytes: Bytes, end: number): RecordResult {
    while (this.position < end) {
      const byte = bytes[this.position++] as number;
      const index = this.headerBytes++;
      if (index === 0 && byte !== VERSION) return this.refuse(`unsupported FastCGI protocol version: ${byte}`);
      if (index === 1) {
        if (byte !== STDOUT && byte !== STDERR && byte !== END_REQUEST)
          return this.refuse(`invalid FastCGI record type: ${byte}`);
        this.type = byte;
      } else if (index === 2 && byte !== 0) return this.refuse(`unexpected FastCGI request id high byte: ${byte}`);
      else if (index === 3 && byte !== REQUEST_ID)
        return this.refuse(`unexpected FastCGI request id low byte: ${byte}`);
      else if (index === 4) this.left = byte << 8;
      else if (index === 5) this.left |= byte;
      else if (index === 6) this.padding = byte;
      else if (index === 7) {
        this.state = IN_CONTENT;
        return RECORD_BEGIN;
      }
    }
    return RECORD_MORE;
  }

  private refuse(reason: string): RecordResult {
    this.reason = reason;
    return RECORD_INVALID;
  }
}
