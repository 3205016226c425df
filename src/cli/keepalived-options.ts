/** keepalived's command line, read as getopt_long reads it: clustered letters, `-fFILE`, `--use-file=FILE`, `--use-file FILE`. */
import { KEEPALIVED_VERSION } from "../base/version.ts";

export interface KeepalivedOptions {
  readonly file: string;
  readonly dontFork: boolean;
  readonly logConsole: boolean;
  readonly logDetail: boolean;
  /** syslog facility number; undefined: no syslog. */
  readonly facility: number | undefined;
  readonly dumpConfiguration: boolean;
  readonly dontRespawn: boolean;
  /** `-B`: no BFD session is run; what tracks one sees it down. */
  readonly withoutBfd: boolean;
  readonly includeMustExist: boolean;
  /** undefined: where the configuration's globals say, see defaultPidFiles. */
  readonly pidFile: string | undefined;
  readonly vrrpPidFile: string | undefined;
  readonly checkersPidFile: string | undefined;
  /** `-s`: goes before `net_namespace`. */
  readonly namespace: string | undefined;
  /** `-P`, `-C`: which of the two run. */
  readonly runsVrrp: boolean;
  readonly runsCheckers: boolean;
  readonly configId: string | undefined;
  readonly umask: number | undefined;
  /** `-t`: where to, "" for standard error; undefined: no test. */
  readonly test: string | undefined;
  /** `--status-socket`, Tandem's own; "" for none. */
  readonly statusSocket: string | undefined;
}

/** What the command line asks for. */
export type KeepalivedRequest =
  | { readonly kind: "run"; readonly options: KeepalivedOptions }
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  | { readonly kind: "signum"; readonly name: string }
  | { readonly kind: "error"; readonly message: string };

const FACILITY_DAEMON = 3;
const FACILITY_LOCAL0 = 16;

type Argument = "none" | "required" | "optional";

interface Option {
  readonly letter: string;
  readonly name: string;
  readonly argument: Argument;
  readonly doc: string;
  /** Accepted by keepalived, not done by Tandem: refused with this sentence. */
  readonly refused?: string;
}

const NO_SNMP = "Tandem has no SNMP agent yet";
const OPTIONS: readonly Option[] = [
  { letter: "f", name: "use-file", argument: "required", doc: "Use the specified configuration file" },
  { letter: "P", name: "vrrp", argument: "none", doc: "Only run with VRRP subsystem" },
  { letter: "C", name: "check", argument: "none", doc: "Only run with Health-checker subsystem" },
  { letter: "B", name: "no_bfd", argument: "none", doc: "Don't run BFD subsystem" },
  { letter: "l", name: "log-console", argument: "none", doc: "Log messages to local console" },
  { letter: "D", name: "log-detail", argument: "none", doc: "Detailed log messages" },
  { letter: "S", name: "log-facility", argument: "required", doc: "Set syslog facility: 0-7, local0-7, user, daemon" },
  { letter: "G", name: "no-syslog", argument: "none", doc: "Don't log via syslog" },
  { letter: "u", name: "umask", argument: "required", doc: "umask for file creation (in numeric form)" },
  { letter: "X", name: "release-vips", argument: "none", doc: "Drop VIP on transition from signal (always done)" },
  {
    letter: "V",
    name: "dont-release-vrrp",
    argument: "none",
    doc: "Don't remove VRRP VIPs on daemon stop",
    refused: "Tandem always removes virtual addresses when it stops",
  },
  {
    letter: "I",
    name: "dont-release-ipvs",
    argument: "none",
    doc: "Don't remove IPVS topology on daemon stop",
    refused: "Tandem always removes virtual servers when it stops",
  },
  { letter: "R", name: "dont-respawn", argument: "none", doc: "Don't respawn child processes" },
  { letter: "n", name: "dont-fork", argument: "none", doc: "Don't fork the daemon process" },
  { letter: "d", name: "dump-conf", argument: "none", doc: "Dump the configuration data" },
  { letter: "p", name: "pid", argument: "required", doc: "Use specified pidfile for parent process" },
  { letter: "r", name: "vrrp_pid", argument: "required", doc: "Use specified pidfile for VRRP child process" },
  { letter: "c", name: "checkers_pid", argument: "required", doc: "Use specified pidfile for checkers child process" },
  { letter: "b", name: "bfd_pid", argument: "required", doc: "Pidfile of the BFD process (never written)" },
  { letter: "x", name: "snmp", argument: "none", doc: "Enable SNMP subsystem", refused: NO_SNMP },
  { letter: "A", name: "snmp-agent-socket", argument: "required", doc: "Socket of the SNMP master", refused: NO_SNMP },
  {
    letter: "s",
    name: "namespace",
    argument: "required",
    doc: "Run in network namespace NAME (overrides net_namespace)",
  },
  { letter: "e", name: "all-config", argument: "none", doc: "Error if any configuration file missing" },
  { letter: "i", name: "config-id", argument: "required", doc: "Use lines beginning @ID that match" },
  {
    letter: "",
    name: "signum",
    argument: "required",
    doc: "Return signal number for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON",
  },
  { letter: "", name: "status-socket", argument: "required", doc: "Where tandem status asks (empty: nowhere)" },
  {
    letter: "t",
    name: "config-test",
    argument: "optional",
    doc: "Check the configuration, output to LOG_FILE or stderr",
  },
  { letter: "v", name: "version", argument: "none", doc: "Display the version number" },
  { letter: "h", name: "help", argument: "none", doc: "Display this help message" },
];

