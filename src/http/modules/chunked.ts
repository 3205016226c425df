/** Sends a body of unknown length in chunks, with trailers behind it. nginx: ngx_http_chunked_filter_module. */
import { CONNECT, HEAD } from "../../wire/http1/methods.ts";
import { type BodyFilter, type Chunk, LAST, type Mark, ORDER_CHUNKED, textChunk } from "../body.ts";
import { httpModule } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";

class ChunkedCoding implements BodyFilter {
  readonly order = ORDER_CHUNKED;
  readonly takesPieces = false;

  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    let size = 0;
    for (const chunk of chunks) size += chunk.end - chunk.start;
    const out: Chunk[] = [];
    if (size > 0) out.push(textChunk(`${size.toString(16)}\r\n`), ...chunks, textChunk("\r\n"));
    if (mark === LAST) {
      const trailers = (request.trailers ?? []).map(({ name, value }) => `${name}: ${value}\r\n`).join("");
      out.push(textChunk(`0\r\n${trailers}\r\n`));
    }
    return out;
  }
}

function filter(request: Request): number {
  const { status } = request;
  if (status === 304 || status === 204 || status < 200 || request.method === HEAD) return OK;
  if (request.method === CONNECT && status < 300) return OK;
  if (request.answerLength >= 0 && !request.expectTrailers) return OK;
  if (request.version >= 1001 && request.location.core.chunked_transfer_encoding) {
    request.answerLength = -1;
    request.chunkedAnswer = true;
    request.addBodyFilter(new ChunkedCoding());
  } else if (request.answerLength < 0) request.keepAlive = false;
  return OK;
}

export const chunked = httpModule({ name: "chunked", directives: {}, headerFilter: () => filter });
