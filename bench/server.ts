/** Starts a server program on a configuration, the same way for nginx and for Tandem, and ends it. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface ServerProgram {
  readonly name: string;
  readonly binary: string;
}

export interface RunningServer {
  readonly pid: number;
  stop(): Promise<void>;
}

/** A folder with what every server of the bench serves: 1 KB and 1 MB files. */
export function makeSite(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-bench-"));
  chmodSync(folder, 0o755); // the workers run as another user
  mkdirSync(path.join(folder, "html"));
  mkdirSync(path.join(folder, "logs"));
  writeFileSync(path.join(folder, "html/1k.html"), `${"x".repeat(1023)}\n`);
  writeFileSync(path.join(folder, "html/1m.html"), `${"x".repeat(1024 * 1024 - 1)}\n`);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

const READY_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 10_000;

/** Starts `program` on one worker, pinned to `cpu`, and resolves when its pid file says that it accepts. */
export async function startServer(
  program: ServerProgram,
  folder: string,
  configuration: string,
  cpu: number,
): Promise<RunningServer> {
  const pidFile = path.join(folder, "logs/bench.pid");
  rmSync(pidFile, { force: true });
  const file = path.join(folder, "bench.conf");
  writeFileSync(file, `daemon off; pid ${pidFile}; ${configuration}`);
  const server = spawn(
    "taskset",
    ["-c", String(cpu), program.binary, "-p", `${folder}/`, "-e", "logs/error.log", "-c", file],
    {
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!existsSync(pidFile) || readFileSync(pidFile, "utf8").trim() === "") {
    if (server.exitCode !== null) throw new Error(`${program.name} ended with status ${server.exitCode} at start`);
    if (Date.now() > deadline) throw new Error(`${program.name} was not ready in ${READY_TIMEOUT_MS} ms`);
    await sleep(20);
  }
  return { pid: Number(readFileSync(pidFile, "utf8")), stop: () => stop(server) };
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  server.kill("SIGTERM");
  const killer = setTimeout(() => server.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(killer);
}
