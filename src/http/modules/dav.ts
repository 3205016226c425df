/** PUT, DELETE, MKCOL, COPY and MOVE of files. nginx: ngx_http_dav_module. */
import type { ConfOf, Use } from "../../conf/slot.ts";
import { bits, flag, num, raw } from "../../conf/slots.ts";
import { emptyFileInfo } from "../../io/files.ts";
import { parseHttpDate } from "../../wire/http1/date.ts";
import { INFINITE_DEPTH } from "../../wire/http1/dav.ts";
import { CONTENT_RANGE } from "../../wire/http1/fields.ts";
import { COPY, DELETE, METHOD_NAMES, MKCOL, MOVE, PUT } from "../../wire/http1/methods.ts";
import { escapeUri } from "../../wire/http1/uri.ts";
import { type BodyTaker, readRequestBody } from "../body-buffer.ts";
import { copyOrMove, depthOf } from "../dav-copy.ts";
import { sendHeader } from "../engine.ts";
import { folderMode, moveFile, parseAccess } from "../file-moves.ts";
import { deleteTree, fileFailure } from "../file-trees.ts";
import type { Handler } from "../location.ts";
import { httpModule } from "../module.ts";
import { DECLINED, DONE } from "../outcome.ts";
import { mapPath } from "../paths.ts";
import type { Request } from "../request.ts";
import type { TemporaryFile } from "../temporary-file.ts";

const ENOTDIR = 20;
const EISDIR = 21;
const STANDARD_ACCESS = 0o600;

const directives = {
  dav_methods: bits([], ["off", "PUT", "DELETE", "MKCOL", "COPY", "MOVE"], {
    doc: "Methods of WebDAV that change files here.",
  }),
  create_full_put_path: flag(false, { doc: "PUT makes the folders on the way to its file." }),
  min_delete_depth: num(0, { doc: "DELETE takes only URIs with at least so many elements." }),
  dav_access: raw<number, number>(STANDARD_ACCESS, (use: Use) => parseAccess(use), {
    args: [1, 3],
    syntax: "users:permissions ...",
    defaultText: "user:rw",
    doc: "Who may do what with new files and folders.",
  }),
};
type Conf = ConfOf<typeof directives>;

function refuse(request: Request, status: number, message: string, errno?: number): number {
  request.connection.logError("error", message, errno);
  return status;
}

// ---- PUT

/** Waits for the body of one PUT, then makes a file of it. */
class Put implements BodyTaker {
  private readonly conf: Conf;
  /** What came of it within the handler's call. */
  outcome = DONE;
  private starting = true;

  constructor(conf: Conf) {
    this.conf = conf;
  }

  begin(request: Request): number {
    readRequestBody(request, this, true);
    this.starting = false;
    return this.outcome;
  }

  onBody(request: Request, status: number): void {
    const outcome = status === 0 ? keepBody(request, this.conf) : status;
    if (this.starting) this.outcome = outcome;
    else request.connection.resume(request, outcome);
  }
}

function put(request: Request, conf: Conf): number {
  if (request.uri.endsWith("/")) return refuse(request, 409, "cannot PUT to a collection");
  if (request.head.known[CONTENT_RANGE] !== -1) return refuse(request, 501, "PUT with range is unsupported");
  return new Put(conf).begin(request);
}

/** Moves the file that the body is in to its place, and answers. OK or a status. */
function keepBody(request: Request, conf: Conf): number {
  const { connection, body } = request;
  const file = body?.file;
  if (file === undefined) {
    const isUnavailable = body === undefined && (request.contentLength >= 0 || request.chunkedBody);
    return refuse(request, 500, `PUT request body ${isUnavailable ? "is unavailable" : "must be in a file"}`);
  }
  const path = mapPath(request, request.uri);
  if (path === undefined) return 500;
  const info = emptyFileInfo();
  const exists = connection.worker.ports.files.stat(path, info) === 0;
  if (exists && info.isDirectory) {
    file.unlink();
    return refuse(request, 409, `"${path}" could not be created`, EISDIR);
  }
  if (!moveBody(request, file, path, conf)) return 500;
  if (!exists) {
    request.setRedirect(escapeUri(request.uri, "uri"));
    request.answerLength = 0;
  }
  request.status = exists ? 204 : 201;
  request.headerOnly = true;
  return sendHeader(request);
}

