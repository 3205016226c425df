/** Upgraded connections: bytes both ways, their ends, their time limits, and what is counted. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";
import { BackEnd, type Reply, type Seen } from "./support/back-end.ts";
import { Talker } from "./support/talker.ts";

const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n";
const LARGE = 24 * 1024 * 1024;

/** Hands a socket over to a test by its path. */
const handed = new Map<string, net.Socket>();

function reply({ text }: Seen): Reply {
  const path = /^\S+ (\S*)/.exec(text)?.[1] ?? "";
  return (socket) => {
    socket.removeAllListeners("data");
    if (path.includes("echo")) {
      socket.write(`${SWITCH}hello `);
      socket.pipe(socket);
    } else {
      socket.pause();
      socket.write(SWITCH);
      handed.set(path, socket);
    }
  };
}

describe("an upgraded connection", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;

  before(async () => {
    back = await BackEnd.listen(reply);
    const proxied = `proxy_pass http://${back.address}; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;`;
    server = await TestServer.start(
      `log_format t '$uri|$status|$bytes_sent|$body_bytes_sent|$upstream_bytes_sent|$upstream_bytes_received|$upstream_response_length|$sent_http_connection';
      access_log logs/t.log t;
      server { listen 127.0.0.1:%PORT%;
        location / { ${proxied} }
        location /short/ { ${proxied} proxy_read_timeout 600ms; }
        location /impatient/ { ${proxied} proxy_send_timeout 300ms; send_timeout 20s; }
        location /slow-client/ { ${proxied} send_timeout 300ms; }
        location /plain/ { proxy_pass http://${back.address}; proxy_read_timeout 300ms; proxy_buffering off; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
  });

  const upgrade = async (path: string, more = ""): Promise<Talker> => {
    const talker = await Talker.connect(server.port);
    talker.send(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n${more}`);
    return talker;
  };
  const backSide = async (path: string): Promise<net.Socket> => {
    for (let tries = 0; tries < 100 && !handed.has(path); tries++) await sleep(10);
    return handed.get(path) as net.Socket;
  };
  const logged = async (name: string, text: RegExp): Promise<RegExpExecArray> => {
    for (let tries = 0; tries < 50 && !text.test(server.log(name)); tries++) await sleep(20);
    assert.match(server.log(name), text);
    return text.exec(server.log(name)) as RegExpExecArray;
  };

  test("says 101 with the upstream's Upgrade, and passes what came with it and behind it", async () => {
    const talker = await upgrade("/echo-early", "early ");
    const text = await talker.until(/hello early $/);
    assert.match(
      text,
      /^HTTP\/1\.1 101 Switching Protocols\r\nServer: [^\r]*\r\nDate: [^\r]*\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\nhello early $/,
    );
    talker.send("more");
    await talker.until(/more$/);
    talker.end();
    await talker.closed;
    const sent = talker.text.length;
    const [, total, body] = await logged("t.log", /\/echo-early\|101\|(\d+)\|(\d+)\|\d+\|\d+\|0\|upgrade$/m);
    assert.equal(Number(total), sent, "$bytes_sent is what the client has got");
    assert.equal(Number(body), "hello early more".length);
  });

  test("counts what the upstream was sent and has sent", async () => {
    const talker = await upgrade("/echo-count");
    await talker.until(/hello $/);
    talker.send("x".repeat(1000));
    await talker.until(/x{1000}$/);
    talker.end();
    const [, sent, received] = await logged("t.log", /\/echo-count\|101\|\d+\|\d+\|(\d+)\|(\d+)\|/);
    const request = back.seen.find(({ text }) => text.startsWith("GET /echo-count "))?.text ?? "";
    assert.equal(Number(sent), request.length + 1000);
    assert.equal(Number(received), `${SWITCH}hello `.length + 1000);
  });

  test("passes large amounts both ways at once through sockets that are full", async () => {
    const talker = await upgrade("/echo-large");
    const pattern = Buffer.alloc(1024 * 1024, "0123456789abcdef");
    for (let i = 0; i < 24; i++) talker.socket.write(pattern);
    talker.socket.pause();
    await sleep(100);
    talker.socket.resume();
    const start = (await talker.until(/hello /)).indexOf("hello ") + 6;
    await talker.untilLength(start + LARGE);
    const body = Buffer.from(talker.text.slice(start), "latin1");
    for (let i = 0; i < 24; i++) assert.ok(body.subarray(i << 20, (i + 1) << 20).equals(pattern), `megabyte ${i}`);
    talker.socket.destroy();
  });

  test("does not take more than its sockets hold while a side does not read", async () => {
    const talker = await upgrade("/stuck");
    await talker.until(/\r\n\r\n$/);
    await backSide("/stuck");
    talker.socket.write(Buffer.alloc(64 * 1024 * 1024));
    await sleep(400);
    assert.ok(talker.socket.writableLength > 32 * 1024 * 1024, `${talker.socket.writableLength} bytes still wait`);
    talker.socket.destroy();
  });

  test("ends with the client, and gives the upstream all that the client has sent", async () => {
    const talker = await upgrade("/client-ends");
    await talker.until(/\r\n\r\n$/);
    const socket = await backSide("/client-ends");
    talker.end("x".repeat(100_000));
    await sleep(50);
    let size = 0;
    socket.on("data", (data) => (size += data.length));
    socket.resume();
    await once(socket, "end");
    assert.equal(size, 100_000);
    await talker.closed;
  });

  test("ends with the upstream, and gives the client all that the upstream has sent", async () => {
    const talker = await upgrade("/upstream-ends");
    const socket = await backSide("/upstream-ends");
    talker.socket.pause();
    const size = 8 * 1024 * 1024;
    socket.end(Buffer.alloc(size, "y"));
    await sleep(200);
    talker.socket.resume();
    await talker.closed;
    assert.equal(talker.text.length - talker.text.indexOf("\r\n\r\n") - 4, size);
  });

  test("ends when either side is reset", async () => {
    const first = await upgrade("/reset-upstream");
    await first.until(/\r\n\r\n$/);
    (await backSide("/reset-upstream")).resetAndDestroy();
    await first.closed;
    await logged(
      "error.log",
      /\[error\].*recv\(\) failed \(104: Connection reset by peer\) while proxying upgraded connection/,
    );
    const second = await upgrade("/reset-client");
    await second.until(/\r\n\r\n$/);
    const socket = await backSide("/reset-client");
    socket.resume();
    second.socket.resetAndDestroy();
    await once(socket, "end");
    await logged(
      "error.log",
      /\[info\].*recv\(\) failed \(104: Connection reset by peer\) while proxying upgraded connection/,
    );
    await logged("t.log", /\/reset-client\|101\|/);
  });

  test("ends after proxy_read_timeout without a byte, which bytes of the client put off, too", async () => {
    const talker = await upgrade("/short/quiet");
    await talker.until(/\r\n\r\n$/);
    const socket = await backSide("/short/quiet");
    socket.resume();
    for (let i = 0; i < 4; i++) {
      talker.send("x");
      await sleep(250);
    }
    assert.ok(!talker.isClosed, "a second with a byte every 250 ms");
    await talker.closed;
    await logged("error.log", /upstream timed out \(110: Connection timed out\) while proxying upgraded connection/);
  });

  test("ends when the upstream takes nothing for proxy_send_timeout", async () => {
    const talker = await upgrade("/impatient/upstream");
    await talker.until(/\r\n\r\n$/);
    await backSide("/impatient/upstream");
    talker.socket.write(Buffer.alloc(64 * 1024 * 1024));
    await talker.closed;
  });

  test("ends when the client takes nothing for send_timeout", async () => {
    const talker = await upgrade("/slow-client/x");
    await talker.until(/\r\n\r\n$/);
    const socket = await backSide("/slow-client/x");
    talker.socket.pause();
    socket.write(Buffer.alloc(64 * 1024 * 1024));
    await logged("error.log", /client timed out \(110: Connection timed out\) while proxying upgraded connection/);
    talker.socket.destroy();
  });

  test("is none when the client has not asked for it", async () => {
    const talker = await Talker.connect(server.port);
    talker.send("GET /plain/echo HTTP/1.1\r\nHost: x\r\n\r\n");
    await talker.until(/hello $/);
    talker.send("GET /plain/not-passed HTTP/1.1\r\nHost: x\r\n\r\n");
    await talker.closed;
    assert.doesNotMatch(talker.text, /not-passed/);
  });

  test("is none when the client has not asked for it: what is buffered goes out when it is whole", async () => {
    const talker = await Talker.connect(server.port);
    talker.send("GET /whole HTTP/1.1\r\nHost: x\r\n\r\n");
    const socket = await backSide("/whole");
    socket.write("hello ");
    await sleep(50);
    assert.equal(talker.text, "");
    socket.end("again");
    await talker.until(/^HTTP\/1\.1 101 .*\r\n\r\nhello again$/s);
    const left = await Talker.connect(server.port);
    left.send("GET /left HTTP/1.1\r\nHost: x\r\n\r\n");
    (await backSide("/left")).write("hello ");
    await sleep(50);
    left.socket.destroy();
    await logged("t.log", /\/left\|499\|0\|0\|/);
    const late = await Talker.connect(server.port);
    late.send("GET /short/late HTTP/1.1\r\nHost: x\r\n\r\n");
    (await backSide("/short/late")).write("hello ");
    await late.closed;
    assert.equal(late.text, "", "it never became whole");
  });
});

