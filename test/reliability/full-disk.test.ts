/**
 * A disk that is full below the logs, the temporary files of bodies, and stored answers: what fails is what needed the room, the log says
 * it, everybody else is served, and all is well again when there is room. nginx passes these tests, too (`TEST_SERVER`).
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "../http-server.ts";
import { BackEnd, ok, type Reply } from "../support/back-end.ts";
import { until } from "../support/server-process.ts";
import { SmallDisk } from "../support/small-disk.ts";

const DISK_BYTES = 256 * 1024;
const BIG_BYTES = 40_000_000;
const FULL = "\\(28: No space left on device\\)";
const skip = SmallDisk.refusal() ?? false;

describe("a full disk", { timeout: 120_000, skip }, () => {
  let disk: SmallDisk;
  let back: BackEnd;
  let server: TestServer;

  before(async () => {
    disk = new SmallDisk(DISK_BYTES, ["body", "proxy", "store"]);
    const big = ok("x".repeat(BIG_BYTES));
    back = await BackEnd.listen((seen): Reply => (seen.text.includes("/big") ? big : ok(`${seen.text.length}`)));
    server = await TestServer.start(
      `access_log off; proxy_temp_path ${disk.file("proxy")}; proxy_buffers 4 4k; proxy_buffer_size 4k; proxy_busy_buffers_size 8k;
      server { listen 127.0.0.1:%PORT%;
        location /ok { return 200 ok; }
        location /log { access_log ${disk.file("access.log")}; return 200 ok; }
        location /buffered { access_log ${disk.file("buffered.log")} combined buffer=4k flush=300ms; return 200 ok; }
        location /named { access_log ${disk.file("$arg_name.log")}; return 200 ok; }
        location /body { client_body_temp_path ${disk.file("body")}; client_body_buffer_size 1k; proxy_pass http://${back.address}; }
        location /small { proxy_pass http://${back.address}; }
        location /big { proxy_pass http://${back.address}; }
        location /store/small { proxy_store ${disk.file("store/small")}; proxy_pass http://${back.address}/small; }
        location /elsewhere { proxy_temp_path %DIR%/elsewhere; proxy_store ${disk.file("store/other")}; proxy_pass http://${back.address}/small; }
      }
      server { listen unix:%DIR%/quiet.sock; error_log ${disk.file("error.log")}; root /nonexistent; }`,
    );
  });
  afterEach(() => disk?.free());
  after(async () => {
    await server?.stop();
    back?.close();
    disk?.remove();
  });

  const logged = (pattern: string): number => [...server.log("error.log").matchAll(new RegExp(pattern, "g"))].length;
  const isServed = async (target: string): Promise<boolean> => (await server.get(target)).startsWith("HTTP/1.1 200 ");
  /** Both wait for the clock's next second before they try again. */
  const nextSecond = (): Promise<void> => sleep(1100 - (Date.now() % 1000));

  test("an access log: requests go on, the error log says it once, and lines come again", async () => {
    disk.fill();
    for (let i = 0; i < 5; i++) assert.ok(await isServed("/log"));
    const file = disk.file("access.log").replaceAll(".", "\\.");
    const line = `\\[alert\\] .*\\*\\d+ write\\(\\) to "${file}" failed ${FULL} while logging request, client: 127.0.0.1, server: , request: "GET /log HTTP/1.0"`;
    assert.equal(logged(line), 1);
    assert.equal(disk.sizeOf("access.log"), 0);
    disk.free();
    await nextSecond();
    assert.ok(await isServed("/log"));
    await until(() => disk.read("access.log").split("\n").length === 2, "a line");
    assert.equal(logged(line), 1);
  });

  test("a buffered access log loses what it held, and goes on", async () => {
    disk.fill();
    for (let i = 0; i < 3; i++) assert.ok(await isServed("/buffered"));
    const file = disk.file("buffered.log").replaceAll(".", "\\.");
    await until(() => logged(`\\[alert\\] \\S+ write\\(\\) to "${file}" failed ${FULL}\\n`) === 1, "the time to write");
    disk.free();
    await nextSecond();
    assert.ok(await isServed("/buffered?again"));
    await until(() => /^[^\n]*GET \/buffered\?again [^\n]*\n$/.test(disk.read("buffered.log")), "the line");
  });

  test("access logs named by the request: said once for all of them", async () => {
    disk.fill();
    for (const name of ["a", "b"]) assert.ok(await isServed(`/named?name=${name}`));
    assert.equal(
      logged(`\\[alert\\] .* write\\(\\) to "\\S+/[ab].log" failed ${FULL} while logging request, client: `),
      1,
    );
    disk.free();
    await nextSecond();
    assert.ok(await isServed("/named?name=a"));
    assert.match(disk.read("a.log"), /GET \/named\?name=a /);
  });

  test("an error log: requests go on, and lines come again", async () => {
    const ask = (target: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = net.connect(path.join(server.folder, "quiet.sock"));
        let text = "";
        socket.on("data", (data) => (text += data.toString("latin1")));
        socket.on("end", () => resolve(text));
        socket.on("error", reject);
        socket.write(`GET ${target} HTTP/1.0\r\n\r\n`);
      });
    disk.fill();
    for (let i = 0; i < 3; i++) assert.match(await ask("/lost"), /^HTTP\/1.1 404 /);
    assert.equal(disk.sizeOf("error.log"), 0);
    disk.free();
    await nextSecond();
    assert.match(await ask("/found"), /^HTTP\/1.1 404 /);
    await until(() => disk.read("error.log").includes('open() "/nonexistent/found" failed (2: '), "a line");
    assert.doesNotMatch(disk.read("error.log"), /lost/);
  });

  const body = "y".repeat(100_000);
  const chunked = `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  for (const [what, leaveBytes, rest] of [
    ["of a known length", 0, `Content-Length: ${body.length}\r\n\r\n${body}`],
    ["in chunks", 0, chunked],
    ["that fits by half", 48 * 1024, `Content-Length: ${body.length}\r\n\r\n${body}`],
  ] as const)
    test(`a body ${what} that has no room is answered with 500 and never sent on; smaller ones pass`, async () => {
      disk.fill(leaveBytes);
      const seen = back.seen.length;
      const before = logged(`\\[crit\\] .* pwritev?\\(\\) "${disk.file("body")}/\\d+" failed ${FULL}, client: `);
      const { text, closed } = await server.exchange(`POST /body HTTP/1.1\r\nHost: x\r\n${rest}`);
      assert.match(text, /^HTTP\/1.1 500 Internal Server Error\r\n[\s\S]*Connection: close\r\n/);
      assert.ok(closed);
      assert.equal(
        logged(`\\[crit\\] .* pwritev?\\(\\) "${disk.file("body")}/\\d+" failed ${FULL}, client: `),
        before + 1,
      );
      assert.equal(back.seen.length, seen);
      const small = await server.exchange("POST /body HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
      assert.match(small.text, /^HTTP\/1.1 200 /);
      disk.free();
      const again = await server.exchange(`POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${rest}`);
      assert.match(again.text, /^HTTP\/1.1 200 /);
      assert.deepEqual(readdirSync(disk.file("body")), [], "nothing is left behind");
    });

  test("an answer for a slow client that has no room is cut off, and others get theirs", async () => {
    disk.fill();
    const client = net.connect(server.port, "127.0.0.1").pause();
    client.on("error", () => {});
    client.write("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(
      () =>
        logged(
          `\\[crit\\] .* pwritev?\\(\\) "${disk.file("proxy")}/\\d+" failed ${FULL} while reading upstream, client: `,
        ) > 0,
      "the complaint",
    );
    assert.ok((await isServed("/ok")) && (await isServed("/small")));
    let size = 0;
    client.on("data", (data) => (size += data.length));
    await new Promise((resolve) => client.once("close", resolve).once("end", resolve).resume());
    client.destroy();
    assert.ok(size > 0 && size < BIG_BYTES, `${size} bytes`);
    assert.deepEqual(readdirSync(disk.file("proxy")), []);
  });

  test("an answer that is to be stored and can't be written fails; the next one is stored", async () => {
    disk.fill();
    const text = await server.get("/store/small");
    assert.doesNotMatch(text, /\r\n\r\n./, "no body");
    assert.ok(
      logged(`\\[crit\\] .* pwritev?\\(\\) "${disk.file("proxy")}/\\d+" failed ${FULL} while reading upstream`) > 0,
    );
    assert.equal(disk.sizeOf("store/small"), undefined);
    disk.free();
    assert.ok(await isServed("/store/small"));
    await until(() => (disk.sizeOf("store/small") ?? 0) > 0, "the file");
  });

  test("a stored answer that has no room at its place is given all the same", async () => {
    disk.fill();
    assert.ok(await isServed("/elsewhere"));
    await until(
      () => logged(`\\[alert\\] .* write\\(\\) "${disk.file("store/other")}\\.\\d+" failed ${FULL} while `) === 1,
      "the complaint",
    );
    assert.equal(disk.sizeOf("store/other"), undefined);
    disk.free();
    assert.ok(await isServed("/elsewhere"));
    await until(() => (disk.sizeOf("store/other") ?? 0) > 0, "the file");
  });

  test("the worker is the one that it was, and nothing else has gone wrong", () => {
    assert.equal(logged("\\[emerg\\]|exited on signal|exited with"), 0, server.log("error.log"));
    for (const line of server
      .log("error.log")
      .split("\n")
      .filter((one) => /\[(alert|crit)\]/.test(one)))
      assert.match(line, /No space left on device/);
  });
});
