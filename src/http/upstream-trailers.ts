/** The trailers of an upstream's chunked answer (`proxy_pass_trailers`). Counterpart in nginx: ngx_http_proxy_process_trailer. */
import type { Bytes } from "../base/bytes.ts";
import { latin1 } from "../base/bytes.ts";
import { HEAD_COMPLETE, HEAD_INVALID_LINE, ResponseHead } from "../wire/http1/response-head.ts";
import type { UpstreamRules } from "./upstream-rules.ts";

/** A line of a trailer. */
export interface Trailer {
  readonly name: string;
  readonly value: string;
}

export const TRAILERS_MORE = 0;
export const TRAILERS_DONE = 1;
/** `reason` says why. */
export const TRAILERS_BAD = 2;

export class AnswerTrailers {
  /** Why they were refused. */
  reason = "";
  private readonly head = new ResponseHead();
  private readonly bytes: Bytes;
  private length = 0;

  /** `limit`: bytes that they may have. */
  constructor(limit: number) {
    this.bytes = new Uint8Array(limit);
    this.head.beginFields(this.bytes, 0);
  }

  /** Reads on, behind the last chunk. `position` of the result: the first byte that belongs to them no more. */
  read(source: Bytes, start: number, end: number): { readonly result: number; readonly position: number } {
    const before = this.length;
    const size = Math.min(end - start, this.bytes.length - before);
    this.bytes.set(source.subarray(start, start + size), before);
    this.length = before + size;
    const { head } = this;
    const result = head.parse(this.length);
    if (result === HEAD_COMPLETE) return { result: TRAILERS_DONE, position: start + head.scanned - before };
    if (result === HEAD_INVALID_LINE) {
      const bad = (head.bytes[head.errorEnd] ?? 0).toString(16).padStart(2, "0");
      this.reason = `upstream sent invalid trailer: "${latin1(head.bytes, head.errorStart, head.errorEnd)}\\x${bad}..."`;
      return { result: TRAILERS_BAD, position: end };
    }
    if (this.length < this.bytes.length) return { result: TRAILERS_MORE, position: end };
    this.reason = "upstream sent too big trailers";
    return { result: TRAILERS_BAD, position: end };
  }

  /** Lines that the client may see. */
  visible({ hiddenFields, hiddenNames }: UpstreamRules): Trailer[] {
    const { head } = this;
    const lines: Trailer[] = [];
    for (let index = 0; index < head.fieldCount; index++) {
      const field = head.field(index);
      const name = head.name(index);
      if (field >= 0 ? hiddenFields[field] === 1 : hiddenNames.has(name.toLowerCase())) continue;
      lines.push({ name, value: head.value(index) });
    }
    return lines;
  }

  /** The values of all lines of a name, as `$upstream_trailer_…` names it, joined. */
  valueOf(name: string): string | undefined {
    const { head } = this;
    const values: string[] = [];
    for (let index = head.find(name); index >= 0; index = head.find(name, index + 1)) values.push(head.value(index));
    return values.length === 0 ? undefined : values.join(", ");
  }
}
