/** What a parser of request heads says, and the bounds that it is given. */

/** What `RequestHead.parse` says: more is needed, the head is whole, or why it is refused. */
export const INCOMPLETE = 0;
export const COMPLETE = 1;
export const INVALID_METHOD = 2;
export const INVALID_REQUEST = 3;
export const INVALID_VERSION = 4;
export const INVALID_09_METHOD = 5;
export const INVALID_HEADER = 6;
export const DUPLICATE_HEADER = 7;
export const URI_TOO_LARGE = 8;
export const HEADER_TOO_LARGE = 9;
export const TOO_MANY_HEADERS = 10;
export type HeadResult = number;

/** How far an incomplete head has been looked at by whoever reads it. */
export const NOTHING_JUDGED = 0;
export const LINE_JUDGED = 1;
export const HOST_JUDGED = 2;
export const REFUSED = 3;

/** Bounds and choices of a virtual server: at first the listener's default one. Sizes in bytes. */
export interface HeadLimits {
  /** client_header_buffer_size */
  readonly bufferSize: number;
  /** large_client_header_buffers: how many, and how large each. */
  readonly largeBuffers: number;
  readonly largeBufferSize: number;
  /** max_headers */
  readonly maxHeaders: number;
  /** underscores_in_headers */
  readonly underscores: boolean;
  /** ignore_invalid_headers */
  readonly ignoreInvalid: boolean;
  /** Told of each header line that is dropped (log text of nginx: client sent invalid header line). */
  readonly onIgnored: ((line: string) => void) | undefined;
  /** Those of the server that the host names, as soon as it has come; undefined when all servers of the listener have the same. */
  readonly choose: (() => HeadLimits) | undefined;
}