/** The numbers of `--signum`. */
export const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  RELOAD: 1,
  STOP: 15,
  DATA: 10,
  STATS: 12,
  STATS_CLEAR: 63,
  JSON: 36,
};

/** The text of `-h`. */
export function keepalivedUsage(): string {
  const lines = OPTIONS.map(({ letter, name, argument, doc }) => {
    const value = argument === "required" ? "=VALUE" : argument === "optional" ? "[=VALUE]" : "";
    return `  ${letter === "" ? "   " : `-${letter},`} --${(name + value).padEnd(26)} ${doc}`;
  });
  return `Usage: keepalived [OPTION...]\n${lines.join("\n")}\n`;
}

/** The text of `-v`; Tandem answers as the keepalived it stands for. */
export function keepalivedVersion(tandemVersion: string): string {
  return `Keepalived v${KEEPALIVED_VERSION} (Tandem ${tandemVersion})\n`;
}

type Given = ReadonlyMap<string, string>;

/** Reads the command line. */
export function parseKeepalivedOptions(args: readonly string[]): KeepalivedRequest {
  const given = readOptions(args);
  if (typeof given === "string") return { kind: "error", message: given };
  if (given.has("help")) return { kind: "help" };
  if (given.has("version")) return { kind: "version" };
  const signum = given.get("signum");
  if (signum !== undefined) return { kind: "signum", name: signum };
  for (const { name, refused } of OPTIONS)
    if (refused !== undefined && given.has(name)) return { kind: "error", message: `--${name}: ${refused}` };
  return interpret(given);
}

function readOptions(args: readonly string[]): Given | string {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const asked = equals < 0 ? word.slice(2) : word.slice(2, equals);
      const exact = OPTIONS.find(({ name }) => name === asked);
      const candidates = exact === undefined ? OPTIONS.filter(({ name }) => name.startsWith(asked)) : [exact];
      const [option] = candidates;
      if (option === undefined || asked === "" || candidates.length > 1) return `unrecognized option '--${asked}'`;
      let value = equals < 0 ? undefined : word.slice(equals + 1);
      if (value !== undefined && option.argument === "none")
        return `option '--${option.name}' doesn't allow an argument`;
      if (value === undefined && option.argument === "required") value = args[++i];
      if (value === undefined && option.argument === "required")
        return `option '--${option.name}' requires an argument`;
      given.set(option.name, value ?? "");
      continue;
    }
    if (!word.startsWith("-") || word === "-") return `Unexpected argument(s): ${word}`;
    for (let at = 1; at < word.length; at++) {
      const option = OPTIONS.find(({ letter }) => letter === word[at]);
      if (option === undefined) return `Unknown option -${word[at]}`;
      if (option.argument === "none") {
        given.set(option.name, "");
        continue;
      }
      let value: string | undefined = word.slice(at + 1);
      if (value === "" && option.argument === "required") value = args[++i];
      if (value === undefined) return `option requires an argument -- '${option.letter}'`;
      given.set(option.name, value);
      break;
    }
  }
  return given;
}

function interpret(given: Given): KeepalivedRequest {
  const facility = parseFacility(given.get("log-facility"));
  if (facility === undefined) return { kind: "error", message: `Invalid log facility '${given.get("log-facility")}'` };
  const umaskText = given.get("umask");
  if (umaskText !== undefined && !/^0?[0-7]{1,4}$/.test(umaskText))
    return { kind: "error", message: `Invalid umask '${umaskText}'` };
  return {
    kind: "run",
    options: {
      file: given.get("use-file") ?? "/etc/keepalived/keepalived.conf",
      dontFork: given.has("dont-fork"),
      logConsole: given.has("log-console"),
      logDetail: given.has("log-detail"),
      facility: given.has("no-syslog") ? undefined : facility,
      dumpConfiguration: given.has("dump-conf"),
      dontRespawn: given.has("dont-respawn"),
      withoutBfd: given.has("no_bfd"),
      includeMustExist: given.has("all-config"),
      pidFile: given.get("pid"),
      vrrpPidFile: given.get("vrrp_pid"),
      checkersPidFile: given.get("checkers_pid"),
      namespace: given.get("namespace"),
      // Both together are as good as neither.
      runsVrrp: given.has("vrrp") || !given.has("check"),
      runsCheckers: given.has("check") || !given.has("vrrp"),
      configId: given.get("config-id"),
      umask: umaskText === undefined ? undefined : Number.parseInt(umaskText, 8),
      test: given.get("config-test"),
      statusSocket: given.get("status-socket"),
    },
  };
}

function parseFacility(text: string | undefined): number | undefined {
  if (text === undefined || text === "daemon") return FACILITY_DAEMON;
  if (text === "user") return 1;
  const match = /^(?:local)?([0-7])$/.exec(text);
  return match === null ? undefined : FACILITY_LOCAL0 + Number(match[1]);
}
