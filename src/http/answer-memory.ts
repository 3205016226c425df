/**
 * The answer of a subrequest that is kept in memory instead of being sent: the last filter of its body. Counterpart in nginx:
 * ngx_http_postpone_filter_in_memory.
 */
import { type Bytes, concatBytes, latin1 } from "../base/bytes.ts";
import { type BodyFilter, type Chunk, type Mark, ORDER_MEMORY } from "./body.ts";
import { sendingAction } from "./error-context.ts";
import type { Request } from "./request.ts";

const NOTHING: readonly Chunk[] = [];
const NO_BYTES: Bytes = new Uint8Array(0);

export class AnswerMemory implements BodyFilter {
  readonly order = ORDER_MEMORY;
  readonly takesPieces = true;
  private readonly parts: Bytes[] = [];
  /** Bytes that there is still room for; undefined while nothing has come. */
  private room: number | undefined = undefined;

  /** What has come, one character a byte; undefined when no body has. */
  get text(): string | undefined {
    return this.room === undefined ? undefined : latin1(concatBytes(this.parts));
  }

  filter(request: Request, chunks: readonly Chunk[], _mark: Mark): readonly Chunk[] {
    const { answerLength, location } = request;
    const largest = location.core.subrequest_output_buffer_size;
    if (this.room === undefined) {
      if (answerLength > largest) {
        return refuse(request, `too big subrequest response: ${answerLength}`);
      }
      this.room = answerLength < 0 ? largest : answerLength;
    }
    for (const { bytes = NO_BYTES, start, end } of chunks) {
      this.room -= end - start;
      if (this.room < 0) {
        return refuse(request, "too big subrequest response");
      }
      this.parts.push(new Uint8Array(bytes.subarray(start, end)));
    }
    return NOTHING;
  }
}

/** The whole answer ends with it, and the connection. */
function refuse(request: Request, message: string): readonly Chunk[] {
  request.connection.logErrorOf(request, "error", message, undefined, sendingAction(request));
  request.connection.terminate(0);
  return NOTHING;
}
