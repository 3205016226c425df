/** How long it takes from the start of a program until it answers, and from a reload until the new configuration does. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { freePort } from "../test/support/server-process.ts";
import type { Effort, Programs } from "./programs.ts";
import { makeFolder, type ServerProgram } from "./server.ts";
import { median, type Report } from "./table.ts";

export const START_WORK = "start-up and reload";

const GOAL_MS = 300;
/** What a service manager gives a program. A session's NODE_EXTRA_CA_CERTS would have node read certificates for 45 ms in every process. */
const SERVICE_ENVIRONMENT = { PATH: process.env["PATH"] };
const TRIES = 10;
const DEADLINE_MS = 10_000;

interface Times {
  readonly startMs: number;
  readonly reloadMs: number;
}

/** Prints the median and the greatest of ten starts, with a reload in each. */
export async function compareStarts({ nginx, tandem }: Programs, _effort: Effort, report: Report): Promise<void> {
  report.row("until the first answer", "start-up", "most", "reload", "most", "goal");
  report.row("---", "--:", "--:", "--:", "--:", "--:");
  for (const program of [nginx, tandem]) {
    const times: Times[] = [];
    for (let i = 0; i < TRIES; i++) times.push(await measure(program));
    const cells = (of: (times: Times) => number): string[] => {
      const all = times.map(of);
      return [`${median(all).toFixed(0)} ms`, `${Math.max(...all).toFixed(0)} ms`];
    };
    report.row(
      program.name,
      ...cells(({ startMs }) => startMs),
      ...cells(({ reloadMs }) => reloadMs),
      `≤ ${GOAL_MS} ms`,
    );
  }
}

async function measure(program: ServerProgram): Promise<Times> {
  const { folder, remove } = makeFolder();
  const port = await freePort();
  const file = path.join(folder, "bench.conf");
  const configure = (word: string): void =>
    writeFileSync(
      file,
      `daemon off; pid logs/bench.pid; worker_processes 1; events { worker_connections 1000; }
http { access_log logs/access.log; server { listen 127.0.0.1:${port}; return 200 ${word}; } }`,
    );
  configure("first");
  const begun = performance.now();
  const child = spawn(program.binary, ["-p", `${folder}/`, "-e", "logs/error.log", "-c", file], {
    stdio: ["ignore", "inherit", "inherit"],
    env: SERVICE_ENVIRONMENT,
  });
  try {
    await until(child, () => answers(port, "first"));
    const startMs = performance.now() - begun;
    configure("second");
    const reloaded = performance.now();
    child.kill("SIGHUP");
    await until(child, () => answers(port, "second"));
    return { startMs, reloadMs: performance.now() - reloaded };
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    remove();
  }
}

async function until(child: ChildProcess, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (child.exitCode !== null) throw new Error(`the server ended with status ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error("the server does not answer");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** True when a new connection is answered with this body. */
function answers(port: number, word: string): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(text.endsWith(word)));
  });
}
