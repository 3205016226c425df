/** Texts that are replaced in answers, as nginx does it. */
import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { exchange, installedNginx, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";

const nginx = installedNginx();
const MODIFIED_S = 1_700_000_000;
const LARGE = "a long line with one word in it\n".repeat(20_000);

function reply({ text }: Seen): Reply {
  const name = /^\S+ \/(\S*)/.exec(text)?.[1] ?? "";
  const head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
  if (name === "split") return `${head}2\r\non\r\n1\r\nE\r\n4\r\n onE\r\n3\r\n tw\r\n0\r\n\r\n`;
  if (name === "large") return ok(LARGE, "Content-Type: text/html");
  if (name === "open") return (socket) => socket.write(`${head}8\r\nnothinon\r\n`);
  return ok("one ONE two Two", "Content-Type: text/html", 'ETag: "x"', "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT");
}

const configuration = (back: string): string => `
  proxy_temp_path %DIR%/proxy; types { text/html html; text/css css; } access_log off; root %DIR%/html;
  sub_filter one 1; sub_filter "two" "$arg_two";
  server {
    listen 127.0.0.1:%PORT%;
    location / { }
    location /all/ { sub_filter_once off; alias %DIR%/html/; }
    location /kept/ { sub_filter_last_modified on; alias %DIR%/html/; }
    location /css/ { sub_filter_types text/css; alias %DIR%/html/; }
    location /any/ { sub_filter_types *; alias %DIR%/html/; }
    location /other/ { sub_filter x y; alias %DIR%/html/; }
    location /order/ { sub_filter_once off; sub_filter onetwo A; sub_filter one B; sub_filter netw C; sub_filter e D; alias %DIR%/html/; }
    location /variable/ { sub_filter_once off; sub_filter $arg_from $arg_to; sub_filter "t$arg_w" T; alias %DIR%/html/; }
    location /back/ { sub_filter_once off; proxy_pass http://${back}/; }
    location /kept-back/ { sub_filter_last_modified on; proxy_pass http://${back}/; }
    location /flushed/ { proxy_buffering off; proxy_pass http://${back}/; }
    location /packed/ { gzip on; sub_filter_once off; proxy_pass http://${back}/; }
    location /added/ { sub_filter three 3; add_before_body /all/one.html; add_after_body /other/one.html; alias %DIR%/html/; }
    location /text { default_type text/html; return 200 "one is $uri"; }
  }`;

const FILES = {
  "html/one.html": "One one, two and onetwo three x é É\n",
  "html/one.css": "one { two }",
  "html/empty.html": "",
  "html/end.html": "no more than tw",
};

const TARGETS = [
  ...["/", "/all/", "/kept/", "/css/", "/any/", "/other/", "/order/", "/added/"].flatMap((prefix) => [
    `${prefix}one.html`,
    `${prefix}one.css`,
  ]),
  ...["/empty.html", "/end.html", "/all/end.html", "/one.html?two=TWO", "/all/one.html?two=2", "/none.html", "/text"],
  ...["/variable/one.html", "/variable/one.html?from=ONE&to=x", "/variable/one.html?from=%20&to=_&w=wo"],
  ...["/back/", "/back/split", "/back/large", "/kept-back/", "/flushed/split"],
];

function body(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

function normal(text: string, server: TestServer): string {
  return text
    .replaceAll(String(server.port), "PORT")
    .replace(/nginx\/[\d.]+/g, "nginx/V")
    .replace(/Date: [^\r]*/g, "Date: D");
}

describe("sub_filter", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let ours: TestServer;
  let theirs: TestServer | undefined;

  before(async () => {
    back = await BackEnd.listen(reply);
    const http = configuration(back.address);
    ours = await TestServer.start(http, { files: FILES });
    if (nginx !== undefined) theirs = await TestServer.start(http, { binary: nginx, files: FILES });
    for (const server of [ours, theirs]) {
      for (const name of Object.keys(FILES)) {
        if (server !== undefined) utimesSync(path.join(server.folder, name), MODIFIED_S, MODIFIED_S);
      }
    }
  });

  after(async () => {
    await ours.stop();
    await theirs?.stop();
    back.close();
  });

  for (const method of ["GET", "HEAD"]) {
    test(`${method}: answers are nginx's`, { skip: nginx === undefined && "nginx is not installed" }, async () => {
      await Promise.all(
        TARGETS.map(async (target) => {
          const request = `${method} ${target} HTTP/1.0\r\nHost: h\r\nRange: bytes=0-3\r\n\r\n`;
          const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [request], 5000)));
          assert.ok(a !== undefined && b !== undefined);
          assert.equal(normal(a.text, ours), normal(b.text, theirs as TestServer), target);
        }),
      );
    });
  }

  test("texts are replaced once or everywhere, whatever pieces they come in", async () => {
    assert.equal(body(await ours.get("/one.html?two=TWO")), "1 one, TWO and onetwo three x é É\n");
    assert.equal(body(await ours.get("/order/one.html")), "B B, two and A thrDD x é É\n");
    assert.equal(body(await ours.get("/back/split")), "1 1 tw");
    assert.ok(body(await ours.get("/back/large")) === LARGE.replaceAll("one", "1"));
  });

  test("replaced first, compressed then", async () => {
    const { text } = await exchange(ours.port, ["GET /packed/large HTTP/1.0\r\nHost: h\r\n\r\n"], 5000);
    assert.ok(body(text) === LARGE.replaceAll("one", "1"));
    const request = "GET /packed/large HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    const packed = await exchange(ours.port, [request], 5000);
    assert.match(packed.text, /Content-Encoding: gzip/);
    let bytes = "";
    const chunks = body(packed.text);
    for (let at = 0, size = -1; size !== 0; ) {
      const line = chunks.indexOf("\r\n", at);
      size = Number.parseInt(chunks.slice(at, line), 16);
      bytes += chunks.slice(line + 2, line + 2 + size);
      at = line + 4 + size;
    }
    assert.ok(gunzipSync(Buffer.from(bytes, "latin1")).toString() === LARGE.replaceAll("one", "1"));
  });

  test("only what may be the beginning of a text waits for more", async () => {
    const { text } = await ours.exchange("GET /flushed/open HTTP/1.1\r\nHost: h\r\n\r\n");
    assert.match(text, /6\r\nnothin\r\n$/);
  });
});
