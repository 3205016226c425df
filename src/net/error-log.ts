/** The directive `error_log` of the main context, and the parameters of `syslog:`. nginx: ngx_error_log, ngx_syslog_parse_args. */

import { LEVELS, type Level } from "../base/log.ts";
import { confModule, type Use } from "../conf/slot.ts";
import { fullName, list } from "../conf/slots.ts";
import type { LogTarget, SyslogSettings } from "../io/logging.ts";
import type { Endpoint } from "../io/stream.ts";
import { parseServerAddress } from "./address.ts";

const FACILITIES =
  "kern user mail daemon auth intern lpr news uucp clock authpriv ftp ntp audit alert cron local0 local1 local2 local3 local4 local5 local6 local7".split(
    " ",
  );
const DEFAULT_FACILITY = FACILITIES.indexOf("local7");
const SYSLOG_PORT = 514;
const MAX_TAG_LENGTH = 32;

/** Several `error_log` of one scope add up; an inner scope with its own doesn't see the outer ones. Empty: the default log. */
export const errorLogModule = confModule({
  name: "errlog",
  directives: {
    error_log: list(parseErrorLog, {
      in: "main",
      doc: "Where messages go, and from which level on.",
      syntax: "file [level]",
      args: [1, Number.POSITIVE_INFINITY],
      defaultText: "logs/error.log error",
    }),
  },
});

/** A level as `error_log` takes it: nginx's `debug_*` are for builds with debugging. */
function parseLevel(text: string): Level | undefined {
  return LEVELS.find((level) => level === text);
}

/** One `error_log`, in whatever context. */
export function parseErrorLog(use: Use): LogTarget | undefined {
  const [place = "", ...levelTexts] = use.args;
  if (place.startsWith("memory:")) return use.fail("nginx was built without debug support");
  let settings: SyslogSettings | undefined;
  if (place.startsWith("syslog:")) {
    settings = parseSyslog(use, place)?.settings;
    if (settings === undefined) return undefined;
  }
  let level: Level | undefined;
  for (const text of levelTexts) {
    const known = parseLevel(text);
    if (known === undefined) return use.fail(`invalid log level "${text}"`);
    if (level !== undefined) return use.fail(`duplicate log level "${text}"`);
    level = known;
  }
  level ??= "error";
  if (settings !== undefined) return { kind: "syslog", settings, level };
  if (place === "stderr") return { kind: "stderr", level };
  return { kind: "file", path: fullName(place, use.environment.prefix), level };
}

/** `syslog:server=address[,facility=…][,tag=…][,severity=…][,nohostname]`; the severity matters to access_log only. */
export function parseSyslog(
  use: Use,
  text: string,
): { readonly settings: SyslogSettings; readonly severity: Level } | undefined {
  let server: Endpoint | undefined;
  let facility: number | undefined;
  let severity: Level | undefined;
  let tag: string | undefined;
  let hostname = true;
  for (const parameter of text.slice("syslog:".length).split(",")) {
    const equals = parameter.indexOf("=");
    const name = equals < 0 ? parameter : parameter.slice(0, equals);
    const value = equals < 0 ? undefined : parameter.slice(equals + 1);
    if (name === "server" && value !== undefined) {
      if (server !== undefined) return use.fail('duplicate syslog "server"');
      const address = parseServerAddress(value, SYSLOG_PORT, use.environment.lookUp);
      if (typeof address === "string") return use.fail(`${address} in syslog server "${value}"`);
      [server] = address;
    } else if (name === "facility" && value !== undefined) {
      if (facility !== undefined) return use.fail('duplicate syslog "facility"');
      facility = FACILITIES.indexOf(value);
      if (facility < 0) return use.fail(`unknown syslog facility "${value}"`);
    } else if (name === "severity" && value !== undefined) {
      if (severity !== undefined) return use.fail('duplicate syslog "severity"');
      severity = parseLevel(value);
      if (severity === undefined) return use.fail(`unknown syslog severity "${value}"`);
    } else if (name === "tag" && value !== undefined) {
      if (tag !== undefined) return use.fail('duplicate syslog "tag"');
      if (value.length > MAX_TAG_LENGTH) return use.fail("syslog tag length exceeds 32");
      if (!/^\w*$/.test(value)) return use.fail('syslog "tag" only allows alphanumeric characters and underscore');
      tag = value;
    } else if (parameter === "nohostname") hostname = false;
    else return use.fail(`unknown syslog parameter "${parameter}"`);
  }
  if (server === undefined) return use.fail("no syslog server specified");
  const settings = { server, facility: facility ?? DEFAULT_FACILITY, tag: tag ?? "nginx", hostname };
  return { settings, severity: severity ?? "info" };
}
