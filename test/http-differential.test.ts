/** The same bytes to our server and to the nginx of this machine must bring the same answers. */
import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { installedNginx, normal, TestServer } from "./http-server.ts";

const nginx = installedNginx();
const options = nginx === undefined ? { skip: "nginx is not installed" } : {};

const FILES = {
  "html/index.html": "index\n",
  "html/a.txt": "0123456789abcdefghijklmnopqrstuvwxyz\n",
  "html/d/index.html": "d\n",
  "html/e/x.txt": "x",
  "html/sp ace.txt": "sp\n",
  "html/404.html": "custom\n",
  "html/empty.txt": "",
  "html/big.bin": "x".repeat(300_000),
};

const HTTP = `
  types { text/html html; text/plain txt; }
  default_type application/octet-stream;
  access_log off;
  server {
    listen 127.0.0.1:%PORT%; server_name localhost; root %DIR%/html;
    client_header_buffer_size 256; large_client_header_buffers 3 512;
    location / { }
    location = /exact { return 200 exact; }
    location /status/ {
      location /status/204 { return 204; }
      location /status/201 { return 201 made; }
      location /status/299 { return 299 odd; }
      location /status/301 { return 301 /x?y; }
      location /status/302 { return 302 http://example.com/$uri; }
      location /status/303 { return 303 ""; }
      location /status/307 { return 307 /x; }
      location /status/308 { return 308 x; }
      location /status/400 { return 400; }
      location /status/401 { return 401; }
      location /status/403 { return 403 "forbidden text"; }
      location /status/404 { return 404; }
      location /status/418 { return 418; }
      location /status/444 { return 444; }
      location /status/494 { return 494; }
      location /status/497 { return 497; }
      location /status/500 { return 500; }
      location /status/503 { return 503; }
    }
    location ^~ /d/ { index index.html; }
    location ~ \\.php$ { return 200 "php $uri"; }
    location /page { error_page 404 /404.html; root %DIR%/none; }
    location /page-ok { error_page 404 =200 /404.html; root %DIR%/none; }
    location /page-same { error_page 404 = /exact; root %DIR%/none; }
    location /page-url { error_page 404 http://example.com/x; root %DIR%/none; }
    location /page-301 { error_page 404 =301 http://example.com/x; root %DIR%/none; }
    location /page-named { error_page 404 = @named; root %DIR%/none; }
    location /page-text { error_page 404 /show$uri?a=b; root %DIR%/none; }
    location /show { return 200 "$uri $args"; }
    location @named { return 200 "named $uri"; }
    location /internal { internal; return 200 internal; }
    location /header { add_header X-A a; add_header X-B b always; add_header X-E ""; return 200 x; }
    location /header404 { add_header X-A a; add_header X-B b always; return 404; }
    location /epoch { expires epoch; return 200 x; }
    location /max { expires max; return 200 x; }
    location /alias/ { alias %DIR%/html/e/; }
    location /try { try_files $uri $uri/ /404.html; }
    location /try-status { try_files /nope =403; }
    location /try-named { try_files /nope @named; }
    location /try-args { try_files /nope /show?x=$args; }
    location /try-if { if ($arg_a) { set $q 1; } try_files /nope @named; }
    location /try-except { limit_except GET { allow all; } try_files /nope @named; }
    location /except { limit_except GET { deny all; } return 200 x; }
    location /deny { deny all; }
    location /any { satisfy any; allow 127.0.0.1; deny all; }
    location /trailer { add_trailer X-T tv; return 200 "body"; }
    location /once { keepalive_timeout 0; return 200 x; }
    location /told { keepalive_timeout 65 60; return 200 x; }
    location /set { set $x 1; set $y "$x$x"; return 200 "$x $y"; }
    location /if {
      if ($arg_a = 1) { return 200 one; }
      if ($arg_a ~ ^(b+)) { return 200 "re $1"; }
      if ($arg_a !~ z) { set $q nz; }
      if (-f $document_root/a.txt) { set $q "$q f"; }
      if (!-e $document_root/zzz) { set $q "$q ne"; }
      return 200 "$q";
    }
    location /rw { rewrite ^/rw/(.*)$ /show/$1 last; }
    location /rwb { rewrite ^/rwb/(.*)$ /$1 break; }
    location /rwr { rewrite ^/rwr/(.*)$ /n/$1 redirect; }
    location /rwp { rewrite ^/rwp/(.*)$ /n/$1? permanent; }
    location /rwa { rewrite ^/rwa/(.*)$ /show/$1?z=$1 last; }
    location /loop { rewrite ^/loop(.*)$ /loop$1 last; }
    location /auto/ { alias %DIR%/html/; autoindex on; index none; }
    location /one-range { max_ranges 1; alias %DIR%/html/a.txt; }
    location /no-etag { etag off; alias %DIR%/html/a.txt; }
    location /copy { sendfile off; alias %DIR%/html/big.bin; }
    location /sendfile { sendfile on; alias %DIR%/html/big.bin; }
    location /relative { absolute_redirect off; return 301 /x; }
    location /no-port { port_in_redirect off; return 301 /x; }
    location "/slash less/" { proxy_pass http://127.0.0.1:1; }
    location /small { client_max_body_size 10; return 200 ok; }
    location /vars { return 200 "$host|$http_host|$content_length|$content_type|$request_method|$query_string|$server_name|$arg_b|$cookie_c|$scheme|$request_uri|$is_args"; }
  }
  server { listen 127.0.0.1:%PORT%; server_name *.wild.test; return 200 "wild $host"; }
  server { listen 127.0.0.1:%PORT%; server_name www.tail.*; return 200 "tail $host"; }
  server { listen 127.0.0.1:%PORT%; server_name ~^re(?<num>\\d+)\\.test$; return 200 "re $num $1"; }
  server { listen 127.0.0.1:%PORT%; server_name $hostname $hostnamed $Hostname.x; return 200 "machine $host $server_name"; }
  server { listen 127.0.0.1:%PORT%; server_name .dot.test ""; return 200 "dot $host $server_name"; }
`;
const HOST = "Host: localhost\r\n";
const MODIFIED_S = 1_700_000_000;

