/**
 * What happens to a node when one of its processes fails, cell by cell: test/netns/faults.test.ts plays each on two nodes, and the table of
 * docs/faults.md is this one.
 */

/** Where the address is in the end. */
export type Outcome =
  /** The node has it all the time. */
  | "stays"
  /** The partner takes it, and it comes back when the node is well again. */
  | "partner, then back";

export interface FaultCell {
  readonly process: string;
  readonly fault: string;
  readonly address: Outcome;
  /** The partner hears an advert of priority 0 for it, so it waits for its skew time alone. */
  readonly saysGoodbye: boolean;
  /** In the log of the node, or of the partner where it says so; N is a number or a name. */
  readonly log: string;
  readonly isLogOfPartner?: boolean;
  readonly recovery: string;
}

export const SIGNALS = {
  "kill -9": "KILL",
  SIGSTOP: "STOP",
  "blocked event loop": "PWR",
  "out of memory": "URG",
} as const;

const SUPERVISOR = "supervisor and nginx master (`tandem up`)";
const VRRP = "VRRP process";
const WORKER = "worker";
const SPARE = "spare worker";
const CHECKER = "checker process";

const moves = { address: "partner, then back", saysGoodbye: true } as const;
const stays = { address: "stays", saysGoodbye: false } as const;
const VRRP_AGAIN = "another VRRP process is started, after a second if the last one has not lived for five";
const SERVICE_AGAIN = "the VRRP process leaves in order, the workers finish, systemd starts the node again";
const SPARE_AGAIN = "the spare takes its place at once";
const CHECKER_AGAIN = "who was served is served on; another checker process looks again";

export const FAULT_TABLE: readonly FaultCell[] = [
  { process: VRRP, fault: "kill -9", ...moves, log: "VRRP child process(signal SIGKILL) died", recovery: VRRP_AGAIN },
  { process: VRRP, fault: "SIGSTOP", ...moves, log: "VRRP process hangs: silent for N ms", recovery: VRRP_AGAIN },
  {
    process: VRRP,
    fault: "blocked event loop",
    ...moves,
    log: "VRRP process hangs: silent for N ms",
    recovery: VRRP_AGAIN,
  },
  { process: VRRP, fault: "out of memory", ...moves, log: "VRRP child process(signal N) died", recovery: VRRP_AGAIN },
  { process: SUPERVISOR, fault: "kill -9", ...moves, log: "the master process is gone", recovery: SERVICE_AGAIN },
  {
    process: SUPERVISOR,
    fault: "SIGSTOP",
    address: "partner, then back",
    saysGoodbye: false,
    log: "the supervisor hangs: silent for N ms",
    recovery:
      "handed over to the partner as by `tandem drain`, if there is one; taken back when the supervisor goes on",
  },
  {
    process: SUPERVISOR,
    fault: "blocked event loop",
    address: "partner, then back",
    saysGoodbye: false,
    log: "Entering MASTER STATE",
    isLogOfPartner: true,
    recovery: "handed over to the partner as by `tandem drain`, if there is one; the operator ends the supervisor",
  },
  { process: SUPERVISOR, fault: "out of memory", ...moves, log: "the master process is gone", recovery: SERVICE_AGAIN },
  { process: WORKER, fault: "kill -9", ...stays, log: "worker process N exited on signal 9", recovery: SPARE_AGAIN },
  {
    process: WORKER,
    fault: "SIGSTOP",
    ...stays,
    log: "worker process N hangs: silent for N ms, killing it",
    recovery: SPARE_AGAIN,
  },
  {
    process: WORKER,
    fault: "blocked event loop",
    ...stays,
    log: "worker process N hangs: silent for N ms, killing it",
    recovery: SPARE_AGAIN,
  },
  {
    process: WORKER,
    fault: "out of memory",
    ...stays,
    log: "worker process N exited on signal N",
    recovery: SPARE_AGAIN,
  },
  {
    process: "every worker",
    fault: "none can be started",
    ...moves,
    log: "no worker process accepts",
    recovery: "FAULT until a worker accepts again: the next reload starts them",
  },
  {
    process: SPARE,
    fault: "SIGSTOP",
    ...stays,
    log: "spare worker process N hangs: silent for N ms, killing it",
    recovery: "another spare, a little later",
  },
  {
    process: CHECKER,
    fault: "kill -9",
    ...stays,
    log: "Healthcheck child process(signal SIGKILL) died",
    recovery: CHECKER_AGAIN,
  },
  {
    process: CHECKER,
    fault: "SIGSTOP",
    ...stays,
    log: "Healthcheck process hangs: silent for 10000 ms",
    recovery: CHECKER_AGAIN,
  },
  {
    process: CHECKER,
    fault: "blocked event loop",
    ...stays,
    log: "Healthcheck process hangs: silent for 10000 ms",
    recovery: CHECKER_AGAIN,
  },
  {
    process: CHECKER,
    fault: "out of memory",
    ...stays,
    log: "Healthcheck child process(signal N) died",
    recovery: CHECKER_AGAIN,
  },
  {
    process: "check script (`vrrp_script`)",
    fault: "SIGSTOP",
    ...moves,
    log: "VRRP_Script(chk) timed_out",
    recovery: "killed after its timeout, which counts as a failure; here with weight 0, so FAULT until it succeeds",
  },
  {
    process: "notify script",
    fault: "hangs",
    ...stays,
    log: "Entering MASTER STATE",
    recovery: "nobody waits for it",
  },
  {
    process: "notify script",
    fault: "cannot be started",
    ...stays,
    log: "Couldn't execute /run/notify/below-a-file",
    recovery: "it is logged, that is all",
  },
  {
    process: VRRP,
    fault: "kill -9 on a full disk",
    ...moves,
    log: "flight recorder: not saved: ENOSPC",
    recovery: "as without; records of the time are lost",
  },
  {
    process: "all",
    fault: "full disk for logs, pid file and flight records",
    ...stays,
    log: 'write() to "/run/disk/access.log" failed (28: No space left on device)',
    recovery: "lines and records are lost; reloads work",
  },
  {
    process: "all",
    fault: "start on a full disk",
    address: "partner, then back",
    saysGoodbye: false,
    log: 'open() "/run/disk/nginx.pid" failed (28: No space left on device)',
    recovery: "the node does not start, as nginx doesn't; systemd tries again every second",
  },
];

/** A table of Markdown. */
export function printFaultTable(cells: readonly FaultCell[]): string {
  const rows = cells.map(({ process, fault, address, saysGoodbye, log, isLogOfPartner, recovery }) =>
    [
      process,
      fault,
      address,
      saysGoodbye ? "priority 0" : "–",
      `\`${log}\`${isLogOfPartner === true ? " (partner)" : ""}`,
      recovery,
    ].join(" | "),
  );
  const head = ["process", "fault", "address", "on the wire", "log", "what follows"];
  return [head.join(" | "), head.map(() => "---").join(" | "), ...rows].map((row) => `| ${row} |`).join("\n");
}
