/**
 * Requests that are refused, broken off or odd: what the client gets and what the logs say. Each of these was found by `npm run fuzz -- http1`.
 * The logs are asked when a later request, over a connection of its own, has been logged.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";

const LOGS = `access_log %DIR%/logs/seen.log seen; error_log %DIR%/logs/errors.log info;`;
const HTTP = `
  log_format seen escape=none '"$request" $status l=$request_length n=$connection_requests c=$request_completion m=$request_method '
    'u=$uri a=[$args] r=$request_uri p=[$server_protocol] h=$http_host s=$server_name cl=$content_length b=[$request_body] x=$http_x_y';
  log_format marked '$status m=[$request_method] u=[$uri] a=[$args] r=[$request_uri] p=[$server_protocol] b=[$request_body] cl=[$content_length]';
  client_header_timeout 500ms; keepalive_timeout 2s; lingering_timeout 500ms; proxy_http_version 1.0; root %DIR%/html;
  server {
    listen 127.0.0.1:%PORT%; server_name first; ${LOGS} access_log %DIR%/logs/marked.log marked;
    client_header_buffer_size 256; large_client_header_buffers 2 512; merge_slashes on; client_body_buffer_size 1k;
    location / { return 200 "cl=$content_length"; }
    location /back { proxy_pass http://127.0.0.1:%PORT%/end; }
    location /small { client_max_body_size 10; proxy_pass http://127.0.0.1:%PORT%/end; }
    location /file { client_body_in_file_only clean; proxy_pass http://127.0.0.1:%PORT%/end; }
    location /stream { client_body_in_file_only clean; proxy_request_buffering off; proxy_pass http://127.0.0.1:%PORT%/end; }
    location /end { access_log off; return 204; }
    location /slow { client_body_timeout 100ms; proxy_pass http://127.0.0.1:%PORT%/end; }
    location /none { root %DIR%/none; }
  }
  server {
    listen 127.0.0.1:%PORT%; server_name second; ${LOGS} underscores_in_headers on; large_client_header_buffers 3 1k;
    location / { return 200 "$http_x_y"; }
  }
  server {
    listen 127.0.0.1:%PORT%; server_name paged; ${LOGS} large_client_header_buffers 2 512; error_page 400 413 494 /page;
    location / { client_max_body_size 5; proxy_pass http://127.0.0.1:%PORT%/end; }
    location /page { return 200 "page $status"; }
    location /r.txt { error_page 416 =200 /page; }
  }`;
const HOST = "Host: first\r\n";

let server: TestServer;

before(async () => {
  server = await TestServer.start(HTTP, { files: { "html/r.txt": "range" } });
});

after(() => server.stop());

/** What pieces of bytes bring: the answer, and what was added to the logs. */
async function say(
  ...pieces: string[]
): Promise<{ text: string; closed: boolean; seen: string; marked: string; errors: string }> {
  const files = ["seen.log", "marked.log", "errors.log"] as const;
  const before = files.map((name) => server.log(name).length);
  const { text, closed } = await server.exchange(...pieces);
  const mark = `/mark-${Math.random()}`;
  await server.exchange(`GET ${mark} HTTP/1.0\r\n\r\n`);
  const added = (): string[] => files.map((name, i) => server.log(name).slice(before[i]));
  for (let tries = 0; tries < 200 && !added()[0]?.includes(mark); tries++) await sleep(10);
  const [seen, marked, errors] = added().map((log) =>
    log.split("\n").filter((line) => line !== "" && !line.includes("/mark-")),
  );
  return {
    text,
    closed,
    seen: (seen ?? []).join("\n"),
    marked: (marked ?? []).join("\n"),
    errors: (errors ?? []).join("\n"),
  };
}

test("a path that is malformed is refused when its line has come, not when the head is whole", async () => {
  const { text, closed, seen } = await say("GET /%zz HTTP/1.1\r\nX-Y: 1\r\n");
  assert.match(text, /^HTTP\/1.1 400 /);
  assert.equal(closed, true);
  assert.match(seen, /^"GET \/%zz HTTP\/1.1" 400 l=19 n=1 c=OK m=GET u= a=\[\] r= p=\[HTTP\/1.1\] h= /);
});

test("a host that is malformed is refused when its line has come", async () => {
  const { text, seen, errors } = await say("GET / HTTP/1.1\r\nHost: a/b\r\nX-Y: 1\r\n");
  assert.match(text, /^HTTP\/1.1 400 /);
  assert.match(seen, / 400 l=27 .* h=a\/b .* x=$/);
  assert.match(errors, /client sent invalid host header while reading client request headers/);
});

test("lines behind a refused one are neither seen nor complained about", async () => {
  const { seen, errors } = await say("GET /%zz HTTP/1.1\r\nHost: second\r\nX_Y: 1\r\nX(: 2\r\n\r\n");
  assert.match(seen, / h= s=first .* x=$/);
  assert.doesNotMatch(errors, /header line/);
});

