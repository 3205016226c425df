/** Directives of the main context that are the processes' own. nginx: ngx_core_module, ngx_regex_module's pcre_jit. */
import { type ConfOf, confModule, type Use } from "../conf/slot.ts";
import { choice, flag, list, msec, num, offset, path, raw } from "../conf/slots.ts";
import { parseMsec } from "../conf/units.ts";

/** `user name [group]`; the group is named as the user unless given. */
export interface UserNames {
  readonly user: string;
  readonly group: string;
}

/** `worker_cpu_affinity`: a set of processors for each worker, the last one for all further workers; or one processor each. */
export interface Affinity {
  readonly isAuto: boolean;
  /** Processors of each mask; with `auto` at most one mask, those that may be used. */
  readonly masks: readonly (readonly number[])[];
}

/** Longest mask that nginx takes (CPU_SETSIZE). */
const MAX_PROCESSORS = 1024;

const DEFAULT_HANG_MS = 5000;
/** Below this a pause for garbage collection or a slow disk would look like a hang. */
const LEAST_HANG_MS = 1000;

export const coreModule = confModule({
  name: "core",
  contexts: "main",
  directives: {
    daemon: flag(true, { doc: "Whether the program detaches itself from the terminal." }),
    master_process: flag(true, { doc: "Whether worker processes are started: for development only." }),
    pid: path(undefined, { doc: "The file that holds the process id of the master." }),
    lock_file: path("logs/nginx.lock", {
      doc: "Accepted without effect: a prefix of lock files, of which none is needed.",
    }),
    user: raw(undefined, parseUser, {
      doc: "Whose rights worker processes have, when the master is started by root.",
      syntax: "user [group]",
      args: [1, 2],
      defaultText: "nobody nobody",
    }),
    worker_processes: raw(1, parseWorkerProcesses, {
      doc: "Number of worker processes, or as many as there are processors.",
      syntax: "number | auto",
      defaultText: "1",
    }),
    worker_priority: raw(0, parsePriority, {
      doc: "The workers' scheduling priority, as of nice(1).",
      syntax: "number",
      defaultText: "0",
    }),
    worker_cpu_affinity: raw(undefined, parseAffinity, {
      doc: "Binds worker processes to processors.",
      syntax: "cpumask ... | auto [cpumask]",
      args: [1, MAX_PROCESSORS],
    }),
    worker_rlimit_nofile: num(undefined, { doc: "Largest number of open files of a worker." }),
    worker_rlimit_core: offset(undefined, { doc: "Largest size of a core file of a worker." }),
    worker_shutdown_timeout: msec(undefined, {
      doc: "How long a worker may take to finish its connections when it is to quit.",
    }),
    worker_hang_timeout: raw(DEFAULT_HANG_MS, parseHangTimeout, {
      doc: "A worker whose event loop stands still for longer is killed and replaced; `0` lets it hang. Of Tandem's own, at least 1 second.",
      syntax: "time",
      defaultText: "5s",
      isOwn: true,
    }),
    working_directory: path(undefined, { doc: "The workers' current directory." }),
    env: list(parseEnv, {
      doc: "A variable of the environment that worker processes keep, or its new value.",
      syntax: "variable[=value]",
    }),
    debug_points: choice(undefined, ["stop", "abort"], {
      doc: "What a worker does that has found an error in itself: stop for a debugger, or leave a core file.",
    }),
    timer_resolution: msec(undefined, {
      doc: "Accepted without effect: the time is read once per turn of the event loop anyway.",
      syntax: "interval",
    }),
    pcre_jit: flag(false, {
      doc: "Accepted without effect: regular expressions are always compiled to machine code when they are used much.",
    }),
  },
});

/** The typed configuration of the main context. */
export type CoreConf = ConfOf<typeof coreModule.directives>;

function parseUser(use: Use): UserNames {
  const [user = "", group = user] = use.args;
  return { user, group };
}

function parseWorkerProcesses(use: Use): number | "auto" | undefined {
  const text = use.args[0] as string;
  if (text === "auto") return "auto";
  return /^\d{1,9}$/.test(text) ? Number(text) : use.invalid("invalid value");
}

function parseHangTimeout(use: Use): number | undefined {
  const durationMs = parseMsec(use.args[0] as string);
  if (durationMs === undefined) return use.invalid("invalid value");
  if (durationMs !== 0 && durationMs < LEAST_HANG_MS) return use.fail('"worker_hang_timeout" must be 0 or at least 1s');
  return durationMs;
}

function parsePriority(use: Use): number | undefined {
  const match = /^([-+]?)(\d{1,9})$/.exec(use.args[0] as string);
  if (match === null) return use.invalid("invalid number");
  return match[1] === "-" ? -Number(match[2]) : Number(match[2]);
}

function parseAffinity(use: Use): Affinity | undefined {
  const isAuto = use.args[0] === "auto";
  const masks: number[][] = [];
  const texts = isAuto ? use.args.slice(1) : use.args;
  if (isAuto && texts.length > 1) return use.invalidArity();
  for (const text of texts) {
    if (text.length > MAX_PROCESSORS) {
      return use.fail(`"worker_cpu_affinity" supports up to ${MAX_PROCESSORS} CPUs only`);
    }
    const bits = text.replaceAll(" ", "");
    const stranger = /([^01])[01]*$/.exec(bits); // masks are read from their end
    if (stranger !== null) return use.fail(`invalid character "${stranger[1]}" in "worker_cpu_affinity"`);
    const processors: number[] = [];
    for (let i = 0; i < bits.length; i++) if (bits[bits.length - 1 - i] === "1") processors.push(i);
    masks.push(processors);
  }
  return { isAuto, masks };
}

function parseEnv(use: Use): { readonly name: string; readonly value: string | undefined } {
  const text = use.args[0] as string;
  const equals = text.indexOf("=");
  return equals < 0 ? { name: text, value: undefined } : { name: text.slice(0, equals), value: text.slice(equals + 1) };
}
