/** Every variable that a request has by itself, as it is logged: literal values, and nginx's beside them where it is installed. */
import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { findVariable } from "../src/conf/describe.ts";
import { describeVariables } from "../src/http/modules.ts";
import { exchange, installedNginx, TestServer } from "./http-server.ts";

/** The head of a request with everything in it that a variable shows. */
const HEAD = [
  "Host: Name.test:81",
  "User-Agent: agent",
  "Referer: http://r/",
  "Via: a",
  "X-Forwarded-For: 192.0.2.1",
  "X-Forwarded-For: 192.0.2.2",
  "Cookie: a=1; B=2",
  "Cookie: c=3",
  "Content-Type: text/x",
  "Content-Length: 3",
  "Authorization: Basic dXNlcjpwYXNz",
  "X-Odd-Name: 1",
  "x-odd-name: 2",
  "Connection: close",
];
const POST = `POST /p/a%20b?A=1&b=2&a=3 HTTP/1.1\r\n${HEAD.join("\r\n")}\r\n\r\n`;
const DATE = /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}$/;
const SECONDS = /^\d+\.\d{3}$/;

/** What a proxied POST has; `PORT`, `DIR` and `BACK` stand for the server's. */
const PROXIED: Readonly<Record<string, string | RegExp>> = {
  arg_a: "1",
  arg_b: "2",
  arg_c: "",
  args: "A=1&b=2&a=3",
  binary_remote_addr: "\x7f\0\0\x01",
  body_bytes_sent: "5",
  bytes_sent: /^\d{3}$/,
  connection: /^\d+$/,
  connection_requests: "1",
  connection_time: SECONDS,
  content_length: "3",
  content_type: "text/x",
  cookie_a: "1",
  cookie_b: "2",
  cookie_c: "3",
  document_root: "DIR/html",
  document_uri: "/p/a b",
  host: "name.test",
  hostname: os.hostname().toLowerCase(),
  http_cookie: "a=1; B=2; c=3",
  http_host: "Name.test:81",
  http_referer: "http://r/",
  http_user_agent: "agent",
  http_via: "a",
  http_x_forwarded_for: "192.0.2.1, 192.0.2.2",
  https: "",
  is_args: "?",
  limit_rate: "0",
  msec: SECONDS,
  nginx_version: /^1\.\d+\.\d+$/,
  pid: /^\d+$/,
  pipe: ".",
  proxy_add_x_forwarded_for: "192.0.2.1, 192.0.2.2, 127.0.0.1",
  proxy_host: "127.0.0.1:BACK",
  proxy_port: "BACK",
  proxy_protocol_addr: "",
  proxy_protocol_port: "",
  proxy_protocol_server_addr: "",
  proxy_protocol_server_port: "",
  query_string: "A=1&b=2&a=3",
  realip_remote_addr: "127.0.0.1",
  realip_remote_port: /^\d+$/,
  realpath_root: "DIR/html",
  remote_addr: "127.0.0.1",
  remote_port: /^\d+$/,
  remote_user: "user",
  request: "POST /p/a%20b?A=1&b=2&a=3 HTTP/1.1",
  request_body: "xyz",
  request_body_file: "",
  request_completion: "OK",
  request_filename: "DIR/html/p/a b",
  request_id: /^[0-9a-f]{32}$/,
  request_length: String(POST.length + 3),
  request_method: "POST",
  request_time: SECONDS,
  request_uri: "/p/a%20b?A=1&b=2&a=3",
  scheme: "http",
  sent_http_cache_control: "no-cache, private",
  sent_http_connection: "close",
  sent_http_content_length: "5",
  sent_http_content_type: "text/y; charset=z",
  sent_http_keep_alive: "",
  sent_http_last_modified: "Sun, 09 Sep 2001 01:46:40 GMT",
  sent_http_link: "<a>, <b>",
  sent_http_location: "",
  sent_http_transfer_encoding: "",
  sent_trailer_x: "",
  server_addr: "127.0.0.1",
  server_name: "first.test",
  server_port: "PORT",
  server_protocol: "HTTP/1.1",
  status: "200",
  tcpinfo_rcv_space: /^\d{4,}$/,
  tcpinfo_rtt: /^\d+$/,
  tcpinfo_rttvar: /^\d+$/,
  tcpinfo_snd_cwnd: /^\d+$/,
  time_iso8601: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/,
  time_local: DATE,
  upstream_addr: "127.0.0.1:BACK",
  upstream_bytes_received: /^\d{3}$/,
  upstream_bytes_sent: /^\d{3}$/,
  upstream_connect_time: SECONDS,
  upstream_cookie_s: "t",
  upstream_header_time: SECONDS,
  upstream_response_length: "5",
  upstream_response_time: SECONDS,
  upstream_status: "200",
  uri: "/p/a b",
};
/** Later than some nginx that is installed. */
const NEWER: Readonly<Record<string, string | RegExp>> = {
  is_request_port: ":",
  upstream_http_x_odd_name: "3, 4",
  sent_http_x_odd_name: "3, 4",
  http_x_odd_name: "1, 2",
  proxy_protocol_tlv_alpn: "",
  request_port: "81",
};

