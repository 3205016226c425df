/** FastCGI servers behind us and behind nginx: what they are asked, what the client gets, what the log says. */
import assert from "node:assert/strict";
import type net from "node:net";
import { after, before, describe, test } from "node:test";
import { TestServer } from "./http-server.ts";
import {
  answered,
  GatewayBackEnd,
  type GatewayReply,
  parseFastcgi,
  record,
  STDERR,
  STDOUT,
} from "./support/gateway-back-end.ts";
import { SideBySide } from "./support/side-by-side.ts";

const OK = "Content-Type: text/plain\r\n\r\n";
const END = record(3, "\0".repeat(8));

/** Sends parts one after another, so that they arrive apart, and ends the connection. */
function parts(...pieces: readonly (Buffer | string)[]): GatewayReply {
  return (socket: net.Socket) => {
    const [first, ...rest] = pieces;
    if (first === undefined) {
      socket.end();
      return;
    }
    socket.write(typeof first === "string" ? Buffer.from(first, "latin1") : first);
    setTimeout(() => (parts(...rest) as (socket: net.Socket) => void)(socket), 10);
  };
}

/** By the path that is asked for. What is misshapen is answered the same way to nginx and to us. */
const REPLIES: Readonly<Record<string, GatewayReply>> = {
  "/plain": answered(`${OK}hello`),
  "/status": answered("Status: 418 I am a teapot\r\nContent-Type: text/plain\r\n\r\nshort"),
  "/status-alone": answered("Status: 404 Not Here\r\n\r\nmissing"),
  "/bad-status": answered("Status: none\r\n\r\nx"),
  "/location": answered("Location: http://other/x\r\n\r\n"),
  "/relative": answered("Location: /x\r\n\r\n"),
  "/length": answered("Content-Length: 5\r\n\r\nhello"),
  "/more": answered("Content-Length: 3\r\n\r\nhello"),
  "/less": answered("Content-Length: 9\r\n\r\nhello"),
  "/lf": answered("X-One: 1\nX-Two: 2\n\nhello"),
  "/split-head": answered("X-Long: abcdefghij\r\nX-Next: klm\r\n\r\nhello", 7, 3),
  "/split-packets": parts(
    record(STDOUT, `${OK}one`).subarray(0, 5),
    record(STDOUT, `${OK}one`).subarray(5),
    record(STDOUT, "two"),
    END,
  ),
  "/stderr-first": Buffer.concat([record(STDERR, "PHP message: woe.\n"), answered(`${OK}hello`)]),
  "/stderr-inside": Buffer.concat([record(STDOUT, `${OK}one`), record(STDERR, "oops"), record(STDOUT, "two"), END]),
  "/caught": Buffer.concat([record(STDERR, "PHP Fatal error: woe"), answered(`${OK}hello`)]),
  "/no-end": parts(record(STDOUT, `${OK}hello`)),
  "/nothing": parts(),
  "/end-first": parts(END),
  "/empty": parts(record(STDOUT), END),
  "/version": Buffer.from([9, 6, 0, 1, 0, 0, 0, 0]),
  "/type": Buffer.from([1, 99, 0, 1, 0, 0, 0, 0]),
  "/id-high": Buffer.from([1, 6, 7, 1, 0, 0, 0, 0]),
  "/id-low": Buffer.from([1, 6, 0, 9, 0, 0, 0, 0]),
  "/invalid": answered("X-One: 1\r\nno\0\r\n\r\nx"),
  "/big": answered(`X-Big: ${"x".repeat(5000)}\r\n\r\nx`),
  "/accel": answered("X-Accel-Redirect: /inner\r\nContent-Type: text/x\r\nX-Own: 1\r\n\r\n"),
  "/cookies": answered("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Powered-By: PHP\r\nX-Accel-Expires: 0\r\n\r\nx"),
  "/no-content": answered("Status: 204 No Content\r\n\r\n"),
  "/large": answered(`${OK}${"0123456789".repeat(20_000)}`),
};

