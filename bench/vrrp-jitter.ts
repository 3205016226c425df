/**
 * `node dist/bench/vrrp-jitter.js [--seconds N] [--rounds N] [--load WORD] [--table FILE]`: how steadily 10 ms adverts leave, by the time stamps of a capture
 * on the segment: Tandem next to the real keepalived (without and with vrrp_rt_priority), idle, with the node's own web server at full load
 * (nginx beside keepalived, `tandem up` for Tandem, the same wrk on another host), and with a busy process on every CPU. Needs root, keepalived,
 * nginx, wrk and tcpdump. A backup takes over after about 36 ms of silence.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { TANDEM_VERSION } from "../src/base/version.ts";
import { missingForLab, SegmentLab, until } from "../test/support/segment-lab.ts";
import { makeFolder } from "./server.ts";
import { Report } from "./table.ts";

const INTERVAL_MS = 10;
const DEAD_MS = 36;

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    load: { type: "string", default: "" },
    table: { type: "string" },
  },
});
const missing = missingForLab(["keepalived", "nginx", "wrk", "tcpdump"]);
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

const LOADS = ["none", "HTTP", "busy processes"] as const;
type Load = (typeof LOADS)[number];

const TANDEM = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../bin/tandem");
const HTTP_PORT = 8088;
const CONNECTIONS = 50;
/** A busy machine takes its time to start a node. */
const START_MS = 60_000;
const site = makeFolder();

/** As many workers as processors, a file of 1 KB. */
const webConfig = `daemon off;
worker_processes auto;
pid ${site.folder}/logs/web.pid;
error_log ${site.folder}/logs/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  server { listen ${HTTP_PORT}; root ${site.folder}/html; }
}
`;

/** One busy process for each CPU. */
function startHogs(): ChildProcess[] {
  return cpus().map(() => spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
}

/** The router alone, or with the web server of its kind; returns what has to be ended beside the lab. */
function startNode(lab: SegmentLab, sender: (typeof SENDERS)[number], load: Load): ChildProcess[] {
  const text = config(sender.globals);
  if (load !== "HTTP") {
    lab.start(sender.program, "a", text);
    return [];
  }
  const web = path.join(site.folder, "web.conf");
  writeFileSync(web, webConfig);
  if (sender.program === "keepalived") {
    lab.start(sender.program, "a", text);
    const nginx = ["netns", "exec", lab.namespace("a"), "nginx", "-p", `${site.folder}/`, "-c", web];
    return [spawn("ip", nginx, { stdio: "ignore" })];
  }
  const router = path.join(site.folder, "router.conf");
  writeFileSync(router, text);
  const files = ["--nginx", web, "--keepalived", router, "--prefix", site.folder];
  const own = ["--error-log", "stderr", "--socket", ""];
  const up = ["netns", "exec", lab.namespace("a"), process.execPath, TANDEM, "up", ...files, ...own];
  return [spawn("ip", up, { stdio: "ignore" })];
}

/** Ends a program gracefully and waits for it. */
async function end(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  program.kill("SIGTERM");
  await new Promise((resolve) => program.once("exit", resolve));
}

function answers(lab: SegmentLab): boolean {
  const script = `exec 3<>/dev/tcp/192.168.50.133/${HTTP_PORT}`;
  return spawnSync("ip", ["netns", "exec", lab.namespace("b"), "bash", "-c", script], { stdio: "ignore" }).status === 0;
}

/** Requests a second, from another host, for so long. */
async function runWrk(lab: SegmentLab, seconds: number): Promise<number> {
  const args = ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, `http://192.168.50.133:${HTTP_PORT}/1k.html`];
  const wrk = spawn("ip", ["netns", "exec", lab.namespace("b"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  wrk.stdout.on("data", (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => wrk.once("exit", resolve));
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? Number.NaN);
}

interface Recorded {
  /** Between adverts on the segment, in ms. */
  readonly intervals: readonly number[];
  readonly perSecond: number | undefined;
}

async function record(sender: (typeof SENDERS)[number], seconds: number, load: Load): Promise<Recorded> {
  const lab = new SegmentLab(["a", "b"]);
  const hogs: ChildProcess[] = [];
  const programs = startNode(lab, sender, load);
  try {
    await until("the address is there", () => lab.holds("a", "192.168.50.130"), START_MS);
    if (load === "HTTP") await until("the web server answers", () => answers(lab), START_MS);
    await sleep(1000);
    if (load === "busy processes") hogs.push(...startHogs());
    // wrk is there before the capture and after it.
    const requests = load === "HTTP" ? runWrk(lab, seconds + 2) : undefined;
    if (requests !== undefined) await sleep(500);
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
    const intervals = stamps.slice(1).map((stamp, i) => stamp - (stamps[i] as number));
    return { intervals, perSecond: await requests };
  } finally {
    for (const hog of hogs) hog.kill("SIGKILL");
    await Promise.all(programs.map(end));
    await lab.close();
  }
}

function quantile(sorted: readonly number[], part: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN).toFixed(2);
}

const report = new Report();
const { seconds, rounds } = options;
report.line(
  `Tandem ${TANDEM_VERSION} and keepalived, an advert every ${INTERVAL_MS} ms; node ${process.version}; ${cpus().length} × ${cpus()[0]?.model ?? "?"}; ${rounds} rounds of ${seconds} s`,
);
report.line("");
report.row(
  "load",
  "sender",
  "intervals",
  "mean ms",
  "p50 dev",
  "p99 dev",
  "longest of each round",
  "> 36 ms",
  "requests/s",
);
report.line("|---|---|---:|---:|---:|---:|---:|---:|---:|");
for (const load of LOADS.filter((name) => name.includes(options.load))) {
  const results = new Map(
    SENDERS.map(({ name }) => [
      name as string,
      { all: [] as number[], longest: [] as number[], perSecond: [] as number[] },
    ]),
  );
  for (let round = 0; round < Number(rounds); round++)
    for (const sender of SENDERS) {
      const { intervals, perSecond } = await record(sender, Number(seconds), load);
      const result = results.get(sender.name);
      result?.all.push(...intervals);
      result?.longest.push(Math.max(...intervals));
      if (perSecond !== undefined) result?.perSecond.push(perSecond);
    }
  for (const [name, { all, longest, perSecond }] of results) {
    const mean = all.reduce((sum, interval) => sum + interval, 0) / all.length;
    const deviations = all.map((interval) => Math.abs(interval - INTERVAL_MS)).sort((a, b) => a - b);
    const requests = perSecond.reduce((sum, value) => sum + value, 0) / perSecond.length;
    report.row(
      load === "HTTP" ? `HTTP, ${CONNECTIONS} connections` : load === "none" ? load : `${cpus().length} ${load}`,
      name,
      all.length,
      mean.toFixed(3),
      quantile(deviations, 0.5),
      quantile(deviations, 0.99),
      longest.map((interval) => interval.toFixed(1)).join(" / "),
      all.filter((interval) => interval > DEAD_MS).length,
      Number.isNaN(requests) ? "" : requests.toFixed(0),
    );
  }
}
report.line("");
report.line(
  "dev: how far an interval is from what is configured, in ms. > 36 ms: intervals after which a backup would have taken over.",
);
if (options.table !== undefined) writeFileSync(options.table, report.text);
site.remove();
