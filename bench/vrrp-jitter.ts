/**
 * `node dist/bench/vrrp-jitter.js [--seconds N] [--rounds N]`: how steadily 10 ms adverts leave, by the time stamps of a
 * capture on the segment: Tandem next to the real keepalived (without and with vrrp_rt_priority), idle and with a busy
 * process on every CPU. Needs root, keepalived and tcpdump. A backup takes over after about 36 ms of silence.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { missingForLab, SegmentLab } from "../test/support/segment-lab.ts";

const INTERVAL_MS = 10;
const DEAD_MS = 36;

const { values: options } = parseArgs({
  options: { seconds: { type: "string", default: "5" }, rounds: { type: "string", default: "3" } },
});
const missing = missingForLab(["keepalived", "tcpdump"]);
if (missing !== undefined) {
  console.error(`bench: ${missing}`);
  process.exit(1);
}

const config = (globals: string) => `global_defs {
  router_id jitter
${globals}
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 33
  priority 100
  version 3
  advert_int 0.01
  virtual_ipaddress {
    192.168.50.130
  }
}
`;

const SENDERS = [
  { name: "keepalived", program: "keepalived", globals: "" },
  { name: "keepalived, RT 50", program: "keepalived", globals: "  vrrp_rt_priority 50\n  vrrp_rlimit_rttime 1000000" },
  { name: "Tandem", program: "tandem", globals: "" },
] as const;

/** One busy process for each CPU. */
function startHogs(): ChildProcess[] {
  return cpus().map(() => spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
}

/** Intervals between adverts on the segment, in ms. */
async function record(sender: (typeof SENDERS)[number], seconds: number, withHogs: boolean): Promise<number[]> {
  const lab = new SegmentLab(["a"]);
  const hogs: ChildProcess[] = [];
  try {
    lab.start(sender.program, "a", config(sender.globals));
    await sleep(1500);
    if (withHogs) hogs.push(...startHogs());
    const command = ["netns", "exec", lab.namespace("switch"), "tcpdump", "-i", "br0", "-n", "-l", "-tt", "-B", "4096"];
    const capture = spawn("ip", [...command, "vrrp"], { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    capture.stdout.on("data", (part) => {
      text += part;
    });
    await sleep(seconds * 1000 + 500);
    capture.kill("SIGINT");
    await new Promise((resolve) => capture.on("exit", resolve));
    const stamps = text.split("\n").flatMap((line) => {
      const stamp = /^(\d+\.\d+) IP /.exec(line)?.[1];
      return stamp === undefined ? [] : [Number(stamp) * 1000];
    });
    return stamps.slice(1).map((stamp, i) => stamp - (stamps[i] as number));
  } finally {
    for (const hog of hogs) hog.kill("SIGKILL");
    await lab.close();
  }
}

function quantile(sorted: readonly number[], part: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN).toFixed(2);
}

console.log("| load | sender | intervals | mean ms | p50 dev | p99 dev | longest of each round | > 36 ms |");
console.log("|---|---|---|---|---|---|---|---|");
for (const withHogs of [false, true]) {
  const results = new Map(
    SENDERS.map(({ name }) => [name as string, { all: [] as number[], longest: [] as number[] }]),
  );
  for (let round = 0; round < Number(options.rounds); round++)
    for (const sender of SENDERS) {
      const intervals = await record(sender, Number(options.seconds), withHogs);
      const result = results.get(sender.name);
      result?.all.push(...intervals);
      result?.longest.push(Math.max(...intervals));
    }
  for (const [name, { all, longest }] of results) {
    const mean = all.reduce((sum, interval) => sum + interval, 0) / all.length;
    const deviations = all.map((interval) => Math.abs(interval - INTERVAL_MS)).sort((a, b) => a - b);
    const cells = [
      withHogs ? `${cpus().length} busy processes` : "none",
      name,
      all.length,
      mean.toFixed(3),
      quantile(deviations, 0.5),
      quantile(deviations, 0.99),
      longest.map((interval) => interval.toFixed(1)).join(" / "),
      all.filter((interval) => interval > DEAD_MS).length,
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}
