/** COPY and MOVE of WebDAV. Counterpart in nginx: ngx_http_dav_copy_move_handler. */
import { emptyFileInfo, type FileInfo } from "../io/files.ts";
import { INFINITE_DEPTH, parseDepth, parseDestination, parseOverwrite } from "../wire/http1/dav.ts";
import { COPY, MOVE } from "../wire/http1/methods.ts";
import { isUnsafePath, unescapeUri } from "../wire/http1/uri.ts";
import { splitUri } from "./engine.ts";
import { copyFile, folderMode, moveFile } from "./file-moves.ts";
import { copyTree, deleteTree, fileFailure } from "./file-trees.ts";
import { mapPath } from "./paths.ts";
import type { Request } from "./request.ts";

const ENOENT = 2;
const EEXIST = 17;

/** The first line of a field; undefined without. */
function fieldValue({ head }: Request, name: string): string | undefined {
  const index = head.find(name);
  return index < 0 ? undefined : head.value(index);
}

function refuse(request: Request, status: number, message: string, errno?: number): number {
  request.connection.logError("error", message, errno);
  return status;
}

/** How deep the request goes; `standard` without a Depth field, undefined for a bad one, which is logged. */
export function depthOf(request: Request, standard: number): number | undefined {
  const text = fieldValue(request, "depth");
  if (text === undefined) return standard;
  const depth = parseDepth(text);
  if (depth === undefined) request.connection.logError("error", `client sent invalid "Depth" header: "${text}"`);
  return depth;
}

/** Where to: the URI and the field as it was sent; or the status to answer. */
function destinationOf(request: Request): { readonly uri: string; readonly field: string } | number {
  const field = fieldValue(request, "destination");
  if (field === undefined) return refuse(request, 400, 'client sent no "Destination" header');
  const invalid = (): number => refuse(request, 400, `client sent invalid "Destination" header: "${field}"`);
  const parsed = parseDestination(field, "http", request.host);
  if (!parsed.ok) {
    if (parsed.reason === "no host") return refuse(request, 400, 'client sent no "Host" header');
    if (parsed.reason === "invalid") return invalid();
    const message = `"Destination" URI "${field}" is handled by different repository than the source URI`;
    return refuse(request, 400, message);
  }
  const split = splitUri(parsed.path);
  if (split === undefined) {
    const path = parsed.path.split("?", 1)[0] ?? "";
    const text = isUnsafePath(path) ? parsed.path : unescapeUri(path);
    request.connection.logError("error", `unsafe URI "${text}" was detected`);
    return invalid();
  }
  if (request.uri.endsWith("/") !== field.endsWith("/")) {
    const message = `both URI "${request.uri}" and "Destination" URI "${field}" should be either collections or non-collections`;
    return refuse(request, 409, message);
  }
  if (request.location.alias > split.uri.length) return invalid();
  return { uri: split.uri, field };
}

/** 0, or the status for a Depth that does not suit. */
function checkDepth(request: Request): number {
  const depth = depthOf(request, INFINITE_DEPTH);
  if (depth === INFINITE_DEPTH) return 0;
  if (request.method !== COPY) return refuse(request, 400, '"Depth" header must be infinity');
  return depth === 0 ? 0 : refuse(request, 400, '"Depth" header must be 0 or infinity');
}

/** Whether what is there may be replaced; undefined for a bad field, which is logged. */
function overwriteOf(request: Request): boolean | undefined {
  const text = fieldValue(request, "overwrite");
  if (text === undefined) return true;
  const overwrite = parseOverwrite(text);
  if (overwrite === undefined)
    request.connection.logError("error", `client sent invalid "Overwrite" header: "${text}"`);
  return overwrite;
}

/** Source and destination in the file system, without double slashes. */
interface Paths {
  /** As the URI says: that of a collection ends with a slash. */
  readonly from: string;
  /** Without the slash of a collection. */
  readonly to: string;
  readonly toCollection: boolean;
}

function mapPaths(request: Request, destination: string): Paths | undefined {
  const from = mapPath(request, request.uri);
  const { uri } = request;
  // A root with variables of the URI means that of the destination.
  request.uri = destination;
  const mapped = mapPath(request, destination);
  request.uri = uri;
  if (from === undefined || mapped === undefined) return undefined;
  const to = mergeSlashes(mapped);
  const toCollection = to.endsWith("/");
  return { from: mergeSlashes(from), to: toCollection ? to.slice(0, -1) : to, toCollection };
}

