/** nginx's command line. nginx: ngx_get_options. */
import { existsSync } from "node:fs";
import type { Layout } from "../process/nginx-configuration.ts";

/** Signals that `-s` sends. */
export type SignalName = "stop" | "quit" | "reopen" | "reload";

export interface NginxOptions {
  readonly showVersion: boolean;
  readonly showHelp: boolean;
  readonly showConfigure: boolean;
  readonly testConfiguration: boolean;
  readonly dumpConfiguration: boolean;
  readonly quiet: boolean;
  readonly prefix?: string;
  readonly errorLog?: string;
  readonly confFile?: string;
  readonly globalDirectives: string;
  readonly signal?: SignalName;
}

type Draft = { -readonly [K in keyof NginxOptions]: NginxOptions[K] };

const SIGNALS: readonly string[] = ["stop", "quit", "reopen", "reload"];

/** The options, or what is wrong with them in nginx's words (its name in front is missing). */
export function parseNginxOptions(args: readonly string[]): NginxOptions | string {
  const options: Draft = {
    showVersion: false,
    showHelp: false,
    showConfigure: false,
    testConfiguration: false,
    dumpConfiguration: false,
    quiet: false,
    globalDirectives: "",
  };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (!arg.startsWith("-")) return `invalid option: "${arg}"`;
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at] as string;
      if (setSwitch(letter, options)) continue;
      const what = VALUES[letter];
      if (what === undefined) return `invalid option: "${letter}"`;
      const rest = arg.slice(at + 1);
      const value = rest === "" ? args[++i] : rest;
      if (value === undefined) return `option "-${letter}" requires ${what}`;
      if (letter === "s" && !SIGNALS.includes(value)) return `invalid option: "-s ${value}"`;
      setValue(letter, value, options);
      break;
    }
  }
  return options;
}

/** Options with a value, and how nginx calls it. */
const VALUES: Readonly<Record<string, string>> = {
  p: "directory name",
  e: "file name",
  c: "file name",
  g: "parameter",
  s: "parameter",
};

function setValue(letter: string, value: string, options: Draft): void {
  if (letter === "p") options.prefix = value.endsWith("/") ? value : `${value}/`;
  else if (letter === "e") options.errorLog = value;
  else if (letter === "c") options.confFile = value;
  else if (letter === "g") options.globalDirectives = value;
  else options.signal = value as SignalName;
}

function setSwitch(letter: string, options: Draft): boolean {
  switch (letter) {
    case "?":
    case "h":
      options.showVersion = true;
      options.showHelp = true;
      return true;
    case "v":
      options.showVersion = true;
      return true;
    case "V":
      options.showVersion = true;
      options.showConfigure = true;
      return true;
    case "t":
      options.testConfiguration = true;
      return true;
    case "T":
      options.testConfiguration = true;
      options.dumpConfiguration = true;
      return true;
    case "q":
      options.quiet = true;
      return true;
    default:
      return false;
  }
}

/** nginx as its own `make install` puts it. */
const OWN_LAYOUT: Layout = {
  prefix: "/usr/local/nginx/",
  confPath: "conf/nginx.conf",
  errorLogPath: "logs/error.log",
  pidPath: "logs/nginx.pid",
};

/** nginx as distributions package it. */
const PACKAGED_LAYOUT: Layout = {
  prefix: "/usr/share/nginx/",
  confPath: "/etc/nginx/nginx.conf",
  errorLogPath: "/var/log/nginx/error.log",
  pidPath: "/run/nginx.pid",
};

/** Where files are when no option says so: as a package of nginx left them, if one did, or else as nginx's own installation. */
export function defaultLayout(exists: (path: string) => boolean = existsSync): Layout {
  if (exists(OWN_LAYOUT.prefix + OWN_LAYOUT.confPath)) return OWN_LAYOUT;
  return exists(PACKAGED_LAYOUT.confPath) ? PACKAGED_LAYOUT : OWN_LAYOUT;
}

/** The layout that the options ask for; with `-p` the files are those of nginx's own installation below that folder. */
export function layoutOf(options: NginxOptions, fallback: Layout): Layout {
  const base = options.prefix === undefined ? fallback : { ...OWN_LAYOUT, prefix: options.prefix };
  return {
    ...base,
    ...(options.confFile === undefined ? {} : { confPath: options.confFile }),
    ...(options.errorLog === undefined ? {} : { errorLogPath: options.errorLog }),
  };
}

/** What `-h` prints behind the version. */
export function usage({ prefix, errorLogPath, confPath }: Layout): string {
  return `Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: ${prefix})
  -e filename   : set error log file (default: ${errorLogPath})
  -c filename   : set configuration file (default: ${confPath})
  -g directives : set global directives out of configuration file

`;
}
