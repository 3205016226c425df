/** Access logs: formats, escaping, conditions, buffers, variables in names, rotation. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readlinkSync, renameSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { TestServer } from "./http-server.ts";

const HTTP = `
  log_format short '$status "$request" $body_bytes_sent [$http_x] $arg_a $cookie_c';
  log_format json escape=json '{"x":"$http_x","a":"$arg_a"}';
  log_format raw escape=none '$http_x';
  log_format length '$request_length $status "$request"';
  server {
    listen 127.0.0.1:%PORT%;
    access_log %DIR%/logs/length.log length;
    location /short { access_log %DIR%/logs/short.log short; return 200 four; }
    location /json { access_log %DIR%/logs/json.log json; return 200 x; }
    location /raw { access_log %DIR%/logs/raw.log raw; return 200 x; }
    location /if { access_log %DIR%/logs/if.log short if=$arg_a; return 200 x; }
    location /two { access_log %DIR%/logs/two.log short; access_log %DIR%/logs/two2.log raw; return 200 x; }
    location /buffer { access_log %DIR%/logs/buffer.log short buffer=1k flush=300ms; return 200 x; }
    location /long { access_log %DIR%/logs/long.log short buffer=1k flush=300ms; return 200 x; }
    location /name { access_log %DIR%/logs/name-$arg_a.log short; return 200 x; }
    location /combined { access_log %DIR%/logs/combined.log; return 200 x; }
  }`;

let server: TestServer;

before(async () => {
  server = await TestServer.start(HTTP);
});

after(() => server.stop());

test("a format is filled, what is missing is a dash, and what a client sent is escaped", async () => {
  await server.get("/short?a=1", 'X: q"\\\x01\xff', "Cookie: b=0; c=2");
  await server.get("/short");
  assert.equal(
    server.log("short.log"),
    '200 "GET /short?a=1 HTTP/1.0" 4 [q\\x22\\x5C\\x01\\xFF] 1 2\n200 "GET /short HTTP/1.0" 4 [-] - -\n',
  );
});

test("json and none escape in their own way", async () => {
  await server.get("/json?a=1", 'X: q"\\\x01\xff');
  assert.equal(server.log("json.log"), '{"x":"q\\"\\\\\\u0001\xff","a":"1"}\n');
  await server.get("/raw", 'X: q"\\');
  await server.get("/raw");
  assert.equal(server.log("raw.log"), 'q"\\\n\n');
});

test("a line that is longer than its buffer is written whole, in its place", async () => {
  await server.get("/long?a=1");
  await server.get(`/long?a=${"x".repeat(1500)}`);
  await server.get("/long?a=3");
  await sleep(600);
  const lines = server.log("long.log").split("\n");
  assert.deepEqual(
    lines.map((line) => line.length > 1500),
    [false, true, false, false],
  );
  assert.equal(lines[2], '200 "GET /long?a=3 HTTP/1.0" 1 [-] 3 -');
});

test("a condition and several logs of one location", async () => {
  await server.get("/if?a=0");
  await server.get("/if");
  await server.get("/if?a=1");
  assert.equal(server.log("if.log").split("\n").length, 2);
  await server.get("/two", "X: y");
  assert.match(server.log("two.log"), /^200 /);
  assert.equal(server.log("two2.log"), "y\n");
});

test("the combined format is what nginx writes", async () => {
  await server.get("/combined", "Referer: r", "User-Agent: u");
  assert.match(
    server.log("combined.log"),
    /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET \/combined HTTP\/1\.0" 200 1 "r" "u"\n$/,
  );
});

test("a buffered log is written when its time has come or the buffer is full", async () => {
  await server.get("/buffer");
  assert.equal(server.log("buffer.log"), "");
  await sleep(600);
  assert.match(server.log("buffer.log"), /^200 /);
  for (let i = 0; i < 40; i++) await server.get("/buffer");
  assert.ok(server.log("buffer.log").length > 500);
});

test("a name may have variables, and a log is opened again by USR1", async () => {
  await server.get("/name?a=one");
  assert.match(server.log("name-one.log"), /^200 /);
  const file = path.join(server.folder, "logs/short.log");
  renameSync(file, `${file}.1`);
  await server.get("/short");
  assert.ok(!existsSync(file));
  server.signal("SIGUSR1");
  for (let tries = 0; tries < 100 && !existsSync(file); tries++) await sleep(20);
  // The master creates the file, the worker takes it a moment later.
  let text = "";
  for (let tries = 0; tries < 50 && text === ""; tries++) {
    await server.get("/short");
    text = readFileSync(file, "latin1");
  }
  assert.match(text, /^200 /);
});

test("the length of a request that was not understood is that of its whole lines", async () => {
  await server.get("/nothing?longer=than+those+that+follow");
  const heads = ["get / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"];
  heads.push("GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n");
  for (const head of heads) await server.exchange(head);
  assert.deepEqual(server.log("length.log").trim().split("\n").slice(-3), [
    '0 400 "get / HTTP/1.1"',
    '16 400 "GET / HTTP/1.1"',
    '25 400 "GET / HTTP/1.1"',
  ]);
});

test("log files whose names have variables are kept open, until a rotation", async () => {
  const server = await TestServer.start(
    `server { listen 127.0.0.1:%PORT%; access_log logs/$arg_n.log;
      location / { return 204; }
      location /kept { open_log_file_cache max=2; return 204; }
      location /rootless { root %DIR%/none; access_log logs/rootless-$arg_n.log; return 204; } }`,
  );
  try {
    const lines = (name: string): number => {
      const file = path.join(server.folder, "logs", name);
      return existsSync(file) ? readFileSync(file, "latin1").split("\n").length - 1 : -1;
    };
    const move = (from: string, to: string): void =>
      renameSync(path.join(server.folder, "logs", from), path.join(server.folder, "logs", to));
    await server.get("/?n=a");
    move("a.log", "a.old");
    await server.get("/?n=a");
    assert.deepEqual([lines("a.log"), lines("a.old")], [1, 1]);
    await server.get("/kept?n=b");
    move("b.log", "b.old");
    await server.get("/kept?n=b");
    assert.deepEqual([lines("b.log"), lines("b.old")], [-1, 2]);
    server.signal("SIGUSR1");
    for (let tries = 0; tries < 100 && lines("b.log") < 0; tries++) {
      await server.get("/kept?n=b");
      await sleep(20);
    }
    assert.ok(lines("b.log") > 0);
    await server.get("/rootless?n=x");
    assert.equal(lines("rootless-x.log"), -1);
    assert.match(server.log("error.log"), /\[error\] .*testing ".*\/none" existence failed \(2: No such file/);
  } finally {
    await server.stop();
  }
});

test("a log may be compressed, a member of a gzip file for each buffer", async () => {
  const server = await TestServer.start(
    `log_format x "$arg_n $http_x";
    server { listen 127.0.0.1:%PORT%;
      location /a { access_log logs/a.gz x gzip flush=100ms; return 204; }
      location /b { access_log logs/b.gz x buffer=200 gzip=9 flush=1m; return 204; } }`,
  );
  try {
    const read = (name: string): string => {
      const bytes = readFileSync(path.join(server.folder, "logs", name));
      return bytes.length === 0 ? "" : gunzipSync(bytes).toString("latin1");
    };
    await server.get("/a?n=1", "X: \xff");
    for (let tries = 0; tries < 100 && read("a.gz") === ""; tries++) await sleep(20);
    assert.equal(read("a.gz"), "1 \\xFF\n");
    await server.get("/a?n=2");
    for (let tries = 0; tries < 100 && !read("a.gz").includes("2"); tries++) await sleep(20);
    assert.equal(read("a.gz"), "1 \\xFF\n2 -\n");
    const long = "y".repeat(90);
    for (const n of [1, 2, 3]) await server.get(`/b?n=${n}`, `X: ${long}`);
    assert.equal(read("b.gz"), `1 ${long}\n2 ${long}\n`);
    await server.get("/b?n=4", `X: ${long.repeat(5)}`);
    assert.equal(read("b.gz"), `1 ${long}\n2 ${long}\n3 ${long}\n4 ${long.repeat(5)}\n`);
  } finally {
    await server.stop();
  }
});

test("standard error stays where it was when a location's error log goes there", async () => {
  const start = (log: string): Promise<TestServer> =>
    TestServer.start(`server { listen 127.0.0.1:%PORT%; location /x { error_log ${log}; return 204; } }`);
  const [there, elsewhere] = await Promise.all([start("stderr"), start("%DIR%/logs/x.log")]);
  try {
    assert.match(readlinkSync(`/proc/${there.pid}/fd/2`), /^(pipe|socket):/);
    assert.match(readlinkSync(`/proc/${elsewhere.pid}/fd/2`), /\/logs\/error.log$/);
  } finally {
    await Promise.all([there.stop(), elsewhere.stop()]);
  }
});
