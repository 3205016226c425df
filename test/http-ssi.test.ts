/** Server side includes: pages as nginx makes them, and what happens when their parts are slow, many, large or missing. */
import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import type net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { exchange, installedNginx, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { Talker } from "./support/talker.ts";

const nginx = installedNginx();
const MODIFIED_S = 1_700_000_000;
const FAILED = "[an error occurred while processing the directive]";
const HTML = "Content-Type: text/html";

const expressions = [
  ...["$arg_a", "$arg_none", "abc", "", "$arg_a = x", "$arg_a=x", "x != $arg_a", "Ab = ab", "$ARG_A = x", "a-b"],
  ...["$arg_a = /^X$/", "$arg_a = /^x/", "$arg_a = /x", "$arg_a = \\/x", "/ = /", "a = /a/ ", "a =  a ", "a==a"],
  ...["a != /b/", "${arg_a}x = xx", "a = /(a)(b)?/", "$", "a = $", "a ! b", "a = //", "=a", " = a", "${x = y"],
];
const wrong = [
  ...['<!--#foo a="b"-->', "<!--#echo-->", '<!--#echo a="b"-->', '<!--#echo var="a" var="b"-->', "<!--#echo var- -->"],
  ...["<!--#echo var x-->", "<!--#echo var=x-->", '<!--#echo var="a"x-->', "<!--#echo --->x-->", "<!--#else-->"],
  ...['<!--#elif expr="a"-->', "<!--#endif-->", "<!--#endblock-->", "<!--#include-->", `<!--#${"c".repeat(33)}-->`],
  ...['<!--#include virtual="/x" file="y"-->', '<!--#include virtual="/x" set="a" stub="b"-->'],
  ...['<!--#include file="y" wait="yes"-->', '<!--#include virtual="/x" wait="maybe"-->'],
  ...['<!--#include virtual="/x" stub="none"-->', '<!--#include virtual="/../x"-->', '<!--#include virtual="?x"-->'],
  ...['<!--#include virtual="$arg_none"-->', '<!--#include virtual="/%2e%2e/x?a=b"-->', '<!--#set var="x"-->'],
  ...['<!--#set var="x" value="${x"-->', '<!--#set var="x" value="a$"-->', `<!--#echo ${'a="b" '.repeat(17)}-->`],
  ...[`<!--#echo var="${"v".repeat(256)}"-->`, `<!--#echo var="${"v".repeat(255)}"-->`],
];

/** Pages by name. `?a=x&b=2` is what they are asked with. */
const PAGES: Readonly<Record<string, string>> = {
  echo: 'X<!--#echo var="arg_a" -->Y<!--#echo var="arg_no" default="d<f" -->Z<!--#echo var="arg_no" default=""-->|<!--#echo var="arg_no"-->',
  encoding:
    '<!--# set var="B" value="<t&\'\\"\\$x \xc3\xa9>" --><!--#echo var="b" --><!--#echo var=\'b\' encoding=\'url\'-->' +
    '<!--#echo var="b"--><!--#echo var="b" encoding="bad"--><!--#echo var="b" encoding="none"--><!--#echo var="B"-->',
  escapes:
    '<!--#set var="x" value="a\\\\b\\\'c\\"d\\$e\\f\\" --><!--#echo var="x" encoding="none"-->|<!--#set var="y" value="$x\\\\\\q"-->' +
    '<!--#echo var="y" encoding="none"-->',
  end: "abc<",
  end2: "abc<!-",
  end3: "abc<!--",
  end4: "abc<!--#echo",
  end5: 'abc<!--#echo var="a" --',
  almost: "a<b<!x<!-y<!--z<<!--#echo var=\"arg_a\"--><!<!--#echo var='arg_a'-->",
  wrong: wrong.join("|"),
  if: expressions.map((one) => `<!--#if expr='${one}'-->T<!--#else-->F<!--#endif-->`).join("|"),
  captures:
    '<!--#if expr="$arg_a = /(.)(y)?(z)?/"--><!--#echo var="0"-->,<!--#echo var="1"-->,<!--#echo var="2"--><!--#endif-->' +
    '<!--#set var="1" value="no"--><!--#set var="2" value="two"-->[<!--#echo var="1"--><!--#echo var="2"-->]' +
    '<!--#set var="q" value="$1-$2-${0}"--><!--#echo var="q"-->',
  names: '<!--#if expr="$arg_a = /(?P<Name>.)/"--><!--#echo var="name"--><!--#echo var="NAME"--><!--#endif-->',
  inner:
    '<!--#if expr="$arg_a"-->A<!--#if expr="$arg_b"-->B<!--#else-->C<!--#endif-->D<!--#else-->E<!--#endif-->F' +
    '<!--#if expr="$arg_no"-->A<!--#if expr="$arg_b"-->B<!--#else-->C<!--#endif-->D<!--#else-->E<!--#endif-->F',
  elif: '<!--#if expr="$arg_no"-->A<!--#elif expr="$arg_a"-->B<!--#elif expr="x"-->C<!--#else-->D<!--#elif expr="x"-->E<!--#else-->G<!--#endif-->H',
  untaken:
    '<!--#if expr=""-->A<!--#bad--><!--#echo--><!--#echo var- --><!--#include virtual="/part.html"--><!--#endblock-->Q<!--#endif-->H',
  config: '<!--#config errmsg="[E]"--><!--#bad-->.<!--#config timefmt="x%Y"--><!--#echo var="date_gmt"-->',
  date: 'a<!--#config timefmt=""--><!--#echo var="date_gmt"-->b',
  date2: 'a<!--#config timefmt=""--><!--#set var="v" value="$date_gmt"-->b',
  block:
    '<!--#block name="o"-->one <!--#echo var="arg_a" encoding=\'none\' --> <!--#foo--><!--#block name="x"-->2<!--#endblock-->' +
    'x<!--#include virtual="/none?a=1" stub="o"-->z<!--#include virtual="/part.html" stub="o"-->v<!--#include virtual="/back/down" stub="o"-->',
  block2: '<!--#block name="o"--><!--#endblock-->x<!--#include virtual="/none" stub="o"-->y',
  block3: '<!--#block name="o"-->S<!--#endblock--><!--#include virtual="/empty.html" stub="o"-->',
  include:
    'a<!--#include virtual="part.html"-->b<!--#include virtual="/part.html?x=1"-->c<!--#include file="part.html"-->d' +
    '<!--#include virtual="/none"-->e<!--#include virtual="/back/late"-->f<!--#include virtual="/back/drip"-->g<!--#include virtual="/empty.html"-->h',
  escaped: 'a<!--#include virtual="/par%74.html"-->b<!--#include virtual="/part.html%3fx"-->c',
  wait: 'a<!--#include virtual="/back/late" wait="YES"-->b<!--#include virtual="/part.html" wait="no"-->c<!--#include virtual="/back/drip" wait="yes"-->d',
  waits: 'x<!--#include virtual="/outer.html"-->x<!--#include virtual="/outer.html"-->x',
  broken:
    'a<!--#include virtual="/back/down"-->b<!--#include virtual="/back/short"-->c<!--#include virtual="/back/open"-->d',
  redirects: 'a<!--#include virtual="/folder"-->b<!--#include virtual="/301"-->c<!--#include virtual="/return"-->d',
  set:
    'a<!--#include virtual="part.html" set="One"--><!--#echo var="one"-->b<!--#include virtual="/none" set="two"-->[<!--#echo var="two"-->]' +
    '<!--#include virtual="/back/late" set="three"--><!--#echo var="three"--><!--#include virtual="/empty.html" set="four"-->{<!--#echo var="four"-->}',
  set2: 'a<!--#set var="two" value="2"--><!--#include virtual="/none" set="two"-->[<!--#echo var="two"-->]',
  large: 'a<!--#include virtual="/4097.html" set="x"-->b',
  large2: 'a<!--#include virtual="/back/large" set="x"-->b',
  large3: 'a<!--#include virtual="/back/page" set="x"--><!--#echo var="x"-->b',
  large4: 'a<!--#include virtual="/back/endless" set="x"--><!--#echo var="x"-->b',
  nested: 'a<!--#include virtual="/back/nested.html" set="x"--><!--#echo var="x" encoding="none"-->b',
  self: 'a<!--#include virtual="/self.html"-->b',
  order:
    '<!--#include virtual="/setter.html"-->[<!--#echo var="fromsub"-->]<!--#include virtual="/setter.html" wait="yes"-->[<!--#echo var="fromsub"-->]',
  after: '<!--#include virtual="/getter.html"--><!--#set var="late" value="L"-->',
  variables:
    "uri request_uri document_uri http_host cfg nosuch mapped args query_string http_nosuch arg_ ARG_A request_method sent_http_x cookie_a"
      .split(" ")
      .map((name) => `<!--#echo var="${name}"-->`)
      .join(" "),
  long: `${"x".repeat(70_000)}<!--#include virtual="/part.html"-->${"y".repeat(70_000)}<!--#include virtual="/back/late"-->${"z".repeat(70_000)}`,
};

const FILES: Readonly<Record<string, string>> = {
  "html/small.html": 'small<!--#include virtual="/back/held/a"-->',
  "html/identity.html": '<!--#echo var="request_id"-->|<!--#include virtual="/identity-part.html"-->',
  "html/identity-part.html": '<!--#echo var="request_id"-->',
  ...Object.fromEntries(Object.entries(PAGES).map(([name, text]) => [`html/${name}.html`, text])),
  "html/part.html": "[part <!--#echo var='arg_x' default='-'-->]",
  "html/empty.html": "",
  "html/4097.html": "B".repeat(4097),
  "html/nested.html": '<<!--#include virtual="/part.html"-->>',
  "html/setter.html": '<!--#set var="fromsub" value="S"-->s',
  "html/getter.html": '(<!--#echo var="late"-->)',
  "html/outer.html": '<<!--#include virtual="/back/late" wait="yes"-->,<!--#include virtual="/part.html"-->>',
  "html/folder/x": "",
  "html/plain.txt": '<!--#echo var="uri"-->',
  "html/around.txt": "around",
};

/** Pages that tests make up. */
const MADE: Record<string, string> = {};
/** The sockets of requests that a test will answer, by path. */
const held = new Map<string, net.Socket>();
const LARGE = "0123456789abcdef".repeat(60_000);

async function drip(socket: net.Socket, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece, "latin1");
    await sleep(5);
  }
}

