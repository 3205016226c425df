/** A connection's life: pipelining, slow clients, time limits, closing, rates, and draining at a reload. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";

const BIG = "0123456789abcdef".repeat(1 << 19);
const HTTP = `
  access_log %DIR%/logs/access.log;
  client_header_timeout 500ms; client_body_timeout 500ms; keepalive_timeout 600ms;
  lingering_timeout 300ms; lingering_time 1s; send_timeout 500ms;
  server {
    listen 127.0.0.1:%PORT%; root %DIR%/html;
    location / { return 200 "ok\\n"; }
    location /big { sendfile on; alias %DIR%/html/big.bin; }
    location /copy { sendfile off; alias %DIR%/html/big.bin; }
    location /slow { limit_rate 20k; alias %DIR%/html/50k.bin; }
    location /slow-head { limit_rate 1k; add_header X-Long ${"h".repeat(1500)}; return 204; }
    location /text { return 200 "${"y".repeat(3000)}"; }
    location /two { keepalive_requests 2; return 200 x; }
    location /closing { keepalive_timeout 0; return 200 x; }
    location /status { stub_status; }
  }`;

let server: TestServer;

before(async () => {
  server = await TestServer.start(HTTP, { files: { "html/big.bin": BIG, "html/50k.bin": "z".repeat(50_000) } });
});

after(() => server.stop());

interface Talk {
  readonly bytes: number;
  readonly text: string;
  readonly ms: number;
}

/** Sends pieces with a pause between them, reads (after a while, if asked so) until the server closes. */
function talk(pieces: readonly string[], { pauseMs = 20, deafMs = 0, half = false } = {}): Promise<Talk> {
  return new Promise((resolve) => {
    const begun = Date.now();
    const socket = net.connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    let bytes = 0;
    let text = "";
    const done = (): void => {
      socket.destroy();
      resolve({ bytes, text, ms: Date.now() - begun });
    };
    if (deafMs > 0) socket.pause();
    socket.on("connect", async () => {
      for (const [index, piece] of pieces.entries()) {
        if (index > 0) await sleep(pauseMs);
        socket.write(piece, "latin1");
      }
      if (half) socket.end();
      if (deafMs > 0) setTimeout(() => socket.resume(), deafMs);
    });
    socket.on("data", (data) => {
      bytes += data.length;
      if (text.length < 100_000) text += data.toString("latin1");
    });
    socket.on("end", done);
    socket.on("error", done);
  });
}

const GET = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
const LAST = "GET / HTTP/1.0\r\n\r\n";

test("hundreds of pipelined requests are answered in order, to a client that reads late too", async () => {
  for (const deafMs of [0, 300]) {
    const { text, bytes } = await talk([GET("/text").repeat(900) + LAST], { deafMs });
    assert.ok(text.startsWith("HTTP/1.1 200 OK"));
    assert.ok(bytes > 900 * 3100 && bytes < 901 * 3200, String(bytes));
  }
});

test("large files arrive whole, by sendfile and by copying, one behind the other", async () => {
  const { bytes } = await talk([GET("/big") + GET("/copy") + LAST]);
  assert.ok(bytes > 2 * BIG.length && bytes < 2 * BIG.length + 1500, String(bytes));
});

test("a client that does not read is given up after send_timeout", async () => {
  const { bytes } = await talk(["GET /big HTTP/1.0\r\n\r\n"], { deafMs: 1500 });
  assert.ok(bytes < BIG.length, String(bytes));
  assert.match(
    server.log("error.log"),
    /client timed out .*while sending|client timed out \(110: Connection timed out\)/,
  );
});

test("an idle client, a slow head and an idle keep-alive connection each have their time", async () => {
  const [idle, slow, kept] = await Promise.all([
    talk([""]),
    talk(["GET / HTTP/1.1\r\n", "A: b\r\n", "A: b\r\n", "A: b\r\n", "A: b\r\n"], { pauseMs: 180 }),
    talk([GET("/")]),
  ]);
  assert.ok(idle.bytes === 0 && idle.ms >= 450 && idle.ms < 2000, JSON.stringify(idle));
  assert.ok(slow.bytes === 0 && slow.ms >= 450 && slow.ms < 2000, JSON.stringify(slow));
  assert.ok(kept.bytes > 0 && kept.ms >= 550 && kept.ms < 2500, JSON.stringify(kept));
});

