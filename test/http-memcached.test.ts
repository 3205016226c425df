/** memcached behind us and behind nginx: what it is asked, what the client gets, what the log says. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { GatewayBackEnd, type GatewayReply, parseLine } from "./support/gateway-back-end.ts";
import { SideBySide } from "./support/side-by-side.ts";

const ANSWERS: Readonly<Record<string, (key: string) => GatewayReply>> = {
  "/found.txt": (key) => `VALUE ${key} 0 5\r\nhello\r\nEND\r\n`,
  "/empty": (key) => `VALUE ${key} 0 0\r\n\r\nEND\r\n`,
  "/missing": () => "END\r\n",
  "/packed": (key) => `VALUE ${key} 2 5\r\nhello\r\nEND\r\n`,
  "/flags": (key) => `VALUE ${key} x 5\r\nhello\r\nEND\r\n`,
  "/length": (key) => `VALUE ${key} 0 x\r\nhello\r\nEND\r\n`,
  "/key": () => "VALUE other 0 5\r\nhello\r\nEND\r\n",
  "/short-line": (key) => `VALUE ${key} 0\r\n`,
  "/nonsense": () => "ERROR\r\n",
  "/bare": () => "END\n",
  "/trailer": (key) => `VALUE ${key} 0 5\r\nhello\r\nENX\r\n`,
  "/late-trailer": (key) => (socket) => {
    socket.write(`VALUE ${key} 0 5\r\nhel`);
    setTimeout(() => socket.write("lo\r\nEN"), 10);
    setTimeout(() => socket.write("D\r\n"), 20);
  },
  "/cut": (key) => (socket) => socket.end(`VALUE ${key} 0 5\r\nhel`),
  "/gone": () => (socket) => socket.end(),
};

describe("answers of memcached, beside nginx", () => {
  let backEnd: GatewayBackEnd;
  let both: SideBySide;

  before(async () => {
    backEnd = await GatewayBackEnd.listen(parseLine, ({ params }) => {
      const key = (params.get("line") ?? "").replace(/^get /, "");
      return ANSWERS[key]?.(key) ?? `VALUE ${key} 0 ${key.length}\r\n${key}\r\nEND\r\n`;
    });
    both = await SideBySide.start(`
      upstream kept { server ${backEnd.address}; keepalive 1; }
      server {
        listen 127.0.0.1:%PORT%;
        types { text/plain txt; }
        default_type text/x-default;
        set $memcached_key $uri;
        location / { memcached_pass ${backEnd.address}; memcached_gzip_flag 2; }
        location /plain/ { rewrite ^/plain(.*)$ $1 break; set $memcached_key $uri; memcached_pass ${backEnd.address}; }
        location /kept/ { set $memcached_key "kept"; memcached_pass kept; }
        location /kept/missing { set $memcached_key "/missing"; memcached_pass kept; }
        location /no-key { set $memcached_key ""; memcached_pass ${backEnd.address}; }
        location /page/ { set $memcached_key "/missing"; error_page 404 = @page; memcached_pass ${backEnd.address}; }
        location @page { return 200 "page"; }
      }`);
  });
  after(async () => {
    await both.stop();
    backEnd.close();
  });

  for (const path of Object.keys(ANSWERS)) test(`${path}: the same answer`, async () => void (await both.get(path)));
  for (const path of ["/flags", "/packed"])
    test(`${path} without a flag for gzip`, async () => void (await both.get(`/plain${path}`)));

  test("HEAD, ranges, other methods, keys with odd characters", async () => {
    await both.send("HEAD /found.txt HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert.match(await both.get("/found.txt", "Range: bytes=1-2"), /^HTTP\/1\.1 206 [\s\S]*\r\n\r\nel$/);
    assert.match(
      await both.send("POST /found.txt HTTP/1.0\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"),
      /^HTTP\/1\.1 405 /,
    );
    assert.match(await both.body("/a%20b%25c%01%ff"), /^\/a%20b%25c%01\xff$/);
  });

  test("no key, an error page", async () => {
    assert.match(await both.get("/no-key"), /^HTTP\/1\.1 500 /);
    assert.equal(await both.body("/page/"), "page");
  });

  test("a connection is kept behind a value, and behind none", async () => {
    const before = backEnd.connections;
    for (const path of ["/kept/1", "/kept/missing", "/kept/2"]) await both.get(path);
    assert.equal(backEnd.connections, before + (both.theirs === undefined ? 1 : 2));
  });

  test("the logs complain of the same", () => {
    const lines = both.complaints(/memcached sent|by memcached|memcached_key/);
    for (const text of [
      'key: "/missing" was not found by memcached',
      'memcached sent invalid flags in response "VALUE /flags x 5" for key "/flags"',
      'memcached sent invalid length in response "VALUE /length 0 x" for key "/length"',
      'memcached sent invalid key in response "VALUE other 0 5" for key "/key"',
      'memcached sent invalid response: "ERROR"',
      "memcached sent invalid trailer",
      'the "$memcached_key" variable is not set',
    ])
      assert.ok(
        lines.some((line) => line.includes(text)),
        text,
      );
  });
});
