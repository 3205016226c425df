/** Variables that configurations define, and those that tell of the client: literal answers, nginx's beside them where it is installed. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { latin1 } from "../src/base/bytes.ts";
import { parseIp } from "../src/base/ip.ts";
import { encodeProxyV2 } from "../src/wire/proxy-protocol/encode.ts";
import { type Exchange, exchange, installedNginx, TestServer } from "./http-server.ts";
import { diagnosticsOf } from "./support/nginx-catalog.ts";

const nginx = installedNginx();

const HTTP = `
  access_log off;
  map $arg_k $plain { default none; one 1; ONE-b 1b; "" empty; two "a $arg_v b"; \\default d; \\~x tilde; include %DIR%/conf/more.map; }
  map $arg_k $bare { x y; }
  map $arg_k $regex { default -; ~^a(?<named>.*)$ "n:$named"; ~^b(.*)c$ "c:$1"; ~*^UP i; abc exact; }
  map $arg_h $hosts { hostnames; default -; a.example.org exact; *.example.org front; .dot.org dot; mail.* back; }
  map $plain$bare $chain { "1" first; default "$plain/$bare"; }
  map $args $kept { default $args; }
  map $args $fresh { volatile; default $args; }
  map $circle $circle { default "x$circle"; }
  geo $arg_a $geo { default none; 10.0.0.0/8 ten; 10.1.0.0/16 ten-one; 10.1.2.3 host; 2001:db8::/32 v6; delete 10.9.0.0/16; 255.255.255.255 all; }
  geo $arg_a $range { ranges; default none; 10.0.0.0-10.0.255.255 low; 10.0.1.0-10.0.1.9 inner; 10.7.0.0-10.9.1.1 wide; delete 10.0.1.0-10.0.1.9; }
  geo $local { 127.0.0.0/8 here; default there; }
  geo $told { proxy 127.0.0.1; proxy 192.0.2.0/24; proxy_recursive; 198.51.100.0/24 known; default unknown; }
  split_clients "a$arg_k" $split { 12.5% x; 30.01% y; 50% z; * rest; }
  split_clients $arg_k $part { 40% x; }
  server { listen 127.0.0.1:%PORT%; server_name localhost;
    location /map { return 200 "$plain|$bare|$regex|$named|$hosts|$chain"; }
    location /volatile { set $first "$kept $fresh"; set $args "b=2"; return 200 "$first $kept $fresh"; }
    location /set { if ($arg_v) { set $plain given; } return 200 $plain; }
    location /header { set $x "$http_own"; if ($arg_v) { set $http_own given; } return 200 "$x|$http_own"; }
    location /circle { return 200 "[$circle]"; }
    location /geo { return 200 "$geo|$range|$local|$told"; }
    location /split { return 200 "$split|$part"; }
    location /real { set_real_ip_from 127.0.0.1; set_real_ip_from 192.0.2.0/24; return 200 "$uri";
      location /real/x { real_ip_header X-Real-IP; proxy_pass http://127.0.0.1:%PORT%/none; error_page 404 /shown; proxy_intercept_errors on; }
      location /real/f { real_ip_header X-Forwarded-For; try_files /none @client; }
      location /real/r { real_ip_header X-Forwarded-For; real_ip_recursive on; try_files /none @client; }
      location /real/o { real_ip_header X-Other; try_files /none @client; }
    }
    location /shown { return 200 "$remote_addr $remote_port $realip_remote_addr $local"; }
    location @client { return 200 "$remote_addr:$remote_port $realip_remote_addr $told $geo"; }
    location /deny { set_real_ip_from localhost; deny 198.51.100.7; try_files /none @client; }
  }`;
const FILES = { "conf/more.map": "three 3;\nfour $arg_v;\n" };

let theirs: TestServer | undefined;
let ours: TestServer;

before(async () => {
  ours = await TestServer.start(HTTP, { files: FILES });
  if (nginx !== undefined) theirs = await TestServer.start(HTTP, { files: FILES, binary: nginx });
});

after(async () => {
  await ours.stop();
  await theirs?.stop();
});

/** Every exchange here is ended by the server: a slow one is waited for. */
const PATIENCE_MS = 10_000;

