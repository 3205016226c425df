/** Compressed answers: the same head as nginx gives, and a body that unpacks to what was there. */
import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { constants, gunzipSync } from "node:zlib";
import { exchange, installedNginx, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";

const nginx = installedNginx();
const MODIFIED_S = 1_700_000_000;
const TEXT = "All work and no play makes Jack a dull boy. ".repeat(50);
const LARGE = Array.from({ length: 60_000 }, (_, line) => `line ${(line * 7919) % 10_007} of the file\n`).join("");

function reply({ text }: Seen): Reply {
  const target = /^\S+ \/(\S*)/.exec(text)?.[1] ?? "";
  const [name, lines = ""] = target.split("?");
  const extra = lines === "" ? [] : decodeURIComponent(lines).split("|");
  switch (name) {
    case "chunked":
      return `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n`;
    case "drip":
      return (socket) => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        socket.on("data", () => socket.write("3\r\ntwo\r\n0\r\n\r\n"));
        release = () => socket.write("3\r\ntwo\r\n0\r\n\r\n");
      };
    case "cut":
      return (socket) =>
        socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n${TEXT}`);
    case "404":
      return `HTTP/1.1 404 Gone\r\nContent-Type: text/html\r\nContent-Length: ${TEXT.length}\r\n\r\n${TEXT}`;
    case "500":
      return `HTTP/1.1 500 No\r\nContent-Type: text/html\r\nContent-Length: ${TEXT.length}\r\n\r\n${TEXT}`;
    default:
      return ok(TEXT, ...(lines.startsWith("Content-Type") ? [] : ["Content-Type: text/html"]), ...extra);
  }
}
let release = (): void => {};

const configuration = (back: string): string => `
  proxy_temp_path %DIR%/proxy; types { text/html html; text/css css; text/plain txt; } root %DIR%/html;
  log_format ratio '$uri $gzip_ratio $body_bytes_sent'; access_log logs/ratio.log ratio;
  gzip on; gzip_vary on;
  server {
    listen 127.0.0.1:%PORT%;
    location / { }
    location /level9/ { gzip_comp_level 9; gzip_window 512; gzip_hash 512; alias %DIR%/html/; }
    location /postponed/ { postpone_gzipping 100k; gzip_buffers 4 8k; gzip_no_buffer on; alias %DIR%/html/; }
    location /css/ { gzip_types text/css; alias %DIR%/html/; }
    location /any/ { gzip_types *; gzip_vary off; alias %DIR%/html/; }
    location /off/ { gzip off; alias %DIR%/html/; }
    location /long/ { gzip_min_length 1000; alias %DIR%/html/; }
    location /old/ { gzip_http_version 1.0; alias %DIR%/html/; }
    location /disabled/ { gzip_disable msie6 "Mozilla/[1-3]\\." other; alias %DIR%/html/; }
    location /add/ { add_before_body /short.html; add_after_body /page.html; alias %DIR%/html/; }
    location /text { default_type text/html; return 200 "the text of this answer is long enough"; }
    location /short-text { default_type text/html; return 200 "short"; }
    location /missing { return 404; }
    location /forbidden { return 403; }
    location /error { return 500; }
    location /moved { return 301 /x; }
    location /if { if ($arg_no) { gzip off; } alias %DIR%/html/page.html; }
    location /back/ { proxy_pass http://${back}/; gzip_proxied any; }
    location /flushed/ { proxy_pass http://${back}/; proxy_buffering off; }
    location /limited { limit_rate 200k; alias %DIR%/html/large.html; }
    ${["expired", "no-cache", "no-store private", "no_last_modified", "no_etag", "auth", "any", "off"]
      .map((words, index) => `location /via${index}/ { gzip_proxied ${words}; proxy_pass http://${back}/; }`)
      .join("\n")}
  }`;

const FILES = {
  "html/page.html": TEXT,
  "html/page.css": TEXT,
  "html/page.txt": TEXT,
  "html/short.html": "under 20 bytes",
  "html/empty.html": "",
  "html/large.html": LARGE,
};

/** One answer: its head, and its body out of its chunks; the bytes of a broken chunk too. */
function take(text: string): { readonly head: string; readonly body: Buffer } {
  const end = text.indexOf("\r\n\r\n") + 4;
  const head = text.slice(0, end);
  if (!/^Transfer-Encoding: chunked\r$/m.test(head)) return { head, body: Buffer.from(text.slice(end), "latin1") };
  let body = "";
  for (let at = end; ; ) {
    const line = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (line < 0 || size === 0) return { head, body: Buffer.from(body, "latin1") };
    body += text.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
}

function unpacked(text: string): string {
  const { head, body } = take(text);
  return /^Content-Encoding: gzip\r$/m.test(head) ? gunzipSync(body).toString("latin1") : body.toString("latin1");
}

function normal(text: string, server: TestServer): string {
  const { head } = take(text);
  return head
    .replaceAll(String(server.port), "PORT")
    .replace(/nginx\/[\d.]+/g, "nginx/V")
    .replace(/Content-Length: 1[45678]\d\r/g, "Content-Length: PAGE\r")
    .replace(/Date: [^\r]*/g, "Date: D");
}

const VIA = "Via: 1.1 x\r\n";
const PAST = "Expires: Thu, 01 Jan 1970 00:00:01 GMT";
const CONTROLS = [
  "",
  PAST,
  "Expires: Thu, 31 Dec 2037 23:55:55 GMT",
  "Cache-Control: no-cache",
  "Cache-Control: a, No-Store",
];
const LINES = [
  ...CONTROLS,
  "Cache-Control: private=x",
  "Cache-Control: max-age=1",
  "ETag: x",
  "Last-Modified: x",
  PAST,
];

/** Targets with what is asked beside `Accept-Encoding: gzip`. */
const CASES: readonly (readonly [target: string, lines?: string])[] = [
  ...["/page.html", "/page.css", "/page.txt", "/short.html", "/empty.html", "/large.html", "/none.html"].map(
    (target) => [target] as const,
  ),
  ...["/level9/large.html", "/postponed/page.html", "/css/page.css", "/css/page.html"].map(
    (target) => [target] as const,
  ),
  ...[
    "/any/page.txt",
    "/off/page.html",
    "/long/page.html",
    "/long/empty.html",
    "/add/page.html",
    "/if",
    "/if?no=1",
  ].map((target) => [target] as const),
  ...["/text", "/short-text", "/missing", "/forbidden", "/error", "/moved"].map((target) => [target] as const),
  ...["/back/", "/back/chunked", "/back/404", "/back/500", "/flushed/chunked"].map((target) => [target] as const),
  ["/back/?Content-Encoding: br".replaceAll(" ", "%20")],
  ["/back/?Content-Encoding:".replaceAll(" ", "%20")],
  ["/back/?ETag: weird|Last-Modified: x".replaceAll(" ", "%20")],
  ['/back/?ETag: "strong"'.replaceAll(" ", "%20").replaceAll('"', "%22")],
  ['/back/?ETag: W/"weak"'.replaceAll(" ", "%20").replaceAll('"', "%22")],
  ["/back/?Content-Type: text/html; charset=utf-8".replaceAll(" ", "%20")],
  ["/page.html", "Range: bytes=0-9\r\n"],
  ["/page.html", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n"],
  ["/page.html", VIA],
  ["/disabled/page.html", "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)\r\n"],
  ["/disabled/page.html", "User-Agent: mozilla/3.0\r\n"],
  ["/disabled/page.html", "User-Agent: An OTHER one\r\n"],
  ["/disabled/page.html", "User-Agent: Mozilla/5.0\r\n"],
  ["/disabled/page.html"],
  ...Array.from({ length: 8 }, (_, index) =>
    LINES.map((line) => [`/via${index}/?${encodeURIComponent(line)}`, VIA] as const),
  ).flat(),
  ["/via5/", `${VIA}Authorization: x\r\n`],
];

describe("gzip", { timeout: 60_000 }, () => {
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

  const skip = nginx === undefined && "nginx is not installed";

  async function compare(request: string): Promise<string> {
    // They close; the time is for a machine that is busy.
    const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [request], 5000)));
    assert.ok(a !== undefined && b !== undefined);
    assert.equal(normal(a.text, ours), normal(b.text, theirs as TestServer), request);
    if (!request.startsWith("HEAD")) {
      const page = (text: string): string => unpacked(text).replace(/nginx\/[\d.]+/, "");
      assert.ok(page(a.text) === page(b.text), `bodies of ${request}`);
    }
    return a.text;
  }

  for (const method of ["GET", "HEAD"]) {
    test(`${method}: heads are nginx's, bodies unpack to the same`, { skip }, async () => {
      const requests = CASES.map(
        ([target, lines = ""]) =>
          `${method} ${target} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n${lines}Connection: close\r\n\r\n`,
      );
      let compressed = 0;
      while (requests.length > 0) {
        const answers = await Promise.all(requests.splice(0, 16).map(compare));
        for (const text of answers) if (text.includes("Content-Encoding: gzip")) compressed++;
      }
      assert.ok(compressed > 40, `${compressed} compressed`);
    });
  }

  test("versions and weights decide as in nginx", { skip }, async () => {
    for (const line of ["gzip;q=0", "gzip;q=0.001", "deflate, gzip;q=1.0", "x-gzip", "*", ""]) {
      await compare(`GET /page.html HTTP/1.1\r\nHost: h\r\nAccept-Encoding: ${line}\r\nConnection: close\r\n\r\n`);
    }
    for (const target of ["/page.html", "/old/page.html"]) {
      await compare(`GET ${target} HTTP/1.0\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n`);
    }
    await compare("GET /page.html HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  });

  const ask = (target: string, close = true): string =>
    `GET ${target} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n${close ? "Connection: close\r\n" : ""}\r\n`;

  test("bodies unpack to what was there", async () => {
    for (const [target, expected] of [
      ["/large.html", LARGE],
      ["/level9/large.html", LARGE],
      ["/postponed/large.html", LARGE],
      ["/add/page.html", `under 20 bytes${TEXT}${TEXT}`],
      ["/back/", TEXT],
    ] as const) {
      const { text } = await ours.exchange(ask(target));
      assert.match(text, /Content-Encoding: gzip/);
      assert.ok(unpacked(text) === expected, target);
    }
  });

  test("answers one after another on a connection are streams of their own", async () => {
    const { text } = await ours.exchange(ask("/page.html", false) + ask("/text", false) + ask("/page.html"));
    const answers = text.split(/(?=HTTP\/1\.1 200 OK)/);
    assert.deepEqual(answers.map(unpacked), [TEXT, "the text of this answer is long enough", TEXT]);
  });

  test("without buffering a client has what the back end has sent so far", async () => {
    const socket = net.connect(ours.port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => (text += data.toString("latin1")));
    socket.write(ask("/flushed/drip"));
    for (let tries = 0; tries < 100 && take(text).body.length === 0; tries++) await sleep(10);
    const so_far = gunzipSync(take(text).body, { finishFlush: constants.Z_SYNC_FLUSH });
    assert.equal(so_far.toString(), "one");
    release();
    await new Promise((resolve) => socket.on("end", resolve));
    assert.equal(unpacked(text), "onetwo");
    socket.destroy();
  });

  test("a slow client gets a large file whole, and one that is limited too", async () => {
    for (const target of ["/large.html", "/limited"]) {
      const socket = net.connect(ours.port, "127.0.0.1");
      socket.write(ask(target));
      socket.pause();
      await sleep(150);
      let text = "";
      for await (const data of socket) text += (data as Buffer).toString("latin1");
      assert.ok(unpacked(text) === LARGE, target);
    }
  });

  test("what a back end breaks off is broken off for the client", async () => {
    const { text } = await ours.exchange(ask("/back/cut"));
    assert.match(text, /Content-Encoding: gzip/);
    assert.doesNotMatch(text, /\r\n0\r\n\r\n$/);
  });

  test("a client that goes in the middle leaves nothing for the next one", async () => {
    for (let i = 0; i < 5; i++) {
      const socket = net.connect(ours.port, "127.0.0.1");
      socket.write(ask("/large.html"));
      await new Promise((resolve) => socket.once("data", resolve));
      socket.destroy();
    }
    assert.ok(unpacked((await ours.exchange(ask("/large.html"))).text) === LARGE);
    assert.doesNotMatch(ours.log("error.log"), /\[alert\]/);
  });

  test("the log tells the ratio", async () => {
    const { body } = take((await ours.exchange(ask("/back/?ratio"))).text);
    await ours.exchange(ask("/off/page.html"));
    assert.match(ours.log("ratio.log"), new RegExp(`/back/ ${(TEXT.length / body.length).toFixed(2)} \\d+\n`));
    assert.match(ours.log("ratio.log"), /\/off\/page\.html - \d+\n/);
  });
});
