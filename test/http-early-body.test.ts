/** `client_body_early_read`: a body that is read ahead of everything else. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Exchange, installedNginx, normal, TestServer } from "./http-server.ts";

const HTTP = `
  access_log off;
  server {
    listen 127.0.0.1:%PORT%;
    client_body_early_read $arg_early $arg_or;
    client_max_body_size 100;
    client_body_timeout 2s;
    location /show { return 200 "[$request_body]"; }
    location /small { client_max_body_size 5; return 200 small; }
    location /passed { proxy_pass http://127.0.0.1:%PORT%/back; proxy_request_buffering off; }
    location /back { proxy_pass http://127.0.0.1:%PORT%/show?early=1; }
    location /moved { error_page 404 = /small; root %DIR%/none; }
  }
`;

/** Older ones do not have the directive. */
const nginx = installedNginx(31);
let ours: TestServer;
let theirs: TestServer | undefined;

before(async () => {
  ours = await TestServer.start(HTTP);
  if (nginx !== undefined) theirs = await TestServer.start(HTTP, { binary: nginx });
});

after(async () => {
  await ours?.stop();
  await theirs?.stop();
});

/** What comes back for these bytes, which must be what nginx answers where one is there. */
async function answer(...pieces: string[]): Promise<string> {
  return (await fate(...pieces)).text;
}

async function fate(...pieces: string[]): Promise<Exchange> {
  const mine = await ours.exchange(...pieces);
  if (theirs !== undefined) {
    const other = await theirs.exchange(...pieces);
    assert.equal(normal(mine.text, ours), normal(other.text, theirs), pieces.join("|"));
    assert.equal(mine.closed, other.closed, pieces.join("|"));
  }
  return mine;
}

function post(target: string, body: string, ...lines: string[]): string {
  const fields = ["Host: localhost", `Content-Length: ${body.length}`, ...lines].join("\r\n");
  return `POST ${target} HTTP/1.1\r\n${fields}\r\n\r\n${body}`;
}

test("the body is read first when one of the strings is neither empty nor 0", async () => {
  assert.ok((await answer(post("/show?early=1", "abc"))).endsWith("[abc]"));
  assert.ok((await answer(post("/show?early=0&or=x", "abc"))).endsWith("[abc]"));
  for (const target of ["/show", "/show?early=0", "/show?early=&or=0"])
    assert.ok((await answer(post(target, "abc"))).endsWith("[]"), target);
  assert.ok((await answer("GET /show?early=1 HTTP/1.1\r\nHost: x\r\n\r\n")).endsWith("[]"));
});

test("a body that comes slowly, in chunks or behind a go-ahead is awaited", async () => {
  const head = "POST /show?early=1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  assert.ok((await answer(head, "3\r\nab", "c\r\n2\r\nde\r\n", "0\r\n\r\n")).endsWith("[abcde]"));
  const [start = "", end = ""] = post("/show?early=1", "abc").split(/(?<=\r\n\r\na)/);
  assert.ok((await answer(start, end)).endsWith("[abc]"));
  const expecting = await answer(post("/show?early=1", "abc", "Expect: 100-continue"));
  assert.match(expecting, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
});

test("what follows such a body is the next request", async () => {
  const text = await answer(post("/show?early=1", "abc") + post("/show?early=1", "def") + post("/show", "ghi"));
  assert.deepEqual(text.match(/\[\w*\]/g), ["[abc]", "[def]", "[]"]);
});

test("limits of the server hold while it is read, those of the location afterwards", async () => {
  assert.match(await answer(post("/small?early=1", "0123456789")), /^HTTP\/1.1 413 /);
  assert.match(await answer(post("/show?early=1", "x".repeat(101))), /^HTTP\/1.1 413 /);
  assert.match(await answer(post("/small?early=1", "01234")), /^HTTP\/1.1 200 /);
  assert.match(await answer(post("/moved?early=1", "0123456789")), /^HTTP\/1.1 413 /);
});

test("a body that is malformed, too long in chunks or never comes is refused before anything is done", async () => {
  const head = "POST /show?early=1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  assert.match(await answer(`${head}x\r\n`), /^HTTP\/1.1 400 /);
  const tooLarge = await fate(`${head}70\r\n${"x".repeat(0x70)}\r\n0\r\n\r\n`);
  assert.match(tooLarge.text, /^HTTP\/1.1 413 /);
  // Its end could not be found: nothing more is awaited.
  assert.equal(tooLarge.closed, true);
});

test("a body that was read first is passed on whole", async () => {
  assert.ok((await answer(post("/passed?early=1", "abc"))).endsWith("[abc]"));
  assert.ok((await answer(post("/passed", "abc"))).endsWith("[abc]"));
});