describe("answers of FastCGI servers, beside nginx", () => {
  let backEnd: GatewayBackEnd;
  let both: SideBySide;

  before(async () => {
    backEnd = await GatewayBackEnd.listen(parseFastcgi, ({ params }) => {
      const reply = REPLIES[params.get("URI") ?? ""] ?? answered(`${OK}${params.get("URI")}`);
      // Whoever has not asked for the connection waits for its end.
      return Buffer.isBuffer(reply) ? parts(reply) : reply;
    });
    both = await SideBySide.start(`
      fastcgi_param URI $uri;
      server {
        listen 127.0.0.1:%PORT%;
        location / { fastcgi_pass ${backEnd.address}; fastcgi_catch_stderr "PHP Fatal"; }
        location /unbuffered/ { rewrite ^/unbuffered(.*)$ $1 break; fastcgi_buffering off; fastcgi_pass ${backEnd.address}; }
        location /hide/ { rewrite ^/hide(.*)$ $1 break; fastcgi_hide_header X-Powered-By; fastcgi_pass_header X-Accel-Expires; fastcgi_pass ${backEnd.address}; }
        location /intercept/ { rewrite ^/intercept(.*)$ $1 break; error_page 404 418 = /inner; fastcgi_intercept_errors on; fastcgi_pass ${backEnd.address}; }
        location /ranges/ { rewrite ^/ranges(.*)$ $1 break; fastcgi_force_ranges on; fastcgi_pass ${backEnd.address}; }
        location = /inner { return 200 "inner"; }
      }`);
  });
  after(async () => {
    await both.stop();
    backEnd.close();
  });

  for (const path of Object.keys(REPLIES))
    test(`${path}: the same answer, and the same end`, async () => {
      await both.get(path);
      await both.send(`HEAD ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
    });

  for (const path of ["/plain", "/more", "/stderr-inside", "/no-end", "/split-packets"])
    test(`${path} without a buffer`, async () => void (await both.get(`/unbuffered${path}`)));

  test("lines are hidden and shown", async () => {
    const answer = await both.get("/hide/cookies");
    assert.match(answer, /Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n/);
    assert.match(answer, /X-Accel-Expires: 0/);
    assert.doesNotMatch(answer, /X-Powered-By/);
  });

  test("error pages, redirects inside, ranges", async () => {
    assert.match(await both.get("/intercept/status-alone"), /inner$/);
    assert.match(await both.get("/accel"), /inner$/);
    assert.match(await both.get("/ranges/length", "Range: bytes=1-2"), /^HTTP\/1\.1 206 [\s\S]*\r\n\r\nel$/);
    assert.match(await both.get("/location"), /^HTTP\/1\.1 302 Moved Temporarily\r\n/);
  });

  test("the logs complain of the same", () => {
    const lines = both.complaints(/upstream|FastCGI/);
    for (const text of [
      'FastCGI sent in stderr: "PHP message: woe"',
      "upstream sent unsupported FastCGI protocol version: 9",
      "upstream sent invalid FastCGI record type: 99",
      "upstream sent unexpected FastCGI request id high byte: 7",
      "upstream sent unexpected FastCGI request id low byte: 9",
      "upstream sent unexpected FastCGI record: 3",
      "upstream prematurely closed FastCGI stdout",
      'upstream sent invalid status "none"',
      "upstream sent too big header",
    ])
      assert.ok(
        lines.some((line) => line.includes(text)),
        text,
      );
  });
});

describe("requests to FastCGI servers", () => {
  let backEnd: GatewayBackEnd;
  let server: TestServer;
  const last = () => backEnd.seen.at(-1) as NonNullable<(typeof backEnd.seen)[number]>;

  before(async () => {
    backEnd = await GatewayBackEnd.listen(parseFastcgi, ({ body }) => answered(`${OK}${body.length}`));
    server = await TestServer.start(`
      upstream kept { server ${backEnd.address}; keepalive 2; }
      server {
        listen 127.0.0.1:%PORT%;
        large_client_header_buffers 16 8k;
        client_body_buffer_size 40k;
        client_max_body_size 10m;
        fastcgi_param SCRIPT $fastcgi_script_name;
        fastcgi_param REST $fastcgi_path_info;
        fastcgi_param EMPTY $arg_nothing;
        fastcgi_param LEFT_OUT $arg_nothing if_not_empty;
        fastcgi_param HTTP_X_MINE mine;
        fastcgi_param HTTP_X_HIDDEN "";
        fastcgi_param LONG ${"v".repeat(200)};
        fastcgi_split_path_info ^(.+\\.php)(.*)$;
        fastcgi_index index.php;
        location / { fastcgi_pass ${backEnd.address}; }
        location /kept/ { fastcgi_pass kept; fastcgi_keep_conn on; }
        location /stream/ { fastcgi_pass ${backEnd.address}; fastcgi_request_buffering off; }
        location /bodiless/ { fastcgi_pass ${backEnd.address}; fastcgi_pass_request_body off; fastcgi_pass_request_headers off; }
      }`);
  });
  after(async () => {
    await server.stop();
    backEnd.close();
  });

  test("parameters, then the client's lines", async () => {
    await server.get(
      "/a.php/b/c",
      "X-Mine: theirs",
      "X-Hidden: 1",
      "X-Some-Thing: 1",
      "x-some-thing: 2",
      "Cookie: a",
      "Cookie: b",
    );
    const { params, names, flags } = last();
    assert.equal(params.get("SCRIPT"), "/a.php");
    assert.equal(params.get("REST"), "/b/c");
    assert.equal(params.get("EMPTY"), "");
    assert.ok(!params.has("LEFT_OUT"));
    assert.equal(params.get("HTTP_X_MINE"), "mine");
    assert.ok(!params.has("HTTP_X_HIDDEN"));
    assert.equal(params.get("LONG")?.length, 200);
    assert.equal(params.get("HTTP_HOST"), "localhost");
    assert.equal(params.get("HTTP_X_SOME_THING"), "1, 2");
    assert.equal(params.get("HTTP_COOKIE"), "a; b");
    assert.equal(names.filter((name) => name === "HTTP_HOST").length, 1);
    assert.equal(flags, 0);
    await server.get("/dir/");
    assert.equal(last().params.get("SCRIPT"), "/dir/index.php");
  });

  test("nothing of the client where it is not wanted", async () => {
    await server.exchange("POST /bodiless/ HTTP/1.0\r\nContent-Length: 3\r\nX-One: 1\r\n\r\nabc");
    assert.equal(last().body, "");
    assert.ok(!last().params.has("HTTP_X_ONE"));
  });

  for (const size of [0, 1, 8, 100, 16_384, 32_768, 33_000, 70_000, 200_001])
    test(`a body of ${size} bytes comes whole, in records`, async () => {
      const body = "0123456789".repeat(size / 10 + 1).slice(0, size);
      const head = `POST / HTTP/1.0\r\nContent-Length: ${size}\r\n\r\n`;
      assert.match((await server.exchange(head + body)).text, new RegExp(`\r\n\r\n${size}$`));
      assert.ok(last().body === body);
      assert.ok(last().records.every((length) => length <= 32_768));
      await server.exchange(
        `POST /stream/ HTTP/1.0\r\nContent-Length: ${size}\r\n\r\n`,
        body.slice(0, size / 2),
        body.slice(size / 2),
      );
      assert.ok(last().body === body);
    });

  test("a chunked body is passed on as it comes", async () => {
    const head = "POST /stream/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    await server.exchange(head, "3\r\nabc\r\n", "2\r\nde\r\n", "0\r\n\r\n");
    assert.equal(last().body, "abcde");
    assert.deepEqual(last().records, [3, 2]);
  });

  test("too many parameters are no request", async () => {
    const lines = Array.from({ length: 9 }, (_, i) => `X-${i}: ${"x".repeat(7500)}`);
    assert.match(await server.get("/", ...lines), /^HTTP\/1\.1 500 /);
    assert.match(server.log("error.log"), /\[alert\] .* fastcgi request record is too big: \d+/);
  });

  test("a connection is kept, where the server is asked to keep it", async () => {
    await server.get("/kept/one");
    const { connection, flags } = last();
    assert.equal(flags, 1);
    await server.get("/kept/two");
    assert.equal(last().connection, connection);
  });
});

describe("FastCGI and the cache", () => {
  let backEnd: GatewayBackEnd;
  let both: SideBySide;

  before(async () => {
    let count = 0;
    backEnd = await GatewayBackEnd.listen(parseFastcgi, ({ params }) =>
      parts(
        answered(
          `Cache-Control: max-age=100\r\nContent-Length: 7\r\nX-Url: ${params.get("URI")}\r\n\r\n${params.get("HTTP_RANGE") ?? "whole"} ${count++ % 2}`,
        ),
      ),
    );
    both = await SideBySide.start(`
      fastcgi_cache_path %DIR%/cache keys_zone=one:1m;
      server {
        listen 127.0.0.1:%PORT%;
        location / { fastcgi_param URI $uri; fastcgi_pass ${backEnd.address}; fastcgi_cache one; fastcgi_cache_key $uri; fastcgi_force_ranges on; add_header X-Cache $upstream_cache_status; }
        location /no/ { fastcgi_param URI $uri; fastcgi_pass ${backEnd.address}; }
      }`);
  });
  after(async () => {
    await both.stop();
    backEnd.close();
  });

  test("an answer is kept, its ranges are made of it, and its head is what it was", async () => {
    const miss = await both.ours.get("/a", "Range: bytes=0-1");
    assert.match(miss, /X-Cache: MISS[\s\S]*\r\n\r\nwh$/);
    const hit = await both.ours.get("/a");
    assert.match(hit, /X-Url: \/a\r\n[\s\S]*X-Cache: HIT[\s\S]*\r\n\r\nwhole \d$/);
    const { theirs } = both;
    if (theirs === undefined) return;
    assert.match(await theirs.get("/a", "Range: bytes=0-1"), /X-Cache: MISS[\s\S]*\r\n\r\nwh$/);
  });
});
