/** Access logs. nginx: ngx_http_log_module. */
import { fromLatin1 } from "../../base/bytes.ts";
import type { Level } from "../../base/log.ts";
import { LEVELS } from "../../base/log.ts";
import { present, readParameters, valued } from "../../conf/parameters.ts";
import type { Scope } from "../../conf/scope.ts";
import type { Use } from "../../conf/slot.ts";
import { fullName, list, raw } from "../../conf/slots.ts";
import { constantOf, parseTemplate, type Template } from "../../conf/template.ts";
import { parseMsec, parseNumber, parseSize } from "../../conf/units.ts";
import { number, seconds } from "../../conf/values.ts";
import type { SyslogSettings } from "../../io/logging.ts";
import { parseSyslog } from "../../net/error-log.ts";
import type { BufferSettings } from "../access-logs.ts";
import { LOGGING_REQUEST } from "../actions.ts";
import { LogFailure } from "../log-failure.ts";
import type { LogFileCacheSettings } from "../log-file-cache.ts";
import { type Append, appendVariable } from "../log-line.ts";
import { httpModule, type Place } from "../module.ts";
import { documentRoot } from "../paths.ts";
import type { Request } from "../request.ts";
import { linkCheckOf } from "../symlinks.ts";
import type { Getter, Text } from "../variables.ts";

type Escape = "default" | "json" | "none";

interface LogFormat {
  readonly name: string;
  readonly escaping: Escape;
  readonly template: Template;
}

type Target =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "variable"; readonly path: Template }
  | { readonly kind: "syslog"; readonly settings: SyslogSettings; readonly severity: Level };

interface AccessLog {
  readonly target: Target | "off";
  readonly format: string;
  readonly buffer: BufferSettings | undefined;
  readonly condition: Template | undefined;
}

const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';
/** `gzip` without `buffer=`. */
const GZIP_BUFFER_BYTES = 64 * 1024;
const MANY = Number.POSITIVE_INFINITY;