function configuration(names: readonly string[], back: number): string {
  const format = names.map((name) => `${name}=[$${name}]`).join("|");
  return `log_format all escape=none '${format}'; access_log logs/all.log all;
    log_format agents '$http_user_agent|$http_referer|$content_type'; access_log logs/agents.log agents;
    server { listen 127.0.0.1:%PORT%; listen unix:%DIR%/s.sock; server_name first.test second.test; root %DIR%/html;
      location /p/ { proxy_pass http://127.0.0.1:${back}; proxy_http_version 1.0; proxy_set_header Connection close; }
      location /p/epoch { expires epoch; proxy_pass http://127.0.0.1:${back}; }
      location /unix { proxy_pass http://unix:%DIR%/s.sock:/x; }
      location /trailer { add_trailer X "t$status"; return 200 x; }
      location /trailers { add_trailer X one; add_trailer X two; add_trailer Y $sent_trailer_x; return 200 x; }
      location /rate { set $limit_rate 4k; return 200 $limit_rate; }
      location /args { set $args "z=1"; return 200 "$args $query_string $arg_z $request_uri"; }
      location /moved { return 301 /there; }
      location / { return 204; } }`;
}

let theirs: TestServer | undefined;
let ours: TestServer;
let back: http.Server;
let backPort = 0;

before(async () => {
  back = http.createServer((request, response) => {
    request.resume().on("end", () => {
      response.setHeader("Content-Type", "text/y; charset=z");
      response.setHeader("Cache-Control", ["no-cache", "private"]);
      response.setHeader("Link", ["<a>", "<b>"]);
      response.setHeader("X-Odd-Name", ["3", "4"]);
      response.setHeader("Set-Cookie", ["r=q; path=/", "s=t"]);
      response.setHeader("Last-Modified", "Sun, 09 Sep 2001 01:46:40 GMT");
      response.setHeader("Content-Length", 5);
      response.end("hello");
    });
  });
  await new Promise<void>((resolve) => back.listen(0, "127.0.0.1", resolve));
  backPort = (back.address() as AddressInfo).port;
  ours = await TestServer.start(configuration([...Object.keys(PROXIED), ...Object.keys(NEWER)], backPort));
  const nginx = installedNginx();
  if (nginx !== undefined)
    theirs = await TestServer.start(configuration(Object.keys(PROXIED), backPort), { binary: nginx });
});

after(async () => {
  back.close();
  await ours.stop();
  await theirs?.stop();
});

/** Every exchange here is ended by the server: a slow one is waited for. */
const PATIENCE_MS = 10_000;

/** The variables of the last request, by name. */
async function logged(server: TestServer, ...pieces: string[]): Promise<ReadonlyMap<string, string>> {
  const before = sizeOf(server);
  await exchange(server.port, pieces, PATIENCE_MS);
  for (let tries = 0; tries < 500 && sizeOf(server) === before; tries++) await sleep(20);
  const lines = server.log("all.log").slice(before).trimEnd().split("]\n");
  const last = lines.at(-1)?.replace(/\]$/, "") ?? "";
  return new Map(last.split("]|").map((part) => part.split("=[", 2) as [string, string]));
}

function sizeOf(server: TestServer): number {
  return server.log("all.log").length;
}

function compare(server: TestServer, found: ReadonlyMap<string, string>, expected: typeof PROXIED): void {
  for (const [name, value] of Object.entries(expected)) {
    const text = found.get(name) ?? "not there";
    if (typeof value !== "string") assert.match(text, value, name);
    else {
      const filled = value.replace("PORT", String(server.port)).replace("DIR", server.folder);
      assert.equal(text, filled.replace("BACK", String(backPort)), name);
    }
  }
}