const CHUNKED = `HTTP/1.1 200 OK\r\n${HTML}\r\nTransfer-Encoding: chunked\r\n\r\n`;

function reply({ text }: Seen): Reply {
  const target = /^\S+ \/([^ ?]*)/.exec(text)?.[1] ?? "";
  const [name = "", offset] = target.split("@");
  const page = MADE[name] ?? FILES[`html/${name}`] ?? "none";
  if (offset !== undefined) {
    const at = Number(offset);
    const head = `HTTP/1.1 200 OK\r\n${HTML}\r\nContent-Length: ${page.length}\r\n\r\n`;
    return (socket) => void drip(socket, [head + page.slice(0, at), page.slice(at)]);
  }
  if (name.startsWith("held/")) return (socket) => void held.set(name, socket);
  switch (name) {
    case "late":
      return (socket) => setTimeout(() => socket.write(ok("[late]", HTML)), 60);
    case "drip":
      return (socket) => void drip(socket, [`${CHUNKED}4\r\n[dri\r\n`, "5\r\npping\r\n", "1\r\n]\r\n0\r\n\r\n"]);
    case "large":
      return ok(LARGE, HTML);
    case "page":
      return (socket) => socket.end(`HTTP/1.0 200 OK\r\n${HTML}\r\n\r\n[${"p".repeat(4000)}]`);
    case "endless":
      return (socket) => socket.end(`HTTP/1.0 200 OK\r\n${HTML}\r\n\r\n${"e".repeat(4097)}`);
    case "down":
      return (socket) => socket.end();
    case "short":
      return (socket) => socket.end(`HTTP/1.1 200 OK\r\n${HTML}\r\nContent-Length: 50\r\n\r\nshort`);
    case "open":
      return (socket) => socket.end(`HTTP/1.1 200 OK\r\n${HTML}\r\n\r\nopen`);
    default:
      return ok(page, HTML, 'ETag: "e"', "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT", "Accept-Ranges: bytes");
  }
}

