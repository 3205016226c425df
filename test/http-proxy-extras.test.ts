/** What the proxy does with answers beyond passing them: copies in files, a rate, trailers, early hints. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { Talker } from "./support/talker.ts";

const HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nServer: back\r\nX-Secret: 1\r\n\r\n";
const chunks = (...parts: string[]): string =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n`;

const REPLIES: Readonly<Record<string, (seen: Seen) => Reply>> = {
  "/stored": () => ok("stored", "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT"),
  "/empty": () => ok(""),
  "/chunked": () => `${chunks("abc", "def")}\r\n`,
  "/to-end": () => (socket) => socket.end("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
  "/short": () => (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
  "/missing": () => "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
  "/large": () => ok("x".repeat(3_000_000)),
  "/slow": () => (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
    socket.write("y".repeat(1_000_000));
    setTimeout(() => socket.write("z".repeat(1_000_000)), 300);
  },
  "/rate": () => ok("x".repeat(6000)),
  "/rate-header": () => ok("x".repeat(9000), "X-Rate: 4000"),
  "/trailers": () => `${chunks("abc")}X-Sum: 1\r\nServer: back\r\nX-More: two words\r\n\r\n`,
  "/split-trailers": () => (socket) => {
    socket.write(`${chunks("abc")}X-S`);
    setTimeout(() => socket.write("um: 1\r\n"), 10);
    setTimeout(() => socket.write("\r\n"), 20);
  },
  "/bad-trailers": () => `${chunks("abc")}X Sum: 1\r\n\r\n`,
  "/large-trailers": () => `${chunks("abc")}X-Sum: ${"x".repeat(5000)}\r\n\r\n`,
  "/hints": () => HINTS + ok("after"),
  "/hints-first": () => (socket) => {
    socket.write(HINTS);
    setTimeout(() => socket.write(ok("after")), 100);
  },
  "/two-hints": () => HINTS + HINTS + ok("after"),
  "/many-hints": () => `HTTP/1.1 103 x\r\nLink: ${"y".repeat(3000)}\r\n\r\n`.repeat(2) + ok("after"),
  "/hidden-hints": () => `HTTP/1.1 103 x\r\nServer: back\r\n\r\n${ok("after")}`,
  "/hints-only": () => (socket) => socket.end(HINTS),
};

function reply(seen: Seen): Reply {
  const target = /^\S+ ([^ ?]*)/.exec(seen.text)?.[1] ?? "";
  return REPLIES[target]?.(seen) ?? ok(`you asked for ${target}`);
}

describe("proxied answers", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;

  before(async () => {
    back = await BackEnd.listen(reply);
    server = await TestServer.start(
      `log_format up '$uri|$status|$upstream_trailer_x_sum|$sent_trailer_x_sum'; access_log logs/up.log up; proxy_temp_path %DIR%/proxy;
      upstream b { server ${back.address}; }
      server { listen 127.0.0.1:%PORT%; proxy_hide_header X-Secret;
        root %DIR%/store;
        location / { proxy_pass http://b; }
        location /store/ { proxy_pass http://b/; proxy_store %DIR%/copies/deep$uri; proxy_store_access user:rw group:rw all:r; }
        location /mapped/ { alias %DIR%/aliased/; proxy_pass http://b/; proxy_store on; }
        location /unstored/ { proxy_pass http://b/; proxy_store off; }
        location /rate { proxy_pass http://b; proxy_limit_rate 3000; }
        location /rate-header { proxy_pass http://b; proxy_limit_rate $upstream_http_x_rate; }
        location /rate-unbuffered { proxy_pass http://b/rate; proxy_limit_rate 3000; proxy_buffering off; }
        location /t/ { proxy_pass http://b/; proxy_pass_trailers on; add_trailer X-Own own; }
        location /t-off/ { proxy_pass http://b/; }
        location /h/ { proxy_pass http://b/; early_hints $arg_hints $http_early; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
  });

  const stored = (name: string): string => path.join(server.folder, "copies/deep/store", name);
  const leftOver = (): string[] =>
    readdirSync(path.join(server.folder, "proxy"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  const until = async (done: () => boolean): Promise<boolean> => {
    for (let tries = 0; tries < 150 && !done(); tries++) await sleep(20);
    return done();
  };
  const get11 = async (target: string, ...lines: string[]): Promise<string> =>
    (await server.exchange(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.join("")}\r\n`)).text;

  test("proxy_store keeps a copy with the time and the rights that it should have", async () => {
    assert.match(await server.get("/store/stored"), /stored$/);
    assert.ok(await until(() => existsSync(stored("stored"))));
    assert.equal(readFileSync(stored("stored"), "latin1"), "stored");
    const { mode, mtimeMs } = statSync(stored("stored"));
    assert.equal((mode & 0o777).toString(8), "664");
    assert.equal(new Date(mtimeMs).toUTCString(), "Thu, 01 Jan 2015 00:00:00 GMT");
    assert.deepEqual(leftOver(), []);
  });

  test("proxy_store on puts the copy where the location's files are", async () => {
    await server.get("/mapped/stored");
    assert.ok(await until(() => existsSync(path.join(server.folder, "aliased/stored"))));
    assert.equal((statSync(path.join(server.folder, "aliased/stored")).mode & 0o777).toString(8), "600");
  });

  test("proxy_store keeps answers of every framing, and the empty one", async () => {
    for (const [name, body] of [
      ["chunked", "abcdef"],
      ["to-end", "until the end"],
      ["empty", ""],
      ["large", "x".repeat(3_000_000)],
    ] as const) {
      await server.get(`/store/${name}`);
      assert.ok(await until(() => existsSync(stored(name))), name);
      assert.equal(readFileSync(stored(name), "latin1"), body);
    }
  });

  test("proxy_store keeps nothing of an answer that is cut off, is no 200, or has no body", async () => {
    await server.get("/store/short");
    await server.get("/store/missing");
    await server.exchange("HEAD /store/head HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await server.get("/unstored/stored");
    for (const name of ["short", "missing", "head"]) assert.ok(!existsSync(stored(name)), name);
    assert.ok(await until(() => leftOver().length === 0), leftOver().join());
  });

  test("proxy_store goes on when the client has gone", async () => {
    const talker = await Talker.connect(server.port);
    talker.send("GET /store/slow HTTP/1.1\r\nHost: x\r\n\r\n");
    await talker.until(/yyyy/);
    talker.socket.resetAndDestroy();
    assert.ok(await until(() => existsSync(stored("slow"))));
    assert.equal(statSync(stored("slow")).size, 2_000_000);
  });

  test("proxy_limit_rate passes so many bytes a second, which a header of the answer may tell", async () => {
    for (const [target, size] of [
      ["/rate", 6000],
      ["/rate-header", 9000],
    ] as const) {
      const start = performance.now();
      const talker = await Talker.connect(server.port);
      talker.send(`GET ${target} HTTP/1.0\r\nHost: x\r\n\r\n`);
      await talker.closed;
      assert.equal(talker.text.length - talker.text.indexOf("\r\n\r\n") - 4, size);
      assert.ok(performance.now() - start > 900, `${target}: ${performance.now() - start} ms`);
    }
  });

  test("proxy_limit_rate is for buffered answers only", async () => {
    const start = performance.now();
    assert.match(await server.get("/rate-unbuffered"), /x{6000}$/);
    assert.ok(performance.now() - start < 900);
  });

  test("proxy_pass_trailers passes trailers that are not hidden, and ours behind them", async () => {
    const text = await get11("/t/trailers");
    assert.match(text, /\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-More: two words\r\nX-Own: own\r\n\r\n$/);
    assert.match(await get11("/t/split-trailers"), /\r\n0\r\nX-Sum: 1\r\nX-Own: own\r\n\r\n$/);
    assert.match(await get11("/t-off/trailers"), /\r\n3\r\nabc\r\n0\r\n\r\n$/);
    assert.match(await server.get("/t/trailers"), /\r\n\r\nabc$/, "HTTP/1.0 has none");
    assert.ok(await until(() => /\/t\/split-trailers\|200\|1\|1$/m.test(server.log("up.log"))));
    const { connections } = back;
    await get11("/t/trailers");
    assert.equal(back.connections, connections, "the connection is kept");
  });

  test("trailers that are none, or too large, cut the answer off", async () => {
    for (const [target, message] of [
      ["/t/bad-trailers", /upstream sent invalid trailer: "X\\x20\.\.\." while reading upstream/],
      ["/t/large-trailers", /upstream sent too big trailers while reading upstream/],
    ] as const) {
      assert.doesNotMatch(await get11(target), /0\r\n\r\n$/);
      assert.ok(await until(() => message.test(server.log("error.log"))), target);
    }
  });

  test("early hints are passed on at once where early_hints says so, without hidden lines", async () => {
    const talker = await Talker.connect(server.port);
    talker.send("GET /h/hints-first?hints=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.equal(
      await talker.until(/\r\n\r\n/),
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n",
      "before the answer itself",
    );
    await talker.until(/HTTP\/1\.1 200 OK[\s\S]*after$/);
    talker.socket.destroy();
    const two = await get11("/h/two-hints", "Early: yes\r\n");
    assert.equal(two.split("103 Early Hints\r\nLink: </a.css>\r\n\r\n").length, 3);
  });

  test("early hints are not for everybody: not by default, not for HTTP/1.0, not `0`, not when nothing is left of them", async () => {
    for (const target of ["/hints", "/h/hints", "/h/hints?hints=0", "/h/hidden-hints?hints=1"]) {
      assert.match(await get11(target), /^HTTP\/1\.1 200 OK[\s\S]*after$/, target);
    }
    assert.match(await server.get("/h/hints?hints=1"), /^HTTP\/1\.1 200 OK[\s\S]*after$/);
  });

  test("early hints end where the head's buffer ends, and are no answer", async () => {
    const text = await get11("/h/many-hints?hints=1");
    assert.equal(text.split("103 Early Hints").length, 2, "the second ones are too much");
    assert.match(text, /200 OK[\s\S]*after$/);
    assert.ok(await until(() => /upstream sent too big early hints/.test(server.log("error.log"))));
    assert.match(await get11("/h/hints-only?hints=1"), /103 Early Hints[\s\S]*HTTP\/1\.1 502 Bad Gateway/);
  });
});
