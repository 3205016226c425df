/** Sends `FILE.gz` instead of a file to who takes gzip. nginx: ngx_http_gzip_static_module. */
import { choice } from "../../conf/slots.ts";
import { GET, HEAD } from "../../wire/http1/methods.ts";
import { type GzipRules, mayGzip } from "../accepts-gzip.ts";
import type { Handler } from "../location.ts";
import { httpModule } from "../module.ts";
import type { OpenFile } from "../open-files.ts";
import { DECLINED } from "../outcome.ts";
import { mapPath } from "../paths.ts";
import type { Request } from "../request.ts";
import { linkCheckOf } from "../symlinks.ts";
import { gzip, gzipRules } from "./gzip.ts";
import { sendFile } from "./static.ts";

const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const EMLINK = 31;
const ENAMETOOLONG = 36;
const ELOOP = 40;

const directives = {
  gzip_static: choice("off", ["off", "on", "always"], {
    in: "http, server, location",
    doc: "Sends FILE.gz instead of FILE: to clients that take gzip, or to all.",
  }),
};

function logFailure(request: Request, path: string, { errno, failedCall }: OpenFile): void {
  if (errno === ENOENT || errno === ENOTDIR || errno === ENAMETOOLONG) return;
  const level = errno === EACCES || errno === EMLINK || errno === ELOOP ? "error" : "crit";
  request.connection.logError(level, `${failedCall} "${path}" failed`, errno);
}

function sendPacked(request: Request, path: string, file: OpenFile): number {
  if (!file.isFile) {
    request.connection.logError("crit", `"${path}" is not a regular file`);
    return 404;
  }
  return sendFile(request, file, "gzip");
}

/** `rules`: who gets them; undefined when everybody does. */
function build(rules: GzipRules | undefined, vary: boolean): Handler {
  return (request) => {
    const { method, uri } = request;
    if ((method !== GET && method !== HEAD) || uri.charCodeAt(uri.length - 1) === 0x2f) return DECLINED;
    const isTaken = rules === undefined || mayGzip(request, rules);
    if (!isTaken && !vary) return DECLINED;
    const plain = mapPath(request, uri);
    if (plain === undefined) return 500;
    const path = `${plain}.gz`;
    const { files } = request.connection.worker;
    const file = files.open(path, request.location.fileCache, linkCheckOf(request, path));
    if (file.errno === 0) {
      if (rules !== undefined) request.varies = vary;
      if (isTaken && !file.isDirectory) {
        request.file = file;
        return sendPacked(request, path, file);
      }
    } else logFailure(request, path, file);
    files.release(file);
    return DECLINED;
  };
}

export const gzipStatic = httpModule({
  name: "gzip_static",
  directives,
  phases: {
    content: (conf, place) => {
      if (conf.gzip_static === "off") return undefined;
      const general = place.scope.conf(gzip);
      return build(conf.gzip_static === "on" ? gzipRules(general) : undefined, general.gzip_vary);
    },
  },
});
