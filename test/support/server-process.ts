/** A server under test in a folder of its own: started, watched through its files, ended with everything it has started. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { guest } from "./guest.ts";

/** How a server is started: a program and its first arguments. */
export type Program = readonly string[];

/** The echo service under nginx's command line. */
export const ECHO: Program = [process.execPath, fileURLToPath(new URL("./echo-nginx.js", import.meta.url))];
/** This checkout's `bin/nginx`. */
export const TANDEM_NGINX: Program = [fileURLToPath(new URL("../../../bin/nginx", import.meta.url))];

const DEADLINE_MS = 20_000;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for a condition; fails with `what` when it doesn't come true. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
    await sleep(10);
  }
}

/** True while a process of this id exists and isn't a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** Ids of the processes whose parent this is, zombies too: from /proc, since a small machine has no ps. */
export function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((id) => Number.isInteger(id) && parentOf(id) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/**
 * The process has this title. One that has just been started has its master's, or node's, for a moment: it is neither a worker nor a spare
 * one yet.
 */
function isTitled(pid: number, title: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith(`nginx: ${title}`);
  } catch {
    return false;
  }
}

export class ServerProcess {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "server-"));
  private readonly program: Program;
  private child: ChildProcess | undefined;
  private readonly pids = new Set<number>();

  constructor(program: Program, configuration: string) {
    this.program = program;
    mkdirSync(this.file("logs"));
    mkdirSync(this.file("conf"));
    this.configure(configuration);
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  read(name: string): string {
    return readFileSync(this.file(name), "latin1");
  }

  configure(configuration: string): void {
    writeFileSync(this.file("conf/nginx.conf"), configuration);
  }

  /** Runs the program to its end with further arguments. */
  run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const [command = "", ...first] = this.program;
    const done = spawnSync(command, [...first, "-p", this.folder, ...args], { encoding: "utf8", timeout: DEADLINE_MS });
    return { status: done.status, stdout: done.stdout, stderr: done.stderr };
  }

  /** Starts the server in the foreground and waits for its pid file. */
  async start(...args: string[]): Promise<void> {
    const [command = "", ...first] = this.program;
    this.child = spawn(command, [...first, "-p", this.folder, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    guest(this.child);
    let complaint = "";
    this.child.stderr?.on("data", (data) => (complaint += data));
    await until(() => {
      assert.ok(this.child?.exitCode === null, `it has ended: ${complaint}`);
      return existsSync(this.pidFile) && readFileSync(this.pidFile, "latin1") !== "";
    }, `the pid file; it says: ${complaint}`);
    this.pids.add(this.pid);
  }

  get pidFile(): string {
    return this.file("logs/nginx.pid");
  }

  /** Undefined while there is no pid file, or an empty one: a program may be replacing another. */
  get pidIfAny(): number | undefined {
    try {
      return this.pid === 0 ? undefined : this.pid;
    } catch {
      return undefined;
    }
  }

  get pid(): number {
    const pid = Number(readFileSync(this.pidFile, "latin1"));
    this.pids.add(pid);
    return pid;
  }

  signal(signal: NodeJS.Signals, pid = this.pid): void {
    process.kill(pid, signal);
  }

  workers(pid = this.pid): number[] {
    return this.children(pid, "worker process");
  }

  /** Workers that are up and have nothing to do yet. */
  spares(pid = this.pid): number[] {
    return this.children(pid, "spare worker process");
  }

  private children(pid: number, title: string): number[] {
    const children = childrenOf(pid);
    for (const child of children) this.pids.add(child);
    return children.filter((child) => isTitled(child, title));
  }

  get log(): string {
    return existsSync(this.file("logs/error.log")) ? readFileSync(this.file("logs/error.log"), "latin1") : "";
  }

  /** How often a text is in the error log. */
  logged(text: string | RegExp): number {
    return typeof text === "string" ? this.log.split(text).length - 1 : [...this.log.matchAll(text)].length;
  }

  /** Asks it to finish, and waits for its end. */
  async quit(signal: NodeJS.Signals = "SIGQUIT"): Promise<number | null> {
    const { pid } = this;
    this.signal(signal, pid);
    const { child } = this;
    const isOver = (): boolean => (child?.pid === pid ? child.exitCode !== null : !isAlive(pid));
    await until(isOver, `the end of ${pid} by ${signal}`);
    return this.child?.exitCode ?? null;
  }

  /** Ends whatever is left and removes the folder. */
  destroy(): void {
    for (const file of [this.pidFile, `${this.pidFile}.oldbin`]) {
      const pid = existsSync(file) ? Number(readFileSync(file, "latin1")) : 0;
      if (pid > 0) this.pids.add(pid);
    }
    for (const pid of this.pids) {
      if (!isAlive(pid)) continue;
      // A master that still runs starts another worker for each one that it loses, and nginx's outlive it.
      tryKill(pid, "SIGSTOP");
      for (const id of [pid, ...childrenOf(pid)]) tryKill(id);
    }
    if (this.child?.pid !== undefined && this.child.exitCode === null) this.child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function tryKill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has just ended by itself
  }
}

/** The body of a GET, over a connection of its own unless an agent is given. */
export function get(port: number | string, url = "/", agent?: http.Agent): Promise<string> {
  const where = typeof port === "number" ? { port, host: "127.0.0.1" } : { socketPath: port };
  return new Promise((resolve, reject) => {
    const request = http.get({ ...where, path: url, agent: agent ?? false }, (response) => {
      let body = "";
      response.on("data", (data) => (body += data));
      response.on("end", () => resolve(body));
    });
    request.on("error", reject);
  });
}

/** Keep-alive clients that ask without pause until they are stopped; tells how many requests succeeded and how many failed. */
export class LoadGenerator {
  succeeded = 0;
  readonly failures: string[] = [];
  readonly answers = new Set<string>();
  private isStopped = false;
  private readonly loops: Promise<void>[];

  constructor(port: number, clients: number) {
    this.loops = Array.from({ length: clients }, () => this.loop(port));
  }

  private async loop(port: number): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.isStopped) {
      try {
        this.answers.add(await get(port, "/", agent));
        this.succeeded++;
      } catch (error) {
        this.failures.push(String(error));
      }
      await sleep(1);
    }
    agent.destroy();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.loops);
  }
}

/** The account without rights, as `user` takes it: its group has another name in each distribution. */
export function nobody(): { readonly directive: string; readonly userId: number; readonly groupId: number } {
  const id = (flags: string): string => execFileSync("id", [flags, "nobody"], { encoding: "utf8" }).trim();
  return { directive: `user nobody ${id("-gn")};`, userId: Number(id("-u")), groupId: Number(id("-g")) };
}

/** A port of the loopback that nobody has, below those that the kernel gives to clients. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const probe = net.createServer().listen(port, "127.0.0.1");
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("listening", () => resolve(true)).once("error", () => resolve(false));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

/** Open descriptors of a process. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
