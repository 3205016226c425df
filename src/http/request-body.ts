/**
 * The body of a request as it comes: counted or decoded, and given to whoever reads it or thrown away.
 * nginx: ngx_http_request_body_filter and ngx_http_discard_request_body.
 */
import { CHUNK_DATA, CHUNK_DONE, CHUNK_INVALID, ChunkedDecoder } from "../wire/http1/chunked.ts";
import type { Input } from "./input.ts";
import type { Request } from "./request.ts";

/** Nothing of the body has been read. */
export function beginBody(request: Request): void {
  if (request.chunkedBody) {
    request.decoder ??= new ChunkedDecoder();
    request.decoder.reset();
    request.bodyLeft = -1;
    request.bodyReceived = 0;
  } else request.bodyLeft = Math.max(0, request.contentLength);
}

/**
 * Uses the part of the body that lies in the input. 0, or the status to answer when it is malformed or not wanted. `along`: it has come
 * along with the head.
 */
export function consumeBody(request: Request, input: Input, along: boolean): number {
  const start = input.at;
  const status = consume(request, input);
  // nginx does not count what it throws away; of a body that is refused, it counts what it has read for it.
  if (request.bodyReader !== undefined) {
    if (status === 0) request.requestLength += input.at - start;
    else if (!along) request.requestLength += input.end - start;
  } else if (status === 0 && request.chunkedBody) request.bodyReceived = discardedLength(request);
  return status;
}

/** What nginx takes for the length of a chunked body while it throws it away: the amount that it wants to read next. */
function discardedLength({ bodyLeft, decoder, server }: Request): number {
  if (bodyLeft === 0) return 0;
  return Math.max((decoder as ChunkedDecoder).expected, server.conf.large_client_header_buffers.size);
}

/** Notices a chunk that makes the body larger than it may be: 413. */
function testSize(request: Request, chunkBytes: number): number {
  const { client_max_body_size: limit } = request.location.core;
  const { bodyReceived } = request;
  if (limit === 0 || bodyReceived + chunkBytes <= limit) return 0;
  const message = `client intended to send too large chunked body: ${bodyReceived}+${chunkBytes} bytes`;
  request.connection.logError("error", message);
  request.lingeringClose = true;
  return 413;
}

function consume(request: Request, input: Input): number {
  const reader = request.bodyReader;
  while (input.at < input.end && request.bodyLeft !== 0) {
    if (request.bodyLeft > 0) {
      const start = input.at;
      const size = Math.min(request.bodyLeft, input.end - start);
      input.at += size;
      request.bodyLeft -= size;
      const status = reader === undefined ? 0 : reader.onBody(input.bytes, start, start + size);
      if (status !== 0) return status;
      continue;
    }
    const decoder = request.decoder as ChunkedDecoder;
    const result = decoder.next(input.bytes, input.at, input.end);
    input.at = decoder.position;
    if (result === CHUNK_DATA) {
      if (reader === undefined) continue;
      const size = decoder.position - decoder.dataStart;
      const status =
        testSize(request, size + decoder.chunkLeft) || reader.onBody(input.bytes, decoder.dataStart, decoder.position);
      if (status !== 0) return status;
      request.bodyReceived += size;
    } else if (result === CHUNK_DONE) request.bodyLeft = 0;
    else if (result === CHUNK_INVALID) {
      request.bodyLeft = 0;
      request.connection.logError("error", "client sent invalid chunked body");
      return 400;
    }
  }
  return 0;
}