function parseFormat(use: Use): LogFormat | undefined {
  const [name = "", ...rest] = use.args;
  let escaping: Escape = "default";
  if (rest[0]?.startsWith("escape=")) {
    const word = (rest.shift() as string).slice("escape=".length);
    if (word !== "json" && word !== "none" && word !== "default")
      return use.fail(`unknown log format escaping "${word}"`);
    escaping = word;
  }
  if (formatsOf(use.scope.own(log).log_format ?? []).some((known) => known.name === name))
    return use.fail(`duplicate "log_format" name "${name}"`);
  for (const part of rest) {
    const parsed = parseTemplate(part);
    if (parsed.ok) continue;
    const rest = part.slice(Math.max(0, part.search(/\$(?![\w{])/)));
    return use.fail(parsed.reason === "invalid variable name" ? `invalid parameter "${rest}"` : parsed.reason);
  }
  const template = use.template(rest.join(""));
  return template === undefined ? undefined : { name, escaping, template };
}

function parseTarget(use: Use, word: string): Target | undefined {
  if (word.startsWith("syslog:")) {
    const syslog = parseSyslog(use, word);
    return syslog === undefined ? undefined : { kind: "syslog", ...syslog };
  }
  const template = use.template(word);
  if (template === undefined) return undefined;
  const constant = constantOf(template);
  if (constant !== undefined) return { kind: "file", path: fullName(constant, use.environment.prefix) };
  const path = use.template(fullName(word, use.environment.prefix));
  return path === undefined ? undefined : { kind: "variable", path };
}

function parseAccessLog(use: Use): AccessLog | undefined {
  const [word = "", format = "combined", ...parameters] = use.args;
  if (word === "off") {
    if (use.args.length > 1) return use.fail(`invalid parameter "${use.args[1]}"`);
    return { target: "off", format: "combined", buffer: undefined, condition: undefined };
  }
  const target = parseTarget(use, word);
  if (target === undefined) return undefined;
  if (!formatsAround(use.scope).some(({ name }) => name.toLowerCase() === format.toLowerCase()))
    return use.fail(`unknown log format "${format}"`);
  let sizeBytes: number | undefined;
  let flushMs: number | undefined;
  let gzipLevel: number | undefined;
  let condition: Template | undefined;
  for (const parameter of parameters) {
    const value = parameter.slice(parameter.indexOf("=") + 1);
    if (parameter.startsWith("buffer=")) {
      sizeBytes = parseSize(value);
      if (sizeBytes === undefined || sizeBytes === 0) return use.fail(`invalid buffer size "${value}"`);
    } else if (parameter.startsWith("flush=")) {
      flushMs = parseMsec(value);
      if (flushMs === undefined || flushMs === 0) return use.fail(`invalid flush time "${value}"`);
    } else if (parameter.startsWith("if=")) {
      condition = use.template(value);
      if (condition === undefined) return undefined;
    } else if (parameter === "gzip" || parameter.startsWith("gzip=")) {
      sizeBytes ??= GZIP_BUFFER_BYTES;
      gzipLevel = parameter === "gzip" ? 1 : parseNumber(value);
      if (gzipLevel === undefined || gzipLevel < 1 || gzipLevel > 9)
        return use.fail(`invalid compression level "${value}"`);
    } else return use.fail(`invalid parameter "${parameter}"`);
  }
  if (flushMs !== undefined && sizeBytes === undefined)
    return use.fail(`no buffer is defined for access_log "${word}"`);
  if (sizeBytes !== undefined && target.kind === "variable")
    return use.fail("buffered logs cannot have variables in name");
  const buffer = sizeBytes === undefined ? undefined : { sizeBytes, flushMs: flushMs ?? 0, gzipLevel };
  if (buffer !== undefined && target.kind === "file" && isBufferedOtherwise(use.scope, target.path, buffer))
    return use.fail(`access_log "${word}" already defined with conflicting parameters`);
  if (sizeBytes !== undefined && target.kind === "syslog") return use.fail("logs to syslog cannot be buffered");
  return {
    target,
    format,
    buffer,
    condition,
  };
}

const CACHE_PARAMETERS = {
  max: valued(number, undefined, 0),
  inactive: valued(seconds, undefined, 10),
  min_uses: valued(number, undefined, 1),
  valid: valued(seconds, undefined, 60),
  off: present,
};

function parseFileCache(use: Use): LogFileCacheSettings | "off" | undefined {
  const complain = (text: string): string => `invalid "open_log_file_cache" parameter "${text}"`;
  const values = readParameters(use, CACHE_PARAMETERS, { complain });
  if (values === undefined) return undefined;
  if (values.off) return "off";
  if (values.max === 0) return use.fail('"open_log_file_cache" must have "max" parameter');
  const { max, min_uses: minUses, inactive, valid } = values;
  return { max, minUses, inactiveMs: inactive * 1000, validMs: valid * 1000 };
}

const directives = {
  log_format: list(parseFormat, {
    in: "http",
    args: [2, MANY],
    syntax: "name [escape=default|json|none] string ...",
    defaultText: 'combined "..."',
    doc: "Defines what a log line has.",
  }),
  access_log: list(parseAccessLog, {
    in: "http, server, location, if in location, limit_except",
    args: [1, MANY],
    syntax: "path [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]] | off",
    defaultText: "logs/access.log combined",
    doc: "Where requests are logged.",
  }),
  open_log_file_cache: raw<LogFileCacheSettings | "off", "off">("off", parseFileCache, {
    in: "http, server, location",
    args: [1, 4],
    syntax: "off | max=N [inactive=time] [min_uses=N] [valid=time]",
    defaultText: "off",
    doc: "Keeps log files open whose names have variables.",
  }),
};

const UNSAFE = /[\x00-\x1f"\\\x7f-\xff]/;
const UNSAFE_ALL = /[\x00-\x1f"\\\x7f-\xff]/g;
const JSON_UNSAFE = /[\x00-\x1f"\\]/;
const JSON_UNSAFE_ALL = /[\x00-\x1f"\\]/g;
const JSON_SHORT: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
  '"': '\\"',
  "\\": "\\\\",
};

function escapeDefault(value: string | undefined): string {
  if (value === undefined) return "-";
  if (!UNSAFE.test(value)) return value;
  return value.replace(
    UNSAFE_ALL,
    (character) => `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

function escapeJson(value: string | undefined): string {
  if (value === undefined) return "";
  if (!JSON_UNSAFE.test(value)) return value;
  return value.replace(
    JSON_UNSAFE_ALL,
    (character) => JSON_SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`,
  );
}

const ESCAPES: Readonly<Record<Escape, (value: string | undefined) => string>> = {
  default: escapeDefault,
  json: escapeJson,
  none: (value) => value ?? "",
};

/** The line of a format, with its line feed. */
function compileLine({ escaping, template }: LogFormat, place: Place): Text {
  const apply = ESCAPES[escaping];
  const parts = template.parts.map((part): string | Getter => {
    if (typeof part === "string") return part;
    return part.kind === "capture" ? (request) => request.captures?.[part.index] : place.getter(part.name);
  });
  return (request) => {
    let line = "";
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as string | Getter;
      line += typeof part === "string" ? part : apply(part(request));
    }
    return `${line}\n`;
  };
}

/** The parts of a line for composing it in place; undefined when its escaping needs a string. */
function compileParts({ escaping, template }: LogFormat, place: Place): readonly Append[] | undefined {
  if (escaping !== "default") return undefined;
  return template.parts.map((part): Append => {
    if (typeof part === "string") {
      const bytes = fromLatin1(part);
      return (_, line) => line.constant(bytes);
    }
    if (part.kind === "capture") return (request, line) => line.text(request.captures?.[part.index]);
    return appendVariable(part.name, place.getter(part.name));
  });
}

type Writer = (request: Request) => void;

function compileWriter(target: Target, buffer: BufferSettings | undefined, format: LogFormat, place: Place): Writer {
  const { accessLogs, ports } = place.worker;
  const line = compileLine(format, place);
  if (target.kind === "file") {
    const file = accessLogs.get(target.path, buffer);
    const parts = compileParts(format, place);
    if (parts === undefined)
      return (request) => {
        if (!file.isFull) file.write(request, line(request));
      };
    return (request) => {
      if (!file.isFull && !file.append(request, parts)) file.write(request, line(request));
    };
  }
  if (target.kind === "syslog") {
    const sink = ports.logging.openSyslog(target.settings);
    const severity = LEVELS.indexOf(target.severity);
    return (request) => sink.send(severity, line(request).slice(0, -1), ports.reactor.clock.wall());
  }
  const path = place.compile(target.path);
  const settings = place.scope.conf(log).open_log_file_cache;
  const cache = settings === "off" ? undefined : accessLogs.cacheOf(settings);
  const failure = new LogFailure();
  return (request) => {
    if (failure.isFull(accessLogs.nowS) || !hasRoot(request)) return;
    const name = path(request);
    accessLogs.writeTo(request, name, line(request), { cache, links: linkCheckOf(request, name), failure });
  };
}

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

function build(
  conf: { readonly log_format: readonly LogFormat[]; readonly access_log: readonly AccessLog[] },
  place: Place,
): Writer | undefined {
  const lines = conf.access_log;
  if (lines.some(({ target }) => target === "off")) return undefined;
  const writers = lines.map(({ target, format, buffer, condition }): Writer => {
    const found = formatsOf(conf.log_format).find(
      ({ name }) => name.toLowerCase() === format.toLowerCase(),
    ) as LogFormat;
    const write = compileWriter(target as Target, buffer, found, place);
    if (condition === undefined) return write;
    const test = place.compile(condition);
    return (request) => {
      const value = test(request);
      if (value !== "" && value !== "0") write(request);
    };
  });
  const [only] = writers;
  if (writers.length === 1 && only !== undefined) return only;
  return (request) => {
    for (const write of writers) write(request);
  };
}

function formatsOf(formats: readonly LogFormat[]): readonly LogFormat[] {
  const combined = parseTemplate(COMBINED);
  return combined.ok ? [...formats, { name: "combined", escaping: "default", template: combined.value }] : formats;
}

/** True when an `access_log` read before buffers the same file with other parameters: a file has one buffer. */
function isBufferedOtherwise(scope: Scope, path: string, { sizeBytes, flushMs, gzipLevel }: BufferSettings): boolean {
  const differs = (inner: Scope): boolean =>
    (inner.own(log).access_log ?? []).some(
      ({ target, buffer }) =>
        target !== "off" &&
        target.kind === "file" &&
        target.path === path &&
        buffer !== undefined &&
        (buffer.sizeBytes !== sizeBytes || buffer.flushMs !== flushMs || buffer.gzipLevel !== gzipLevel),
    ) || inner.children.some(differs);
  let outermost = scope;
  while (outermost.parent !== undefined) outermost = outermost.parent;
  return differs(outermost);
}

/** The formats that have been defined so far, as an `access_log` in this scope sees them. */
function formatsAround(scope: Scope): readonly LogFormat[] {
  const { log_format: own } = scope.own(log);
  return own !== undefined || scope.parent === undefined ? formatsOf(own ?? []) : formatsAround(scope.parent);
}

export const log = httpModule({
  name: "log",
  directives,
  merge: (merged, _outer, { environment: { prefix } }) => {
    if (merged.access_log.length > 0) return merged;
    const target: Target = { kind: "file", path: `${prefix}logs/access.log` };
    return { ...merged, access_log: [{ target, format: "combined", buffer: undefined, condition: undefined }] };
  },
  log: build,
});

/** Files that a scope's access logs are written to, for the master to create. */
export function accessLogFiles(scope: Scope): readonly string[] {
  const lines = scope.conf(log).access_log;
  if (lines.some(({ target }) => target === "off")) return [];
  return lines.flatMap(({ target }) => (target !== "off" && target.kind === "file" ? [target.path] : []));
}
