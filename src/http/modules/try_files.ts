/** Tries files in order and goes on with the first that exists. nginx: ngx_http_try_files_module. */

import type { Use } from "../../conf/slot.ts";
import { raw } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { internalRedirect, namedLocation } from "../engine.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { DECLINED } from "../outcome.ts";
import { mapPath } from "../paths.ts";
import type { Request } from "../request.ts";
import { linkCheckOf } from "../symlinks.ts";
import type { Text } from "../variables.ts";

interface Candidate {
  readonly name: Template;
  readonly directory: boolean;
}

interface Tries {
  readonly candidates: readonly Candidate[];
  /** Where to go when there is none of them. */
  readonly fallback: Template | number;
}

const ENOENT = 2;
const ENOTDIR = 20;
const ENAMETOOLONG = 36;

function parseTries(use: Use): Tries | undefined {
  const words = use.args;
  const candidates: Candidate[] = [];
  for (const word of words.slice(0, -1)) {
    const directory = word.endsWith("/");
    const name = use.template(directory ? word.slice(0, -1) : word);
    if (name === undefined) return undefined;
    candidates.push({ name, directory });
  }
  const last = words.at(-1) as string;
  if (last.startsWith("=")) {
    const code = /^=\d{1,3}$/.test(last) ? Number(last.slice(1)) : undefined;
    return code === undefined ? use.fail(`invalid code "${last}"`) : { candidates, fallback: code };
  }
  const fallback = use.template(last);
  return fallback === undefined ? undefined : { candidates, fallback };
}

const directives = {
  try_files: raw(undefined, parseTries, {
    in: "server, location",
    inherit: "none",
    args: [2, Number.POSITIVE_INFINITY],
    syntax: "file ... uri | =code",
    doc: "Goes on with the first file that exists.",
  }),
};

interface Try {
  readonly name: Text;
  readonly isConstant: boolean;
  readonly directory: boolean;
}

/** Path of a candidate, and the part of it behind the root: nginx cuts an alias' own prefix off a name with variables. */
function place(
  request: Request,
  name: string,
  isConstant: boolean,
): { readonly path: string; readonly tail: string } | undefined {
  const { alias } = request.location;
  const base = mapPath(request, "");
  if (base === undefined) return undefined;
  const { uri } = request;
  const cut = alias > 0 && !isConstant && name.startsWith(uri.slice(0, alias));
  const tail = cut ? name.slice(alias) : name;
  return { path: base + tail, tail };
}

function take(request: Request, tail: string, directory: boolean): void {
  const { alias } = request.location;
  if (alias === 0) request.uri = tail;
  else if (alias === -1) {
    if (directory) return;
    request.uri = tail;
    request.addUriToAlias = true;
  } else request.uri = request.uri.slice(0, alias) + tail;
}

function build(tries: Tries, at: Place): Handler {
  const candidates: readonly Try[] = tries.candidates.map(({ name, directory }) => ({
    name: at.compile(name),
    isConstant: constantOf(name) !== undefined,
    directory,
  }));
  const { fallback } = tries;
  const target = typeof fallback === "number" ? undefined : at.compile(fallback);
  return (request) => {
    const { files } = request.connection.worker;
    for (let i = 0; i < candidates.length; i++) {
      const { name, isConstant, directory } = candidates[i] as Try;
      const found = place(request, name(request), isConstant);
      if (found === undefined) return 500;
      const file = files.test(found.path, request.location.fileCache, linkCheckOf(request, found.path));
      if (request.location.fileCache !== undefined) files.release(file);
      const { errno } = file;
      if (errno !== 0) {
        if (errno !== ENOENT && errno !== ENOTDIR && errno !== ENAMETOOLONG) {
          request.connection.logError("crit", `${file.failedCall} "${found.path}" failed`, errno);
        }
        continue;
      }
      if (file.isDirectory !== directory) continue;
      take(request, found.tail, directory);
      return DECLINED;
    }
    if (target === undefined) return fallback as number;
    const uri = target(request);
    if (uri.startsWith("@")) return namedLocation(request, uri);
    const question = uri.indexOf("?");
    if (question < 0) return internalRedirect(request, uri, "");
    return internalRedirect(request, uri.slice(0, question), uri.slice(question + 1));
  };
}

export const tryFiles = httpModule({
  name: "try_files",
  directives,
  phases: {
    precontent: (conf, at) => (conf.try_files === undefined ? undefined : build(conf.try_files, at)),
  },
});
