/** Real servers as back ends: the nginx and the haproxy of this machine, each in a folder of its own on a free port. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { findNginx } from "./nginx-binary.ts";
import { freePort, until } from "./server-process.ts";

export interface RealBackEnd {
  readonly address: string;
  stop(): Promise<void>;
}

/** Why a program can't be a back end here; false when it can. */
export const skipNginx: string | false = findNginx() === undefined && "nginx is not installed";
export const skipHaproxy: string | false =
  spawnSync("haproxy", ["-v"]).error !== undefined && "haproxy is not installed";

/** nginx with files in its root: names and contents. */
export async function startNginx(files: Readonly<Record<string, Buffer>>): Promise<RealBackEnd> {
  const port = await freePort();
  return start(port, (folder) => {
    for (const name of ["logs", "html", "temp"]) mkdirSync(path.join(folder, name));
    for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, "html", name), content);
    const file = path.join(folder, "nginx.conf");
    const user = process.getuid?.() === 0 ? "user root;" : "";
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    writeFileSync(
      file,
      `daemon off; ${user} pid ${folder}/nginx.pid; error_log ${folder}/logs/error.log; events { }
http {
  access_log off; client_max_body_size 100m; ${temporary.map((name) => `${name}_temp_path ${folder}/temp/${name};`).join(" ")}
  server { listen 127.0.0.1:${port}; root ${folder}/html; location = /echo-length { return 200 "$content_length"; } }
}`,
    );
    return [findNginx() as string, "-p", `${folder}/`, "-e", "logs/error.log", "-c", file];
  });
}

/** haproxy in front of another back end. */
export async function startHaproxy(behind: string): Promise<RealBackEnd> {
  const port = await freePort();
  return start(port, (folder) => {
    const file = path.join(folder, "haproxy.cfg");
    writeFileSync(
      file,
      `global
  maxconn 500
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen all
  bind 127.0.0.1:${port}
  server one ${behind}
`,
    );
    return ["haproxy", "-q", "-db", "-f", file];
  });
}

async function start(port: number, prepare: (folder: string) => readonly string[]): Promise<RealBackEnd> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "back-end-"));
  chmodSync(folder, 0o755);
  const [command = "", ...args] = prepare(folder);
  const child = spawn(command, args, { stdio: "ignore" });
  await until(() => child.exitCode !== null || canConnect(port), `${command} listens`);
  if (child.exitCode !== null) throw new Error(`${command} ended with status ${child.exitCode}`);
  return { address: `127.0.0.1:${port}`, stop: () => stop(child, folder) };
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode === null && child.kill("SIGTERM")) await ended;
  rmSync(folder, { recursive: true, force: true });
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
