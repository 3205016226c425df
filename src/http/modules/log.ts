/** Access logs of HTTP. nginx: ngx_http_log_module. */
import type { Scope } from "../../conf/scope.ts";
import { type AccessLogConf, AccessLogDirectives, type Target } from "../../net/access-log-directives.ts";
import { compileAccessLogs } from "../../net/access-log-writers.ts";
import { LOGGING_REQUEST } from "../actions.ts";
import { appendVariable } from "../log-variables.ts";
import { httpModule, type Place } from "../module.ts";
import { documentRoot } from "../paths.ts";
import type { Request } from "../request.ts";
import { linkCheckOf } from "../symlinks.ts";

const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';

const accessLogDirectives = new AccessLogDirectives({
  contexts: {
    format: "http",
    log: "http, server, location, if in location, limit_except",
    cache: "http, server, location",
  },
  standard: { name: "combined", text: COMBINED },
  defaultText: "logs/access.log combined",
});

/** A file is made for a name of the request's only where its root is: else clients could make any. */
function hasRoot(request: Request): boolean {
  const root = documentRoot(request);
  const { connection, location } = request;
  const { files } = connection.worker;
  const found = files.test(root, location.fileCache, linkCheckOf(request, root));
  if (location.fileCache !== undefined) files.release(found);
  if (found.errno === 0 && found.isDirectory) return true;
  const errno = found.errno === 0 ? ENOTDIR : found.errno;
  connection.logError("error", `testing "${root}" existence failed`, errno, LOGGING_REQUEST);
  return false;
}

const ENOTDIR = 20;

function build(conf: AccessLogConf, place: Place): ((request: Request) => void) | undefined {
  const { accessLogs, ports } = place.worker;
  return compileAccessLogs(conf.access_log, accessLogDirectives.formatsOf(conf.log_format), {
    compile: (template) => place.compile(template),
    getter: (variable) => place.getter(variable),
    matcher: (regexp, names) => place.matcher(regexp, names),
    accessLogs,
    logging: ports.logging,
    clock: ports.reactor.clock,
    fileCache: conf.open_log_file_cache,
    appendVariable: (name) => appendVariable(name, place.getter(name)),
    mayMakeFile: hasRoot,
    linkCheckOf,
  });
}

export const log = httpModule({
  name: "log",
  directives: accessLogDirectives.directives,
  merge: (merged, _outer, { environment: { prefix } }) => {
    if (merged.access_log.length > 0) return merged;
    const target: Target = { kind: "file", path: `${prefix}logs/access.log` };
    return { ...merged, access_log: [{ target, format: "combined", buffer: undefined, condition: undefined }] };
  },
  log: build,
});

/** Files that a scope's access logs are written to, for the master to create. */
export function accessLogFiles(scope: Scope): readonly string[] {
  return accessLogDirectives.files(scope);
}
