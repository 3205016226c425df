/** Clients that take for ever (slowloris): they hold their own connections, for as long as the configuration lets them, and nothing else. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { TestServer } from "../http-server.ts";
import { BackEnd, ok } from "../support/back-end.ts";
import { sleep, until } from "../support/server-process.ts";

const CLIENTS = 200;
/** For them and those who are served meanwhile. */
const CONNECTIONS = 300;
/** Between two bytes of one client: much less than any time-out. */
const PAUSE_MS = 50;

/** Sends its first part at once and then a byte of the rest at a time, until it is closed or has no more. */
class Dribbler {
  text = "";
  sent = 0;
  closed = false;
  readonly socket: net.Socket;

  constructor(port: number, first: string, rest: string) {
    const socket = net.connect(port, "127.0.0.1").setNoDelay(true);
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (data) => (this.text += data.toString("latin1")));
    socket.on("close", () => (this.closed = true));
    socket.write(first);
    const timer = setInterval(() => {
      if (this.closed || this.sent === rest.length) clearInterval(timer);
      else if (socket.writable) socket.write(rest[this.sent++] as string);
    }, PAUSE_MS);
    timer.unref();
  }
}

describe("slow clients", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;
  const clients: Dribbler[] = [];

  before(async () => {
    back = await BackEnd.listen(({ text }) => ok(`${text.length}`));
    server = await TestServer.start(
      `access_log %DIR%/logs/access.log; client_header_timeout 2s; client_body_timeout 1s; keepalive_timeout 1s; send_timeout 1s;
      server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://${back.address}; } location = /ok { return 200 ok; } }`,
      { connections: CONNECTIONS },
    );
  });
  afterEach(() => {
    for (const { socket } of clients.splice(0)) socket.destroy();
  });
  after(async () => {
    await server.stop();
    back.close();
  });

  const come = (first: string, rest: string): void => {
    for (let i = 0; i < CLIENTS; i++) clients.push(new Dribbler(server.port, first, rest));
  };
  const isServed = async (target: string): Promise<boolean> => (await server.get(target)).startsWith("HTTP/1.1 200 ");
  const logged = (pattern: RegExp): number => [...server.log("error.log").matchAll(pattern)].length;

  for (const [what, first, rest, log] of [
    [
      "request lines",
      "G",
      `ET /${"x".repeat(1000)}`,
      /client timed out \(110: Connection timed out\) while reading client request line/g,
    ],
    [
      "header lines",
      "GET / HTTP/1.1\r\nHost: x\r\n",
      "X-Line: x\r\n".repeat(100),
      /client timed out \(110: Connection timed out\) while reading client request headers/g,
    ],
  ] as const)
    test(`${what} that come a byte at a time are given up in the time for all of them, and others are served`, async () => {
      const seen = back.seen.length;
      come(first, rest);
      do assert.ok((await isServed("/ok")) && (await isServed("/proxied")));
      while (clients.every(({ closed }) => !closed));
      await until(() => clients.every(({ closed }) => closed), "all are closed");
      assert.ok(clients.every(({ sent }) => sent < rest.length));
      assert.ok(
        clients.every(({ text }) => text === ""),
        "there is nothing to answer",
      );
      await until(() => logged(log) === CLIENTS, "all are told of");
      assert.ok(back.seen.slice(seen).every(({ text }) => text.startsWith("GET /proxied")));
    });

  test("a body may take as long as its bytes keep coming, and ends when they stop", async () => {
    const seen = back.seen.filter(({ text }) => text.startsWith("POST")).length;
    const head = "POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length:";
    come(`${head} 40\r\n\r\n`, "y".repeat(40));
    for (let i = 0; i < 20; i++) clients.push(new Dribbler(server.port, `${head} 40\r\n\r\n`, "y".repeat(10)));
    do assert.ok((await isServed("/ok")) && (await isServed("/proxied")));
    while (clients.every(({ closed }) => !closed));
    await until(() => clients.every(({ closed }) => closed), "all have their end");
    assert.ok(clients.slice(0, CLIENTS).every(({ text }) => text.startsWith("HTTP/1.1 200 ")));
    assert.ok(clients.slice(CLIENTS).every(({ text }) => text === "" || text.startsWith("HTTP/1.1 408 ")));
    assert.equal(back.seen.filter(({ text }) => text.startsWith("POST")).length, seen + CLIENTS);
  });
});

test("slow clients that have taken every connection are no end: who waits is served when their time is over", {
  timeout: 60_000,
}, async () => {
  const server = await TestServer.start(
    "access_log off; client_header_timeout 1s; server { listen 127.0.0.1:%PORT% backlog=1024; return 200 ok; }",
    { connections: 60 },
  );
  const clients = Array.from(
    { length: 100 },
    () => new Dribbler(server.port, "GET / HTTP/1.1\r\nX: ", "x".repeat(200)),
  );
  try {
    await until(
      () => /\[(?:alert|warn)\] .* 60 worker_connections are not enough/.test(server.log("error.log")),
      "the complaint",
    );
    await until(() => clients.every(({ closed }) => closed), "they are given up");
    await until(async () => (await server.get("/")).endsWith("ok"), "service");
    await sleep(10);
  } finally {
    for (const { socket } of clients) socket.destroy();
    await server.stop();
  }
});

test("clients that connect and say nothing give way to those who ask, the first ones first", {
  timeout: 60_000,
}, async () => {
  const server = await TestServer.start(
    "access_log off; server { listen 127.0.0.1:%PORT% backlog=1024; return 200 ok; }",
    {
      connections: 60,
    },
  );
  const clients = Array.from({ length: 100 }, () => new Dribbler(server.port, "", ""));
  try {
    for (let i = 0; i < 5; i++) assert.match(await server.get("/"), /ok$/);
    assert.match(server.log("error.log"), /\[warn\] .* 60 worker_connections are not enough, reusing connections/);
    const open = clients.filter(({ closed }) => !closed).length;
    assert.ok(open > 20 && open < 60, `${open} are left`);
    assert.doesNotMatch(server.log("error.log"), /\[alert\]/);
  } finally {
    for (const { socket } of clients) socket.destroy();
    await server.stop();
  }
});
