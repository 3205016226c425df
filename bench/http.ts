/**
 * Tandem against nginx: CPU time per request of the whole process tree, same configuration, same run, in turn.
 * A ratio within one run means something on a shared machine, an absolute does not: the table shows the ratio's median.
 */
import { spawn } from "node:child_process";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { treeCpuMs, treeMemoryKb } from "./process-tree.ts";
import { makeSite, type ServerProgram, startServer } from "./server.ts";

export interface Work {
  readonly name: string;
  readonly uri: string;
  readonly connections: number;
  /** A new connection for each request. */
  readonly closing: boolean;
  /** Another nginx answers behind the server. */
  readonly proxied?: boolean;
  /** What the ratio to nginx may be. */
  readonly goal: number;
}

export const WORKS: readonly Work[] = [
  { name: "return 200", uri: "/ok", connections: 64, closing: false, goal: 1.0 },
  { name: "1 KB file", uri: "/1k.html", connections: 64, closing: false, goal: 1.0 },
  { name: "1 MB file", uri: "/1m.html", connections: 64, closing: false, goal: 1.0 },
  {
    name: "proxy, small response, keep-alive upstream",
    uri: "/proxied",
    connections: 64,
    closing: false,
    proxied: true,
    goal: 1.0,
  },
  { name: "new connection per request", uri: "/ok", connections: 64, closing: true, goal: 1.1 },
];

const PORT = 18_980;
const BACK_END_PORT = 18_981;
const SERVER_CPU = 0;
const LOAD_CPU = 1;

/** One worker; everything else as an operator would write it. */
export const CONFIGURATION = `
worker_processes 1;
worker_rlimit_nofile 30000;
events { worker_connections 20000; }
http {
  access_log logs/access.log combined buffer=64k;
  default_type text/plain;
  types { text/html html; }
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 600;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${PORT} backlog=4096;
    root html;
    location = /ok { return 200 "hello from the other side\\n"; }
    location = /proxied {
      proxy_pass http://back_end;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
  upstream back_end { server 127.0.0.1:${BACK_END_PORT}; keepalive 128; keepalive_requests 100000000; }
}`;

/** What answers proxied requests: always the reference, on the processor of the load. */
const BACK_END_CONFIGURATION = `
worker_processes 1;
events { worker_connections 2000; }
http {
  access_log off;
  keepalive_requests 100000000;
  server { listen 127.0.0.1:${BACK_END_PORT}; location / { return 200 "hello from behind\\n"; } }
}`;

export interface Sample {
  readonly requests: number;
  readonly failed: number;
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
}

async function load(work: Work, seconds: number): Promise<{ requests: number; failed: number; perSecond: number }> {
  const close = work.closing ? ["-H", "Connection: close"] : [];
  const args = ["-c", String(LOAD_CPU), "wrk", "-t1", `-c${work.connections}`, `-d${seconds}s`, ...close];
  const wrk = spawn("taskset", [...args, `http://127.0.0.1:${PORT}${work.uri}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  wrk.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const status = await new Promise((resolve) => wrk.once("exit", resolve));
  if (status !== 0) throw new Error(`wrk ended with status ${status}`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const non2xx = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  // With "Connection: close" wrk counts the server's close as a read error: only connects and time-outs are failures.
  const socketErrors =
    errors === null
      ? 0
      : Number(errors[1]) + Number(errors[4]) + (work.closing ? 0 : Number(errors[2]) + Number(errors[3]));
  return {
    requests: Number(/(\d+) requests in/.exec(text)?.[1] ?? 0),
    failed: non2xx + socketErrors,
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
  };
}

/** Loads a server for `seconds` after a warm-up of the same kind, and returns what a request has cost it. */
export async function measure(
  program: ServerProgram,
  work: Work,
  seconds: number,
  reference: ServerProgram,
): Promise<Sample> {
  if (work.proxied !== true) return measureAlone(program, work, seconds);
  const site = makeSite();
  try {
    const backEnd = await startServer(reference, site.folder, BACK_END_CONFIGURATION, LOAD_CPU);
    try {
      return await measureAlone(program, work, seconds);
    } finally {
      await backEnd.stop();
    }
  } finally {
    site.remove();
  }
}

async function measureAlone(program: ServerProgram, work: Work, seconds: number): Promise<Sample> {
  const site = makeSite();
  try {
    const server = await startServer(program, site.folder, CONFIGURATION, SERVER_CPU);
    try {
      await load(work, Math.max(1, Math.round(seconds / 3)));
      const before = treeCpuMs(server.pid);
      const { requests, failed, perSecond } = await load(work, seconds);
      const cpuMs = treeCpuMs(server.pid) - before;
      return { requests, failed, cpuUsPerRequest: (cpuMs * 1000) / requests, requestsPerSecond: perSecond };
    } finally {
      await server.stop();
    }
  } finally {
    site.remove();
  }
}

/** How many KiB of memory `count` idle keep-alive connections add to a server. */
export async function idleMemoryKb(program: ServerProgram, count: number): Promise<number> {
  const site = makeSite();
  const sockets: net.Socket[] = [];
  try {
    const server = await startServer(program, site.folder, CONFIGURATION, SERVER_CPU);
    try {
      await load({ name: "warm-up", uri: "/ok", connections: 64, closing: false, goal: 1 }, 1);
      await sleep(500);
      const before = treeMemoryKb(server.pid);
      while (sockets.length < count) {
        const group = Array.from({ length: Math.min(200, count - sockets.length) }, () => openIdle());
        sockets.push(...(await Promise.all(group)));
      }
      await sleep(1000);
      return treeMemoryKb(server.pid) - before;
    } finally {
      for (const socket of sockets) socket.destroy();
      await server.stop();
    }
  } finally {
    site.remove();
  }
}

/** A keep-alive connection that has had one answer. */
function openIdle(): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(PORT, "127.0.0.1", () => socket.write("GET /ok HTTP/1.1\r\nHost: bench\r\n\r\n"));
    socket.once("error", reject);
    socket.once("data", () => resolve(socket));
  });
}
