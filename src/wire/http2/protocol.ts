/** The numbers of HTTP/2, RFC 9113: frame types, flags, settings, error codes and bounds. */
import { type Bytes, fromLatin1 } from "../../base/bytes.ts";

/** What a client says first (§3.4); its SETTINGS follow. */
export const PREFACE: Bytes = fromLatin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Length (3), type, flags, stream (4) in front of every payload (§4.1). */
export const FRAME_HEADER_BYTES = 9;

// Frame types (§6).
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

// Flags. Others have no meaning and are ignored.
/** DATA, HEADERS: the sender's last frame of the stream. */
export const END_STREAM = 0x1;
/** SETTINGS, PING: the answer to one. */
export const ACK = 0x1;
/** HEADERS, PUSH_PROMISE, CONTINUATION: the field block ends here. */
export const END_HEADERS = 0x4;
/** DATA, HEADERS, PUSH_PROMISE. */
export const PADDED = 0x8;
/** HEADERS: the deprecated priority stands in front. */
export const WITH_PRIORITY = 0x20;

// Settings (§6.5.2; RFC 8441; RFC 9218).
export const HEADER_TABLE_SIZE = 1;
export const ENABLE_PUSH = 2;
export const MAX_CONCURRENT_STREAMS = 3;
export const INITIAL_WINDOW_SIZE = 4;
export const MAX_FRAME_SIZE = 5;
export const MAX_HEADER_LIST_SIZE = 6;
export const ENABLE_CONNECT_PROTOCOL = 8;
export const NO_RFC7540_PRIORITIES = 9;

/** What holds until a peer's SETTINGS say otherwise. */
export const DEFAULT_TABLE_BYTES = 4096;
export const DEFAULT_WINDOW_BYTES = 65_535;
export const DEFAULT_FRAME_BYTES = 16_384;
/** The bounds of MAX_FRAME_SIZE. */
export const SMALLEST_FRAME_LIMIT = 16_384;
export const LARGEST_FRAME_LIMIT = 16_777_215;
/** No flow-control window may grow larger; also the largest stream id. */
export const LARGEST_WINDOW_BYTES = 2 ** 31 - 1;
export const LARGEST_STREAM_ID = 2 ** 31 - 1;

// Error codes (§7).
export const NO_ERROR = 0;
export const PROTOCOL_ERROR = 1;
export const INTERNAL_ERROR = 2;
export const FLOW_CONTROL_ERROR = 3;
export const SETTINGS_TIMEOUT = 4;
export const STREAM_CLOSED = 5;
export const FRAME_SIZE_ERROR = 6;
export const REFUSED_STREAM = 7;
export const CANCEL = 8;
export const COMPRESSION_ERROR = 9;
export const CONNECT_ERROR = 10;
export const ENHANCE_YOUR_CALM = 11;
export const INADEQUATE_SECURITY = 12;
export const HTTP_1_1_REQUIRED = 13;

const ERROR_NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** The name of an error code for a log line; one that has none is its number. */
export function errorName(code: number): string {
  return ERROR_NAMES[code] ?? String(code);
}