function moveBody(request: Request, file: TemporaryFile, path: string, conf: Conf): boolean {
  const { head, connection } = request;
  const date = head.find("date");
  file.forget();
  return moveFile(connection, file.path, path, {
    fd: file.fd,
    mode: conf.dav_access,
    modifiedS: (date < 0 ? undefined : parseHttpDate(head.value(date))) ?? -1,
    folderMode: conf.create_full_put_path ? folderMode(conf.dav_access) : undefined,
    deletes: true,
  });
}

// ---- DELETE and MKCOL

/** True when the URI has an element at that depth or deeper. */
function isDeepEnough(uri: string, depth: number): boolean {
  let slashes = 0;
  for (let at = uri.indexOf("/"); at >= 0; at = uri.indexOf("/", at + 1)) {
    if (++slashes >= depth && at + 1 < uri.length) return true;
  }
  return false;
}

function remove(request: Request, conf: Conf): number {
  const { connection, uri } = request;
  if (request.contentLength > 0 || request.chunkedBody) return refuse(request, 415, "DELETE with body is unsupported");
  if (conf.min_delete_depth > 0 && !isDeepEnough(uri, conf.min_delete_depth)) {
    const slashes = uri.split("/").length - 1;
    return refuse(request, 409, `insufficient URI depth:${slashes} to DELETE`);
  }
  const path = mapPath(request, uri);
  if (path === undefined) return 500;
  const info = emptyFileInfo();
  const errno = -connection.worker.ports.files.statLink(path, info);
  if (errno !== 0) return fileFailure(connection, "lstat()", path, errno, errno === ENOTDIR ? 409 : 404);
  const { isDirectory } = info;
  if (isDirectory && !uri.endsWith("/")) return refuse(request, 409, `DELETE "${path}" failed`, EISDIR);
  const depth = depthOf(request, isDirectory ? INFINITE_DEPTH : 0);
  if (depth !== INFINITE_DEPTH && (isDirectory || depth !== 0))
    return refuse(request, 400, `"Depth" header must be ${isDirectory ? "" : "0 or "}infinity`);
  const failed = deleteTree(connection, path, isDirectory);
  return failed === 0 ? 204 : failed;
}

function makeCollection(request: Request, conf: Conf): number {
  const { connection, uri } = request;
  if (request.contentLength > 0 || request.chunkedBody) return refuse(request, 415, "MKCOL with body is unsupported");
  if (!uri.endsWith("/")) return refuse(request, 409, "MKCOL can create a collection only");
  const mapped = mapPath(request, uri);
  if (mapped === undefined) return 500;
  const path = mapped.slice(0, -1);
  const result = connection.worker.ports.files.makeFolder(path, folderMode(conf.dav_access));
  if (result < 0) return fileFailure(connection, "mkdir()", path, -result, 409);
  request.setRedirect(escapeUri(uri, "uri"));
  return 201;
}

function build(conf: Conf): Handler | undefined {
  const names: ReadonlySet<string> = conf.dav_methods;
  const allowed = new Set(METHOD_NAMES.flatMap((name, method) => (names.has(name) ? [method] : [])));
  if (allowed.size === 0) return undefined;
  return (request) => {
    const { method } = request;
    if (!allowed.has(method)) return DECLINED;
    switch (method) {
      case PUT:
        return put(request, conf);
      case DELETE:
        return remove(request, conf);
      case MKCOL:
        return makeCollection(request, conf);
      case COPY:
      case MOVE:
        return copyOrMove(request, conf.dav_access);
      default:
        return DECLINED;
    }
  };
}

export const dav = httpModule({
  name: "dav",
  contexts: "http, server, location",
  directives,
  phases: { content: (conf) => build(conf) },
});