let theirs: TestServer;
let ours: TestServer;

before(async () => {
  if (nginx === undefined) return;
  [theirs, ours] = await Promise.all([
    TestServer.start(HTTP, { binary: nginx, files: FILES }),
    TestServer.start(HTTP, { files: FILES }),
  ]);
  for (const server of [theirs, ours]) {
    for (const name of Object.keys(FILES)) utimesSync(path.join(server.folder, name), MODIFIED_S, MODIFIED_S);
  }
});

after(async () => {
  await theirs?.stop();
  await ours?.stop();
});

async function compare(pieces: readonly string[]): Promise<void> {
  const [a, b] = await Promise.all([theirs.exchange(...pieces), ours.exchange(...pieces)]);
  const shown = JSON.stringify(pieces).slice(0, 200);
  assert.equal(normal(b.text, ours), normal(a.text, theirs), shown);
  assert.equal(b.closed, a.closed, `closed after ${shown}`);
}

async function compareAll(cases: readonly (string | readonly string[])[]): Promise<void> {
  // Many at a time: each waits for silence.
  const queue = cases.map((one) => (typeof one === "string" ? [one] : one));
  for (let at = 0; at < queue.length; at += 16) await Promise.all(queue.slice(at, at + 16).map(compare));
}

function get(target: string, ...headers: string[]): string {
  return `GET ${target} HTTP/1.1\r\n${HOST}${headers.map((header) => `${header}\r\n`).join("")}\r\n`;
}