function mergeSlashes(path: string): string {
  return path.replace(/\/\/+/g, "/");
}

/** 0, or 403 when one place lies in the other. */
function checkPlaces(request: Request, { from, to, toCollection }: Paths, field: string): number {
  const source = from.endsWith("/") ? from.slice(0, -1) : from;
  if (source === to) {
    const message = `both URI "${request.uri}" and "Destination" URI "${field}" point to the same location`;
    return refuse(request, 403, message);
  }
  const isInside = to.startsWith(`${source}/`) || source.startsWith(`${to}/`);
  return toCollection && isInside ? refuse(request, 403, mismatch(request, field)) : 0;
}

function mismatch(request: Request, field: string): string {
  return `"${request.uri}" could not be ${request.methodName}ed to collection "${field}"`;
}

/** What stands where the copy shall be: nothing, something that may be replaced, or the status to answer. */
function lookAtTarget(request: Request, { to, toCollection }: Paths, field: string, overwrite: boolean): Target {
  const { connection } = request;
  const info = emptyFileInfo();
  const errno = -connection.worker.ports.files.statLink(to, info);
  if (errno === ENOENT) return { status: 0, replaces: false, isFolder: false };
  if (errno !== 0) return refused(fileFailure(connection, "lstat()", to, errno, 404));
  if (info.isDirectory && !toCollection) return refused(refuse(request, 409, mismatch(request, field)));
  if (!overwrite) return refused(refuse(request, 412, `"${to}" could not be created`, EEXIST));
  return { status: 0, replaces: true, isFolder: info.isDirectory };
}

interface Target {
  readonly status: number;
  readonly replaces: boolean;
  readonly isFolder: boolean;
}

function refused(status: number): Target {
  return { status, replaces: false, isFolder: false };
}

/** Does what COPY and MOVE ask for; `mode` is that of new files. The status to answer. */
export function copyOrMove(request: Request, mode: number): number {
  const { connection } = request;
  if (request.contentLength > 0 || request.chunkedBody)
    return refuse(request, 415, "COPY and MOVE with body are unsupported");
  const destination = destinationOf(request);
  if (typeof destination === "number") return destination;
  const badDepth = checkDepth(request);
  if (badDepth !== 0) return badDepth;
  const overwrite = overwriteOf(request);
  if (overwrite === undefined) return 400;
  const paths = mapPaths(request, destination.uri);
  if (paths === undefined) return 500;
  const misplaced = checkPlaces(request, paths, destination.field);
  if (misplaced !== 0) return misplaced;
  const target = lookAtTarget(request, paths, destination.field, overwrite);
  if (target.status !== 0) return target.status;
  const info = emptyFileInfo();
  const errno = -connection.worker.ports.files.statLink(paths.from, info);
  if (errno !== 0) return fileFailure(connection, "lstat()", paths.from, errno, 404);
  return info.isDirectory ? copyFolder(request, paths, target, info) : copyOne(request, paths, mode, info);
}

function copyFolder(request: Request, { from, to }: Paths, target: Target, info: FileInfo): number {
  const { connection } = request;
  const { files } = connection.worker.ports;
  if (!request.uri.endsWith("/")) return refuse(request, 400, `"${request.uri}" is collection`);
  if (target.replaces) {
    const failed = deleteTree(connection, to, target.isFolder);
    if (failed !== 0) return failed;
  }
  if (request.method === MOVE && files.rename(from, to) === 0) return 201;
  const made = files.makeFolder(to, info.mode);
  if (made < 0) return fileFailure(connection, "mkdir()", to, -made, 404);
  if (!copyTree(connection, from, to)) return 500;
  const left = request.method === MOVE ? deleteTree(connection, from, true) : 0;
  return left === 0 ? 201 : left;
}

function copyOne({ connection, method }: Request, { from, to }: Paths, mode: number, info: FileInfo): number {
  if (method === MOVE) {
    const rules = { fd: -1, mode: 0, modifiedS: -1, folderMode: folderMode(mode), deletes: false };
    return moveFile(connection, from, to, rules) ? 204 : 500;
  }
  const { sizeBytes, mtimeS } = info;
  return copyFile(connection, from, to, { sizeBytes, mode: info.mode, modifiedS: mtimeS }) ? 204 : 500;
}
