/** Answers that are packed already: sent as they are, unpacked for who can't, and files that lie packed beside the others. */
import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { exchange, installedNginx, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";

const nginx = installedNginx();
const MODIFIED_S = 1_700_000_000;
const packed = (text: string): string => gzipSync(text).toString("latin1");
const HUGE_BYTES = 20 * 1024 * 1024;
const HUGE = gzipSync(Buffer.alloc(HUGE_BYTES)).toString("latin1");

function reply({ text }: Seen): Reply {
  const name = /^\S+ \/(\S*)/.exec(text)?.[1] ?? "";
  const answer = (body: string, encoding = "gzip", ...lines: string[]): string =>
    ok(body, "Content-Type: text/plain", `Content-Encoding: ${encoding}`, ...lines);
  switch (name) {
    case "one":
      return answer(packed("one text"), "GZip", 'ETag: "x"', "Accept-Ranges: bytes");
    case "two":
      return answer(packed("one, ") + packed("two"));
    case "empty":
      return answer(packed(""));
    case "br":
      return answer("no gzip", "br");
    case "several":
      return answer(packed("x"), "gzip, gzip");
    case "huge":
      return answer(HUGE);
    case "noise":
      return answer("this is no gzip");
    case "cut":
      return answer(packed("a text that is cut off").slice(0, -10));
    case "nothing":
      return answer("");
    case "bytes":
      return (socket) => {
        const all = answer(packed("byte by byte"));
        const start = all.indexOf("\r\n\r\n") + 4;
        socket.write(all.slice(0, start), "latin1");
        const next = (at: number): void => {
          if (at < all.length) socket.write(all.charAt(at), "latin1", () => setTimeout(next, 1, at + 1));
        };
        next(start);
      };
    default:
      return ok("plain", "Content-Type: text/plain");
  }
}

const configuration = (back: string): string => `
  proxy_temp_path %DIR%/proxy; types { text/plain txt; text/html html; } access_log off; root %DIR%/html; gunzip on;
  server {
    listen 127.0.0.1:%PORT%;
    location /back/ { gzip_vary on; proxy_pass http://${back}/; }
    location /plain/ { gunzip off; proxy_pass http://${back}/; }
    location /add/ { add_before_body /back/one; add_after_body /back/two; addition_types *; proxy_pass http://${back}/; }
    location /again/ { gzip on; gzip_types *; gzip_min_length 0; add_before_body /back/two; addition_types *; proxy_pass http://${back}/; }
    location /static/ { gunzip off; gzip_static on; alias %DIR%/html/; }
    location /vary/ { gunzip off; gzip_static on; gzip_vary on; alias %DIR%/html/; }
    location /always/ { gzip_static always; gunzip_buffers 4 8k; alias %DIR%/html/; }
    location /raw/ { gunzip off; gzip_static always; alias %DIR%/html/; }
  }`;

const FILES = {
  "html/both.txt": "plain file",
  "html/both.txt.gz": packed("packed file, which is longer than twenty bytes"),
  "html/packed.txt.gz": packed("only packed"),
  "html/plain.txt": "only plain",
  "html/folder.txt": "beside a folder",
  "html/folder.txt.gz/x": "",
};

const BACK = "one two empty br several other bytes";
const STATIC = "both.txt packed.txt plain.txt folder.txt none.txt";

function body(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

function normal(text: string, server: TestServer): string {
  const readable = /^Content-Encoding: gzip\r$/im.test(text)
    ? `${text.slice(0, -body(text).length)}${gunzipSync(Buffer.from(body(text), "latin1"))}`
    : text;
  return (
    readable
      .replaceAll(String(server.port), "PORT")
      .replace(/nginx\/[\d.]+/g, "nginx/V")
      .replace(/Content-Length: 1[45678]\d\r/g, "Content-Length: PAGE\r")
      .replace(/Date: [^\r]*/g, "Date: D")
      // Older ones have none for packed files.
      .replace("Accept-Ranges: bytes\r\n", "")
  );
}

describe("packed answers", { timeout: 60_000 }, () => {
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

  for (const line of ["", "Accept-Encoding: gzip\r\n"]) {
    test(`as nginx gives them: ${line === "" ? "no gzip" : line.trim()}`, {
      skip: nginx === undefined && "nginx is not installed",
    }, async () => {
      const targets = [
        ...BACK.split(" ").flatMap((name) => [`/back/${name}`, `/plain/${name}`]),
        ...STATIC.split(" ").flatMap((name) => [`/static/${name}`, `/vary/${name}`, `/always/${name}`, `/raw/${name}`]),
        "/add/other",
        "/again/other",
      ];
      await Promise.all(
        targets.map(async (target) => {
          const request = `GET ${target} HTTP/1.0\r\nHost: h\r\n${line}\r\n`;
          const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [request], 5000)));
          assert.ok(a !== undefined && b !== undefined);
          assert.equal(normal(a.text, ours), normal(b.text, theirs as TestServer), target);
        }),
      );
    });
  }

  test("a packed file has ranges, of its packed bytes", async () => {
    const answer = await ours.get("/raw/both.txt", "Range: bytes=0-1");
    assert.match(answer, /^HTTP\/1.1 206 [\s\S]*\r\n\r\n\x1f\x8b$/);
    const unpacked = await ours.get("/always/both.txt", "Range: bytes=0-1");
    assert.match(unpacked, /^HTTP\/1.1 200 /);
  });

  test("what comes packed is unpacked for who can't, in subrequests too", async () => {
    assert.equal(body(await ours.get("/back/one")), "one text");
    assert.equal(body(await ours.get("/back/two")), "one, two");
    assert.equal(body(await ours.get("/back/bytes")), "byte by byte");
    assert.equal(body(await ours.get("/add/other")), "one textplainone, two");
    assert.equal(body(await ours.get("/always/packed.txt")), "only packed");
  });

  test("what unpacks to a thousand times its size waits for a slow client", async () => {
    const socket = net.connect(ours.port, "127.0.0.1");
    socket.write("GET /back/huge HTTP/1.0\r\nHost: h\r\n\r\n");
    socket.pause();
    await sleep(200);
    let length = 0;
    for await (const data of socket) length += (data as Buffer).length;
    assert.ok(length > HUGE_BYTES && length < HUGE_BYTES + 1000, `${length}`);
  });

  test("what can't be unpacked ends the connection and is logged", async () => {
    for (const name of ["noise", "cut", "nothing"]) {
      const { text } = await ours.exchange(`GET /back/${name} HTTP/1.1\r\nHost: h\r\n\r\n`);
      assert.doesNotMatch(text, /\r\n0\r\n\r\n$/, name);
    }
    const log = ours.log("error.log");
    assert.match(log, /\[error\] .* inflate\(\) failed: 0, -3 .*GET \/back\/noise/);
    assert.match(log, /\[error\] .* inflate\(\) returned -5 on response end .*GET \/back\/cut/);
    assert.match(log, /\[error\] .* inflate\(\) returned -5 on response end .*GET \/back\/nothing/);
    assert.doesNotMatch(log, /\[alert\]/);
  });
});
