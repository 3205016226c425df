/** Starts a server program on a configuration, the same way for nginx, Tandem and haproxy, and ends it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface ServerProgram {
  readonly name: string;
  readonly binary: string;
  /** Which command line and which configuration language. */
  readonly kind: "nginx" | "haproxy";
}

export interface RunningServer {
  readonly pid: number;
  stop(): Promise<void>;
}

/** What a server runs on: a folder of its own, a configuration and a processor. */
export interface Site {
  readonly folder: string;
  readonly configuration: string;
  readonly port: number;
  readonly cpu: number;
}

const READY_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 10_000;

const JSON_BYTES = 64 * 1024;

/** Records as an API gives them, cut at 64 KB. */
export function jsonText(): string {
  const records = Array.from({ length: 1200 }, (_, id) => ({
    id,
    name: `user${(id * 7919) % 1000}`,
    value: Math.sin(id),
  }));
  return JSON.stringify(records).slice(0, JSON_BYTES);
}

/** A folder with what every server of the bench serves: 1 KB and 1 MB files, and 64 KB of JSON. */
export function makeFolder(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-bench-"));
  chmodSync(folder, 0o755); // the workers run as another user
  mkdirSync(path.join(folder, "html"));
  mkdirSync(path.join(folder, "logs"));
  writeFileSync(path.join(folder, "html/1k.html"), `${"x".repeat(1023)}\n`);
  writeFileSync(path.join(folder, "html/1m.html"), `${"x".repeat(1024 * 1024 - 1)}\n`);
  writeFileSync(path.join(folder, "html/64k.json"), jsonText());
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function writeConfiguration({ kind }: ServerProgram, { folder, configuration }: Site): string {
  const file = path.join(folder, "bench.conf");
  const pid = path.join(folder, "logs/bench.pid");
  writeFileSync(file, kind === "nginx" ? `daemon off; pid ${pid}; ${configuration}` : configuration);
  return file;
}

function command({ kind, binary }: ServerProgram, folder: string, file: string): string[] {
  return kind === "nginx"
    ? [binary, "-p", `${folder}/`, "-e", "logs/error.log", "-c", file]
    : [binary, "-q", "-db", "-f", file];
}

/** What the program itself says against the configuration; undefined when it would run. */
export function refusal(program: ServerProgram, site: Site): string | undefined {
  const [binary = "", ...args] = command(program, site.folder, writeConfiguration(program, site));
  const check = spawnSync(binary, [...args, program.kind === "nginx" ? "-t" : "-c"], { encoding: "utf8" });
  if (check.status === 0) return undefined;
  const said = `${check.stderr}${check.stdout}`.split("\n").find((line) => /emerg|ALERT|alert/.test(line));
  return said?.replaceAll(site.folder, "").replace(/^.*\[\w+\]\s*/, "") ?? `status ${check.status}`;
}

/** Starts `program` on one processor, and resolves when it accepts. */
export async function startServer(program: ServerProgram, site: Site): Promise<RunningServer> {
  const { folder, port, cpu } = site;
  const pidFile = path.join(folder, "logs/bench.pid");
  rmSync(pidFile, { force: true });
  const words = command(program, folder, writeConfiguration(program, site));
  const child = spawn("taskset", ["-c", String(cpu), ...words], { stdio: ["ignore", "inherit", "inherit"] });
  const isReady = async (): Promise<boolean> =>
    program.kind === "nginx" ? existsSync(pidFile) && readFileSync(pidFile, "utf8").trim() !== "" : canConnect(port);
  await untilReady(program.name, child, isReady);
  const pid = program.kind === "nginx" ? Number(readFileSync(pidFile, "utf8")) : (child.pid as number);
  return { pid, stop: () => stop(child) };
}

/** Starts a load program of the bench that listens on `port`. */
export async function startLoadProgram(file: string, port: number, cpu: number): Promise<RunningServer> {
  const args = ["-c", String(cpu), process.execPath, file, String(port)];
  const child = spawn("taskset", args, { stdio: ["ignore", "inherit", "inherit"] });
  await untilReady(path.basename(file), child, () => canConnect(port));
  return { pid: child.pid as number, stop: () => stop(child) };
}

async function untilReady(name: string, child: ChildProcess, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`${name} ended with status ${child.exitCode} at start`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${name} was not ready in ${READY_TIMEOUT_MS} ms`);
    }
    await sleep(20);
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  server.kill("SIGTERM");
  const killer = setTimeout(() => server.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(killer);
}