describe("tunnel_pass", { timeout: 60_000 }, () => {
  let back: net.Server;
  let server: TestServer;
  let port = 0;

  before(async () => {
    back = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.write("hello ");
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => back.listen(0, "127.0.0.1", resolve));
    port = (back.address() as net.AddressInfo).port;
    server = await TestServer.start(
      `log_format t '$request|$status|$bytes_sent|$upstream_addr|$upstream_bytes_sent|$upstream_bytes_received|$host|$request_port'; access_log logs/t.log t;
      upstream fixed { server 127.0.0.1:1; server 127.0.0.1:${port}; }
      server { listen 127.0.0.1:%PORT%; server_name _;
        tunnel_connect_timeout 2s; tunnel_read_timeout 300ms;
        location / { if ($request_method = CONNECT) { tunnel_pass; break; } return 200 plain; }
        error_page 502 /gone; location /gone { return 200 "gone"; } }
      server { listen 127.0.0.1:%PORT%; server_name fixed.example; tunnel_pass fixed; }
      server { listen 127.0.0.1:%PORT%; server_name named.example; location / { tunnel_pass $host; } }
      server { listen 127.0.0.1:%PORT%; server_name none.example; location / { return 200; } }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
  });

  const connect = async (target: string, { version = "1.1", lines = "" } = {}): Promise<Talker> => {
    const talker = await Talker.connect(server.port);
    talker.send(`CONNECT ${target} HTTP/${version}\r\nHost: ${target}\r\n${lines}\r\n`);
    return talker;
  };

  test("connects the client with the address that it names, and answers 200 without a body", async () => {
    const talker = await connect(`127.0.0.1:${port}`);
    const text = await talker.until(/hello $/);
    assert.match(text, /^HTTP\/1\.1 200 OK\r\nServer: [^\r]*\r\nDate: [^\r]*\r\nConnection: close\r\n\r\nhello $/);
    talker.send("ping");
    await talker.until(/hello ping$/);
    talker.end();
    await talker.closed;
    for (let tries = 0; tries < 50 && !/CONNECT/.test(server.log("t.log")); tries++) await sleep(20);
    const size = talker.text.length;
    assert.match(
      server.log("t.log"),
      new RegExp(
        `^CONNECT 127.0.0.1:${port} HTTP/1.1\\|200\\|${size}\\|127.0.0.1:${port}\\|4\\|10\\|127.0.0.1\\|${port}$`,
        "m",
      ),
    );
  });

  test("passes on what the client sends ahead of the answer", async () => {
    const talker = await Talker.connect(server.port);
    talker.send(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\nearly`);
    await talker.until(/hello early$/);
    talker.socket.destroy();
  });

  test("goes on to the next server of an upstream", async () => {
    const talker = await connect("fixed.example:80");
    await talker.until(/200 OK[\s\S]*hello $/);
    talker.socket.destroy();
  });

  test("ends when nothing passes for tunnel_read_timeout", async () => {
    const talker = await connect(`127.0.0.1:${port}`);
    await talker.until(/hello $/);
    await talker.closed;
  });

  test("answers errors as HTTP: nobody there, no port, a body, HTTP/1.0, a server without it, another method", async () => {
    for (const [target, expected, options] of [
      ["127.0.0.1:1", /^HTTP\/1\.1 502 [\s\S]*gone$/, {}],
      ["named.example:80", /^HTTP\/1\.1 500 /, {}],
      [`127.0.0.1:${port}`, /^HTTP\/1\.1 400 /, { lines: "Content-Length: 1\r\n" }],
      [`127.0.0.1:${port}`, /^HTTP\/1\.1 405 /, { version: "1.0" }],
      ["none.example:80", /^HTTP\/1\.1 405 /, {}],
      ["127.0.0.1", /^HTTP\/1\.1 400 /, {}],
      ["127.0.0.1:65536", /^HTTP\/1\.1 400 /, {}],
    ] as const) {
      const talker = await connect(target, options);
      await talker.until(expected);
      talker.socket.destroy();
    }
    assert.match((await server.exchange("GET / HTTP/1.1\r\nHost: fixed.example\r\n\r\n")).text, /^HTTP\/1\.1 405 /);
    assert.match(await server.get("/"), /plain$/);
  });
});
