/** Goes on with any file of a directory. nginx: ngx_http_random_index_module. */
import { flag } from "../../conf/slots.ts";
import { emptyFileInfo, type FileInfo } from "../../io/files.ts";
import { GET, HEAD, POST } from "../../wire/http1/methods.ts";
import { internalRedirect } from "../engine.ts";
import { httpModule } from "../module.ts";
import { DECLINED } from "../outcome.ts";
import { mapPath } from "../paths.ts";
import type { Request } from "../request.ts";

const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const ENAMETOOLONG = 36;

const directives = {
  random_index: flag(false, { in: "location", doc: "Answers for a directory with any of its files." }),
};

function openFailed(request: Request, path: string, errno: number): number {
  const isMissing = errno === ENOENT || errno === ENOTDIR || errno === ENAMETOOLONG;
  const level = isMissing || errno === EACCES ? "error" : "crit";
  request.connection.logError(level, `opendir() "${path}" failed`, errno);
  return isMissing ? 404 : errno === EACCES ? 403 : 500;
}

/** True for a file, or a link to one; a status when it can't be told. A link that leads nowhere is no file. */
function isFile(request: Request, path: string, info: FileInfo): boolean | number {
  const result = request.connection.worker.ports.files.stat(path, info);
  if (result >= 0) return info.isFile;
  if (-result === ENOENT) return false;
  request.connection.logError("crit", `stat() "${path}" failed`, -result);
  return 500;
}

/** The names of the files in a directory; a status when there is none. Hidden ones don't count. */
function filesIn(request: Request, path: string): readonly string[] | number {
  const entries = request.connection.worker.ports.files.list(path);
  if (typeof entries === "number") return openFailed(request, path, -entries);
  const names: string[] = [];
  const info = emptyFileInfo();
  for (const { name, isFile: isPlain, isDirectory } of entries) {
    if (name.startsWith(".") || isDirectory) continue;
    const found = isPlain || isFile(request, `${path}/${name}`, info);
    if (typeof found === "number") return found;
    if (found) names.push(name);
  }
  return names;
}

function serve(request: Request): number {
  const { uri, method } = request;
  if (!uri.endsWith("/")) return DECLINED;
  if (method !== GET && method !== HEAD && method !== POST) return DECLINED;
  const path = mapPath(request, uri);
  if (path === undefined) return 500;
  const names = filesIn(request, path.slice(0, -1));
  if (typeof names === "number") return names;
  if (names.length === 0) return DECLINED;
  const random = request.connection.worker.ports.random(4).reduce((sum, byte) => sum * 256 + byte, 0);
  const name = names[Math.floor((random * names.length) / 2 ** 32)] as string;
  return internalRedirect(request, uri + name, request.args);
}

export const randomIndex = httpModule({
  name: "random_index",
  directives,
  phases: { content: (conf) => (conf.random_index ? serve : undefined) },
});
