/** Directives of access logs, the same for every service that has such logs. nginx: ngx_http_log_module, ngx_stream_log_module. */
import type { Level } from "../base/log.ts";
import { present, readParameters, valued } from "../conf/parameters.ts";
import type { Scope } from "../conf/scope.ts";
import type { ConfOf, Slot, Use } from "../conf/slot.ts";
import { fullName, list, raw } from "../conf/slots.ts";
import { constantOf, parseTemplate, type Template } from "../conf/template.ts";
import { parseMsec, parseNumber, parseSize } from "../conf/units.ts";
import { number, seconds } from "../conf/values.ts";
import type { SyslogSettings } from "../io/logging.ts";
import type { BufferSettings } from "./access-logs.ts";
import { parseSyslog } from "./error-log.ts";
import type { LogFileCacheSettings } from "./log-file-cache.ts";

/** How values are written. */
export type Escape = "default" | "json" | "none";

/** One `log_format`. */
export interface LogFormat {
  readonly name: string;
  readonly escaping: Escape;
  readonly template: Template;
}

/** Where lines go. */
export type Target =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "variable"; readonly path: Template }
  | { readonly kind: "syslog"; readonly settings: SyslogSettings; readonly severity: Level };

/** One `access_log`. */
export interface AccessLog {
  readonly target: Target | "off";
  readonly format: string;
  readonly buffer: BufferSettings | undefined;
  readonly condition: Template | undefined;
}

/** `gzip` without `buffer=`. */
const GZIP_BUFFER_BYTES = 64 * 1024;
const MANY = Number.POSITIVE_INFINITY;

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

/** What differs between services. */
export interface AccessLogOptions {
  /** Contexts of `log_format`, `access_log` and `open_log_file_cache`. */
  readonly contexts: { readonly format: string; readonly log: string; readonly cache: string };
  /** The format that is there without a definition, and used where an `access_log` names none; undefined: there is none, and one has to. */
  readonly standard: { readonly name: string; readonly text: string } | undefined;
  /** Where is logged when nothing says so, as text. */
  readonly defaultText: string;
}

/** The directives by name. */
export type AccessLogSlots = {
  readonly log_format: Slot<readonly LogFormat[]>;
  readonly access_log: Slot<readonly AccessLog[]>;
  readonly open_log_file_cache: Slot<LogFileCacheSettings | "off">;
};

export type AccessLogConf = ConfOf<AccessLogSlots>;

export class AccessLogDirectives {
  readonly directives: AccessLogSlots;
  private readonly options: AccessLogOptions;

  constructor(options: AccessLogOptions) {
    this.options = options;
    this.directives = {
      log_format: list((use) => this.parseFormat(use), {
        in: options.contexts.format,
        args: [2, MANY],
        syntax: "name [escape=default|json|none] string ...",
        ...(options.standard === undefined ? {} : { defaultText: `${options.standard.name} "..."` }),
        doc: "Defines what a log line has.",
      }),
      access_log: list((use) => this.parseAccessLog(use), {
        in: options.contexts.log,
        args: [1, MANY],
        syntax: "path [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]] | off",
        defaultText: options.defaultText,
        doc: "Where requests and sessions are logged.",
      }),
      open_log_file_cache: raw<LogFileCacheSettings | "off", "off">("off", parseFileCache, {
        in: options.contexts.cache,
        args: [1, 4],
        syntax: "off | max=N [inactive=time] [min_uses=N] [valid=time]",
        defaultText: "off",
        doc: "Keeps log files open whose names have variables.",
      }),
    };
  }

  private own(scope: Scope): Partial<AccessLogConf> {
    return scope.own(this);
  }

  private parseFormat(use: Use): LogFormat | undefined {
    const [name = "", ...rest] = use.args;
    let escaping: Escape = "default";
    if (rest[0]?.startsWith("escape=")) {
      const word = (rest.shift() as string).slice("escape=".length);
      if (word !== "json" && word !== "none" && word !== "default")
        return use.fail(`unknown log format escaping "${word}"`);
      escaping = word;
    }
    if (this.formatsOf(this.own(use.scope).log_format ?? []).some((known) => known.name === name))
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

  private parseAccessLog(use: Use): AccessLog | undefined {
    const [word = "", named, ...parameters] = use.args;
    if (word === "off") {
      if (use.args.length > 1) return use.fail(`invalid parameter "${use.args[1]}"`);
      return { target: "off", format: "", buffer: undefined, condition: undefined };
    }
    const target = parseTarget(use, word);
    if (target === undefined) return undefined;
    const format = named ?? this.options.standard?.name;
    if (format === undefined) return use.fail("log format is not specified");
    if (!this.formatsAround(use.scope).some(({ name }) => name.toLowerCase() === format.toLowerCase()))
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
    if (buffer !== undefined && target.kind === "file" && this.isBufferedOtherwise(use.scope, target.path, buffer))
      return use.fail(`access_log "${word}" already defined with conflicting parameters`);
    if (sizeBytes !== undefined && target.kind === "syslog") return use.fail("logs to syslog cannot be buffered");
    return {
      target,
      format,
      buffer,
      condition,
    };
  }

  /** With the one that is there without a definition. */
  formatsOf(formats: readonly LogFormat[]): readonly LogFormat[] {
    const { standard } = this.options;
    const parsed = standard === undefined ? undefined : parseTemplate(standard.text);
    if (standard === undefined || parsed?.ok !== true) return formats;
    return [...formats, { name: standard.name, escaping: "default", template: parsed.value }];
  }

  /** True when an `access_log` read before buffers the same file with other parameters: a file has one buffer. */
  private isBufferedOtherwise(scope: Scope, path: string, { sizeBytes, flushMs, gzipLevel }: BufferSettings): boolean {
    const differs = (inner: Scope): boolean =>
      (this.own(inner).access_log ?? []).some(
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
  private formatsAround(scope: Scope): readonly LogFormat[] {
    const { log_format: own } = this.own(scope);
    return own !== undefined || scope.parent === undefined
      ? this.formatsOf(own ?? [])
      : this.formatsAround(scope.parent);
  }

  /** Files that a scope's access logs are written to, for the master to create. */
  files(scope: Scope): readonly string[] {
    const { access_log: lines }: AccessLogConf = scope.conf(this);
    if (lines.some(({ target }) => target === "off")) return [];
    return lines.flatMap(({ target }) => (target !== "off" && target.kind === "file" ? [target.path] : []));
  }
}
