/**
 * The beginning of a cache file, as nginx's version 5 writes it on 64-bit machines that are little-endian: a structure of
 * 336 bytes, `\nKEY: ` with the key and a line feed, the head of the answer as the upstream has sent it, and its body without
 * chunks. Counterpart in nginx: ngx_http_file_cache_header_t.
 *
 * | offset | bytes | what                    | offset | bytes | what                         |
 * |--------|-------|-------------------------|--------|-------|------------------------------|
 * | 0      | 8     | version                 | 52     | 2     | valid_msec                   |
 * | 8      | 8     | valid_sec               | 54     | 2     | header_start                 |
 * | 16     | 8     | updating_sec            | 56     | 2     | body_start                   |
 * | 24     | 8     | error_sec               | 58     | 129   | length of the ETag, the ETag |
 * | 32     | 8     | last_modified           | 187    | 129   | length of Vary, Vary         |
 * | 40     | 8     | date                    | 316    | 16    | variant                      |
 * | 48     | 4     | CRC-32 of the key       | 332    | 4     | padding                      |
 */
import { type Bytes, latin1, writeLatin1 } from "../../base/bytes.ts";
import type { Decoded } from "../../base/decoded.ts";

const VERSION = 5;
export const CACHE_HEADER_BYTES = 336;
/** What stands in front of the key. */
export const KEY_MARK = "\nKEY: ";
/** Longest ETag and Vary that are kept. */
export const MAX_ETAG_BYTES = 128;
export const MAX_VARY_BYTES = 128;
/** A head that begins or ends further behind can't be described. */
export const MAX_OFFSET = 0xffff;
/** Bytes of a key's MD5, and of a variant's. */
export const CACHE_KEY_BYTES = 16;

const CRC_AT = 48;
const MSEC_AT = 52;
const HEADER_START_AT = 54;
const BODY_START_AT = 56;
const ETAG_AT = 58;
const VARY_AT = 187;
const VARIANT_AT = 316;

/** Times are seconds since 1970. */
export interface CacheFileHeader {
  /** Until then it is fresh. */
  readonly validS: number;
  /** Seconds behind that in which it may be used while it is updated, and when that fails. */
  readonly updatingS: number;
  readonly errorS: number;
  /** -1: unknown. */
  readonly lastModifiedS: number;
  /** When it was stored, or found unchanged. */
  readonly dateS: number;
  readonly crc32: number;
  /** Where the answer's head begins, and its body. */
  readonly headerStart: number;
  readonly bodyStart: number;
  /** "" for none. */
  readonly etag: string;
  readonly vary: string;
  /** Of a file with Vary: the MD5 of key and request lines; zeros without. */
  readonly variant: Bytes;
}

export function encodeCacheHeader(header: CacheFileHeader): Bytes {
  const bytes = new Uint8Array(CACHE_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const { validS, updatingS, errorS, lastModifiedS, dateS } = header;
  [VERSION, validS, updatingS, errorS, lastModifiedS, dateS].forEach((value, index) => {
    view.setBigInt64(8 * index, int64(value), true);
  });
  view.setUint32(CRC_AT, header.crc32, true);
  view.setUint16(MSEC_AT, 0, true);
  view.setUint16(HEADER_START_AT, header.headerStart, true);
  view.setUint16(BODY_START_AT, header.bodyStart, true);
  if (header.etag.length <= MAX_ETAG_BYTES) putText(bytes, ETAG_AT, header.etag);
  if (header.vary !== "") {
    putText(bytes, VARY_AT, header.vary.slice(0, MAX_VARY_BYTES));
    bytes.set(header.variant, VARIANT_AT);
  }
  return bytes;
}

const LARGEST = 2n ** 63n - 1n;

/** A time that is too far away is the last one. */
function int64(value: number): bigint {
  return value >= Number(LARGEST) ? LARGEST : BigInt(Math.trunc(value));
}

function putText(bytes: Bytes, at: number, text: string): void {
  bytes[at] = text.length;
  writeLatin1(bytes, text, at + 1);
}

/** The reason is what nginx says of the file. */
export function decodeCacheHeader(bytes: Bytes): Decoded<CacheFileHeader> {
  if (bytes.length < CACHE_HEADER_BYTES) return { ok: false, reason: "is too small" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, CACHE_HEADER_BYTES);
  const number = (index: number): number =>
    view.getUint32(8 * index, true) + view.getInt32(8 * index + 4, true) * 2 ** 32;
  if (number(0) !== VERSION) return { ok: false, reason: "version mismatch" };
  const varyLength = bytes[VARY_AT] as number;
  if (varyLength > MAX_VARY_BYTES) return { ok: false, reason: "has incorrect vary length" };
  const etagLength = Math.min(MAX_ETAG_BYTES, bytes[ETAG_AT] as number);
  return {
    ok: true,
    value: {
      validS: number(1),
      updatingS: number(2),
      errorS: number(3),
      lastModifiedS: number(4),
      dateS: number(5),
      crc32: view.getUint32(CRC_AT, true),
      headerStart: view.getUint16(HEADER_START_AT, true),
      bodyStart: view.getUint16(BODY_START_AT, true),
      etag: latin1(bytes, ETAG_AT + 1, ETAG_AT + 1 + etagLength),
      vary: latin1(bytes, VARY_AT + 1, VARY_AT + 1 + varyLength),
      variant: new Uint8Array(bytes.subarray(VARIANT_AT, VARIANT_AT + CACHE_KEY_BYTES)),
    },
  };
}