/** The same for both. */
async function both(pieces: readonly string[], expected: typeof PROXIED): Promise<void> {
  for (const server of theirs === undefined ? [ours] : [ours, theirs])
    compare(server, await logged(server, ...pieces), expected);
}

test("a proxied request has every variable", async () => {
  await both([POST, "xyz"], PROXIED);
  compare(ours, await logged(ours, POST, "xyz"), NEWER);
});

test("lines that come several times are joined", async () => {
  const lines = ["User-Agent: a", "User-Agent: b", "Referer: c", "Referer: d", "Content-Type: e", "Content-Type: f"];
  compare(ours, await logged(ours, `GET / HTTP/1.0\r\n${lines.join("\r\n")}\r\n\r\n`), {
    content_type: "e, f",
    http_referer: "c, d",
    http_user_agent: "a, b",
  });
  assert.match(ours.log("agents.log"), /^a, b\|c, d\|e, f$/m);
});

test("a request that expects a go-ahead gets it, even for no body", async () => {
  const { text } = await exchange(
    ours.port,
    ["GET /p/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"],
    PATIENCE_MS,
  );
  assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
});

test("a request of few words has few", async () => {
  await both(["GET / HTTP/1.0\r\n\r\n"], {
    args: "",
    content_length: "",
    host: "first.test",
    http_host: "",
    is_args: "",
    remote_user: "",
    request_body: "",
    request_length: "18",
    sent_http_connection: "close",
    server_protocol: "HTTP/1.0",
    status: "204",
    upstream_addr: "",
    upstream_status: "",
  });
});

test("of a request line that is refused there is only the line", async () => {
  const none = { args: "", http_host: "", request_method: "", request_uri: "", server_protocol: "", uri: "" };
  await both(["GET /x HTTP/2.0\r\nHost: a\r\n\r\n"], { ...none, request: "GET /x HTTP/2.0", status: "505" });
  await both(["bad\r\n\r\n"], { ...none, request: "bad", status: "400" });
  await both(["GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"], {
    http_host: "",
    request_length: "19",
    request_method: "GET",
    request_uri: "",
    status: "400",
  });
});

test("answers show where they lead, what trails them and how fast they go", async () => {
  const get = (target: string): string[] => [`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`];
  await both(get("/trailer"), { sent_trailer_x: "t200", sent_http_transfer_encoding: "chunked" });
  await both(get("/rate"), { limit_rate: "4096" });
  await both(get("/moved"), { sent_http_location: /^http:\/\/a:\d+\/there$/, status: "301" });
  compare(ours, await logged(ours, ...get("/trailers")), { sent_trailer_x: "one, two" });
  assert.match((await exchange(ours.port, get("/args?y=2"), PATIENCE_MS)).text, /\r\n\r\nz=1 z=1 1 \/args\?y=2$/);
});

test("expires takes the place of what the upstream has said", async () => {
  await both(["GET /p/epoch HTTP/1.0\r\n\r\n"], { sent_http_cache_control: "no-cache" });
  const answer = (await exchange(ours.port, ["GET /p/epoch HTTP/1.0\r\n\r\n"], PATIENCE_MS)).text;
  assert.deepEqual(answer.match(/^(Expires|Cache-Control): .*$/gm), [
    "Cache-Control: no-cache",
    "Expires: Thu, 01 Jan 1970 00:00:01 GMT",
  ]);
});

test("of a client at a unix socket there is no address, port or TCP", async () => {
  await exchange(ours.port, ["GET /unix HTTP/1.0\r\n\r\n"], PATIENCE_MS);
  for (let tries = 0; tries < 500 && ours.log("all.log").includes("uri=[/unix]") === false; tries++) await sleep(20);
  const line =
    ours
      .log("all.log")
      .split("\n")
      .find((text) => text.includes("|uri=[/x]")) ?? "";
  for (const part of ["remote_addr=[unix:]", "remote_port=[]", "server_port=[]", "tcpinfo_rtt=[]", "remote_port=[]"])
    assert.ok(line.includes(part), `${part} in ${line}`);
});

test("every variable is known to the program that explains, and no other", () => {
  const known = describeVariables();
  for (const name of Object.keys({ ...PROXIED, ...NEWER })) assert.ok(findVariable(name, known).length > 0, name);
  for (const name of ["http", "arg", "uris", "upstream_", ""]) assert.deepEqual(findVariable(name, known), [], name);
  for (const { name, doc } of known) assert.match(doc, /^\S.*\.$/, name);
});