test("a line that can't be read leaves variables without a value", async () => {
  const { marked } = await say("get / HTTP/1.1\r\n\r\n");
  assert.equal(marked.split("\n")[0], "400 m=[-] u=[-] a=[-] r=[-] p=[-] b=[-] cl=[-]");
  const wrong = await say("GET / HTTP/x.y\r\n\r\n");
  assert.equal(wrong.marked.split("\n")[0], "400 m=[-] u=[-] a=[-] r=[-] p=[] b=[-] cl=[-]");
});

test("a request whose head is refused has its path and method", async () => {
  const { seen } = await say(`PUT /a?b HTTP/1.1\r\n${HOST}: x\r\n\r\n`);
  assert.match(seen, /^"PUT \/a\?b HTTP\/1.1" 400 l=32 n=1 c=OK m=PUT u=\/a a=\[b\] r=\/a\?b p=\[HTTP\/1.1\] h=first /);
});

test("a refused HEAD is answered without a body", async () => {
  const { text } = await say("HEAD / HTTP/1.x\r\n\r\n");
  assert.match(text, /^HTTP\/1.1 400 [\s\S]*\r\n\r\n$/);
});

test("a head is refused by the server that its host names, in that server's logs", async () => {
  const { seen, errors } = await say("GET / HTTP/1.1\r\nHost: second\r\n: x\r\n\r\n");
  assert.match(seen, / s=second /);
  assert.match(errors, /client sent invalid header line: .* server: second,/);
});

test("the bounds of heads are those of the server that the host names, from the next line on", async () => {
  const long = "y".repeat(800);
  assert.match((await say(`GET / HTTP/1.0\r\nHost: second\r\nX-Y: ${long}\r\n\r\n`)).text, /yyy$/);
  assert.match((await say("GET / HTTP/1.0\r\nHost: second\r\nX_Y: 1\r\n\r\n")).text, /\r\n\r\n1$/);
  assert.match((await say("GET / HTTP/1.0\r\nHost: ", "second\r\n", `X-Y: ${long}\r\n`, "\r\n")).text, /yyy$/);
  assert.match((await say(`GET http://second/ HTTP/1.0\r\nX_Y: ${long}\r\n\r\n`)).text, /yyy$/);
  assert.match(
    (await say(`GET / HTTP/1.0\r\nX-Y: ${long}\r\nHost: second\r\n\r\n`)).text,
    /400 Request Header Or Cookie/,
  );
  assert.match((await say("GET / HTTP/1.0\r\nX_Y: 1\r\nHost: second\r\n\r\n")).text, /\r\n\r\n$/);
});

test("the host of the request line names the server even when the Host line is malformed", async () => {
  assert.match(
    (await say("GET http://second/ HTTP/1.1\r\nHost: a/b\r\n\r\n")).errors,
    /invalid host header .*server: second,/,
  );
});

test("of two Host lines the first is the host", async () => {
  assert.match(
    (
      await say(
        "GET / HTTP/1.1\r\nAccept: a\r\nConnection: close\r\nConnection: close\r\nHost: first\r\nHost: second\r\n\r\n",
      )
    ).seen,
    / 400 .* h=first s=first /,
  );
});

test("a line that was read behind another request is called pipelined", async () => {
  const { errors } = await say(`GET / HTTP/1.1\r\n${HOST}\r\nBAD\r\n`);
  assert.match(errors, /client sent invalid method while reading client pipelined request line/);
  const later = await say(`GET / HTTP/1.1\r\n${HOST}\r\n`, "BAD\r\n");
  assert.match(later.errors, /client sent invalid method while reading client request line/);
});

test("what follows from a refused head is said to happen while it is read", async () => {
  const { errors } = await say(`TRACE / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nx\r\n`);
  assert.match(errors, /client sent TRACE method while reading client request headers/);
  assert.match(errors, /client sent invalid chunked body while reading client request headers/);
});

test("a head that stays unfinished counts as a request", async () => {
  const { seen, errors } = await say(`GET / HTTP/1.1\r\n${HOST}\r\nGET /b HTTP/1.1\r\n`);
  assert.match(seen, /^"GET \/b HTTP\/1.1" 400 l=17 n=2 c= m=GET u=\/b /m);
  assert.match(errors, /client prematurely closed connection while reading client request headers/);
});

test("empty lines alone count as a request", async () => {
  assert.match((await say("\r\n\r\n")).seen, /^"" 408 l=0 n=1 /);
});

test("blanks behind the version are a part of $server_protocol", async () => {
  assert.match(
    (await say("GET / HTTP/1.1  \r\nHost: first\r\nConnection: close\r\n\r\n")).seen,
    / p=\[HTTP\/1.1 {2}\] /,
  );
});

test("$args of a question mark and a number sign is empty, not absent", async () => {
  assert.match((await say("GET /?#x HTTP/1.0\r\n\r\n")).marked, /^200 .* a=\[\] /);
  assert.match((await say("GET /? HTTP/1.0\r\n\r\n")).marked, /^200 .* a=\[-\] /);
});

