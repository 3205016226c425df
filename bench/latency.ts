/** What a server adds to the latency of a back end, at a steady rate: nginx, Tandem and haproxy in turn, and nothing in between. */
import { freePort } from "../test/support/server-process.ts";
import { Histogram } from "./load/histogram.ts";
import type { SteadyResult } from "./load/steady.ts";
import { runLoadProgram } from "./load-program.ts";
import { type Effort, LOAD_CPU, type Programs, SERVER_CPU } from "./programs.ts";
import { makeFolder, type RunningServer, type ServerProgram, startServer } from "./server.ts";
import type { Report } from "./table.ts";
import { backEndConfiguration, PROXY_WORKS } from "./works/proxy.ts";

export const LATENCY_WORK = "latency added at 2,000 requests/s";

const REQUESTS_PER_SECOND = 2_000;
const CONNECTIONS = 64;
/** V8 compiles what is called some ten thousand times. */
const WARM_UP_SECONDS = 10;
const QUANTILES = [0.5, 0.9, 0.99, 0.999] as const;
/** What Tandem may take longer than nginx at p50, p99 and p99.9, microseconds. */
const GOALS = [
  [0.5, 50],
  [0.99, 100],
  [0.999, 1000],
] as const;
const BAR_WIDTH = 50;

interface Measured {
  readonly name: string;
  readonly latency: Histogram;
  readonly lateness: Histogram;
  failed: number;
}

/** Prints a table of quantiles, the goals, and the histograms. */
export async function compareLatencies(programs: Programs, effort: Effort, report: Report): Promise<void> {
  const { nginx, tandem, haproxy } = programs;
  const servers = [undefined, nginx, tandem, ...(haproxy === undefined ? [] : [haproxy])];
  const all = servers.map((server): Measured => {
    const name = server?.name ?? "no proxy";
    return { name, latency: new Histogram(), lateness: new Histogram(), failed: 0 };
  });
  for (let round = 0; round < effort.rounds; round++)
    for (const [i, server] of servers.entries()) {
      const result = await measure(server, programs, effort);
      const measured = all[i] as Measured;
      measured.latency.merge(result.latency);
      measured.lateness.merge(result.lateness);
      measured.failed += result.failed;
    }
  report.row(LATENCY_WORK, "requests", "p50", "p90", "p99", "p99.9", "max", "generator late p99", "failed");
  report.row("---", ...Array.from({ length: 8 }, () => "--:"));
  for (const { name, latency, lateness, failed } of all) {
    const quantiles = QUANTILES.map((part) => us(latency.quantileUs(part)));
    const late = us(lateness.quantileUs(0.99));
    report.row(name, latency.total, ...quantiles, us(latency.maxUs), late, failed);
  }
  const [, theirs, ours] = all as [Measured, Measured, Measured];
  report.line("");
  for (const [part, goalUs] of GOALS) {
    const more = ours.latency.quantileUs(part) - theirs.latency.quantileUs(part);
    const verdict = more <= goalUs ? "met" : "missed";
    report.line(`p${part * 100}: Tandem is ${us(more)} from nginx, goal ≤ ${us(goalUs)}: ${verdict}  `);
  }
  report.line("");
  report.line("```");
  for (const { name, latency } of all) printHistogram(name, latency, report);
  report.line("```");
}

const us = (value: number): string => `${value < 0 ? "−" : ""}${Math.abs(Math.round(value))} µs`;

/** One bar for each doubling; its length is the logarithm of the count, so that a single slow request is seen. */
function printHistogram(name: string, latency: Histogram, report: Report): void {
  report.line(name);
  const longest = Math.log10(latency.total + 1);
  for (let from = 32; from < latency.maxUs * 2; from *= 2) {
    const count = latency.above(from / 2 - 1) - latency.above(from - 1);
    const isLast = from >= latency.maxUs;
    if (count === 0 && !isLast && latency.above(from - 1) === latency.total) continue;
    const bar = "#".repeat(Math.round((Math.log10(count + 1) / longest) * BAR_WIDTH));
    report.line(`  < ${String(from).padStart(8)} µs ${String(count).padStart(8)} ${bar}`.trimEnd());
  }
}

async function measure(server: ServerProgram | undefined, programs: Programs, effort: Effort): Promise<SteadyResult> {
  const events = server?.name === "Tandem" ? effort.tandemEvents : "";
  const place = { port: await freePort(), backEndPort: await freePort(), events };
  const [{ nginx: writeNginx, haproxy: writeHaproxy }] = PROXY_WORKS as [(typeof PROXY_WORKS)[number]];
  const front = makeFolder();
  const behind = makeFolder();
  const running: RunningServer[] = [];
  try {
    const backEnd = { folder: behind.folder, port: place.backEndPort, cpu: LOAD_CPU };
    const configuration = backEndConfiguration(place.backEndPort);
    running.push(await startServer(programs.nginx, { ...backEnd, configuration }));
    if (server !== undefined) {
      const write = server.kind === "nginx" ? writeNginx : writeHaproxy;
      const own = { folder: front.folder, port: place.port, cpu: SERVER_CPU };
      running.push(await startServer(server, { ...own, configuration: write?.(place) ?? "" }));
    }
    const port = server === undefined ? place.backEndPort : place.port;
    const args = [port, "/proxied", REQUESTS_PER_SECOND, effort.seconds, WARM_UP_SECONDS, CONNECTIONS];
    return JSON.parse(await runLoadProgram("steady", args)) as SteadyResult;
  } finally {
    for (const one of running.reverse()) await one.stop();
    front.remove();
    behind.remove();
  }
}
