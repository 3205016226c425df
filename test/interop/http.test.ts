/** Real clients and real back ends: curl and wrk in front of the proxy; Node, nginx and haproxy behind it. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { TestServer } from "../http-server.ts";
import { Origin } from "../support/origin.ts";
import { type RealBackEnd, skipHaproxy, skipNginx, startHaproxy, startNginx } from "../support/real-back-ends.ts";

const MEGABYTE = 1024 * 1024;
const LARGE = Buffer.from(Array.from({ length: 3 * MEGABYTE }, (_, i) => (i * 7 + (i >> 9)) & 0xff));
const sha1 = (bytes: Buffer): string => createHash("sha1").update(bytes).digest("hex");
const isMissing = (program: string): boolean => spawnSync(program, ["--version"]).error !== undefined;
const skipCurl = isMissing("curl") && "curl is not installed";
const skipWrk = isMissing("wrk") && "wrk is not installed";

describe("real clients and back ends", { timeout: 120_000 }, () => {
  let origin: Origin;
  let server: TestServer;
  const running: RealBackEnd[] = [];

  before(async () => {
    origin = await Origin.listen();
    const nginx =
      skipNginx === false ? await startNginx({ "large.bin": LARGE, "small.txt": Buffer.from("small\n") }) : undefined;
    const haproxy = skipHaproxy === false ? await startHaproxy(origin.address) : undefined;
    for (const one of [nginx, haproxy]) if (one !== undefined) running.push(one);
    server = await TestServer.start(
      `access_log off; proxy_temp_path %DIR%/proxy; client_max_body_size 100m; keepalive_requests 1000000;
      upstream node { server ${origin.address}; }
      upstream nginx { server ${nginx?.address ?? "127.0.0.1:1"}; }
      upstream haproxy { server ${haproxy?.address ?? "127.0.0.1:1"}; }
      server { listen 127.0.0.1:%PORT%;
        location /node/ { proxy_pass http://node/; }
        location /nginx/ { proxy_pass http://nginx/; }
        location /haproxy/ { proxy_pass http://haproxy/; }
        location /unbuffered/ { proxy_pass http://nginx/; proxy_buffering off; }
        location /old/ { proxy_pass http://nginx/; proxy_http_version 1.0; }
      }`,
      { files: { "large.bin": "" } },
    );
    writeFileSync(path.join(server.folder, "large.bin"), LARGE);
  });
  after(async () => {
    await server.stop();
    for (const one of running) await one.stop();
    origin.close();
  });

  const url = (target: string): string => `http://127.0.0.1:${server.port}${target}`;

  /** Runs curl while this process goes on serving as the back end. */
  function curl(...args: string[]): Promise<{ readonly status: number; readonly out: Buffer; readonly err: string }> {
    return new Promise((resolve) => {
      const child = spawn("curl", ["-sS", "--max-time", "30", ...args]);
      const out: Buffer[] = [];
      let err = "";
      child.stdout.on("data", (data) => out.push(data));
      child.stderr.on("data", (data) => (err += data));
      child.on("close", (status) => resolve({ status: status ?? -1, out: Buffer.concat(out), err }));
    });
  }

  describe("curl", { skip: skipCurl }, () => {
    test("gets, keeps its connection for the next request, and is told the length", async () => {
      const write = "%{http_code} %{num_connects} %{size_download}\\n";
      const { out, status } = await curl(
        "-o",
        "/dev/null",
        "-o",
        "/dev/null",
        "-w",
        write,
        url("/node/id/1"),
        url("/node/id/22"),
      );
      assert.equal(status, 0);
      assert.equal(out.toString(), "200 1 1\n200 0 2\n");
    });

    test("uploads with Expect: 100-continue, in chunks, and in HTTP/1.0", async () => {
      const file = `@${path.join(server.folder, "large.bin")}`;
      const kinds = [["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"], ["--http1.0"]];
      for (const [i, kind] of kinds.entries()) {
        const { out, err } = await curl(...kind, "--data-binary", file, url(`/node/sum/${i}`));
        assert.equal(out.toString(), `${i} ${sha1(LARGE)}`, err);
      }
    });

    test("HEAD, and an answer of an error", async () => {
      const { out } = await curl("-I", url("/node/size/5000/1"));
      assert.match(out.toString(), /^HTTP\/1.1 200 OK\r\n/);
      assert.deepEqual((await curl("-f", url("/nowhere"))).status, 22);
    });

    test("downloads whole, a part, and slowly: every byte is the file's", { skip: skipNginx }, async () => {
      for (const where of ["/nginx", "/unbuffered", "/old"])
        assert.equal(sha1((await curl(url(`${where}/large.bin`))).out), sha1(LARGE), where);
      assert.deepEqual((await curl("-r", "1000-1999", url("/nginx/large.bin"))).out, LARGE.subarray(1000, 2000));
      assert.equal(sha1((await curl("--limit-rate", "3M", url("/nginx/large.bin"))).out), sha1(LARGE));
    });

    test("conditional requests are nginx's to answer", { skip: skipNginx }, async () => {
      const { out } = await curl("-I", url("/nginx/small.txt"));
      const tag = /^etag: (.*)\r$/im.exec(out.toString())?.[1] ?? "";
      const again = await curl(
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-H",
        `If-None-Match: ${tag}`,
        url("/nginx/small.txt"),
      );
      assert.equal(again.out.toString(), "304");
    });

    test("through haproxy to Node: downloads and uploads", { skip: skipHaproxy }, async () => {
      assert.equal((await curl(url("/haproxy/id/9"))).out.toString(), "9");
      assert.equal((await curl(url("/haproxy/size/300000/9"))).out.length, 300_002);
      const { out } = await curl("--data-binary", `@${path.join(server.folder, "large.bin")}`, url("/haproxy/sum/9"));
      assert.equal(out.toString(), `9 ${sha1(LARGE)}`);
    });
  });

  for (const [name, target, skip] of [
    ["Node", "/node/id/5", false],
    ["nginx", "/nginx/small.txt", skipNginx],
    ["haproxy", "/haproxy/id/5", skipHaproxy],
  ] as const)
    test(`wrk with 32 connections sees no error in front of ${name}`, { skip: skipWrk || skip }, async () => {
      const text = await new Promise<string>((resolve) => {
        const child = spawn("wrk", ["-t1", "-c32", "-d1s", url(target)]);
        let output = "";
        child.stdout.on("data", (data) => (output += data));
        child.on("close", () => resolve(output));
      });
      assert.match(text, /\d+ requests in/);
      assert.doesNotMatch(text, /Non-2xx|Socket errors/);
      assert.ok(Number(/(\d+) requests in/.exec(text)?.[1]) > 0, text);
    });

  test("none of this left an error behind", () => {
    const errors = readFileSync(path.join(server.folder, "logs/error.log"), "latin1")
      .split("\n")
      .filter((line) => /\[(alert|crit|emerg)\]/.test(line));
    assert.deepEqual(errors, []);
  });
});
