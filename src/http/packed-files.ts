/** `FILE.gz`, `FILE.br`, `FILE.zst` instead of a file. Counterpart in nginx: what gzip_static and the modules after its model have in common. */
import { acceptsCoding } from "../wire/http1/accept-encoding.ts";
import { ACCEPT_ENCODING } from "../wire/http1/fields.ts";
import { GET, HEAD } from "../wire/http1/methods.ts";
import type { Handler } from "./location.ts";
import { sendFile } from "./modules/static.ts";
import type { OpenFile } from "./open-files.ts";
import { DECLINED } from "./outcome.ts";
import { mapPath } from "./paths.ts";
import type { Request } from "./request.ts";
import { linkCheckOf } from "./symlinks.ts";

const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const EMLINK = 31;
const ENAMETOOLONG = 36;
const ELOOP = 40;

/** True when the client has asked for this coding, and not with a weight of zero. Answers of subrequests are parts of others. */
export function takes(request: Request, coding: string): boolean {
  const { head } = request;
  if (request.parent !== undefined || head.known[ACCEPT_ENCODING] === -1) return false;
  return acceptsCoding(head.knownValue(ACCEPT_ENCODING) as string, coding);
}

/** Which files are sent instead of others, and to whom. */
export interface PackedFiles {
  /** As in Content-Encoding. */
  readonly coding: string;
  /** Behind the name of the plain file. */
  readonly suffix: string;
  /** The client takes them; undefined when all get them. */
  readonly isTaken: ((request: Request) => boolean) | undefined;
  /** gzip_vary */
  readonly vary: boolean;
  /** An answer varies even when there is no such file. */
  readonly alwaysVaries: boolean;
  /** Clients may ask for parts of them. */
  readonly hasRanges: boolean;
}

function logFailure(request: Request, path: string, { errno, failedCall }: OpenFile): void {
  if (errno === ENOENT || errno === ENOTDIR || errno === ENAMETOOLONG) return;
  const level = errno === EACCES || errno === EMLINK || errno === ELOOP ? "error" : "crit";
  request.connection.logError(level, `${failedCall} "${path}" failed`, errno);
}

/** A content handler that sends such files. */
export function packedFiles(rules: PackedFiles): Handler {
  const { suffix, isTaken, vary, alwaysVaries } = rules;
  const looksFirst = vary && !alwaysVaries;
  return (request) => {
    const { method, uri } = request;
    if ((method !== GET && method !== HEAD) || uri.charCodeAt(uri.length - 1) === 0x2f) return DECLINED;
    if (alwaysVaries && isTaken !== undefined) request.varies = vary;
    const isWanted = isTaken === undefined || isTaken(request);
    if (!isWanted && !looksFirst) return DECLINED;
    const plain = mapPath(request, uri);
    if (plain === undefined) return 500;
    const path = `${plain}${suffix}`;
    const { files } = request.connection.worker;
    const file = files.open(path, request.location.fileCache, linkCheckOf(request, path), request.location.fileUse);
    if (file.errno === 0) {
      if (isTaken !== undefined) request.varies = vary;
      if (isWanted && !file.isDirectory) {
        request.file = file;
        return sendPacked(request, path, file, rules);
      }
    } else logFailure(request, path, file);
    files.release(file);
    return DECLINED;
  };
}

function sendPacked(request: Request, path: string, file: OpenFile, { coding, hasRanges }: PackedFiles): number {
  if (file.isFile) return sendFile(request, file, coding, hasRanges);
  request.connection.logError("crit", `"${path}" is not a regular file`);
  return 404;
}