test("locations, files, pages, redirects and rewriting answer as nginx does", options, async () => {
  const targets =
    "/ /a.txt /a.txt?x=1 /nope /d /d/ /exact /exactx /x.php /a/x.php?b /d/x.php /page/x /page-ok/x /page-same/x /page-url/x /page-301/x /page-named/x /page-text/x /internal /header /header404 /epoch /max /alias/x.txt /alias/nope /alias/ /alias /try/x /try-status /try-named /try-args?k=1 /try-if /try-if?a=1 /try-except /except /deny /any /trailer /once /told /set /if?a=1 /if?a=bbc /if /rw/abc?q=1 /rwb/a.txt /rwr/abc?q=1 /rwp/abc?q=1 /rwa/abc?q=1 /rwa/abc /loop/x /auto/ /no-etag /copy /sendfile /relative /no-port /slash%20less /slash%20less?a%20b /small /sp%20ace.txt /%61.txt /d/../a.txt /../x /d//index.html /./a.txt /a.txt%00 /%zz /a%2 /empty.txt /e /e/ /a.txt/ /a.txt/x /vars?b=2 /status/204 /status/201 /status/299 /status/301 /status/302 /status/303 /status/307 /status/308 /status/400 /status/401 /status/403 /status/404 /status/418 /status/444 /status/494 /status/497 /status/500 /status/503".split(
      " ",
    );
  await compareAll(
    targets.flatMap((target) => [
      get(target),
      `HEAD ${target} HTTP/1.1\r\n${HOST}\r\n`,
      `GET ${target} HTTP/1.0\r\n\r\n`,
    ]),
  );
});

test("ranges and conditions answer as nginx does", options, async () => {
  const ranges = "0-4 5- -5 0-0,2-3 0-4,5-9,-3 100- 0-100 5-2 abc 0-36,0-36 -0 36-36 37- 0-4,"
    .split(" ")
    .map((range) => `Range: bytes=${range}`);
  const etag = `"${MODIFIED_S.toString(16)}-25"`;
  const conditions = [
    "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT",
    "If-Modified-Since: Tue, 14 Nov 2023 22:13:21 GMT",
    "If-Modified-Since: Tuesday, 14-Nov-23 22:13:20 GMT",
    "If-Modified-Since: x",
    "If-Unmodified-Since: Tue, 14 Nov 2023 22:13:20 GMT",
    "If-None-Match: *",
    `If-None-Match: ${etag}`,
    `If-None-Match: W/${etag}`,
    `If-None-Match: "x", ${etag}`,
    'If-None-Match: "x"',
    "If-Match: *",
  ];
  const both = [`If-Range: ${etag}`, 'If-Range: "x"', "If-Range: Tue, 14 Nov 2023 22:13:20 GMT", "If-Range: x"];
  await compareAll([
    ...ranges.flatMap((range) =>
      ["/a.txt", "/one-range", "/sendfile", "/empty.txt"].map((target) => get(target, range)),
    ),
    ...conditions.flatMap((condition) => [
      get("/a.txt", condition),
      get("/no-etag", condition),
      get("/a.txt", condition, "Range: bytes=0-3"),
    ]),
    // A refused If-Match is left out: nginx says keep-alive there and closes.
    get("/a.txt", `If-Match: ${etag}`),
    ...both.map((condition) => get("/a.txt", condition, "Range: bytes=0-3")),
  ]);
});