const configuration = (back: string): string => `
  types { text/html html; text/plain txt; } default_type text/html; root %DIR%/html; proxy_temp_path %DIR%/proxy; access_log off;
  map $arg_a $mapped { default M$arg_a; }
  server { listen 127.0.0.1:%PORT%; ssi on; set $cfg conf; proxy_next_upstream off;
    location / { }
    location /silent/ { ssi_silent_errors on; alias %DIR%/html/; }
    location /kept/ { ssi_last_modified on; alias %DIR%/html/; }
    location /any/ { ssi_types *; alias %DIR%/html/; }
    location /short-values/ { ssi_value_length 4; alias %DIR%/html/; }
    location /off/ { ssi off; alias %DIR%/html/; if ($arg_on) { ssi on; } }
    location /packed/ { gzip on; gzip_min_length 1; alias %DIR%/html/; }
    location /proxied/ { proxy_pass http://${back}/; }
    location /proxied-packed/ { gzip on; gzip_min_length 1; proxy_pass http://${back}/; }
    location /unbuffered/ { proxy_buffering off; proxy_pass http://${back}/; }
    location /back/ { proxy_pass http://${back}/; }
    location /roomy/ { subrequest_output_buffer_size 2m; proxy_pass http://${back}/; }
    location /around/ { ssi off; addition_types *; add_before_body /setter.html; add_after_body /order.html; alias %DIR%/html/; }
    location /subbed/ { sub_filter part PART; sub_filter_once off; alias %DIR%/html/; }
    location /stamped/ { add_header X-Date "x\${date_gmt}x"; alias %DIR%/html/; }
    location = /stamped { ssi off; add_header X-Date "x\${date_gmt}x"; return 204; }
    location = /204 { return 204; }
    location = /301 { return 301 /x; }
    location = /return { return 200 "<!--#echo var='arg_a'-->R"; }
  }`;

