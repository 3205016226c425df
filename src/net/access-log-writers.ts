/** What is written into access logs: formats compiled, lines put where they belong. nginx: ngx_http_log_handler, ngx_stream_log_handler. */
import { fromLatin1 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { LEVELS } from "../base/log.ts";
import type { Logging } from "../io/logging.ts";
import type { AccessLog, Escape, LogFormat, Target } from "./access-log-directives.ts";
import type { AccessLogs, BufferSettings } from "./access-logs.ts";
import type { LinkCheck } from "./link-checks.ts";
import { LogFailure } from "./log-failure.ts";
import type { LogFileCacheSettings } from "./log-file-cache.ts";
import type { Append } from "./log-line.ts";
import type { Getter, Subject, Text, TextPlace } from "./variables.ts";

/** Where logs are compiled. */
export interface LogPlace<S> extends TextPlace<S> {
  readonly accessLogs: AccessLogs<S>;
  readonly logging: Logging;
  readonly clock: Clock;
  /** Of logs whose names have variables. */
  readonly fileCache: LogFileCacheSettings | "off";
  /** Appends a variable to a line. */
  appendVariable(name: string): Append<S>;
  /** A file may be made whose name the subject has made. */
  mayMakeFile(subject: S): boolean;
  /** Which symbolic links that name may have. */
  linkCheckOf(subject: S, name: string): LinkCheck | undefined;
}

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
function compileLine<S extends Subject>({ escaping, template }: LogFormat, place: LogPlace<S>): Text<S> {
  const apply = ESCAPES[escaping];
  const parts = template.parts.map((part): string | Getter<S> => {
    if (typeof part === "string") return part;
    return part.kind === "capture" ? (subject) => subject.captures?.[part.index] : place.getter(part.name);
  });
  return (subject) => {
    let line = "";
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as string | Getter<S>;
      line += typeof part === "string" ? part : apply(part(subject));
    }
    return `${line}\n`;
  };
}

/** The parts of a line for composing it in place; undefined when its escaping needs a string. */
function compileParts<S extends Subject>(
  { escaping, template }: LogFormat,
  place: LogPlace<S>,
): readonly Append<S>[] | undefined {
  if (escaping !== "default") return undefined;
  return template.parts.map((part): Append<S> => {
    if (typeof part === "string") {
      const bytes = fromLatin1(part);
      return (_, line) => line.constant(bytes);
    }
    if (part.kind === "capture") return (subject, line) => line.text(subject.captures?.[part.index]);
    return place.appendVariable(part.name);
  });
}

/** Writes the line of a subject. */
export type LogWriter<S> = (subject: S) => void;

function compileWriter<S extends Subject>(
  target: Target,
  buffer: BufferSettings | undefined,
  format: LogFormat,
  place: LogPlace<S>,
): LogWriter<S> {
  const { accessLogs } = place;
  const line = compileLine(format, place);
  if (target.kind === "file") {
    const file = accessLogs.get(target.path, buffer);
    const parts = compileParts(format, place);
    if (parts === undefined)
      return (subject) => {
        if (!file.isFull) file.write(subject, line(subject));
      };
    return (subject) => {
      if (!file.isFull && !file.append(subject, parts)) file.write(subject, line(subject));
    };
  }
  if (target.kind === "syslog") {
    const sink = place.logging.openSyslog(target.settings);
    const severity = LEVELS.indexOf(target.severity);
    return (subject) => sink.send(severity, line(subject).slice(0, -1), place.clock.wall());
  }
  const path = place.compile(target.path);
  const cache = place.fileCache === "off" ? undefined : accessLogs.cacheOf(place.fileCache);
  const failure = new LogFailure();
  return (subject) => {
    if (failure.isFull(accessLogs.nowS) || !place.mayMakeFile(subject)) return;
    const name = path(subject);
    accessLogs.writeTo(subject, name, line(subject), { cache, links: place.linkCheckOf(subject, name), failure });
  };
}

/** What a place's `access_log` lines do; undefined when nothing is logged there. */
export function compileAccessLogs<S extends Subject>(
  lines: readonly AccessLog[],
  formats: readonly LogFormat[],
  place: LogPlace<S>,
): LogWriter<S> | undefined {
  if (lines.length === 0 || lines.some(({ target }) => target === "off")) return undefined;
  const writers = lines.map(({ target, format, buffer, condition }): LogWriter<S> => {
    const found = formats.find(({ name }) => name.toLowerCase() === format.toLowerCase()) as LogFormat;
    const write = compileWriter(target as Target, buffer, found, place);
    if (condition === undefined) return write;
    const test = place.compile(condition);
    return (subject) => {
      const value = test(subject);
      if (value !== "" && value !== "0") write(subject);
    };
  });
  const [only] = writers;
  if (writers.length === 1 && only !== undefined) return only;
  return (subject) => {
    for (const write of writers) write(subject);
  };
}