async function ask(server: TestServer, ...pieces: string[]): Promise<Exchange> {
  return exchange(server.port, pieces, PATIENCE_MS);
}

async function get(server: TestServer, target: string, ...headers: string[]): Promise<string> {
  const lines = headers.map((header) => `${header}\r\n`).join("");
  return (await ask(server, `GET ${target} HTTP/1.0\r\nHost: localhost\r\n${lines}\r\n`)).text;
}

function body(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

/** What the request is answered with must be this, here and from nginx. */
async function answers(target: string, expected: string, ...headers: string[]): Promise<void> {
  assert.equal(body(await get(ours, target, ...headers)), expected, `${target} ${headers}`);
  if (theirs !== undefined) assert.equal(body(await get(theirs, target, ...headers)), expected, `nginx: ${target}`);
}

test("a map finds texts without regard to case, then expressions in their order, else its default", async () => {
  await answers("/map?k=one", "1||-||-|first");
  await answers("/map?k=oNe-B", "1b||-||-|1b/");
  await answers("/map", "empty||-||-|empty/");
  await answers("/map?k=default", "d||-||-|d/");
  await answers("/map?k=~x", "tilde||-||-|tilde/");
  await answers("/map?k=x", "none|y|-||-|none/y");
  await answers("/map?k=abc", "none||exact||-|none/");
});

test("values of a map may have variables and captures, and may be in another file", async () => {
  await answers("/map?k=two&v=w", "a w b||-||-|a w b/");
  await answers("/map?k=four&v=w", "w||-||-|w/");
  await answers("/map?k=three", "3||-||-|3/");
  await answers("/map?k=axyz", "none||n:xyz|xyz|-|none/");
  await answers("/map?k=bxc", "none||c:x||-|none/");
  await answers("/map?k=upper", "none||i||-|none/");
});

test("a map of host names knows wildcards, and a dot at the end is dropped", async () => {
  await answers("/map?h=a.example.org", "empty||-||exact|empty/");
  await answers("/map?h=A.Example.ORG.", "empty||-||exact|empty/");
  await answers("/map?h=b.c.example.org", "empty||-||front|empty/");
  await answers("/map?h=example.org", "empty||-||-|empty/");
  await answers("/map?h=dot.org", "empty||-||dot|empty/");
  await answers("/map?h=mail.net", "empty||-||back|empty/");
});

test("a value holds for the whole request, unless the map is volatile or set gives another", async () => {
  await answers("/volatile?a=1", "a=1 a=1 a=1 b=2");
  await answers("/set?k=one", "1");
  await answers("/set?k=one&v=1", "given");
});

test("set may hide a header line's variable, in the requests that it reaches", async () => {
  await answers("/header", "line|line", "Own: line");
  await answers("/header?v=1", "line|given", "Own: line");
  await answers("/header?v=1", "|given");
});

test("maps that ask each other in a circle end, with a line in the log", async () => {
  await answers("/circle", `[${"x".repeat(100)}]`);
  assert.match(ours.log("error.log"), /\[error\] .*cycle while evaluating variable "circle"/);
});

test("geo finds the innermost network, and what is no address in none", async () => {
  await answers("/geo?a=10.1.2.3", "host|none|here|unknown");
  await answers("/geo?a=10.1.2.4", "ten-one|none|here|unknown");
  await answers("/geo?a=10.9.0.1", "ten|wide|here|unknown");
  await answers("/geo?a=10.0.1.5", "ten|none|here|unknown");
  await answers("/geo?a=10.0.1.10", "ten|low|here|unknown");
  await answers("/geo?a=11.0.0.0", "none|none|here|unknown");
  await answers("/geo?a=2001:db8::1", "v6|none|here|unknown");
  await answers("/geo?a=::ffff:10.1.2.3", "host|none|here|unknown");
  await answers("/geo?a=::1", "none|none|here|unknown");
  await answers("/geo?a=x", "all|none|here|unknown");
  await answers("/geo", "all|none|here|unknown");
});

test("geo believes trusted proxies about the client", async () => {
  await answers("/geo?a=::1", "none|none|here|known", "X-Forwarded-For: 203.0.113.1, 198.51.100.1, 192.0.2.1");
  await answers("/geo?a=::1", "none|none|here|unknown", "X-Forwarded-For: 198.51.100.1, 203.0.113.1, 192.0.2.1");
});

test("split_clients shares out by the hash, as nginx does for every text", async () => {
  const texts = Array.from({ length: 40 }, (_, i) => `k${i}-${"x".repeat(i % 7)}`);
  const found = await Promise.all(texts.map(async (text) => body(await get(ours, `/split?k=${text}`))));
  assert.deepEqual(new Set(found.map((line) => line.split("|")[0])), new Set(["x", "y", "z", "rest"]));
  assert.equal(found[0], "x|");
  const { length } = found.filter((line) => line.endsWith("|x"));
  assert.ok(length > 5 && length < 30, `${length} of 40 in a share of 40 %`);
  const server = theirs;
  if (server === undefined) return;
  assert.deepEqual(found, await Promise.all(texts.map(async (text) => body(await get(server, `/split?k=${text}`)))));
});

test("realip takes the client from a trusted proxy's header, from its configured line only", async () => {
  await answers("/real/f", "198.51.100.1: 127.0.0.1 known all", "X-Forwarded-For: 203.0.113.1, 198.51.100.1");
  await answers(
    "/real/f",
    "203.0.113.9: 127.0.0.1 unknown all",
    "X-Forwarded-For: 198.51.100.1",
    "X-Forwarded-For: 203.0.113.9",
  );
  await answers("/real/r", "203.0.113.1: 127.0.0.1 unknown all", "X-Forwarded-For: 203.0.113.1, 192.0.2.9");
  await answers("/real/o", "2001:db8::1:80 127.0.0.1 unknown all", "X-Other: [2001:db8::1]:80");
  await answers("/real/o", "198.51.100.1:8080 127.0.0.1 known all", "X-Other: 198.51.100.1:8080");
  await answers("/deny", "198.51.100.6: 127.0.0.1 known all", "X-Real-IP: 198.51.100.6");
  assert.match(await get(ours, "/deny", "X-Real-IP: 198.51.100.7"), /^HTTP\/1.1 403 /);
});

test("what a client claims that is no address, or no trusted proxy's, changes nothing", async () => {
  const own = async (...headers: string[]): Promise<string> => body(await get(ours, "/real/o", ...headers));
  assert.match(await own("X-Other: unknown"), /^127.0.0.1:\d+ 127.0.0.1 /);
  assert.match(await own("X-Forwarded-For: 198.51.100.1"), /^127.0.0.1:\d+ 127.0.0.1 /);
  assert.match(body(await get(ours, "/shown", "X-Real-IP: 198.51.100.1")), /^127.0.0.1 \d+ 127.0.0.1 here$/);
});

test("the client's own address is back with the next request of a connection", async () => {
  const request = (header: string): string => `GET /real/o HTTP/1.1\r\nHost: a\r\n${header}\r\n`;
  const close = "Connection: close\r\n";
  const { text } = await ask(ours, request("X-Other: 198.51.100.1\r\n") + request(close));
  assert.match(text, /198.51.100.1: 127.0.0.1.*127.0.0.1:\d+ 127.0.0.1/s);
});

const PROXY = `
  log_format ends "$remote_addr|$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|$proxy_protocol_server_port";
  access_log logs/ends.log ends;
  server { listen 127.0.0.1:%PORT% proxy_protocol; set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;
    location / { return 200 "$remote_addr:$remote_port $proxy_protocol_addr $proxy_protocol_tlv_alpn $proxy_protocol_tlv_ssl_cn $proxy_protocol_tlv_0xe1"; } }
  server { listen unix:%DIR%/plain.sock; return 204; }`;
const REQUEST = "GET / HTTP/1.0\r\n\r\n";
const V1 = "PROXY TCP4 198.51.100.1 192.0.2.2 1234 443\r\n";

test("a PROXY protocol header tells the client, in one piece or byte by byte", async () => {
  const server = await TestServer.start(PROXY);
  try {
    assert.equal(body((await ask(server, V1 + REQUEST)).text), "198.51.100.1:1234 198.51.100.1   ");
    assert.equal(body((await ask(server, V1, REQUEST)).text), "198.51.100.1:1234 198.51.100.1   ");
    assert.equal(body((await ask(server, ...V1, REQUEST)).text), "198.51.100.1:1234 198.51.100.1   ");
    assert.match(body((await ask(server, `PROXY UNKNOWN x\r\n${REQUEST}`)).text), /^127.0.0.1:\d+ {4}$/);
    const end = (text: string, port: number) => ({ ip: parseIp(text) as Uint8Array, port });
    const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
    const v2 = latin1(
      encodeProxyV2(end("2001:db8::1", 99), end("::1", 80), "stream", {
        fields: [
          { type: 1, value: bytes("h2") },
          { type: 0xe1, value: bytes("own") },
        ],
        ssl: { client: 1, verify: 0, fields: [{ type: 0x22, value: bytes("name") }] },
      }),
    );
    const expected = "2001:db8::1:99 2001:db8::1 h2 name own";
    assert.equal(body((await ask(server, v2 + REQUEST)).text), expected);
    assert.equal(body((await ask(server, ...(v2.match(/.{1,9}/gs) as string[]), REQUEST)).text), expected);
    const lines = server.log("ends.log").trim().split("\n");
    assert.equal(lines[0], "198.51.100.1|198.51.100.1|1234|192.0.2.2|443");
    assert.equal(lines[3], "127.0.0.1|-|-|-|-");
    assert.equal(lines[4], "2001:db8::1|2001:db8::1|99|::1|80");
  } finally {
    await server.stop();
  }
});

test("a connection with a broken PROXY protocol header, or without one, is closed and logged", async () => {
  const server = await TestServer.start(PROXY);
  try {
    for (const pieces of [[REQUEST], ["PROXY TCP4 1.2.3.4\r\n"], ["PROXY TCP4 ", "1.2.3.4 5.6.7.8 1 70000\r\n"]])
      assert.deepEqual(await ask(server, ...pieces), { text: "", closed: true });
    const log = server.log("error.log");
    assert.match(log, /\[error\] .*broken header: "GET \/ HTTP\/1.0" while reading PROXY protocol, client: 127.0.0.1/);
    assert.match(log, /broken header: "PROXY TCP4 1.2.3.4" while reading/);
    assert.match(log, /broken header: "PROXY TCP4 1.2.3.4 5.6.7.8 1 70000" while reading/);
    assert.deepEqual(await ask(server, "\r\n\r\n\0\r\nQUIT\n!\x11\xff\xff"), { text: "", closed: true });
    assert.match(server.log("error.log"), /header is too large while reading PROXY protocol/);
  } finally {
    await server.stop();
  }
});

test("a PROXY protocol header is waited for as long as a request's header", async () => {
  const server = await TestServer.start(
    "client_header_timeout 300ms; server { listen 127.0.0.1:%PORT% proxy_protocol; return 204; }",
  );
  try {
    for (const pieces of [[], ["PROXY TCP4 1."]])
      assert.deepEqual(await ask(server, ...pieces), { text: "", closed: true });
    const lines = server.log("error.log").match(/client timed out \(110: .*\) while reading PROXY protocol/g);
    assert.equal(lines?.length, 2);
  } finally {
    await server.stop();
  }
});

/** What is said of an http block. */
const check = (http: string): string => diagnosticsOf(http).join("\n");

test("mistakes in these blocks are refused in nginx's words, with their line", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["map $uri name { }", 'invalid variable name "name" in /nginx.conf:4'],
    ["map $uri $host { }", 'the duplicate "host" variable in /nginx.conf:4'],
    ["map $nope $x { }", 'unknown "nope" variable'],
    ["map $uri $x {\n a 1;\n A 2;\n}", 'conflicting parameter "A" in /nginx.conf:6'],
    ["map $uri $x { default 1; default 2; }", "duplicate default map parameter in /nginx.conf:4"],
    ["map $uri $x { a b c; }", "invalid number of the map parameters in /nginx.conf:4"],
    ["map $uri $x { hostnames; a*b 1; }", 'invalid hostname or wildcard "a*b" in /nginx.conf:4'],
    ["geo $x { a b c; }", "invalid number of the geo parameters in /nginx.conf:4"],
    ["geo $x { 1.2.3 b; }", 'invalid network "1.2.3" in /nginx.conf:4'],
    ["geo $x { 1.2.3.4/24 b; }", "low address bits of 1.2.3.4/24 are meaningless in /nginx.conf:4"],
    ["geo $x { 1.2.3.4 a; 1.2.3.4 b; }", 'duplicate network "1.2.3.4", value: "b", old value: "a" in /nginx.conf:4'],
    ["geo $x { delete 1.2.3.4; }", 'no network "1.2.3.4" to delete in /nginx.conf:4'],
    ["geo $x { 1.2.3.4 a; ranges; }", 'the "ranges" directive must be the first directive inside "geo" block'],
    ["geo $x { ranges; 1.2.3.4 b; }", 'invalid range "1.2.3.4" in /nginx.conf:4'],
    [
      "geo $x { ranges; 1.2.3.4-1.2.3.9 a; 1.2.3.7-1.2.3.20 b; }",
      'range "1.2.3.7-1.2.3.20" overlaps "1.2.3.4-1.2.3.9" in /nginx.conf:4',
    ],
    ["split_clients $uri $x { 1x a; }", 'invalid percent value "1x" in /nginx.conf:4'],
    ["split_clients $uri $x { 60% a; 50% b; }", "percent total is greater than 100% in /nginx.conf:4"],
    ["set_real_ip_from 1.2.3.4/24;", "low address bits of 1.2.3.4/24 are meaningless in /nginx.conf:4"],
    ["set_real_ip_from no.such.name.invalid;", 'host not found in set_real_ip_from "no.such.name.invalid"'],
    ["real_ip_header a; real_ip_header b;", '"real_ip_header" directive is duplicate in /nginx.conf:4'],
    [
      "server { listen 8000 proxy_protocol; } server { listen 8000 bind; }",
      "protocol options redefined for 0.0.0.0:8000 in /nginx.conf:4",
    ],
  ];
  for (const [http, message] of cases) assert.ok(check(http).includes(message), `${http}:\n${check(http)}`);
});

test("100,000 networks, ranges and texts are loaded", () => {
  const address = (i: number): string => `${10 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
  const lines = (line: (i: number) => string): string => Array.from({ length: 100_000 }, (_, i) => line(i)).join("\n");
  const blocks = [
    `geo $a { ${lines((i) => `${address(i)}.0/24 v${i % 100};`)} }`,
    `geo $b { ranges; ${lines((i) => `${address(i)}.3-${address(i)}.200 r${i % 100};`)} }`,
    `map $uri $c { ${lines((i) => `text${i} t${i};`)} }`,
  ];
  assert.equal(check(blocks.join("\n")), "");
});
