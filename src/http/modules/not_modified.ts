/** Conditional requests, RFC 9110 §13: 304 and 412. nginx: ngx_http_not_modified_filter_module. */
import { parseHttpDate } from "../../wire/http1/date.ts";
import { etagListed } from "../../wire/http1/etag.ts";
import { IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE } from "../../wire/http1/fields.ts";
import { httpModule } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";

const PRECONDITION_FAILED = 412;

function isUnmodified(request: Request, date: string): boolean {
  const since = parseHttpDate(date);
  return request.lastModified >= 0 && since !== undefined && since >= request.lastModified;
}

function isModified(request: Request, date: string): boolean {
  const { if_modified_since: mode } = request.location.core;
  if (request.lastModified < 0 || mode === "off") return true;
  const since = parseHttpDate(date);
  if (since === request.lastModified) return false;
  return mode === "exact" || since === undefined || since < request.lastModified;
}

function filter(request: Request): number {
  const { head } = request;
  if (request.status !== 200 || request.skipConditions || head.fieldCount === 0) return OK;
  const { known } = head;
  const unmodified = head.knownValue(IF_UNMODIFIED_SINCE);
  const match = head.knownValue(IF_MATCH);
  if (
    (unmodified !== undefined && !isUnmodified(request, unmodified)) ||
    (match !== undefined && !etagListed(match, request.etag, false))
  ) {
    request.clearAnswer();
    return PRECONDITION_FAILED;
  }
  if (known[IF_MODIFIED_SINCE] === -1 && known[IF_NONE_MATCH] === -1) return OK;
  const since = head.knownValue(IF_MODIFIED_SINCE);
  if (since !== undefined && isModified(request, since)) return OK;
  const none = head.knownValue(IF_NONE_MATCH);
  if (none !== undefined && !etagListed(none, request.etag, true)) return OK;
  request.status = 304;
  request.statusText = "";
  request.contentType = "";
  request.charset = "";
  request.answerLength = -1;
  request.allowRanges = false;
  return OK;
}

export const notModified = httpModule({ name: "not_modified", directives: {}, headerFilter: () => filter });