test("$content_length of a chunked body is what has come of it", async () => {
  const chunked = `Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
  assert.match((await say(`POST /back HTTP/1.1\r\n${HOST}${chunked}3\r\nabc\r\n0\r\n\r\n`)).seen, / cl=3 b=\[abc\]/);
  // Thrown away, it has none; while it is being thrown away, it is what is wanted next.
  assert.match((await say(`POST / HTTP/1.1\r\n${HOST}${chunked}3\r\nabc\r\n0\r\n\r\n`)).text, /\r\n\r\ncl=0$/);
  assert.match((await say(`POST / HTTP/1.1\r\n${HOST}${chunked}3\r\nab`)).text, /\r\n\r\ncl=512$/);
  assert.match((await say(`POST / HTTP/1.1\r\n${HOST}${chunked}1000\r\nab`)).text, /\r\n\r\ncl=4101$/);
  assert.match((await say(`POST /stream HTTP/1.1\r\n${HOST}${chunked}3\r\nab`, "c\r\n0\r\n\r\n")).seen, / cl=3 b=\[\]/);
});

test("a chunk that is announced too large is refused when its first byte comes", async () => {
  const head = `POST /small HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
  const { text, errors } = await say(`${head}4\r\nabcd\r\n7\r\na`, "zz");
  assert.match(text, /^HTTP\/1.1 413 /);
  assert.match(errors, /client intended to send too large chunked body: 4\+7 bytes/);
  assert.doesNotMatch(errors, /invalid chunked body/);
});

test("nothing that came together with something malformed is the body, nor counted when it came with the head", async () => {
  const head = `POST /back HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
  const { seen } = await say(`${head}1\r\na\r\nx`);
  assert.match(seen, new RegExp(` 400 l=${head.length} .* cl=1 b=\\[\\]`));
  const later = await say(head, "1\r\na\r\n", "1\r\nb\r\nxyz");
  assert.match(later.seen, new RegExp(` 400 l=${head.length + 15} .* cl=2 b=\\[a\\]`));
});

test("a body of no bytes is an empty body", async () => {
  assert.match(
    (await say(`POST /back HTTP/1.1\r\n${HOST}Content-Length: 0\r\nConnection: close\r\n\r\n`)).marked,
    / b=\[\]/,
  );
  assert.match((await say(`POST /back HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)).marked, / b=\[-\]/);
});

test("a body that is passed on as it comes is not put into a file, an empty one without a word", async () => {
  const end = "Connection: close\r\n\r\n";
  const { seen, errors } = await say(`POST /stream HTTP/1.1\r\n${HOST}Content-Length: 2\r\n${end}ab`);
  assert.match(seen, / b=\[ab\]/);
  assert.doesNotMatch(errors, /temporary file/);
  assert.doesNotMatch(
    (await say(`POST /file HTTP/1.1\r\n${HOST}Content-Length: 0\r\n${end}`)).errors,
    /temporary file/,
  );
  assert.match((await say(`POST /file HTTP/1.1\r\n${HOST}Content-Length: 2\r\n${end}ab`)).errors, /temporary file/);
});

test("a body that stays away is logged as a status only", async () => {
  const { seen, errors } = await say(`POST /slow HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nab`);
  assert.match(seen, / 408 /);
  assert.doesNotMatch(errors, /timed out/);
});

test("a request is complete when its answer has been given, though its body still comes", async () => {
  const { seen } = await say(`POST / HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\n`, "ab");
  const later = seen === "" ? await say("GET / HTTP/1.0\r\n\r\n") : undefined;
  assert.match(seen + (later?.seen ?? ""), /"POST .* c=OK /);
});

test("error_page answers a header that is too large with 400", async () => {
  const { text } = await say(`GET / HTTP/1.1\r\nHost: paged\r\nX: ${"y".repeat(600)}\r\n\r\n`);
  assert.match(text, /^HTTP\/1.1 400 Bad Request\r\n[\s\S]*page 400$/);
});

test("error_page does not ask for a body that was refused", async () => {
  const { text } = await say("POST / HTTP/1.1\r\nHost: paged\r\nExpect: 100-continue\r\nContent-Length: x\r\n\r\n");
  assert.match(text, /^HTTP\/1.1 400 [\s\S]*page 400$/);
});

test("an error page that lacks the range too tells its own length only", async () => {
  const { text } = await say("GET /r.txt HTTP/1.0\r\nHost: paged\r\nRange: bytes=99-\r\n\r\n");
  assert.match(text, /^HTTP\/1.1 416 /);
  assert.deepEqual(text.match(/^Content-Range: .*$/gm), ["Content-Range: bytes */8"]);
});

test("what the log quotes of a long line ends with nginx's buffer", async () => {
  assert.match((await say(`BAD${"x".repeat(300)}`)).seen, /^"BADx{253}" 400 /);
  const line = `X: ${"y".repeat(600)}`;
  assert.match(
    (await say(`GET / HTTP/1.1\r\n${HOST}${line}\r\n\r\n`)).errors,
    /too long header line: "X: y{509}\.\.\."/,
  );
});

test("a directory that is missing is said to lack its index file", async () => {
  const { text, errors } = await say("GET /none/ HTTP/1.0\r\n\r\n");
  assert.match(text, /^HTTP\/1.1 404 /);
  assert.match(errors, /"[^"]*\/none\/none\/index.html" is not found \(2: No such file or directory\)/);
});
