/** Looks for an index file in a directory and goes on with it. nginx: ngx_http_index_module. */

import type { Use } from "../../conf/slot.ts";
import { list } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { GET, HEAD, POST } from "../../wire/http1/methods.ts";
import { internalRedirect } from "../engine.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { DECLINED, OK } from "../outcome.ts";
import { mapPath } from "../paths.ts";
import type { Request } from "../request.ts";
import { linkCheckOf } from "../symlinks.ts";
import type { Text } from "../variables.ts";

const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const ENAMETOOLONG = 36;
const ELOOP = 40;
const EMLINK = 31;

function parseIndex(use: Use): readonly Template[] | undefined {
  const names: Template[] = [];
  use.args.forEach((word, index) => {
    if (word.startsWith("/") && index < use.args.length - 1) {
      use.warn('only the last index in "index" directive should be absolute');
    }
    if (word === "") {
      use.fail(`index "${word}" in "index" directive is invalid`);
      return;
    }
    const name = use.template(word);
    if (name !== undefined) names.push(name);
  });
  return names.length === use.args.length ? names : undefined;
}

const directives = {
  index: list(parseIndex, {
    in: "http, server, location",
    args: [1, Number.POSITIVE_INFINITY],
    syntax: "file ...",
    defaultText: "index.html",
    doc: "Files that answer for a directory.",
  }),
};

/** 404 or 403 when the directory itself is missing or behind a link, OK when it is there. `path` is the index file in it. */
function testDirectory(request: Request, directory: string, path: string): number {
  const found = request.connection.worker.files.test(directory, undefined, linkCheckOf(request, directory));
  if (found.errno === ENOENT) return indexError(request, path, ENOENT);
  if (found.errno === EMLINK || found.errno === ELOOP) return 403;
  // The index file itself was looked for: the directory may be searched.
  if (found.errno === EACCES) return OK;
  if (found.errno !== 0) {
    request.connection.logError("crit", `${found.failedCall} "${directory}" failed`, found.errno);
    return 500;
  }
  if (found.isDirectory) return OK;
  request.connection.logError("alert", `"${directory}" is not a directory`);
  return 500;
}

function indexError(request: Request, path: string, errno: number): number {
  if (errno === EACCES) {
    request.connection.logError("error", `"${path}" is forbidden`, errno);
    return 403;
  }
  if (request.location.core.log_not_found) request.connection.logError("error", `"${path}" is not found`, errno);
  return 404;
}

function build(names: readonly Template[], place: Place): Handler {
  const texts: readonly Text[] = names.map((name) => place.compile(name));
  const constants = names.map(constantOf);
  return (request) => {
    const { uri, method } = request;
    if (uri.charCodeAt(uri.length - 1) !== 0x2f) return DECLINED;
    if (method !== GET && method !== HEAD && method !== POST) return DECLINED;
    const { files } = request.connection.worker;
    let directoryTested = false;
    let directory: string | undefined;
    for (let i = 0; i < texts.length; i++) {
      const name = constants[i] ?? (texts[i] as Text)(request);
      if (name.startsWith("/")) return internalRedirect(request, name, request.args);
      directory ??= mapPath(request, uri);
      if (directory === undefined) return 500;
      const path = directory + name;
      const file = files.test(path, request.location.fileCache, linkCheckOf(request, path));
      if (request.location.fileCache !== undefined) files.release(file);
      const { errno } = file;
      if (errno === 0) return internalRedirect(request, uri + name, request.args);
      if (errno === EMLINK || errno === ELOOP) return 403;
      if (errno === ENOTDIR || errno === ENAMETOOLONG || errno === EACCES) return indexError(request, path, errno);
      if (!directoryTested) {
        const rc = testDirectory(request, directory.slice(0, -1), path);
        if (rc !== OK) return rc;
        directoryTested = true;
      }
      if (errno === ENOENT) continue;
      request.connection.logError("crit", `${file.failedCall} "${path}" failed`, errno);
      return 500;
    }
    return DECLINED;
  };
}

const STANDARD: Template = { text: "index.html", parts: ["index.html"] };

export const index = httpModule({
  name: "index",
  directives,
  phases: {
    content: (conf, place) => build(conf.index.length === 0 ? [STANDARD] : conf.index.flat(), place),
  },
});
