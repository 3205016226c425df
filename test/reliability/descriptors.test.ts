/** A worker without descriptors, and a worker with very many connections. */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Origin } from "../support/origin.ts";
import { freePort, get, openFiles, ServerProcess, sleep, TANDEM_NGINX, until } from "../support/server-process.ts";

const MANY = 10_000;
/** Both ends of each connection are on this machine, in two processes. */
const NEEDED_FILES = MANY + 500;
const OPENING = 250;

const limits = process.report?.getReport() as { userLimits?: { open_files?: { hard?: number | string } } } | undefined;
const hard = limits?.userLimits?.open_files?.hard ?? "unlimited";
const skipMany =
  typeof hard === "number" && hard < NEEDED_FILES && `at most ${hard} open files are permitted, not ${NEEDED_FILES}`;

describe("descriptors", { timeout: 120_000 }, () => {
  let origin: Origin;
  let server: ServerProcess;
  let port: number;
  const sockets: net.Socket[] = [];

  async function start(main: string, connections: number): Promise<void> {
    server = new ServerProcess(
      TANDEM_NGINX,
      `daemon off; worker_processes 1; pid logs/nginx.pid; error_log logs/error.log info; ${main}
events { worker_connections ${connections}; }
http {
  access_log off; keepalive_timeout 600; keepalive_requests 1000000; proxy_temp_path proxy;
  upstream origin { server ${origin.address}; keepalive 16; }
  server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass http://origin; } location = /ok { return 200 ok; } }
}`,
    );
    chmodSync(server.folder, 0o755);
    await server.start("-c", "conf/nginx.conf", "-e", "logs/error.log");
  }

  beforeEach(async () => {
    origin = await Origin.listen();
    port = await freePort();
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.destroy();
    origin.close();
  });

  test("a worker without descriptors serves those it has, says what it lacks, and recovers", async () => {
    await start("", 1000);
    const [worker = 0] = server.workers();
    const own = openFiles(worker);
    await server.quit();
    server.destroy();
    // Room for twenty connections, however many files the runtime itself needs.
    await start(`worker_rlimit_nofile ${own + 20};`, 1000);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    assert.equal(await get(port, "/ok", agent), "ok");
    for (let i = 0; i < 60; i++) sockets.push(net.connect(port, "127.0.0.1").on("error", () => {}));
    await until(() => server.logged(/\[crit\].*accept4?\(\) failed \(24: Too many open files\)/g) > 0, "the complaint");
    for (let i = 0; i < 20; i++) assert.equal(await get(port, "/ok", agent), "ok");
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(async () => (await get(port, "/id/7")) === "7", "a new connection and one to the back end");
    agent.destroy();
    assert.equal(server.logged("[alert]"), 0, server.log);
    assert.deepEqual(server.workers().length, 1);
    await server.quit();
  });

  test("a back end that can't be connected to for want of descriptors is a 500 with its reason, not the end", async () => {
    await start("", 1000);
    const [before = 0] = server.workers();
    const own = openFiles(before);
    await server.quit();
    server.destroy();
    await start(`worker_rlimit_nofile ${own + 12};`, 1000);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    assert.equal(await get(port, "/ok", agent), "ok");
    const [worker = 0] = server.workers();
    // Clients take all that is left.
    for (let i = 0; i < 40; i++) sockets.push(net.connect(port, "127.0.0.1").on("error", () => {}));
    await until(() => server.logged(/accept4?\(\) failed \(24/g) > 0, "the complaint");
    const answer = await new Promise<number>((resolve, reject) => {
      http
        .get({ port, host: "127.0.0.1", path: "/id/1", agent }, (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
        })
        .on("error", reject);
    });
    assert.equal(answer, 500);
    assert.ok(
      server.logged(/\[alert\].*socket\(\) failed \(24: Too many open files\) while connecting to upstream/g) > 0,
      server.log,
    );
    // An error of ours closes the connection; a new one has to wait for a descriptor.
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(async () => (await get(port, "/id/2", agent)) === "2", "the back end can be reached again");
    assert.deepEqual(server.workers(), [worker]);
    agent.destroy();
    await server.quit();
  });

  test("10,000 connections on one worker are all answered, directly and through the proxy", {
    skip: skipMany,
  }, async () => {
    await start(`worker_rlimit_nofile ${NEEDED_FILES + 1000};`, NEEDED_FILES + 500);
    const clients: Client[] = [];
    while (clients.length < MANY) {
      const group = await Promise.all(Array.from({ length: OPENING }, () => openClient(port)));
      clients.push(...group);
      sockets.push(...group.map(({ socket }) => socket));
    }
    for (let from = 0; from < MANY; from += OPENING) {
      const answers = await Promise.all(
        clients.slice(from, from + OPENING).map((client, i) => client.ask(i % 5 === 0 ? `/id/${from + i}` : "/ok")),
      );
      for (const [i, answer] of answers.entries()) assert.equal(answer, i % 5 === 0 ? `${from + i}` : "ok");
    }
    assert.equal(server.logged(/\[(alert|crit|emerg|error)\]/g), 0, server.log);
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(() => openFiles(server.workers()[0] ?? 0) < 200, "all connections are forgotten");
    await sleep(10);
    assert.equal(await server.quit(), 0);
  });
});

interface Client {
  readonly socket: net.Socket;
  ask(path: string): Promise<string>;
}

/** A keep-alive connection: each answer comes in one piece with a Content-Length or a chunk. */
function openClient(port: number): Promise<Client> {
  return new Promise((resolve, reject) => {
    let text = "";
    let done: ((body: string) => void) | undefined;
    const socket = net.connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.on("data", (data) => {
      text += data.toString("latin1");
      const match = /^HTTP\/1.1 200 OK\r\n[\s\S]*?Content-Length: (\d+)\r\n[\s\S]*?\r\n\r\n/.exec(text);
      if (match === null) return;
      const end = match[0].length + Number(match[1]);
      if (text.length < end) return;
      const body = text.slice(match[0].length, end);
      text = text.slice(end);
      done?.(body);
    });
    const ask = (path: string): Promise<string> =>
      new Promise((answered, failed) => {
        done = answered;
        socket.once("close", () => failed(new Error(`closed at ${path}`)));
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      });
    socket.once("connect", () => resolve({ socket, ask }));
  });
}
