/**
 * A worker that gets no more memory: what needs it fails with nginx's error, all others are served by the same worker, and all is well again
 * when there is some. And zones that are full.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import net from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { TestServer } from "../http-server.ts";
import { BackEnd, ok, type Reply } from "../support/back-end.ts";
import { freePort, ServerProcess, TANDEM_NGINX, until } from "../support/server-process.ts";

/** More than what is kept back, less than what the clients want. */
const ROOM_BYTES = 56 * 1024 * 1024;
const BODY_BYTES = 300_000;
const BIG_BYTES = 30_000_000;
const CLIENTS = 400;
const skip = spawnSync("prlimit", ["--version"]).status === 0 ? false : "no prlimit here";

/** Limits the memory of a process to what it has and so much more. */
function limitMemory(pid: number, moreBytes: number): void {
  const kilobytes = Number(/^VmSize:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  const limited = spawnSync("prlimit", ["--pid", String(pid), `--as=${kilobytes * 1024 + moreBytes}`]);
  assert.equal(limited.status, 0, String(limited.stderr));
}

class Client {
  text = "";
  size = 0;
  closed = false;
  readonly socket: net.Socket;

  constructor(port: number, request: string) {
    this.socket = net.connect(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.on("data", (data) => {
      this.size += data.length;
      if (this.text.length < 1000) this.text += data.toString("latin1");
    });
    this.socket.on("close", () => (this.closed = true));
    this.socket.write(request);
  }

  get status(): string {
    return this.text.slice(9, 12);
  }
}

// Where io_uring is refused this is epoll twice.
for (const reactor of ["epoll", "io_uring"])
  describe(`a worker without memory, on ${reactor}`, { timeout: 120_000, skip }, () => {
    let back: BackEnd;
    let server: ServerProcess;
    let port: number;
    let worker = 0;
    const clients: Client[] = [];

    beforeEach(async () => {
      const big = Buffer.from(ok("x".repeat(BIG_BYTES)), "latin1");
      const answerBig: Reply = (socket) => socket.write(big);
      back = await BackEnd.listen((seen) => (seen.text.startsWith("GET /big") ? answerBig : ok(`${seen.text.length}`)));
      port = await freePort();
      server = new ServerProcess(
        TANDEM_NGINX,
        `daemon off; worker_processes 1; pid logs/nginx.pid; error_log logs/error.log info; ${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 4000; use ${reactor}; }
http {
  access_log logs/access.log; client_body_temp_path body; proxy_temp_path proxy; proxy_max_temp_file_size 0; proxy_buffers 64 64k;
  server { listen 127.0.0.1:${port}; location = /ok { return 200 ok; }
    location / { client_body_buffer_size 32m; proxy_pass http://${back.address}; } }
}`,
      );
      chmodSync(server.folder, 0o755);
      await server.start("-c", "conf/nginx.conf", "-e", "logs/error.log");
      await until(() => server.workers().length === 1, "the worker");
      [worker = 0] = server.workers();
      for (let i = 0; i < 20; i++) assert.match((await ask("/ok")).text, /\r\n\r\nok$/);
    });
    afterEach(() => {
      for (const { socket } of clients.splice(0)) socket.destroy();
      server.destroy();
      back.close();
    });

    /** The answer, whole or not. */
    async function ask(target: string): Promise<Client> {
      const client = new Client(port, `GET ${target} HTTP/1.0\r\n\r\n`);
      await until(() => client.closed, `the end of ${target}`);
      return client;
    }

    /** Others are served while `count` clients come. */
    async function crowd(count: number, request: () => Client): Promise<void> {
      for (let i = 0; i < count; i++) {
        clients.push(request());
        if (i % 10 === 0) assert.match((await ask("/ok")).text, /\r\n\r\nok$/);
        if (i % 50 === 0) assert.match((await ask("/small")).text, /\r\n\r\n\d+$/);
      }
    }

    test("bodies that have no room are answered with 500, those that had it pass, and other requests too", async () => {
      limitMemory(worker, ROOM_BYTES);
      const head = `POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`;
      await crowd(CLIENTS, () => new Client(port, `${head}${"y".repeat(BODY_BYTES - 1)}`));
      const line = `\\[emerg\\] ${worker}#\\d+: \\*\\d+ malloc\\(\\d+\\) failed \\(12: Cannot allocate memory\\), client: 127.0.0.1, server: , request: "POST /body HTTP/1.1", host: "x"`;
      assert.ok(server.logged(new RegExp(line, "g")) > 0, server.log);
      for (const { socket } of clients) if (socket.writable) socket.write("y");
      await until(() => clients.every(({ text }) => text !== ""), "all have an answer");
      const count = (wanted: string): number => clients.filter(({ status }) => status === wanted).length;
      assert.ok(count("200") > 0 && count("200") + count("500") === CLIENTS, `${count("200")} and ${count("500")}`);
      assert.equal(count("500"), server.logged(new RegExp(line, "g")));
      assert.equal(back.seen.filter(({ text }) => text.startsWith("POST")).length, count("200"));
      // Memory comes back.
      await until(() => clients.every(({ closed }) => closed), "all have gone");
      await until(async () => {
        const again = new Client(port, `${head}${"y".repeat(BODY_BYTES)}`);
        await until(() => again.closed, "an answer");
        return again.status === "200";
      }, "bodies have room again");
      assert.ok(server.workers().includes(worker), "the same worker");
      assert.equal(server.logged(/exited on signal|worker process failed/g), 0, server.log);
      assert.equal(await server.quit(), 0);
    });

    test("answers for slow clients that have no room end, and other requests go on", async () => {
      limitMemory(worker, ROOM_BYTES);
      await crowd(CLIENTS / 10, () => {
        const client = new Client(port, "GET /big HTTP/1.0\r\n\r\n");
        client.socket.pause();
        return client;
      });
      const line =
        /\[emerg\] .*\*\d+ malloc\(\d*\) failed \(12: Cannot allocate memory\) while (reading upstream|sending to client), client: 127.0.0.1, server: , request: "GET \/big HTTP\/1.0"/g;
      await until(() => server.logged(line) > 0, "the complaint");
      for (let i = 0; i < 20; i++) assert.match((await ask("/ok")).text, /\r\n\r\nok$/);
      for (const { socket } of clients.splice(0)) socket.destroy();
      await until(async () => (await ask("/big")).size > BIG_BYTES, "large answers pass again");
      assert.ok(server.workers().includes(worker), "the same worker");
      assert.equal(server.logged(/exited on signal|worker process failed/g), 0, server.log);
    });
  });

describe("zones that are full", { timeout: 60_000 }, () => {
  test("limit_req forgets the oldest and goes on; limit_conn refuses new keys, and those it has are counted", async () => {
    const server = await TestServer.start(
      `limit_req_zone $arg_key zone=rate:32k rate=1000r/s; limit_conn_zone $arg_key zone=conn:32k; access_log off;
      server { listen 127.0.0.1:%PORT%;
        location /rate { limit_req zone=rate; return 200 ok; }
        location /conn { limit_conn conn 1; limit_rate 500; root %DIR%; } }`,
      { files: { "conn/file": "x".repeat(100_000) } },
    );
    const open: Client[] = [];
    try {
      const long = "k".repeat(200);
      for (let i = 0; i < 300; i++)
        assert.match(await server.get(`/rate?key=${long}${i}`), /^HTTP\/1.1 200 /, `request ${i}`);
      for (let i = 0; i < 400 && !open.some(({ status }) => status === "503"); i++) {
        const client = new Client(server.port, `GET /conn/file?key=${long}${i} HTTP/1.0\r\n\r\n`);
        open.push(client);
        await until(() => client.text !== "", "an answer");
      }
      assert.ok(open.length > 20, `${open.length} keys have room`);
      assert.equal(open.at(-1)?.status, "503");
      assert.match(server.log("error.log"), /\[(crit|alert)\] .*zone "conn"/);
      const known = await server.get(`/conn/file?key=${long}0`);
      assert.match(known, /^HTTP\/1.1 503 /, "the one connection of a key that is known");
      for (const { socket } of open) socket.destroy();
      await until(
        async () =>
          (await server.exchange(`GET /conn/file?key=${long}999 HTTP/1.0\r\n\r\n`)).text.startsWith("HTTP/1.1 200"),
        "room again",
      );
    } finally {
      for (const { socket } of open) socket.destroy();
      await server.stop();
    }
  });
});
