/** Back ends that die in every phase of a request, and clients and back ends that are slow, half-closed or reset. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { exchange, TestServer } from "../http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "../support/back-end.ts";
import { until } from "../support/server-process.ts";

const MEGABYTE = 1024 * 1024;
const sha1 = (bytes: Buffer): string => createHash("sha1").update(bytes).digest("hex");
const pathOf = ({ text }: Seen): string => /^\S+ ([^ ?]*)/.exec(text)?.[1] ?? "";

/** What the first peer does in each phase; "after" the request was read. */
const DEATHS: Readonly<Record<string, (socket: net.Socket) => void>> = {
  "closes before an answer": (socket) => socket.destroy(),
  "resets before an answer": (socket) => socket.resetAndDestroy(),
  "closes within the status line": (socket) => socket.end("HTTP/1.1 20"),
  "resets within the head": (socket) => socket.write("HTTP/1.1 200 OK\r\nX-A: b\r\n", () => socket.resetAndDestroy()),
};
/** Once a part of the body is with the client nothing can be retried. */
const LATE_DEATHS: Readonly<Record<string, (socket: net.Socket) => void>> = {
  "closes within the body": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
  "resets within the body": (socket) =>
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", () =>
      setTimeout(() => socket.resetAndDestroy(), 30),
    ),
  "closes within a chunk": (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
  "closes before the last chunk": (socket) =>
    socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
};
const NAMES = [...Object.keys(DEATHS), ...Object.keys(LATE_DEATHS)];
const slug = (name: string): string => `/${name.replaceAll(" ", "-")}`;

