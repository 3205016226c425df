/** Settings of the http core one by one, each in a location of its own: answers, and what the logs say of them, next to nginx's. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, utimesSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exchange, installedNginx, normal, TestServer } from "./http-server.ts";
import { BackEnd } from "./support/back-end.ts";

const nginx = installedNginx();
const MODIFIED_S = 1_700_000_000;
const FILES = {
  "html/long": "x".repeat(8200),
  "html/short": "y".repeat(1000),
  "html/a.txt": "0123456789",
  "html/404.html": "not here",
  "html/d/x": "",
  "html/empty": "",
};

const HTTP = (address: string): string => `
  log_format short "$request_method $uri $status $body_bytes_sent $sent_http_connection";
  access_log %DIR%/logs/short.log short;
  server_tokens off;
  server {
    listen 127.0.0.1:%PORT%; server_name first.example second.example; root %DIR%/html;
    location / { }
    location /once/ { error_page 404 /once/again; error_page 403 /denied; location /once/again { error_page 404 /never; return 404; } }
    location /often/ { recursive_error_pages on; error_page 404 /often/again;
      location /often/again { error_page 404 = @last; return 404; } }
    location @last { return 200 "last"; }
    location /loop/ { recursive_error_pages on; error_page 404 /loop/x; }
    location /logged { log_subrequest on; add_before_body /a.txt; default_type text/html; return 200 "main"; }
    location /unlogged { add_before_body /a.txt; default_type text/html; return 200 "main"; }
    location /padded { return 404; }
    location /bare { msie_padding off; return 404; }
    location /refreshed { msie_refresh on; return 302 /x?a=<b>; }
    location /refreshed-elsewhere { msie_refresh on; error_page 404 http://e.example/; return 404; }
    location /named { server_name_in_redirect on; return 302 /x; }
    location /named-here { server_name_in_redirect on; port_in_redirect off; return 302 /x; }
    location /relative/ { absolute_redirect off; alias %DIR%/html/; }
    location /unchunked { chunked_transfer_encoding off; proxy_pass http://${address}/length; }
    location /chunked { proxy_pass http://${address}/length; }
    location /any-time { if_modified_since off; alias %DIR%/html/a.txt; }
    location /before { if_modified_since before; alias %DIR%/html/a.txt; }
    location /exact { alias %DIR%/html/a.txt; }
    location /weak { etag off; alias %DIR%/html/a.txt; }
    location /quiet { log_not_found off; root %DIR%/none; }
    location /loud { root %DIR%/none; }
    location /kept { open_file_cache max=10; open_file_cache_errors on; root %DIR%/none; }
    location /kept-file { open_file_cache max=10 inactive=1s; open_file_cache_min_uses 2; alias %DIR%/html/a.txt; }
    location /told { rewrite_log on; rewrite ^/told/(.*)$ /a.$1 last; }
    location /unset { if ($arg_a) { set $never 1; } return 200 "[$never]"; }
    location /unset-quiet { uninitialized_variable_warn off; if ($arg_a) { set $never2 1; } return 200 "[$never2]"; }
    location /file-only { client_body_in_file_only on; proxy_pass http://${address}/body; proxy_set_header X-File $request_body_file; }
    location /file-clean { client_body_in_file_only clean; proxy_pass http://${address}/body; proxy_set_header X-File $request_body_file; }
    location /one-buffer { client_body_in_single_buffer on; proxy_pass http://${address}/body; proxy_set_header X-Body $request_body; }
    location /small-buffer { client_body_buffer_size 8; proxy_pass http://${address}/body; proxy_set_header X-Body $request_body; }
    location /any { satisfy any; deny all; allow 127.0.0.1; return 200 any; }
    location /kind { types { text/x-kind kind; } default_type text/x-other; alias %DIR%/html/; }
    location /no-safari { keepalive_disable safari; return 200 x; }
    location /no-msie { keepalive_disable msie6; return 200 x; }
    location /no-none { keepalive_disable none; return 200 x; }
    location /never-lingers { lingering_close off; return 200 x; }
    location /always-lingers { lingering_close always; lingering_timeout 300ms; return 200 x; }
    location /big-body { client_max_body_size 5; return 200 x; }
    location /tokens { server_tokens on; return 404; }
    location /build { server_tokens build; return 404; }
    location /limited { limit_except GET { deny all; } return 200 x; }
    location /internal { internal; return 200 x; }
    location /slow-behind { limit_rate 200; limit_rate_after 8000; alias %DIR%/html/long; }
    location /slow { limit_rate 200; alias %DIR%/html/short; }
    location /named-only { return 200 "$server_name $host $http_host"; }
  }
  server {
    listen 127.0.0.1:%PORT%; server_name odd.example;
    underscores_in_headers on; ignore_invalid_headers off; merge_slashes off;
    location / { return 200 "[$http_a_b] [$http_c] [$uri]"; }
  }
  server {
    listen 127.0.0.1:%PORT%; server_name strict.example;
    location / { return 200 "[$http_a_b] [$http_c] [$uri]"; }
  }
`;

let ours: TestServer;
let theirs: TestServer | undefined;
let backEnd: BackEnd;

before(async () => {
  backEnd = await BackEnd.listen(({ text }) =>
    text.includes("/length")
      ? (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end")
      : `HTTP/1.1 200 OK\r\nX-Seen: ${/^X-File: (.*)\r$/m.exec(text)?.[1] ?? ""}\r\nX-Body: ${/^X-Body: (.*)\r$/m.exec(text)?.[1] ?? ""}\r\nContent-Length: 2\r\n\r\nok`,
  );
  const text = HTTP(backEnd.address);
  ours = await TestServer.start(text, { files: FILES });
  if (nginx !== undefined) theirs = await TestServer.start(text, { binary: nginx, files: FILES });
  for (const server of both()) {
    for (const name of Object.keys(FILES)) utimesSync(path.join(server.folder, name), MODIFIED_S, MODIFIED_S);
  }
});

after(async () => {
  await ours?.stop();
  await theirs?.stop();
  backEnd?.close();
});

function both(): readonly TestServer[] {
  return theirs === undefined ? [ours] : [ours, theirs];
}

/** Lines of the logs since they were looked at last, without what differs by nature. */
class LogReader {
  private readonly server: TestServer;
  private readonly read = new Map<string, number>();