test("a body that does not come is awaited for lingering_timeout behind the answer", async () => {
  const { text, ms } = await talk(["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"]);
  assert.match(text, /^HTTP\/1.1 200 OK/);
  assert.ok(ms >= 250 && ms < 2000, String(ms));
});

test("limit_rate holds the answer back", async () => {
  const { bytes, ms } = await talk(["GET /slow HTTP/1.0\r\n\r\n"]);
  assert.ok(bytes > 50_000);
  assert.ok(ms >= 900, String(ms));
});

test("limit_rate counts the header, also where nothing follows it", async () => {
  const socket = net.connect(server.port, "127.0.0.1");
  socket.write("GET /slow-head HTTP/1.0\r\n\r\n");
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  await new Promise((resolve) => socket.on("close", resolve));
  assert.equal(pieces[0]?.length, 1024);
  assert.match(Buffer.concat(pieces).toString("latin1"), /^HTTP\/1.1 204 No Content\r\n[\s\S]*h{1500}\r\n\r\n$/);
});

test("keepalive_requests and keepalive_timeout 0 end a connection", async () => {
  const { text } = await talk([GET("/two").repeat(3)]);
  assert.equal(text.match(/HTTP\/1.1 200 OK/g)?.length, 2);
  assert.equal(text.match(/Connection: close/g)?.length, 1);
  assert.match((await talk([GET("/closing")])).text, /Connection: close/);
});

test("a client that has said all it wants still gets its answer", async () => {
  assert.match((await talk([GET("/")], { half: true })).text, /ok\n$/);
});

test("a request that comes byte by byte is one request", async () => {
  const { text } = await talk([...LAST], { pauseMs: 2 });
  assert.match(text, /^HTTP\/1.1 200 OK[\s\S]*ok\n$/);
});

/** Asks, and resets the connection when the first bytes of the answer come. */
function reset(request: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ port: server.port, host: "127.0.0.1" });
    socket.on("connect", () => socket.write(request));
    socket.once("data", () => socket.resetAndDestroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });
}

test("clients that go while their answer is sent are counted once, and nothing of it reaches another client", async () => {
  const range = "GET /copy HTTP/1.1\r\nHost: x\r\nRange: bytes=1-4000000,3-50,4-60\r\n\r\n";
  for (const request of [GET("/big"), GET("/copy"), range, range.replace("copy", "big"), GET("/text").repeat(300)]) {
    for (let round = 0; round < 30; round++) {
      await reset(request);
      if (round % 5 === 0) assert.match((await talk([LAST])).text, /^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\nok\n$/);
    }
  }
  await sleep(100);
  const { text } = await talk(["GET /status HTTP/1.0\r\n\r\n"]);
  assert.match(text, /Active connections: 1 [\s\S]*Writing: 1 Waiting: 0 \n$/);
  const lines = server.log("access.log").split("\n");
  assert.equal(lines.filter((line) => line.includes("GET /big")).length >= 60, true);
});

test("stub_status counts", async () => {
  const { text } = await talk(["GET /status HTTP/1.0\r\n\r\n"]);
  assert.match(
    text,
    /Active connections: \d+ \nserver accepts handled requests\n \d+ \d+ \d+ \nReading: 0 Writing: 1 Waiting: \d+ \n$/,
  );
});

test("a reload loses no request of a keep-alive client, which is told to close", async () => {
  let answered = 0;
  let closed = 0;
  let stopping = false;
  const client = async (): Promise<void> => {
    while (!stopping) {
      const socket = net.connect(server.port, "127.0.0.1");
      let reusable = true;
      while (reusable && !stopping) {
        const text = await new Promise<string>((resolve, reject) => {
          socket.once("data", (data) => resolve(data.toString("latin1")));
          socket.once("close", () => reject(new Error("the connection was closed under a request")));
          socket.write(GET("/"));
        });
        assert.match(text, /^HTTP\/1.1 200 OK/);
        socket.removeAllListeners("close");
        answered++;
        reusable = text.includes("Connection: keep-alive");
        if (!reusable) closed++;
        await sleep(5);
      }
      socket.destroy();
    }
  };
  const clients = Array.from({ length: 8 }, client);
  for (let reloads = 0; reloads < 2; reloads++) {
    await sleep(300);
    server.signal("SIGHUP");
    await sleep(1200);
  }
  stopping = true;
  await Promise.all(clients);
  assert.ok(answered > 100, String(answered));
  assert.ok(closed >= 8, `${closed} connections were told to close`);
});
