/** Answers with files. nginx: ngx_http_static_module. */
import { GET, HEAD, POST } from "../../wire/http1/methods.ts";
import { escapeUri, extension } from "../../wire/http1/uri.ts";
import { fileChunk } from "../body.ts";
import { answer, discardBody } from "../engine.ts";
import { httpModule } from "../module.ts";
import type { OpenFile } from "../open-files.ts";
import { DECLINED } from "../outcome.ts";
import { mapPath } from "../paths.ts";
import type { Request } from "../request.ts";
import { linkCheckOf } from "../symlinks.ts";

const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const ENAMETOOLONG = 36;
const ELOOP = 40;
const EMLINK = 31;

/** The status for a file that could not be opened; logs it as nginx does. */
export function fileErrorStatus(request: Request, path: string, { errno, failedCall }: OpenFile): number {
  const { location, connection } = request;
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      if (location.core.log_not_found) connection.logError("error", `${failedCall} "${path}" failed`, errno);
      return 404;
    case EACCES:
    case EMLINK:
    case ELOOP:
      connection.logError("error", `${failedCall} "${path}" failed`, errno);
      return 403;
    default:
      connection.logError("crit", `${failedCall} "${path}" failed`, errno);
      return 500;
  }
}

/** The media type of the answer by the URI's extension. nginx: ngx_http_set_content_type. */
export function setContentType(request: Request): void {
  if (request.contentType !== "") return;
  const { core } = request.location;
  const suffix = extension(request.uri);
  const type = suffix === "" ? undefined : (core.types.get(suffix) ?? core.types.get(suffix.toLowerCase()));
  request.contentType = type ?? core.default_type;
}

/** Sends an open file that the request holds; `encoding` is what it is packed with. */
export function sendFile(request: Request, file: OpenFile, encoding = "", hasRanges = true): number {
  if (!discardBody(request)) return 400;
  request.status = 200;
  request.answerLength = file.sizeBytes;
  // Before 1970 is 1970, as ngx_gmtime has it; -1 is no time at all.
  request.lastModified = file.mtimeS < -1 ? 0 : file.mtimeS;
  if (request.location.core.etag) request.setEtag(request.connection.worker.etags.get(file.mtimeS, file.sizeBytes));
  setContentType(request);
  if (encoding !== "") request.contentEncodingIndex = request.addHeader("Content-Encoding", encoding);
  request.allowRanges = hasRanges;
  return answer(request, file.sizeBytes === 0 ? undefined : fileChunk(file.fd, 0, file.sizeBytes));
}

function serve(request: Request): number {
  const { method, uri } = request;
  if (method !== GET && method !== HEAD && method !== POST) return 405;
  if (uri.charCodeAt(uri.length - 1) === 0x2f) return DECLINED;
  const path = mapPath(request, uri);
  if (path === undefined) return 500;
  const { location } = request;
  const { files } = request.connection.worker;
  const file = files.open(path, location.fileCache, linkCheckOf(request, path), location.fileUse);
  request.file = file;
  if (file.errno !== 0) return fileErrorStatus(request, path, file);
  if (file.isDirectory) return redirectToDirectory(request);
  if (!file.isFile) {
    request.connection.logError("crit", `"${path}" is not a regular file`);
    return 404;
  }
  if (method === POST) return 405;
  return sendFile(request, file);
}

function redirectToDirectory(request: Request): number {
  const target = `${escapeUri(request.uri, "uri")}/`;
  request.setRedirect(request.args === "" ? target : `${target}?${request.args}`);
  return 301;
}

export const staticFiles = httpModule({ name: "static", directives: {}, phases: { content: () => serve } });