  constructor(server: TestServer) {
    this.server = server;
  }

  fresh(name: string): readonly string[] {
    const text = existsSync(path.join(this.server.folder, "logs", name)) ? this.server.log(name) : "";
    const lines = text
      .slice(this.read.get(name) ?? 0)
      .split("\n")
      .slice(0, -1);
    this.read.set(name, text.length);
    return lines.map((line) =>
      normal(line, this.server)
        .replace(/^\S+ \S+ \[/, "[")
        .replace(/\] \d+#\d+: \*\d+ /, "] ")
        .replace(/\/\d{10}/g, "/N"),
    );
  }
}

/** Messages that are about processes, not about requests. */
const OTHER = /\[notice\] \d|client 127\.0\.0\.1 closed keepalive connection|signal process started/;

/** Sends the same to both, whose answers and log lines must be the same; ours are returned. */
async function compare(...pieces: string[]): Promise<Exchange & { readonly errors: readonly string[] }> {
  const results: {
    readonly exchange: Exchange;
    readonly errors: readonly string[];
    readonly accesses: readonly string[];
  }[] = [];
  for (const server of both()) {
    const logs = readers.get(server) ?? new LogReader(server);
    readers.set(server, logs);
    logs.fresh("error.log");
    logs.fresh("short.log");
    const exchange = await server.exchange(...pieces);
    // A line may come behind its answer; that of a request whose body is awaited comes when its client has gone.
    const wanted = Math.max(1, exchange.text.split("HTTP/1.1 ").length - 1);
    const accesses = [...logs.fresh("short.log")];
    for (let tries = 0; tries < 50 && accesses.length < wanted; tries++) {
      await sleep(10);
      accesses.push(...logs.fresh("short.log"));
    }
    const errors = logs.fresh("error.log").filter((line) => !OTHER.test(line));
    results.push({ exchange, errors, accesses });
  }
  const [mine, other] = results as [(typeof results)[0], (typeof results)[0] | undefined];
  if (other !== undefined && theirs !== undefined) {
    const shown = JSON.stringify(pieces).slice(0, 200);
    assert.equal(normal(mine.exchange.text, ours), normal(other.exchange.text, theirs), shown);
    assert.equal(mine.exchange.closed, other.exchange.closed, `closed: ${shown}`);
    assert.deepEqual(mine.errors, other.errors, shown);
    assert.deepEqual(mine.accesses, other.accesses, shown);
  }
  return { ...mine.exchange, errors: mine.errors };
}
const readers = new Map<TestServer, LogReader>();

function kept(target: string, ...lines: string[]): string {
  return `GET ${target} HTTP/1.1\r\nHost: first.example\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

function get(target: string, ...lines: string[]): string {
  return kept(target, ...lines, "Connection: close");
}

function post(target: string, body: string, ...lines: string[]): string {
  const fields = ["Host: first.example", `Content-Length: ${body.length}`, ...lines].join("\r\n");
  return `POST ${target} HTTP/1.1\r\n${fields}\r\n\r\n${body}`;
}

const MSIE = "User-Agent: Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1)";
const MSIE6 = "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)";
const CHROME = "User-Agent: Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Safari/537.36";
const SAFARI =
  "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X) AppleWebKit/534.59 (KHTML, like Gecko) Version/5.1 Safari/534.57";

test("error pages of error pages", async () => {
  assert.match((await compare(get("/once/x"))).text, /404 Not Found<\/h1>/);
  assert.match((await compare(get("/often/x"))).text, /last$/);
  assert.match((await compare(get("/loop/y"))).text, /^HTTP\/1.1 500 /);
});

test("subrequests in the access log", async () => {
  assert.match((await compare(get("/logged"))).text, /0123456789/);
  await compare(get("/unlogged"));
});

test("pages for old browsers", async () => {
  for (const agent of [MSIE, CHROME, SAFARI])
    for (const target of ["/padded", "/bare"]) await compare(get(target, agent));
  assert.match((await compare(get("/padded", MSIE))).text, /padding to disable MSIE/);
  assert.match((await compare(get("/refreshed", MSIE))).text, /<meta http-equiv="Refresh"/);
  for (const target of ["/refreshed", "/refreshed-elsewhere"])
    for (const agent of [MSIE, CHROME]) await compare(get(target, agent));
  for (const target of ["/no-safari", "/no-msie", "/no-none"])
    for (const agent of [MSIE6, MSIE, SAFARI, CHROME]) await compare(kept(target, agent), post(target, "x", agent));
});

test("where redirects lead", async () => {
  for (const target of ["/named", "/named-here", "/relative/d", "/d"]) {
    await compare(get(target));
    await compare(`GET ${target} HTTP/1.0\r\n\r\n`);
    await compare(`GET ${target} HTTP/1.1\r\nHost: Other.Example:99\r\n\r\n`);
  }
  assert.match((await compare(get("/named"))).text, /Location: http:\/\/first.example:\d+\/x\r/);
});

test("bodies of unknown length", async () => {
  assert.match((await compare(get("/unchunked"))).text, /Connection: close\r\n\r\nuntil the end$/);
  await compare(get("/chunked"));
  await compare("GET /chunked HTTP/1.0\r\n\r\n");
});

test("conditions", async () => {
  const times = [
    "Tue, 14 Nov 2023 22:13:19 GMT",
    "Tue, 14 Nov 2023 22:13:20 GMT",
    "Tue, 14 Nov 2023 22:13:21 GMT",
    "nonsense",
  ];
  for (const target of ["/any-time", "/before", "/exact", "/weak"]) {
    for (const time of times) await compare(get(target, `If-Modified-Since: ${time}`));
    await compare(get(target, 'If-None-Match: "x"'));
  }
  assert.match((await compare(get("/before", `If-Modified-Since: ${times[2]}`))).text, /^HTTP\/1.1 304 /);
  assert.match((await compare(get("/any-time", `If-Modified-Since: ${times[1]}`))).text, /^HTTP\/1.1 200 /);
});

test("what is told of missing files, rewriting and variables", async () => {
  assert.equal((await compare(get("/quiet"))).errors.length, 0);
  assert.equal((await compare(get("/loud"))).errors.length, 1);
  for (let i = 0; i < 2; i++) {
    await compare(get("/kept"));
    await compare(get("/kept-file"));
  }
  assert.ok((await compare(get("/told/txt"))).errors.some((line) => line.includes("rewritten data")));
  await compare(get("/told"));
  assert.equal((await compare(get("/unset"))).errors.length, 1);
  assert.equal((await compare(get("/unset-quiet"))).errors.length, 0);
});

test("bodies in files and in memory", async () => {
  for (const target of ["/file-only", "/file-clean", "/one-buffer", "/small-buffer"]) {
    for (const body of ["", "abc", "0123456789abcdef"]) {
      // Names of temporary files differ, and so do lengths of lines with them.
      const [mine] = await Promise.all(
        both().map(async (server) => (await server.exchange(post(target, body))).text.replace(/\/\d{10}/, "/N")),
      );
      assert.match(mine as string, /ok$/, target);
    }
  }
  for (const [target, stays] of [
    ["/file-only", true],
    ["/file-clean", false],
  ] as const) {
    for (const server of both()) {
      const { text } = await server.exchange(post(target, "abc"));
      const file = /X-Seen: (.*)\r/.exec(text)?.[1] ?? "";
      assert.match(file, /\/\d{10}$/);
      assert.equal(existsSync(file), stays, target);
      if (stays) assert.equal(readFileSync(file, "latin1"), "abc");
    }
  }
  assert.match((await compare(post("/one-buffer", "abc"))).text, /X-Body: abc\r/);
  await compare(post("/small-buffer", "abc"));
});

test("access, types and methods", async () => {
  for (const target of ["/any", "/kind/a.txt", "/kind/x.kind", "/limited", "/internal", "/tokens", "/named-only"]) {
    for (const method of ["GET", "HEAD", "POST", "OPTIONS", "TRACE"]) {
      await compare(`${method} ${target} HTTP/1.1\r\nHost: first.example\r\nConnection: close\r\n\r\n`);
    }
  }
  await compare("GET /named-only HTTP/1.1\r\nHost: SECOND.example:81\r\n\r\n");
});

test("the end of a connection", async () => {
  for (const target of ["/never-lingers", "/always-lingers", "/big-body"]) {
    await compare(kept(target));
    await compare(get(target));
    await compare(post(target, "0123456789", "Connection: close"));
    await compare(post(target, "0123456789"));
  }
  await compare("POST /big-body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
});

test("names of header lines, and slashes", async () => {
  const lines = ["A_B: 1", "C : 2", "C: 3", "D/E: 4", "A-B: 5", "\u0080: 6", ": 7", "F F: 8"];
  for (const host of ["odd.example", "strict.example"]) {
    for (const line of lines)
      await compare(`GET //x///y HTTP/1.1\r\nHost: ${host}\r\n${line}\r\nConnection: close\r\n\r\n`);
    await compare(`GET //x/../..//y HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  }
});

test("what limit_rate_after lets through takes no time", async () => {
  for (const server of both()) {
    const ended: string[] = [];
    const ask = async (target: string): Promise<string> => {
      const socket = net.connect(server.port, "127.0.0.1");
      let text = "";
      socket.on("data", (data) => {
        text += data.toString("latin1");
      });
      socket.write(get(target));
      await once(socket, "end");
      socket.destroy();
      ended.push(target);
      return text;
    };
    const texts = await Promise.all([ask("/slow"), ask("/slow-behind")]);
    assert.match(texts[0], /y{1000}$/);
    assert.match(texts[1], /x{8200}$/);
    assert.deepEqual(ended, ["/slow-behind", "/slow"]);
  }
});
