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
  } else request.bodyLeft = Math.max(0, request.contentLength);
}

/** Uses the part of the body that lies in the input. 0, or the status to answer when it is malformed or not wanted. */
export function consumeBody(request: Request, input: Input): number {
  const start = input.at;
  const status = consume(request, input);
  // nginx does not count what it throws away.
  if (request.bodyReader !== undefined) request.requestLength += input.at - start;
  return status;
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
      const status = reader === undefined ? 0 : reader.onBody(input.bytes, decoder.dataStart, decoder.position);
      if (status !== 0) return status;
    } else if (result === CHUNK_DONE) request.bodyLeft = 0;
    else if (result === CHUNK_INVALID) {
      request.bodyLeft = 0;
      request.connection.logError("error", "client sent invalid chunked body");
      return 400;
    }
  }
  return 0;
}
