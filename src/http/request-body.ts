/** The body of a request as it comes: counted or decoded, and thrown away. nginx: ngx_http_discard_request_body. */
import { CHUNK_DONE, CHUNK_INVALID, ChunkedDecoder } from "../wire/http1/chunked.ts";
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

/** Uses the part of the body that lies in the input. False when it is malformed. */
export function consumeBody(request: Request, input: Input): boolean {
  while (input.at < input.end && request.bodyLeft !== 0) {
    if (request.bodyLeft > 0) {
      const size = Math.min(request.bodyLeft, input.end - input.at);
      input.at += size;
      request.bodyLeft -= size;
      continue;
    }
    const decoder = request.decoder as ChunkedDecoder;
    const result = decoder.next(input.bytes, input.at, input.end);
    input.at = decoder.position;
    if (result === CHUNK_DONE) request.bodyLeft = 0;
    else if (result === CHUNK_INVALID) {
      request.bodyLeft = 0;
      request.connection.logError("error", "client sent invalid chunked body");
      return false;
    }
  }
  return true;
}
