/** Lines of a back end's answer that ask something of the proxy, and which lines pass in both directions. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { Talker } from "./support/talker.ts";

const path = ({ text }: Seen): string => /^\S+ ([^ ?]*)/.exec(text)?.[1] ?? "";

const REPLIES: Readonly<Record<string, (seen: Seen) => Reply>> = {
  "/rate": () => ok("x".repeat(6000), "X-Accel-Limit-Rate: 3000"),
  "/six": () => ok("x".repeat(6000)),
  "/unbuffered": () => (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\nContent-Length: 40000000\r\n\r\n");
    for (let i = 0; i < 40; i++) socket.write(Buffer.alloc(1_000_000, "x"));
  },
  "/charset": () => ok("text", "X-Accel-Charset: koi8-r", "Content-Type: text/plain"),
  "/own-charset": () => ok("text", "Content-Type: text/plain; charset=utf-8", "X-Accel-Charset: koi8-r"),
  "/redirect": () =>
    ok(
      "hidden",
      "X-Accel-Redirect: /inside/a%20b?x=1",
      "Content-Type: text/x",
      "Content-Disposition: inline",
      "Cache-Control: private",
      "Expires: never",
      "X-Lost: 1",
    ),
  "/named": () => ok("hidden", "X-Accel-Redirect: @named"),
  "/unsafe": () => ok("hidden", "X-Accel-Redirect: /inside/../../x"),
  "/post": () => ok("hidden", "X-Accel-Redirect: /method"),
  "/expires": () => ok("text", "X-Accel-Expires: 10", "X-Pad: 1", "Expires: never"),
  "/refresh": ({ text }) => {
    const host = /^host: (.*)\r$/im.exec(text)?.[1];
    return ok("", `Refresh: 5; url=http://${host}/refreshed`);
  },
  "/relative": () => "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
  "/other": () => "HTTP/1.1 302 Found\r\nLocation: http://other.example/there\r\nContent-Length: 0\r\n\r\n",
  "/ranged": () => ok("0123456789", "Accept-Ranges: none", 'ETag: "x"'),
  "/many": () =>
    ok(
      "",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "X-Same: 1",
      "X-Same: 2",
      "Link: </a>",
      "Link: </b>",
      "Vary: A",
      "Vary: B",
      "Upgrade: x",
      "Upgrade: y",
      "Content-Encoding: a",
      "Content-Encoding: b",
    ),
  "/twice": () =>
    ok(
      "",
      "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT",
      "Last-Modified: Fri, 02 Jan 2015 00:00:00 GMT",
      "Content-Type: text/a",
      "Content-Type: text/b",
      'ETag: "1"',
      'ETag: "2"',
    ),
  "/hop": () =>
    ok(
      "",
      "Keep-Alive: timeout=5",
      "Connection: keep-alive, x-private",
      "X-Private: 1",
      "Proxy-Authenticate: Basic",
      "Upgrade: h2c",
    ),
  "/401": () =>
    "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=one\r\nWWW-Authenticate: Basic realm=two\r\nX-Lost: 1\r\nContent-Length: 2\r\n\r\nno",
  "/conditional": () => ok("always", "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT", 'ETag: "x"'),
};

describe("lines of a proxied answer", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;

  before(async () => {
    back = await BackEnd.listen((seen) => REPLIES[path(seen)]?.(seen) ?? ok(`you asked for ${path(seen)}`));
    server = await TestServer.start(
      `proxy_temp_path %DIR%/proxy; upstream back { server ${back.address}; }
      server { listen 127.0.0.1:%PORT%;
        location / { proxy_pass http://back; }
        location /ignored/ { proxy_pass http://back/; proxy_ignore_headers X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Buffering; }
        location /inside/ { internal; add_header X-Where "$uri?$args"; return 200 inside; }
        location /method { return 200 $request_method; }
        location /limited/ { proxy_pass http://back/; limit_rate 3000; }
        location /limited-unbuffered/ { proxy_pass http://back/; limit_rate 3000; proxy_buffering off; }
        location @named { return 200 "named $uri"; }
        location /forced/ { proxy_pass http://back/; proxy_force_ranges on; }
        location /caught/ { proxy_pass http://back/; proxy_intercept_errors on; error_page 401 /login; error_page 404 /login; }
        location = /login { return 200 login; }
        location /hidden/ { proxy_pass http://back/; proxy_hide_header X-Same; proxy_hide_header Link; proxy_pass_header X-Accel-Expires; }
        location /off/ { proxy_pass http://back/; proxy_redirect off; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
  });

  const ask = async (target: string, ...lines: string[]): Promise<string> =>
    (
      await server.exchange(
        `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`,
      )
    ).text;

  test("X-Accel-Limit-Rate limits what the client gets a second, and is not shown", async () => {
    const start = performance.now();
    const talker = await Talker.connect(server.port);
    talker.send("GET /rate HTTP/1.0\r\nHost: x\r\n\r\n");
    await talker.closed;
    assert.match(talker.text, /\r\n\r\nx{6000}$/);
    assert.ok(performance.now() - start > 900, `${performance.now() - start} ms`);
    assert.doesNotMatch(talker.text, /X-Accel/);
    const again = performance.now();
    assert.match(await server.get("/ignored/rate"), /x{6000}$/);
    assert.ok(performance.now() - again < 900);
  });

  test("limit_rate holds for buffered answers only", async () => {
    for (const [target, isSlow] of [
      ["/limited/six", true],
      ["/limited-unbuffered/six", false],
    ] as const) {
      const start = performance.now();
      const talker = await Talker.connect(server.port);
      talker.send(`GET ${target} HTTP/1.0\r\nHost: x\r\n\r\n`);
      await talker.closed;
      assert.match(talker.text, /\r\n\r\nx{6000}$/);
      assert.equal(performance.now() - start > 900, isSlow, target);
    }
  });

  test("X-Accel-Buffering: no has the back end wait for the client", async () => {
    const paused = async (target: string): Promise<string> => {
      const talker = await Talker.connect(server.port);
      talker.socket.pause();
      talker.send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await sleep(400);
      talker.socket.destroy();
      return server.log("error.log");
    };
    assert.doesNotMatch(await paused("/unbuffered"), /buffered to a temporary file/);
    assert.match(await paused("/ignored/unbuffered"), /an upstream response is buffered to a temporary file/);
  });

  test("X-Accel-Charset changes nothing while no charset is configured", async () => {
    assert.match(await ask("/charset"), /\r\nContent-Type: text\/plain\r\n/);
    assert.match(await ask("/own-charset"), /\r\nContent-Type: text\/plain; charset=utf-8\r\n/);
  });

  test("X-Accel-Redirect leads into this server, with the lines that describe the answer, and unescaped", async () => {
    const text = await ask("/redirect");
    assert.match(text, /\r\nX-Where: \/inside\/a b\?x=1\r\n/);
    assert.match(text, /\r\nContent-Disposition: inline\r\nCache-Control: private\r\nExpires: never\r\n/);
    assert.match(text, /inside$/);
    assert.doesNotMatch(text, /X-Lost|hidden|X-Accel/);
    assert.match(await ask("/named"), /named \/named$/);
    assert.match(await ask("/unsafe"), /^HTTP\/1\.1 404 /);
    assert.match(await ask("/ignored/redirect"), /hidden$/);
    const posted = await server.exchange(
      "POST /post HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    );
    assert.match(posted.text, /GET$/);
  });

  test("lines for the proxy alone are not shown, unless proxy_pass_header wants it", async () => {
    const text = await ask("/expires");
    assert.doesNotMatch(text, /X-Accel|X-Pad/);
    assert.match(text, /\r\nExpires: never\r\n/);
    assert.match(await ask("/hidden/expires"), /\r\nX-Accel-Expires: 10\r\n/);
  });

  test("Refresh and Location lead to this server when they led to the back end, and stay as they are otherwise", async () => {
    assert.match(
      await ask("/refresh"),
      new RegExp(
        `\\r\\nRefresh: 5; url=http://localhost:${server.port}/refreshed\\r\\n`.replace(
          `http://localhost:${server.port}`,
          "",
        ),
      ),
    );
    assert.match(await ask("/relative"), /\r\nLocation: \/there\r\n/);
    assert.match(await ask("/off/relative"), /\r\nLocation: \/there\r\n/);
    assert.match(await ask("/other"), /\r\nLocation: http:\/\/other\.example\/there\r\n/);
    assert.match(await ask("/off/refresh"), /\r\nRefresh: 5; url=http:\/\/back\/refreshed\r\n/);
  });

  test("proxy_force_ranges serves a range of an answer whose server has none, one at a time", async () => {
    assert.match(await ask("/ranged", "Range: bytes=2-4"), /^HTTP\/1\.1 200 OK[\s\S]*0123456789$/);
    assert.match(
      await ask("/forced/ranged", "Range: bytes=2-4"),
      /^HTTP\/1\.1 206 [\s\S]*Content-Range: bytes 2-4\/10\r\n[\s\S]*234$/,
    );
    assert.match(await ask("/forced/ranged", "Range: bytes=2-4,6-7"), /^HTTP\/1\.1 200 OK[\s\S]*0123456789$/);
  });

  test("lines that may stand several times do, those that may not stand once", async () => {
    const many = await ask("/many");
    for (const line of [
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "X-Same: 1",
      "X-Same: 2",
      "Link: </a>",
      "Link: </b>",
      "Vary: A",
      "Vary: B",
      "Upgrade: x",
      "Upgrade: y",
      "Content-Encoding: a",
      "Content-Encoding: b",
    ])
      assert.ok(many.includes(`\r\n${line}\r\n`), line);
    const twice = await ask("/twice");
    assert.match(twice, /Content-Type: text\/a\r\n/);
    assert.match(twice, /ETag: "1"\r\n/);
    assert.doesNotMatch(twice, /02 Jan|text\/b|"2"/);
    assert.doesNotMatch(await ask("/hidden/many"), /X-Same|Link/);
  });

  test("lines of the back end's connection are not the client's", async () => {
    const text = await ask("/hop");
    assert.doesNotMatch(text, /Keep-Alive|keep-alive/);
    assert.match(text, /\r\nConnection: close\r\n/);
    assert.match(text, /\r\nProxy-Authenticate: Basic\r\n/);
  });

  test("an intercepted 401 keeps its challenges and nothing else", async () => {
    const text = await ask("/caught/401");
    assert.match(
      text,
      /^HTTP\/1\.1 401 [\s\S]*WWW-Authenticate: Basic realm=one\r\nWWW-Authenticate: Basic realm=two\r\n[\s\S]*login$/,
    );
    assert.doesNotMatch(text, /X-Lost/);
    assert.match(await ask("/401"), /X-Lost: 1\r\n[\s\S]*no$/);
  });

  test("conditions and ranges of the client are the back end's business", async () => {
    assert.match(
      await ask("/conditional", 'If-None-Match: "x"', "If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT"),
      /^HTTP\/1\.1 200 OK[\s\S]*always$/,
    );
    assert.match(back.last, /If-None-Match: "x"\r\n/);
  });

  test("lines of the client's connection are not the back end's", async () => {
    await ask(
      "/x",
      "Keep-Alive: 5",
      "TE: trailers",
      "Upgrade: h2c",
      "Proxy-Connection: x",
      "Trailer: x",
      "X-Passed: yes",
      "Proxy-Authorization: Basic eDp5",
    );
    assert.match(
      back.last,
      /^GET \/x HTTP\/1\.1\r\nHost: back\r\nTrailer: x\r\nX-Passed: yes\r\nProxy-Authorization: Basic eDp5\r\n\r\n$/,
    );
  });
});