describe("back ends that die", { timeout: 60_000 }, () => {
  let dying: BackEnd;
  let healthy: BackEnd;
  let server: TestServer;

  before(async () => {
    dying = await BackEnd.listen((seen): Reply => {
      const name = NAMES.find((one) => slug(one) === pathOf(seen)) ?? "";
      return DEATHS[name] ?? LATE_DEATHS[name] ?? ok("alive");
    });
    healthy = await BackEnd.listen(() => ok("healthy"));
    server = await TestServer.start(
      `access_log off;
      upstream pair { server ${dying.address} max_fails=0; server ${healthy.address} backup; }
      upstream refused { server 127.0.0.1:1 max_fails=0; server ${healthy.address} backup; }
      server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://pair; } location /refused { proxy_pass http://refused; } }`,
    );
  });
  after(async () => {
    await server.stop();
    dying.close();
    healthy.close();
  });

  const statusAndBody = (text: string): string => {
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    return `${/^HTTP\/1.1 (\d+)/.exec(text)?.[1]} ${body.startsWith("<html>") ? "page" : body}`;
  };
  const post = (path: string): Promise<{ text: string }> =>
    server.exchange(`POST ${path} HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc`);

  for (const name of Object.keys(DEATHS))
    test(`a peer that ${name}: a GET goes to the next, a POST is not repeated`, async () => {
      const [before, others] = [dying.seen.length, healthy.seen.length];
      assert.equal(statusAndBody(await server.get(slug(name))), "200 healthy");
      assert.deepEqual([dying.seen.length - before, healthy.seen.length - others], [1, 1]);
      assert.equal(statusAndBody((await post(slug(name))).text), "502 page");
      assert.deepEqual([dying.seen.length - before, healthy.seen.length - others], [2, 1]);
    });

  for (const name of Object.keys(LATE_DEATHS))
    test(`a peer that ${name}: the client sees that the answer is cut off, and nothing is repeated`, async () => {
      const [before, others] = [dying.seen.length, healthy.seen.length];
      const { text, closed } = await server.exchange(`GET ${slug(name)} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.match(text, /^HTTP\/1.1 200 OK\r\n[\s\S]*half/);
      assert.equal(closed, true);
      assert.doesNotMatch(text, /\r\n0\r\n\r\n$/);
      assert.deepEqual([dying.seen.length - before, healthy.seen.length - others], [1, 0]);
    });

  test("a peer that refuses: also a POST goes to the next, since nothing was sent", async () => {
    assert.equal(statusAndBody((await post("/refused")).text), "200 healthy");
  });

  test("a kept connection that the peer has closed meanwhile: the next request opens another", async () => {
    assert.equal(statusAndBody(await server.get("/warm")), "200 alive");
    const { connections } = dying;
    dying.dropConnections();
    await sleep(20);
    assert.equal(statusAndBody((await post("/warm")).text), "200 alive");
    assert.equal(dying.connections, connections + 1);
  });
});

test("bodies of every size reach a back end that reads late, whole and behind their head", {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "late-"));
  // A unix socket has small buffers: what is sent at once is not taken at once.
  const late = net.createServer((socket) => {
    const chunks: Buffer[] = [];
    let left = -1;
    let body = 0;
    socket.pause();
    setTimeout(() => socket.resume(), 20);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      chunks.push(data);
      left -= data.length;
      if (body === 0) {
        // A head comes in one piece.
        body = data.indexOf("\r\n\r\n") + 4;
        left = body + Number(/content-length: (\d+)/i.exec(data.toString("latin1", 0, body))?.[1]) - data.length;
      }
      if (left === 0) socket.end(ok(sha1(Buffer.concat(chunks).subarray(body))));
    });
  });
  await new Promise<void>((resolve) => late.listen(path.join(folder, "late"), resolve));
  const server = await TestServer.start(
    `access_log off; client_max_body_size 10m; client_body_buffer_size 5m; proxy_temp_path %DIR%/proxy;
    server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://unix:${path.join(folder, "late")}; }
      location /file { client_body_buffer_size 16k; proxy_pass http://unix:${path.join(folder, "late")}; } }`,
  );
  try {
    for (const where of ["/", "/file"])
      for (const size of [1, 1000, 65_535, 65_536, 200_000, 262_144, 262_145, 700_000]) {
        const body = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
        const answer = await new Promise<string>((resolve, reject) => {
          const request = http.request({ port: server.port, path: where, method: "POST", agent: false }, (response) => {
            let text = "";
            response.on("data", (data) => (text += data));
            response.on("end", () => resolve(text));
          });
          request.on("error", reject);
          request.end(body);
        });
        assert.equal(answer, sha1(body), `${where} ${size}`);
      }
  } finally {
    await server.stop();
    late.close();
    rmSync(folder, { recursive: true });
  }
});

describe("slow and half-closed ends", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;
  let written = 0;

  /** Writes for ever as fast as it is taken. */
  const pour = (socket: net.Socket): void => {
    const piece = Buffer.alloc(64 * 1024, "x");
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const more = (): void => {
      while (!socket.destroyed) {
        written += piece.length;
        if (!socket.write(piece)) {
          socket.once("drain", more);
          return;
        }
      }
    };
    more();
  };

  before(async () => {
    back = await BackEnd.listen((seen): Reply => (pathOf(seen) === "/pour" ? pour : ok(`body ${seen.text.length}`)));
    server = await TestServer.start(
      `access_log off; proxy_temp_path %DIR%/proxy; proxy_max_temp_file_size 0;
      upstream back { server ${back.address}; }
      server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://back; } location /patient { proxy_pass http://back; proxy_ignore_client_abort on; } location /pour { proxy_pass http://back; send_timeout 60; } }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
  });

  test("clients that don't read slow the back end down instead of filling the memory, and hinder nobody", async () => {
    const clients = Array.from({ length: 8 }, () => {
      const socket = net.connect(server.port, "127.0.0.1").pause();
      socket.on("error", () => {});
      socket.write("GET /pour HTTP/1.0\r\n\r\n");
      return socket;
    });
    let last = -1;
    await until(async () => {
      const before = last;
      last = written;
      await sleep(100);
      return last > 0 && last === before;
    }, "the back end has to wait");
    // The sockets' buffers on both sides, and what the proxy may hold: some megabytes for each client, not the gigabyte.
    assert.ok(written < clients.length * 16 * MEGABYTE, `${(written / MEGABYTE).toFixed(0)} MB were taken`);
    assert.match(await server.get("/other"), /^HTTP\/1.1 200 OK/);
    for (const socket of clients) socket.destroy();
    await until(() => back.openConnections <= 2, "back-end connections of clients that have gone are closed");
  });

  test("a request that comes a byte at a time is passed on once, whole", async () => {
    const before = back.seen.length;
    const request = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    const socket = net.connect(server.port, "127.0.0.1").setNoDelay(true);
    let text = "";
    socket.on("data", (data) => (text += data.toString("latin1")));
    // The answer may be there before the last pause is over.
    const ended = new Promise((resolve) => socket.once("end", resolve));
    for (const byte of request) {
      socket.write(byte);
      await sleep(1);
    }
    await ended;
    assert.match(text, /^HTTP\/1.1 200 OK[\s\S]*body \d+$/);
    assert.equal(back.seen.length, before + 1);
    assert.match(back.last, /\r\n\r\nhello$/);
  });

  test("a client that has closed its sending side gets its answers with proxy_ignore_client_abort on", async () => {
    const socket = net.connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    socket.on("data", (data) => (text += data.toString("latin1")));
    socket.end(
      "GET /patient/a HTTP/1.1\r\nHost: x\r\n\r\nGET /patient/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    await new Promise((resolve) => socket.once("end", resolve));
    socket.destroy();
    assert.equal(text.match(/HTTP\/1.1 200/g)?.length, 2, text);
  });

  test("clients that reset in the middle of a body leave nothing behind", async () => {
    const before = back.seen.length;
    for (let i = 0; i < 20; i++) {
      const socket = net.connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      await new Promise((resolve) => socket.once("connect", resolve));
      socket.write("POST /reset HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nsome");
      await sleep(2);
      socket.resetAndDestroy();
    }
    assert.match((await exchange(server.port, ["GET /fine HTTP/1.0\r\n\r\n"])).text, /^HTTP\/1.1 200 OK/);
    assert.deepEqual(
      back.seen.slice(before).map(pathOf),
      ["/fine"],
      "a body that was not whole is not sent to the back end",
    );
    assert.doesNotMatch(server.log("error.log"), /\[(alert|crit|emerg)\]/);
  });
});
