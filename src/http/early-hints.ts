/** 103 Early Hints on their way to the client (RFC 8297). Counterpart in nginx: ngx_http_upstream_process_early_hints, ngx_http_early_hints_filter. */
import { fromLatin1 } from "../base/bytes.ts";
import type { ResponseHead } from "../wire/http1/response-head.ts";
import { isAnySet } from "./predicates.ts";
import type { Request } from "./request.ts";
import type { UpstreamRules } from "./upstream-rules.ts";

const STATUS_LINE = fromLatin1("HTTP/1.1 103 Early Hints\r\n");
const LINE_OVERHEAD_BYTES = 4;

/** Sends the lines that the client may see, where `early_hints` wants it. The client may have gone afterwards. */
export function passEarlyHints(
  request: Request,
  head: ResponseHead,
  { hiddenFields, hiddenNames }: UpstreamRules,
): void {
  if (request.parent !== undefined || request.version < 1001 || request.headerSent) return;
  const { earlyHints } = request.location;
  if (earlyHints === undefined || !isAnySet(request, earlyHints)) return;
  const { connection } = request;
  const output = connection.outputFor(STATUS_LINE.length + head.scanned + LINE_OVERHEAD_BYTES * (head.fieldCount + 1));
  if (output === undefined) return;
  const start = output.used;
  let lines = 0;
  output.copy(STATUS_LINE, 0, STATUS_LINE.length);
  for (let index = 0; index < head.fieldCount; index++) {
    const field = head.field(index);
    if (field >= 0 ? hiddenFields[field] === 1 : hiddenNames.has(head.name(index).toLowerCase())) continue;
    output.copy(head.bytes, head.nameStart(index), head.nameEnd(index));
    output.text(": ");
    output.copy(head.bytes, head.valueStart(index), head.valueEnd(index));
    output.text("\r\n");
    lines++;
  }
  output.text("\r\n");
  if (lines === 0) {
    output.used = start;
    return;
  }
  request.sentBytes += output.used - start;
  connection.flush();
}
