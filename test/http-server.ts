/** A server under test: our `bin/nginx`, or the nginx of this machine, with an http block of the test's own on a port of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { guest } from "./support/guest.ts";
import { freePort } from "./support/server-process.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const OURS = path.join(root, "bin/nginx");
/** `TEST_SERVER=/usr/sbin/nginx` runs the tests against another server: to see that they expect what nginx does. */
const UNDER_TEST = process.env["TEST_SERVER"] ?? OURS;

/** The nginx to compare with: `NGINX`, or the one that is installed; undefined when there is none, or it is older than 1.`minor`. */
export function installedNginx(minor = 0): string | undefined {
  const binary = process.env["NGINX"] ?? "/usr/sbin/nginx";
  const { error, stderr } = spawnSync(binary, ["-v"], { encoding: "utf8" });
  if (error !== undefined) return undefined;
  return Number(/nginx\/1\.(\d+)/.exec(stderr)?.[1] ?? 0) >= minor ? binary : undefined;
}

/** What one exchange of bytes looked like. */
export interface Exchange {
  readonly text: string;
  /** True when the server closed the connection before the time was up. */
  readonly closed: boolean;
}

/** What differs by nature: version, time, port, folder, boundary, the order of the day. */
export function normal(text: string, server: TestServer): string {
  return text
    .replace(new RegExp(`(?<!\\d)${server.port}(?!\\d)`, "g"), "PORT")
    .replaceAll(server.folder, "DIR")
    .replace(/nginx\/[\d.]+/g, "nginx/V")
    .replace(/Content-Length: 1[45]\d\r/g, "Content-Length: PAGE\r")
    .replace(/Date: [^\r]*/g, "Date: D")
    .replace(/(boundary=|--)0\d{19}/g, "$1B");
}

/** A busy machine may take its time to start a server. */
const START_MS = 20_000;
/** A busy machine may let the first byte wait. */
const FIRST_BYTE_MS = 2000;

/** Sends pieces one after another and collects what comes back until the server closes or nothing has come for a while. */
export function exchange(port: number, pieces: readonly string[], quietMs = 150): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    let text = "";
    let timer: NodeJS.Timeout | undefined;
    const done = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, closed });
    };
    const rearm = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => done(false), text === "" ? Math.max(quietMs, FIRST_BYTE_MS) : quietMs);
    };
    socket.setNoDelay(true);
    socket.on("connect", async () => {
      for (const [index, piece] of pieces.entries()) {
        if (index > 0) await sleep(20);
        if (!socket.destroyed) socket.write(piece, "latin1");
      }
      rearm();
    });
    socket.on("data", (data) => {
      text += data.toString("latin1");
      rearm();
    });
    socket.on("end", () => done(true));
    socket.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" ? done(true) : reject(error)));
  });
}

export interface ServerOptions {
  readonly binary?: string;
  /** Directives beside `http`. */
  readonly main?: string;
  /** 1 without. */
  readonly workers?: number;
  /** `worker_connections`. */
  readonly connections?: number;
  /** Directives of `events`. */
  readonly events?: string;
  /** Files to create, by path below the server's folder. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A running server. `%PORT%` in its configuration is its port, `%DIR%` its folder. */
export class TestServer {
  readonly port: number;
  readonly folder: string;
  private readonly child: ChildProcess;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port;
    this.folder = folder;
    this.child = child;
  }

  static async start(
    http: string,
    { binary = UNDER_TEST, main = "", workers = 1, connections = 1024, events = "", files = {} }: ServerOptions = {},
  ): Promise<TestServer> {
    const port = await freePort();
    const folder = mkdtempSync(path.join(os.tmpdir(), "tandem-http-"));
    for (const name of ["logs", "html", "conf"]) mkdirSync(path.join(folder, name));
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text, "latin1");
    }
    const user = process.getuid?.() === 0 ? "user root;" : "";
    const text = `daemon off; worker_processes ${workers}; ${user} pid %DIR%/nginx.pid; error_log %DIR%/logs/error.log info; ${main}
events { worker_connections ${connections}; ${events} }
http { ${TEMPORARY} ${http} }`;
    const filled = text.replaceAll("%PORT%", String(port)).replaceAll("%DIR%", folder);
    writeFileSync(path.join(folder, "conf/nginx.conf"), filled, "latin1");
    const args = ["-p", `${folder}/`, "-c", "conf/nginx.conf", "-e", "logs/error.log"];
    const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
    guest(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => (output += data));
    const server = new TestServer(port, folder, child);
    for (const deadline = Date.now() + START_MS; Date.now() < deadline; ) {
      if (existsSync(path.join(folder, "nginx.pid")) && (await canConnect(port))) return server;
      if (child.exitCode !== null) break;
      await sleep(50);
    }
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`${binary} does not start: ${output}`);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  exchange(...pieces: string[]): Promise<Exchange> {
    return exchange(this.port, pieces);
  }

  /** The answer to one request of HTTP/1.0, with its header. */
  async get(target: string, ...headers: string[]): Promise<string> {
    const lines = headers.map((header) => `${header}\r\n`).join("");
    return (await this.exchange(`GET ${target} HTTP/1.0\r\nHost: localhost\r\n${lines}\r\n`)).text;
  }

  log(name: string): string {
    return readFileSync(path.join(this.folder, "logs", name), "latin1");
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  rewrite(http: string): void {
    const file = path.join(this.folder, "conf/nginx.conf");
    const before = readFileSync(file, "latin1");
    const head = before.slice(0, before.indexOf("http {"));
    writeFileSync(
      file,
      `${head}http { ${TEMPORARY} ${http} }`.replaceAll("%PORT%", String(this.port)).replaceAll("%DIR%", this.folder),
    );
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    if (this.child.exitCode === null) {
      this.child.ref();
      this.child.kill("SIGTERM");
      await Promise.race([ended, sleep(5000, undefined, { ref: false }).then(() => this.child.kill("SIGKILL"))]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** nginx wants its temporary folders where it may write. */
const TEMPORARY = "client_body_temp_path %DIR%/body;";

async function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