test("hosts find the same servers", options, async () => {
  const hosts =
    "localhost:80 LOCALHOST localhost. a.wild.test wild.test a.b.wild.test www.tail.org www.tail.co.uk www.tail. re12.test rex.test dot.test x.dot.test a..b [::1] a/b".split(
      " ",
    );
  await compareAll(
    [...hosts, os.hostname(), "$hostname", "$hostnamed", "", "bad host"].flatMap((host) => [
      `GET /vars HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `GET /vars HTTP/1.0\r\nHost: ${host}\r\n\r\n`,
    ]),
  );
});

test("heads of every kind are accepted and refused alike", options, async () => {
  await compareAll([
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    `${get("/exact")}${get("/set")}GET /if HTTP/1.0\r\n\r\n`,
    "GET /\r\n",
    "GET /exact\n",
    "GET /exact HTTP/1.0\n\n",
    "\r\n\r\nGET /exact HTTP/1.0\r\n\r\n",
    "get / HTTP/1.1\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00",
    "GET  /exact  HTTP/1.0  \r\n\r\n",
    "GET / HTTP/2.0\r\n\r\n",
    "GET / HTTP/0.9\r\n\r\n",
    "GET / HTTPS/1.0\r\n\r\n",
    "GET /\x01 HTTP/1.0\r\n\r\n",
    "GET /\xff\xe9 HTTP/1.0\r\n\r\n",
    `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
    `TRACE / HTTP/1.1\r\n${HOST}\r\n`,
    `FOO /exact HTTP/1.1\r\n${HOST}\r\n`,
    `PUT /a.txt HTTP/1.1\r\n${HOST}\r\n`,
    `POST /a.txt HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`,
    get("/exact", "bad header: x"),
    get("/exact", ": x"),
    get("/exact", " folded"),
    get("/exact", "a:\x00"),
    get("/exact", "a"),
    get("/exact", "a_b: 1"),
    get("/exact", "a:b\rc"),
    "GET /exact HTTP/1.1\r\nHost : localhost\r\n\r\n",
    ...[200, 490, 497, 498, 600].map((size) => `GET /${"x".repeat(size)} HTTP/1.0\r\n\r\n`),
    ...[507, 508, 509].map((size) => `GET /exact HTTP/1.0\r\nA: ${"x".repeat(size)}\r\n\r\n`),
    ...[3, 4].map((count) => `GET /exact HTTP/1.0\r\n${`A: ${"x".repeat(400)}\r\n`.repeat(count)}\r\n`),
    ["GET /exa", "ct HTTP/1.0\r\nHo", "st: localhost\r\n", "\r\n"],
    "GET /a#b HTTP/1.0\r\n\r\n",
    "GET //a///b/./c/../d HTTP/1.0\r\n\r\n",
    "GET http://localhost/exact HTTP/1.0\r\n\r\n",
    "GET http://localhost?q HTTP/1.0\r\n\r\n",
    "GET localhost HTTP/1.0\r\n\r\n",
  ]);
});

test("bodies are skipped, limited and refused alike", options, async () => {
  const post = (fields: string, body: string): string => `POST /small HTTP/1.1\r\n${HOST}${fields}\r\n\r\n${body}`;
  await compareAll([
    `${post("Content-Length: 5", "hello")}GET /exact HTTP/1.0\r\n\r\n`,
    [post("Content-Length: 5", "he"), "llo", "GET /exact HTTP/1.0\r\n\r\n"],
    post("Content-Length: x", ""),
    post("Content-Length: -1", ""),
    post("Content-Length: 5\r\nContent-Length: 5", "hello"),
    post("Content-Length: 99999999999999999999", ""),
    `${post("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")}GET /exact HTTP/1.0\r\n\r\n`,
    [post("Transfer-Encoding: chunked", "5\r\nhe"), "llo\r\n0\r\n\r", "\nGET /exact HTTP/1.0\r\n\r\n"],
    post("Transfer-Encoding: chunked", "z\r\n"),
    post("Transfer-Encoding: gzip", ""),
    post("Content-Length: 11", "hello world"),
    post("Content-Length: 10", "helloworld"),
    [post("Content-Length: 5\r\nExpect: 100-continue", ""), "hello"],
    get("/exact", "Expect: 100-continue"),
    get("/exact", "Connection: close"),
    "GET /exact HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    get("/nope", "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; x)"),
    get("/nope", "User-Agent: x Chrome/99"),
  ]);
});
