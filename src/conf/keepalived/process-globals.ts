/** Keywords of `global_defs` about how the processes run: their titles, priorities and CPUs. keepalived: global_parser.c. */
import type { GlobalsDraft } from "./drafts.ts";
import type { Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import type { Machine } from "./machine.ts";
import { readInteger } from "./numbers.ts";
import { keyword, number, withoutEffect } from "./slots.ts";

const MAX_COUNT = 0xffff_ffff;
/** Longest title of a process, TASK_COMM_LEN without its zero. */
const MAX_PROCESS_NAME = 15;

/** The processes that have settings of their own, with the keys of those settings. */
const PROCESSES = {
  vrrp: { title: "VRRP", niceness: "niceness", realtime: "realtimePriority", cpus: "cpuAffinity" },
  checker: {
    title: "checker",
    niceness: "checkerNiceness",
    realtime: "checkerRealtimePriority",
    cpus: "checkerCpuAffinity",
  },
} as const;
type ProcessName = keyof typeof PROCESSES;

/** How the processes run. */
export function processKeywords(machine: Machine | undefined): Keywords<GlobalsDraft> {
  return {
    process_names: keyword({ doc: "The usual names for all processes." }, (draft) => {
      draft.processName ??= "keepalived";
      draft.vrrpProcessName ??= "keepalived_vrrp";
      draft.checkerProcessName ??= "keepalived_lvs";
    }),
    process_name: processName("processName", "Title of the first process."),
    vrrp_process_name: processName("vrrpProcessName", "Title of the VRRP process."),
    checker_process_name: processName("checkerProcessName", "Title of the checker process."),
    lvs_process_name: processName("checkerProcessName", "Old spelling of checker_process_name."),
    vrrp_priority: niceness("vrrp"),
    vrrp_rt_priority: realtimePriority("vrrp"),
    vrrp_rlimit_rttime: realtimeLimit("vrrp", "No effect: a watchdog looks after the VRRP process."),
    vrrp_rlimit_rtime: realtimeLimit("vrrp", "Old spelling of vrrp_rlimit_rttime."),
    vrrp_no_swap: withoutEffect("the code of the VRRP process is always locked in memory"),
    vrrp_cpu_affinity: cpuAffinity("vrrp", machine),
    checker_priority: niceness("checker"),
    checker_rt_priority: realtimePriority("checker"),
    checker_rlimit_rttime: realtimeLimit("checker", "No effect: the checker process has no such limit."),
    checker_rlimit_rtime: realtimeLimit("checker", "Old spelling of checker_rlimit_rttime."),
    checker_no_swap: withoutEffect("a checker that waits for memory harms nobody"),
    checker_cpu_affinity: cpuAffinity("checker", machine),
    max_auto_priority: keyword(
      {
        syntax: "[-1…99]",
        default: "0",
        doc: "No effect: the VRRP process has its real-time priority from the start.",
      },
      (draft, line, scope) => {
        if (line.words.length < 2) return;
        const bad = (text: string): string =>
          `max_auto_priority '${text}' must be in [0, 99] (or -1 to disable) - ignoring`;
        number(line, scope, { min: -1, max: 99, invalid: bad }, draft);
      },
    ),
    min_auto_priority_delay: keyword(
      { syntax: "1…10000000", default: "1000000", doc: "No effect, as max_auto_priority." },
      (draft, line, scope) => {
        if (line.words.length < 2)
          return scope.report("warn", "min_auto_priority_delay requires delay time", line.position);
        const bad = (text: string): string => `min_auto_priority_delay '${text}' must be in [1, 10000000] - ignoring`;
        number(line, scope, { min: 1, max: 10_000_000, invalid: bad }, draft);
      },
    ),
  };
}

function processName(
  key: "processName" | "vrrpProcessName" | "checkerProcessName",
  doc: string,
): Keyword<GlobalsDraft> {
  return keyword({ syntax: "NAME", doc }, (draft, line, scope) => {
    const name = scope.word(line, 1);
    if (name === undefined) return;
    if (name.length > MAX_PROCESS_NAME) {
      const message = `Process name ${name} more than ${MAX_PROCESS_NAME} characters, truncating`;
      scope.report("warn", message, line.position);
    }
    draft[key] = name.slice(0, MAX_PROCESS_NAME);
  });
}

function niceness(process: ProcessName): Keyword<GlobalsDraft> {
  const { title, niceness: key } = PROCESSES[process];
  return keyword({ syntax: "-20…19", doc: `Nice value of the ${title} process.` }, (draft, line, scope) => {
    if (line.words.length < 2) return scope.report("warn", `No ${process} process priority specified`, line.position);
    const about = { min: -20, max: 19, invalid: () => `Invalid ${process} process priority specified` };
    const value = number(line, scope, about, draft);
    if (value !== undefined) draft[key] = value;
  });
}

function realtimePriority(process: ProcessName): Keyword<GlobalsDraft> {
  const { title, realtime } = PROCESSES[process];
  const about = { syntax: "1…99", doc: `Real-time priority (SCHED_RR) of the ${title} process.` };
  return keyword(about, (draft, line, scope) => {
    const value = readRealtimePriority(process, draft, line, scope);
    if (value !== undefined) draft[realtime] = value;
  });
}

function readRealtimePriority(
  process: ProcessName,
  draft: GlobalsDraft,
  line: Line,
  scope: Interpreter,
): number | undefined {
  if (line.words.length < 2) {
    scope.report("warn", `No ${process} process real-time priority specified`, line.position);
    return undefined;
  }
  const about = {
    min: -0x8000_0000,
    max: 0x7fff_ffff,
    invalid: (text: string) => `${process} process real-time priority '${text}' invalid`,
    mend: (value: number) => {
      const subject = `${process} process real-time priority ${value}`;
      if (value < 1) return { message: `${subject} less than minimum 1 - setting to minimum`, value: 1 };
      if (value > 99) return { message: `${subject} greater than maximum 99 - setting to maximum`, value: 99 };
      return undefined;
    },
  };
  return number(line, scope, about, draft);
}

function cpuAffinity(process: ProcessName, machine: Machine | undefined): Keyword<GlobalsDraft> {
  const { title, cpus: key } = PROCESSES[process];
  return keyword({ syntax: "CPU…", doc: `CPUs that the ${title} process may run on.` }, (draft, line, scope) => {
    if (line.words.length < 2) return scope.report("warn", `No ${process} cpu_id set specified`, line.position);
    const cpus: number[] = [];
    for (const text of line.words.slice(1)) {
      const read = readInteger(text, 0, (machine?.cpuCount ?? 1024) - 1);
      if (read.ok) cpus.push(read.value);
      else {
        scope.report("warn", read.reason, line.position);
        scope.report("warn", `Invalid cpu_id:${text} specified for ${process} process`, line.position);
      }
    }
    draft[key] = cpus;
  });
}

/** Read and checked, but Tandem has no such limit: a watchdog looks after the process instead. */
function realtimeLimit(process: ProcessName, doc: string): Keyword<GlobalsDraft> {
  return keyword({ syntax: `1…${MAX_COUNT}`, doc }, (draft, line, scope) => {
    const invalid = (text: string): string => `Invalid ${process} real-time limit - ${text}`;
    number(line, scope, { min: 1, max: MAX_COUNT, invalid }, draft);
  });
}
