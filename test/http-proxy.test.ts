/** The reverse proxy, with back ends that behave and back ends that don't. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { exchange, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { childrenOf } from "./support/server-process.ts";

const LARGE = 4 * 1024 * 1024;

/** What the back end does, by path. */
const REPLIES: Readonly<Record<string, (seen: Seen) => Reply>> = {
  "/plain": () => ok("plain", "Content-Type: text/x; charset=koi8-r", "X-One: 1", "Server: back", "Date: long ago"),
  "/chunked": () =>
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: r\r\n\r\n",
  "/close": () => (socket) => socket.end("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
  "/pieces": () => (socket) => {
    const pieces = [..."HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Slow: yes\r\n\r\nabc"];
    const next = (): void => {
      const piece = pieces.splice(0, 9).join("");
      if (piece !== "") socket.write(piece, () => setTimeout(next, 2));
    };
    next();
  },
  "/reason": () => "HTTP/1.1 299 Something else\r\nContent-Length: 0\r\n\r\n",
  "/old": () => (socket) => socket.end("no status line"),
  "/truncated": () => (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
  "/truncated-chunk": () => (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
  "/bad-chunk": () => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  "/excess": () => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef",
  "/both": () => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
  "/bad-header": () => "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
  "/big-header": () => `HTTP/1.1 200 OK\r\nX: ${"x".repeat(5000)}\r\nContent-Length: 0\r\n\r\n`,
  "/silent": () => () => {},
  "/gone": () => (socket) => socket.destroy(),
  "/leaves": () => (socket) => {
    // The proxy sleeps until both the answer and the end are there.
    workers("SIGSTOP");
    socket.end(ok("bye"));
    setTimeout(() => workers("SIGCONT"), 50);
  },
  "/reset": () => (socket) => socket.resetAndDestroy(),
  "/hints": () => `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok("final")}`,
  "/redirect": ({ text }) => {
    const host = /^host: (.*)\r$/im.exec(text)?.[1];
    return `HTTP/1.1 302 Found\r\nLocation: http://${host}/to/there\r\nContent-Length: 0\r\n\r\n`;
  },
  "/cookie": () => ok("", "Set-Cookie: a=b; Domain=.back.example; Path=/app/x; Secure"),
  "/accel": () => ok("hidden", "X-Accel-Redirect: /inside/x", "Set-Cookie: kept=1", "X-Lost: 1"),
  "/404": () => "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nback",
  "/204": () => "HTTP/1.1 204 No Content\r\nX-Made: yes\r\n\r\n",
  "/304": () => 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
  "/from": () => (socket) => socket.write(ok(`from ${socket.remoteAddress}`)),
  "/large": () => ok("x".repeat(LARGE)),
};

let workers: (signal: NodeJS.Signals) => void = () => {};

function reply(seen: Seen): Reply {
  const path = /^\S+ ([^ ?]*)/.exec(seen.text)?.[1] ?? "";
  return REPLIES[path]?.(seen) ?? ok(`you asked for ${path}`);
}

describe("proxy_pass", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;

  before(async () => {
    back = await BackEnd.listen(reply);
    const { address } = back;
    server = await TestServer.start(
      `proxy_temp_path %DIR%/proxy; log_format up '$uri|$status|$upstream_addr|$upstream_status|$upstream_http_x_one|$upstream_response_length|$upstream_bytes_received';
      access_log logs/up.log up;
      upstream kept { server ${address}; }
      upstream two { server 127.0.0.1:1; server ${address}; }
      upstream dead { server 127.0.0.1:1; server 127.0.0.1:2; }
      server { listen 127.0.0.1:%PORT%;
        proxy_read_timeout 300ms;
        location / { proxy_pass http://kept; }
        location /uri/ { proxy_pass http://${address}/base/; }
        location /set/ { proxy_pass http://kept; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header Accept ""; proxy_set_header X-Long-Name-That-Is-More-Than-32-Bytes y; }
        location /two/ { proxy_pass http://two/; }
        location /dead/ { proxy_pass http://dead/; error_page 502 = /fallback; }
        location = /fallback { return 200 "fallback $upstream_addr"; }
        location /closed { proxy_pass http://127.0.0.1:1; }
        location /computed/ { proxy_pass http://$arg_to/plain; }
        location /show/ { proxy_pass http://kept/; proxy_hide_header X-One; proxy_pass_header Server; proxy_pass_header Date; }
        location /cookies/ { proxy_pass http://kept/; proxy_cookie_domain back.example front.example; proxy_cookie_path /app/ /; proxy_cookie_flags a httponly nosecure samesite=lax; }
        location /changed/ { proxy_pass http://kept/; proxy_method PUT; proxy_set_body "set $arg_x"; proxy_http_version 1.0; }
        location /caught/ { proxy_pass http://kept/; proxy_intercept_errors on; error_page 404 = /fallback; }
        location /inside/ { internal; add_header X-Inside yes; return 200 "inside $uri"; }
        location /small/ { proxy_pass http://kept/; client_max_body_size 10; }
        location /spilled/ { proxy_pass http://kept/; client_body_buffer_size 16; proxy_set_header X-File $request_body_file; proxy_set_header X-Body $request_body; }
        location /unbuffered/ { proxy_pass http://kept/; proxy_buffering off; }
        location /memory/ { proxy_pass http://kept/; proxy_max_temp_file_size 0; }
        location /stubborn/ { proxy_pass http://kept/; proxy_ignore_client_abort on; }
        location /bound/ { proxy_pass http://kept/; proxy_bind 127.0.0.3; }
        location /bound-by/ { proxy_pass http://kept/; proxy_bind $arg_a; }
        location /slash/ { proxy_pass http://kept; }
        location /patient/ { proxy_pass http://kept/; proxy_read_timeout 10s; }
        location /regex { proxy_pass http://kept; proxy_redirect ~^http://[^/]+/to/(.*)$ /new/$1; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
  });
  before(() => {
    workers = (signal) => {
      for (const pid of childrenOf(server.pid)) process.kill(pid, signal);
    };
  });

  const logged = async (text: RegExp): Promise<void> => {
    for (let tries = 0; tries < 50 && !text.test(server.log("error.log")); tries++) await sleep(20);
    assert.match(server.log("error.log"), text);
  };

  test("passes the answer with our own Server and Date, and a type and charset of the back end's", async () => {
    const text = await server.get("/plain");
    assert.match(
      text,
      /^HTTP\/1.1 200 OK\r\nServer: nginx\S*\r\nDate: .*GMT\r\nContent-Type: text\/x; charset=koi8-r\r\n/,
    );
    assert.match(text, /\r\nContent-Length: 5\r\n/);
    assert.match(text, /\r\nX-One: 1\r\n[\s\S]*plain$/);
    assert.doesNotMatch(text, /long ago|Server: back/);
  });

  test("sends the back end HTTP/1.1 with its own name as Host and no hop-by-hop lines", async () => {
    await server.exchange(
      "GET /x?y=z HTTP/1.1\r\nHost: front\r\nConnection: close, TE\r\nTE: trailers\r\nKeep-Alive: 1\r\nX-Mine:  spaced \r\n\r\n",
    );
    assert.equal(back.last, "GET /x?y=z HTTP/1.1\r\nHost: kept\r\nX-Mine: spaced\r\n\r\n");
  });

  test("replaces the location by the URI of proxy_pass", async () => {
    await server.get("/uri/a%20b?c");
    assert.match(back.last, /^GET \/base\/a%20b\?c HTTP\/1.1\r\nHost: 127/);
  });

  test("a connection whose end came along with the answer is not kept for the next request of the same bytes", async () => {
    const post = "POST /leaves HTTP/1.1\r\nHost: front\r\nContent-Length: 1\r\n\r\nx";
    const { text } = await server.exchange(`${post}${post}GET /plain HTTP/1.0\r\n\r\n`);
    assert.deepEqual(text.match(/HTTP\/1.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 200"]);
  });

  test("a HEAD brings no bytes, also when the back end answers without a status line", async () => {
    assert.equal((await server.exchange("HEAD /old HTTP/1.1\r\nHost: front\r\n\r\n")).text, "");
  });

  test("sets, replaces and removes lines of the request", async () => {
    await server.get(
      "/set/",
      "Accept: text/html",
      "X-Forwarded-For: 192.0.2.1",
      "X-LONG-NAME-THAT-IS-MORE-THAN-32-bytes: x",
    );
    assert.match(back.last, /^Host: localhost\r$/m);
    assert.match(back.last, /^X-Forwarded-For: 192.0.2.1, 127.0.0.1\r$/m);
    assert.match(back.last, /^X-Long-Name-That-Is-More-Than-32-Bytes: y\r$/m);
    assert.doesNotMatch(back.last, /Accept|X-LONG/);
    assert.equal(back.last.split("X-Forwarded-For").length, 2);
  });

  test("changes method, body and version where the configuration does", async () => {
    await server.get("/changed/?x=1");
    assert.match(back.last, /^PUT \/\?x=1 HTTP\/1.0\r\nHost: kept\r\nContent-Length: 5\r\n\r\nset 1$/);
  });

  test("passes chunked answers on: in chunks to HTTP/1.1, until the end to HTTP/1.0", async () => {
    assert.match(await server.get("/chunked"), /\r\nConnection: close\r\n\r\nabcdefg$/);
    const { text } = await server.exchange("GET /chunked HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(text, /Transfer-Encoding: chunked[\s\S]*\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n$/);
  });

  test("passes answers that end with their connection, come in any pieces, or have reasons of their own", async () => {
    assert.match(await server.get("/close"), /\r\n\r\nuntil the end$/);
    assert.match(await server.get("/pieces"), /X-Slow: yes\r\n\r\nabc$/);
    assert.match(await server.get("/reason"), /^HTTP\/1.1 299 Something else\r\n/);
    assert.match(await server.get("/hints"), /^HTTP\/1.1 200 OK\r\n[\s\S]*final$/);
  });

  test("passes 204 and 304 without a body, and HEAD", async () => {
    assert.match(await server.get("/204"), /^HTTP\/1.1 204 No Content\r\n[\s\S]*X-Made: yes\r\n\r\n$/);
    assert.match(await server.get("/304"), /^HTTP\/1.1 304 Not Modified\r\n[\s\S]*ETag: "x"\r\n\r\n$/);
    const { text } = await server.exchange("HEAD /chunked HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(text, /^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\n$/);
  });

  test("passes what is no HTTP as it is", async () => {
    assert.equal(await server.get("/old"), "no status line");
    await logged(/upstream sent no valid HTTP\/1.0 header while reading response header from upstream/);
  });

  test("uses idle connections again, in whatever connection the next request comes", async () => {
    await server.get("/first");
    const { connections } = back;
    for (let i = 0; i < 5; i++) await server.get("/again");
    assert.equal(back.connections, connections);
  });

  test("repeats a request on a new connection when an idle one turns out to be closed", async () => {
    const shy = await BackEnd.listen(({ connection }) => {
      if (connection > 0) return ok("second");
      return (socket) => socket.write(ok("first"), () => setTimeout(() => socket.destroy(), 20));
    });
    const other = await TestServer.start(
      `upstream shy { server ${shy.address}; } server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://shy; } }`,
    );
    try {
      assert.match(await other.get("/"), /first$/);
      await sleep(60);
      assert.match(await other.get("/"), /second$/);
    } finally {
      await other.stop();
      shy.close();
    }
  });

  test("answers a client that keeps its connection, request after request, pipelined", async () => {
    const one = "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n";
    const { text } = await server.exchange(one + one, one);
    assert.equal(text.split("plain").length, 4);
  });

  test("sends request bodies with their length, also chunked ones", async () => {
    await server.exchange("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nab", "cde");
    assert.match(back.last, /^POST \/body HTTP\/1.1\r\nHost: kept\r\nContent-Length: 5\r\n\r\nabcde$/);
    await server.exchange(
      "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n",
      "4\r\ndefg\r\n0\r\n\r\n",
    );
    assert.match(back.last, /\r\nContent-Length: 7\r\n\r\nabcdefg$/);
    assert.doesNotMatch(back.last, /chunked/i);
  });

  test("answers Expect: 100-continue before it reads the body", async () => {
    const { text } = await server.exchange(
      "POST /plain HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
      "ab",
    );
    assert.match(text, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/);
    assert.doesNotMatch(back.last, /Expect/);
  });

  test("refuses bodies that are too large, with a length or without", async () => {
    const before = back.seen.length;
    const post = "POST /small/ HTTP/1.1\r\nHost: x\r\n";
    assert.match((await server.exchange(`${post}Content-Length: 11\r\n\r\n`)).text, /^HTTP\/1.1 413 /);
    const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n`;
    assert.match((await server.exchange(chunked, "b\r\nhello world\r\n")).text, /^HTTP\/1.1 413 /);
    await logged(/client intended to send too large chunked body: 0\+11 bytes/);
    assert.equal(back.seen.length, before);
  });

  test("puts a large body into a file, and a small one into $request_body", async () => {
    const body = "x".repeat(100_000);
    const post = (size: number): string =>
      `POST /spilled/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\nConnection: close\r\n\r\n`;
    await server.exchange(post(body.length) + body.slice(0, 50_000), body.slice(50_000));
    assert.ok(back.last.endsWith(`\r\n\r\n${body}`), "the whole body has come");
    assert.match(back.last, /^X-File: \/.*\/body\/\d{10}\r$/m);
    await server.exchange(`${post(3)}abc`);
    assert.match(back.last, /^X-Body: abc\r$/m);
    assert.doesNotMatch(back.last, /X-File/);
  });

  test("goes on to the next server of an upstream, and says who was asked", async () => {
    for (let i = 0; i < 3; i++) assert.match(await server.get("/two/plain"), /^HTTP\/1.1 200 OK/);
    await logged(
      /connect\(\) failed \(111: Connection refused\) while connecting to upstream, client: 127.0.0.1, .*upstream: "http:\/\/127.0.0.1:1\/plain"/,
    );
    await logged(/upstream server temporarily disabled while connecting to upstream/);
    assert.match(
      server.log("up.log"),
      new RegExp(`/two/plain\\|200\\|127.0.0.1:1, ${back.address}\\|502, 200\\|1\\|0, 5\\|`),
    );
  });

  test("answers 502 when no server is left, which error_page may change", async () => {
    assert.match(await server.get("/closed"), /^HTTP\/1.1 502 Bad Gateway\r\n/);
    assert.match(await server.get("/dead/"), /^HTTP\/1.1 200 OK[\s\S]*fallback 127.0.0.1:\d, 127.0.0.1:\d$/);
    assert.match(await server.get("/dead/"), /fallback dead$/);
    await logged(/no live upstreams while connecting to upstream, .*upstream: "http:\/\/dead\/"/);
  });

  test("answers 504 to silence", async () => {
    const { text } = await exchange(server.port, ["GET /silent HTTP/1.0\r\nHost: x\r\n\r\n"], 5000);
    assert.match(text, /^HTTP\/1.1 504 Gateway Time-out\r\n/);
    await logged(/upstream timed out \(110: Connection timed out\) while reading response header from upstream/);
  });

  test("answers 502 to heads that are none", async () => {
    for (const [target, message] of [
      ["/gone", /upstream prematurely closed connection while reading response header from upstream/],
      ["/reset", /recv\(\) failed \(104: Connection reset by peer\) while reading response header from upstream/],
      ["/bad-header", /upstream sent invalid header: "Bad\\x20..." while reading response header from upstream/],
      ["/big-header", /upstream sent too big header while reading response header from upstream/],
      ["/both", /upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time/],
    ] as const) {
      assert.match(await server.get(target), /^HTTP\/1.1 502 Bad Gateway\r\n/, target);
      await logged(message);
    }
  });

  test("ends the client's connection when an answer is cut off, so that the client sees it", async () => {
    for (const target of ["/truncated", "/truncated-chunk", "/bad-chunk"]) {
      const { text, closed } = await server.exchange(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.ok(closed, target);
      assert.match(text, /^HTTP\/1.1 200 OK\r\n/);
      assert.doesNotMatch(text, /\r\n0\r\n\r\n$/);
    }
    await logged(/upstream prematurely closed connection while reading upstream/);
    await logged(/upstream sent invalid chunked response while reading upstream/);
  });

  test("cuts an answer that is too long, and doesn't use its connection again", async () => {
    const { connections } = back;
    assert.match(await server.get("/excess"), /\r\n\r\nabc$/);
    await logged(/upstream sent more data than specified in "Content-Length" header while reading upstream/);
    assert.match(await server.get("/plain"), /plain$/);
    assert.ok(back.connections > connections);
  });

  test("changes redirects to the back end into redirects to us", async () => {
    assert.match(
      await server.get("/redirect"),
      new RegExp(`\\r\\nLocation: http://localhost:${server.port}/to/there\\r\\n`),
    );
    assert.match(await server.get("/regex"), /^HTTP\/1.1 200 /);
  });

  test("changes domain, path and flags of cookies", async () => {
    assert.match(
      await server.get("/cookies/cookie"),
      /\r\nSet-Cookie: a=b; Domain=.front.example; Path=\/x; HttpOnly; SameSite=Lax\r\n/,
    );
  });

  test("hides and shows lines of the answer", async () => {
    const text = await server.get("/show/plain");
    assert.match(text, /\r\nServer: back\r\nDate: long ago\r\n/);
    assert.doesNotMatch(text, /X-One|Server: nginx/);
    assert.doesNotMatch(await server.get("/show/chunked"), /Server:|Date:/);
  });

  test("goes where X-Accel-Redirect says, with the cookies", async () => {
    const text = await server.get("/accel");
    assert.match(text, /Set-Cookie: kept=1[\s\S]*X-Inside: yes\r\n\r\ninside \/inside\/x$/);
    assert.doesNotMatch(text, /X-Lost|X-Accel/);
  });

  test("answers errors of the back end with error_page only when asked to", async () => {
    assert.match(await server.get("/404"), /^HTTP\/1.1 404 Not Found[\s\S]*back$/);
    assert.match(await server.get("/caught/404"), /^HTTP\/1.1 200 OK[\s\S]*fallback/);
  });

  test("finds the upstream of a computed address, by name or by IP, and says when it can't", async () => {
    assert.match(await server.get("/computed/?to=kept"), /plain$/);
    assert.match(await server.get(`/computed/?to=${back.address}`), /plain$/);
    assert.match(await server.get("/computed/?to=nowhere.example"), /^HTTP\/1.1 502 /);
    await logged(/no resolver defined to resolve nowhere.example/);
    assert.match(await server.get("/computed/?to=:1"), /^HTTP\/1.1 500 /);
  });

  test("connects from the address of proxy_bind", async () => {
    assert.match(await server.get("/bound/from"), /from 127.0.0.3$/);
    assert.match(await server.get("/bound-by/from?a=127.0.0.4"), /from 127.0.0.4$/);
    assert.match(await server.get("/bound-by/from?a=x"), /from 127/);
    await logged(/invalid local address "x"/);
  });

  test("redirects a location's name without its slash", async () => {
    assert.match(
      await server.get("/slash?a=b"),
      /^HTTP\/1.1 301 [\s\S]*Location: http:\/\/localhost:\d+\/slash\/\?a=b\r\n/,
    );
  });

  for (const way of ["/", "/unbuffered/", "/memory/"]) {
    test(`a slow client gets all of a large answer (${way})`, async () => {
      const socket = net.connect(server.port, "127.0.0.1");
      socket.pause();
      socket.write(`GET ${way}large HTTP/1.0\r\nHost: x\r\n\r\n`);
      await sleep(100);
      let size = 0;
      let last = "";
      socket.on("data", (data) => {
        size += data.length;
        last = data.toString("latin1").slice(-1);
      });
      socket.resume();
      await new Promise((resolve) => socket.once("close", resolve));
      assert.ok(size > LARGE, `${size} bytes`);
      assert.equal(last, "x");
    });
  }

  test("a client that goes ends the exchange, which is logged as 499", async () => {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.write("GET /silent?gone HTTP/1.1\r\nHost: x\r\n\r\n");
    await sleep(50);
    socket.destroy();
    await logged(
      /client prematurely closed connection, so upstream connection is closed too .*while reading response header/,
    );
    for (let tries = 0; tries < 50 && !/\/silent\|499\|/.test(server.log("up.log")); tries++) await sleep(20);
    assert.match(server.log("up.log"), /\/silent\|499\|127.0.0.1:\d+\|-\|/);
  });

  test("a client that goes does not end it with proxy_ignore_client_abort", async () => {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.write("GET /stubborn/pieces HTTP/1.1\r\nHost: x\r\n\r\n");
    await sleep(5);
    socket.end();
    for (let tries = 0; tries < 50 && !/\/stubborn\/pieces\|200\|/.test(server.log("up.log")); tries++) await sleep(20);
    assert.match(server.log("up.log"), /\/stubborn\/pieces\|200\|/);
  });

  test("no peer is left behind by a hundred clients that go at any time", async () => {
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const socket = net.connect(server.port, "127.0.0.1");
        socket.on("error", () => {});
        socket.write(`GET /${["plain", "large", "pieces", "chunked", "silent"][i % 5]} HTTP/1.1\r\nHost: x\r\n\r\n`);
        await sleep((i % 10) * 3);
        socket.destroy();
      }),
    );
    // The back end may still be busy with what nobody reads.
    assert.match((await exchange(server.port, ["GET /patient/plain HTTP/1.0\r\n\r\n"])).text, /plain$/);
    assert.doesNotMatch(server.log("error.log"), /\[alert\]|\[emerg\]/);
  });
});