function normal(text: string, server: TestServer): string {
  return text
    .replaceAll(String(server.port), "PORT")
    .replaceAll(server.folder, "DIR")
    .replace(/nginx\/[\d.]+/g, "nginx/V")
    .replace(/Date: [^\r]*/g, "Date: D");
}

function body(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

/** The error log's lines about requests, without what stands in front of them. */
function complaints(server: TestServer, from: number): readonly string[] {
  const lines = server.log("error.log").slice(from).split("\n");
  const told = lines.flatMap((line) => /\[(?:error|warn|alert)\] \S+: \*\d+ (.*)/.exec(line)?.[1] ?? []);
  const normalised = told.map((line) => normal(line, server).replace(/127\.0\.0\.1:\d+/g, "BACK"));
  // Back ends that fail at the same time do so in any order.
  return normalised.some((line) => line.includes("upstream: ")) ? normalised.sort() : normalised;
}

/** What nginx 1.22 and later tell in other words, or not at all. */
const TOLD_OTHERWISE = /buffered to a temporary file|invalid variable name|pcre/;

describe("server side includes", { timeout: 120_000 }, () => {
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

  const page = async (target: string): Promise<string> => body((await whole(target)).text);
  const whole = (target: string, version = "1.0"): ReturnType<typeof exchange> =>
    exchange(ours.port, [`GET ${target} HTTP/${version}\r\nHost: h\r\nConnection: close\r\n\r\n`], 5000);
  /** A page of its own, made by the back end. */
  const made = (text: string, prefix = "/proxied/"): Promise<string> => {
    MADE["made"] = text;
    return page(`${prefix}made`);
  };
  const isHeld = async (name: string): Promise<net.Socket> => {
    for (let tries = 0; tries < 500 && !held.has(name); tries++) await sleep(10);
    const socket = held.get(name);
    assert.ok(socket !== undefined, `${name} was asked for`);
    held.delete(name);
    return socket;
  };

  for (const prefix of ["/", "/silent/", "/kept/", "/any/", "/proxied/"]) {
    test(`${prefix}: pages and complaints are nginx's`, {
      skip: nginx === undefined && "nginx is not installed",
    }, async () => {
      assert.ok(theirs !== undefined);
      for (const name of Object.keys(PAGES)) {
        const request = `GET ${prefix}${name}.html?a=x&b=2 HTTP/1.0\r\nHost: h\r\nCookie: a=c\r\n\r\n`;
        const servers: readonly TestServer[] = [ours, theirs];
        const from = servers.map((server) => server.log("error.log").length);
        const [a, b] = await Promise.all(servers.map((server) => exchange(server.port, [request], 5000)));
        assert.ok(a !== undefined && b !== undefined);
        assert.equal(normal(a.text, ours), normal(b.text, theirs), name);
        const [told, wanted] = servers.map((server, index) =>
          complaints(server, from[index] as number)
            .filter((line) => !TOLD_OTHERWISE.test(line))
            .map((line) => line.replace(/ while (reading upstream|sending to client)/, "")),
        );
        assert.deepEqual(told, wanted, name);
      }
    });
  }

  for (const method of ["GET", "HEAD"]) {
    test(`${method}: heads are nginx's`, { skip: nginx === undefined && "nginx is not installed" }, async () => {
      const targets = [
        "/echo.html",
        "/kept/echo.html",
        "/empty.html",
        "/plain.txt",
        "/any/plain.txt",
        "/proxied/echo.html",
      ];
      for (const target of [
        ...targets,
        "/off/echo.html",
        "/off/echo.html?on=1",
        "/packed/echo.html",
        "/return",
        "/none",
      ]) {
        const lines = "Host: h\r\nRange: bytes=0-3\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
        const request = `${method} ${target} HTTP/1.1\r\n${lines}`;
        const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [request], 5000)));
        const head = (text = ""): string => text.slice(0, text.indexOf("\r\n\r\n"));
        assert.equal(normal(head(a?.text), ours), normal(head(b?.text), theirs as TestServer), target);
      }
      const since = "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n";
      const request = `${method} /kept/echo.html HTTP/1.0\r\n${since}\r\n`;
      const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [request], 5000)));
      assert.equal(normal(a?.text ?? "", ours), normal(b?.text ?? "", theirs as TestServer));
    });
  }

  test("commands do what they say", async () => {
    assert.equal(await page("/echo.html?a=1%3C"), "X1%3CYd&lt;fZ|(none)");
    assert.equal(await page("/elif.html?a=1"), `B${FAILED}${FAILED}H`);
    assert.equal(await page("/captures.html?a=cat"), "c,c,(none)[ctwo]c-two-c");
    assert.equal(await page("/block3.html"), "S");
    assert.match(await page("/identity.html"), /^([\da-f]{32})\|\1$/, "a page has one request_id");
    assert.equal(await page("/block.html?a=1").then((text) => text.slice(0, 16)), "xone 1 z[part -]");
    assert.equal(await page("/set2.html"), "a[2]");
    assert.equal(
      await made('<!--#set var="a" value="1"--><!--#include virtual="/empty.html" set="a"-->[<!--#echo var="a"-->]'),
      "[]",
    );
    assert.equal(await page("/short-values/set2.html"), `a${FAILED}[2]`);
    assert.equal(await page("/short-values/names.html"), `${FAILED}(none)(none)${FAILED}`);
    assert.equal(await page("/silent/untaken.html"), "QH");
    assert.match(
      await page("/subbed/include.html"),
      /^a<html>/,
      "sub_filter sees commands first: there is no PART.html",
    );
  });

  test("an empty message and an empty answer that is not in its turn are what they are, once", async () => {
    // nginx ends the connection over the one, and repeats the block of the other.
    assert.equal(await made('a<!--#config errmsg=""--><!--#bad-->b'), "ab");
    const block = '<!--#block name="o"-->S<!--#endblock-->';
    assert.equal(
      await made(`${block}<!--#include virtual="/back/late"--><!--#include virtual="/empty.html" stub="o"-->|`),
      "[late]S|",
    );
    assert.equal(
      await made(`${block}<!--#include virtual="/204" stub="o"--><!--#include virtual="/204" stub="o"-->`),
      "SS",
    );
  });

  test("$date_local and $date_gmt have nginx's format where no page says another", async () => {
    const stamp = /X-Date: x[A-Z][a-z]+day, \d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d GMTx\r/;
    assert.match(await ours.get("/stamped"), stamp);
    const { text } = await whole("/stamped/config.html");
    assert.match(text, stamp, "the page says it behind its head");
    assert.match(body(text), /^\[E\]\.x\d{4}$/);
    assert.match(await made('<!--#config timefmt="%s"--><!--#echo var="date_local"-->'), /^\d{10}$/);
  });

  test("every border between two pieces of a page is the same to it", async () => {
    const parts = '<!--#include virtual="/part.html"-->|<!--# echo var=\'uri\' -->|<!--#set var="a" value="$uri\\$"-->';
    const text = `<p><!-- x --><${parts}<!--#echo var="a"--><!--#bad--><!--#if expr="$a"-->y<!--#endif-->`;
    MADE["cut"] = text;
    const expected = await page("/proxied/cut");
    assert.equal(expected, `<p><!-- x --><[part -]|/proxied/cut||/proxied/cut$${FAILED}y`.replace("||", "|"));
    const offsets = Array.from({ length: text.length }, (_, at) => at);
    for (const prefix of ["/proxied/", "/unbuffered/"]) {
      const at = (offset: number): string => expected.replaceAll("/proxied/cut", `${prefix}cut@${offset}`);
      for (let from = 0; from < text.length; from += 24) {
        await Promise.all(
          offsets.slice(from, from + 24).map(async (offset) => {
            assert.equal(await page(`${prefix}cut@${offset}`), at(offset), `cut at ${offset}`);
          }),
        );
      }
    }
  });

  test("what is included runs at the same time, and comes in its order", async () => {
    const answer = made('1<!--#include virtual="/back/held/a"-->2<!--#include virtual="/back/held/b"-->3');
    const [a, b] = [await isHeld("held/a"), await isHeld("held/b")];
    b.write(ok("B", HTML));
    await sleep(20);
    a.write(ok("A", HTML));
    assert.equal(await answer, "1A2B3");
  });

  test("wait=yes waits, also in a part whose turn has not come", async () => {
    const inner = '<!--#include virtual="/back/held/c" wait="yes"-->,<!--#include virtual="/back/held/d"-->';
    const answer = made(`1<!--#include virtual="/back/held/a"-->2<!--#include virtual="/proxied/inner"-->3`);
    MADE["inner"] = inner;
    const [a, c] = [await isHeld("held/a"), await isHeld("held/c")];
    c.write(ok("C", HTML));
    await sleep(50);
    assert.ok(!held.has("held/d"), "not before it is the part's turn");
    a.write(ok("A", HTML));
    (await isHeld("held/d")).write(ok("D", HTML));
    assert.equal(await answer, "1A2C,D3");
  });

  test("a page is read ahead of its turn, but not too far", async () => {
    const filler = "x".repeat(60_000);
    const far = `${filler}<!--#include virtual="/back/held/near"-->${filler}${filler}${filler}<!--#include virtual="/back/held/far"-->`;
    const answer = made(`<!--#include virtual="/back/held/first"-->${far}`);
    const first = await isHeld("held/first");
    const near = await isHeld("held/near");
    await sleep(50);
    assert.ok(!held.has("held/far"));
    first.write(ok("1", HTML));
    near.write(ok("2", HTML));
    (await isHeld("held/far")).write(ok("3", HTML));
    assert.equal(await answer, `1${filler}2${filler}${filler}${filler}3`);
  });

  test("a part of a packet waits for a slow part of the page, more does not", async () => {
    const small = await Talker.connect(ours.port);
    MADE["small"] = 'small<!--#include virtual="/back/held/a"-->';
    MADE["more"] = `${"m".repeat(1460)}<!--#include virtual="/back/held/b"-->`;
    small.send("GET /proxied/small HTTP/1.1\r\nHost: h\r\n\r\n");
    const a = await isHeld("held/a");
    const more = await Talker.connect(ours.port);
    more.send("GET /proxied/more HTTP/1.1\r\nHost: h\r\n\r\n");
    const b = await isHeld("held/b");
    await more.until(/m{1460}\r\n$/);
    assert.equal(small.text, "");
    // The next request's answer stands behind it, and an answer in front does not wait for it.
    a.write(ok("A", HTML));
    await small.until(/^HTTP\/1\.1 200 .*\r\n\r\n5\r\nsmall\r\n1\r\nA\r\n0\r\n\r\n$/s);
    small.send("GET /204 HTTP/1.1\r\nHost: h\r\n\r\nGET /small.html HTTP/1.1\r\nHost: h\r\n\r\n");
    const again = await isHeld("held/a");
    await small.until(/204 No Content.*\r\n\r\n(HTTP.*\r\n\r\n5\r\nsmall\r\n)?$/s);
    again.write(ok("A", HTML));
    await small.until(/204 No Content.*\r\n\r\nHTTP.*5\r\nsmall\r\n1\r\nA\r\n0\r\n\r\n$/s);
    b.write(ok("B", HTML));
    await more.until(/\r\n1\r\nB\r\n0\r\n\r\n$/);
    for (const talker of [small, more]) talker.end();
  });

  test("an unbuffered page goes out as it comes", async () => {
    MADE["flushed"] = 'now<!--#include virtual="/back/held/a"-->';
    const talker = await Talker.connect(ours.port);
    talker.send("GET /unbuffered/flushed HTTP/1.1\r\nHost: h\r\n\r\n");
    const a = await isHeld("held/a");
    await talker.until(/\r\n\r\n3\r\nnow\r\n$/);
    a.write(ok("A", HTML));
    await talker.until(/1\r\nA\r\n0\r\n\r\n$/);
    talker.end();
  });

  test("an unbuffered part goes out as it comes", async () => {
    MADE["dripping"] = 'x<!--#include virtual="/unbuffered/held/a"-->';
    const talker = await Talker.connect(ours.port);
    talker.send("GET /proxied/dripping HTTP/1.1\r\nHost: h\r\n\r\n");
    const a = await isHeld("held/a");
    a.write(`${CHUNKED}3\r\nnow\r\n`);
    await talker.until(/1\r\nx\r\n3\r\nnow\r\n$/);
    a.write("5\r\nlater\r\n0\r\n\r\n");
    await talker.until(/5\r\nlater\r\n0\r\n\r\n$/);
    talker.end();
  });

  test("large parts reach a client that reads slowly, packed or not", async () => {
    const text = `<!--#include virtual="/back/large"-->-${LARGE}-<!--#include virtual="/back/large" wait="yes"--><!--#include virtual="/back/late"-->`;
    MADE["heavy"] = text;
    const expected = `${LARGE}-${LARGE}-${LARGE}[late]`;
    for (const prefix of ["/proxied/", "/unbuffered/", "/proxied-packed/"]) {
      const talker = await Talker.connect(ours.port);
      talker.send(`GET ${prefix}heavy HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n`);
      talker.socket.pause();
      await sleep(300);
      talker.socket.resume();
      await talker.closed;
      const isPacked = /Content-Encoding: gzip/.test(talker.text);
      const bytes = Buffer.from(body(talker.text), "latin1");
      assert.ok((isPacked ? gunzipSync(bytes) : bytes).toString("latin1") === expected, prefix);
    }
    const packed = await exchange(
      ours.port,
      ["GET /proxied-packed/heavy HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"],
      5000,
    );
    assert.match(packed.text, /Content-Encoding: gzip/);
  });

  test("an answer that becomes a variable may have as many bytes as subrequest_output_buffer_size", async () => {
    const echo = '<!--#echo var="x" encoding="none"-->';
    assert.equal(await made(`<!--#include virtual="/roomy/large" set="x"-->${echo}`), LARGE);
    const from = ours.log("error.log").length;
    assert.equal((await whole("/large.html")).text, "", "nothing was sent before");
    assert.match(
      complaints(ours, from).join("\n"),
      /^too big subrequest response: 4097 while sending response to client, .*subrequest: "\/4097.html"/m,
    );
    assert.equal(
      await made(`<!--#include virtual="/back/page" set="x"-->${echo}`),
      `[${"p".repeat(4000)}]`,
      "4002 of 4096",
    );
    assert.equal(await made(`a<!--#include virtual="/back/drip" set="x"-->${echo}${echo}`), "a[dripping][dripping]");
  });

  test("what a page remembers has a bound", async () => {
    const twice = '<!--#set var="a" value="$a$a"-->';
    const from = ours.log("error.log").length;
    assert.equal(
      await made(`<!--#set var="a" value="xxxxxxxxxxxxxxxx"-->${twice.repeat(18)}<!--#if expr="$a"-->y<!--#endif-->`),
      "y",
    );
    assert.equal((await made(`<!--#set var="a" value="xxxxxxxxxxxxxxxx"-->${twice.repeat(40)}y`)).includes("y"), false);
    const block = `<!--#block name="b"-->${LARGE.repeat(18)}<!--#endblock-->y`;
    assert.equal((await made(block)).includes("y"), false);
    const told = complaints(ours, from).filter((line) => line.includes("need too much memory"));
    assert.equal(told.length, 2);
    assert.equal(await made("still<!--#set var='a' value='$a$a'--> here"), "still here");
  });

  test("a page around another one, and parts of a page that has none of its own, share their variables", async () => {
    assert.equal(await page("/around/around.txt"), "saroundss[S]".replace("ss[S]", "s[S]s[S]"));
    assert.equal(await page("/off/echo.html"), PAGES["echo"]);
  });

  test("a client that goes away leaves nothing behind", async () => {
    MADE["left"] = 'x<!--#include virtual="/back/held/a"--><!--#include virtual="/back/held/b" set="v"-->';
    const talker = await Talker.connect(ours.port);
    talker.send("GET /proxied/left HTTP/1.1\r\nHost: h\r\n\r\n");
    const [a, b] = [await isHeld("held/a"), await isHeld("held/b")];
    const ended = Promise.all([a, b].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
    talker.socket.destroy();
    await ended;
    assert.equal(await made("on"), "on");
  });
});
