/** What flv and mp4 share: a file of the location is opened, and some of it is sent with a head of another make. */
import { GET, HEAD } from "../wire/http1/methods.ts";
import { type Chunk, LAST } from "./body.ts";
import { discardBody, sendBody, sendHeader } from "./engine.ts";
import { fileErrorStatus, setContentType } from "./modules/static.ts";
import type { OpenFile } from "./open-files.ts";
import { DECLINED, OK } from "./outcome.ts";
import { mapPath } from "./paths.ts";
import type { Request } from "./request.ts";
import { linkCheckOf } from "./symlinks.ts";

/** The file that the request holds from now on; or DECLINED, or the status to answer. */
export function openMedia(request: Request): OpenFile | number {
  const { method, uri } = request;
  if (method !== GET && method !== HEAD) return 405;
  if (uri.endsWith("/")) return DECLINED;
  if (!discardBody(request)) return 400;
  const path = mapPath(request, uri);
  if (path === undefined) return 500;
  const { location } = request;
  const { files } = request.connection.worker;
  const file = files.open(path, location.fileCache, linkCheckOf(request, path), location.fileUse);
  request.file = file;
  if (file.errno !== 0) return fileErrorStatus(request, path, file);
  if (file.isFile) return file;
  request.file = undefined;
  files.release(file);
  return DECLINED;
}

/** Answers with these pieces, `sizeBytes` of them all together: the tag names that length, not the file's. */
export function sendMedia(request: Request, file: OpenFile, sizeBytes: number, chunks: readonly Chunk[]): number {
  request.status = 200;
  request.answerLength = sizeBytes;
  request.lastModified = file.mtimeS;
  if (request.location.core.etag) request.setEtag(request.connection.worker.etags.get(file.mtimeS, sizeBytes));
  setContentType(request);
  request.allowRanges = true;
  const rc = sendHeader(request);
  if (rc === OK) sendBody(request, chunks, LAST);
  return rc;
}
