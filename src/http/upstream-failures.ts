/** What a failure of a peer is to the client. nginx: ngx_http_upstream_next. */
import {
  NEXT_HTTP_403,
  NEXT_HTTP_404,
  NEXT_HTTP_429,
  NEXT_HTTP_500,
  NEXT_HTTP_503,
  NEXT_HTTP_504,
  NEXT_TIMEOUT,
} from "./upstream-rules.ts";

/** The statuses that stand for reasons to try the next peer; 502 for all others. */
export const STATUS_OF: ReadonlyMap<number, number> = new Map([
  [NEXT_TIMEOUT, 504],
  [NEXT_HTTP_504, 504],
  [NEXT_HTTP_500, 500],
  [NEXT_HTTP_503, 503],
  [NEXT_HTTP_403, 403],
  [NEXT_HTTP_404, 404],
  [NEXT_HTTP_429, 429],
]);
