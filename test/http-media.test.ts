/** Parts of films over sockets: flv by bytes, mp4 by seconds; with ranges, and the same bytes from the nginx of this machine. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { type Bytes, latin1 } from "../src/base/bytes.ts";
import { atom, MOVIE, makeMp4, PICTURES } from "../src/wire/mp4/mp4.cases.ts";
import { installedNginx, TestServer } from "./http-server.ts";

const MODIFIED_S = 1_700_000_000;
const FLV = Array.from({ length: 100 }, (_, line) => `X${String(line).padStart(3, "0")}XXXXXX`).join("");
const FLV_HEAD = "FLV\x01\x05\0\0\0\x09\0\0\0\0";

const CONFIGURATION = `
  access_log off; types { video/mp4 mp4; video/x-flv flv; } root %DIR%/html;
  server {
    listen 127.0.0.1:%PORT%; server_name localhost;
    location / { mp4; location ~ flv$ { flv; } }
    location /key/ { mp4; mp4_start_key_frame on; alias %DIR%/html/; }
    location /small/ { mp4; mp4_buffer_size 100; mp4_max_buffer_size 500; alias %DIR%/html/; }
    location /if/ { mp4; if ($arg_x) { set $y 1; } alias %DIR%/html/; }
    location /index/ { mp4; index page.html; }
    location /sub/ { mp4; add_after_body /tail.txt; addition_types *; alias %DIR%/html/; }
    location /cached/ { mp4; open_file_cache max=10; alias %DIR%/html/; }
    location = /tail.txt { }
  }`;

/** Large enough that the socket does not take it at once. */
const LARGE = makeMp4({
  ...MOVIE,
  tracks: [{ ...PICTURES, times: [[4000, 250]], keyFrames: [1], offsets: [[4000, 0]], ...sized(4000, 2000) }],
  inMovie: [atom("free", new Uint8Array(600_000))],
});

function sized(samples: number, sizeBytes: number): { chunks: number[]; sizes: number[] } {
  return {
    chunks: Array.from({ length: samples / 10 }, () => 10),
    sizes: Array.from({ length: samples }, (_, sample) => sizeBytes + (sample % 7)),
  };
}

const FILMS: Readonly<Record<string, Bytes>> = {
  "film.mp4": makeMp4(MOVIE),
  "late.mp4": makeMp4({ ...MOVIE, dataFirst: true }),
  "v1.mp4": makeMp4({ ...MOVIE, version: 1, tracks: [{ ...PICTURES, version: 1, co64: true }], largeData: true }),
  "large.mp4": LARGE,
  "broken.mp4": makeMp4({ ...MOVIE, inMovie: [atom("cmov")] }),
  "empty.mp4": new Uint8Array(0),
};

async function start(binary?: string): Promise<TestServer> {
  const server = await TestServer.start(CONFIGURATION, binary === undefined ? {} : { binary });
  const html = path.join(server.folder, "html");
  for (const [name, bytes] of Object.entries(FILMS)) writeFileSync(path.join(html, name), bytes);
  writeFileSync(path.join(html, "film.flv"), FLV);
  writeFileSync(path.join(html, "tail.txt"), "tail");
  mkdirSync(path.join(html, "index"));
  mkdirSync(path.join(html, "folder.mp4"));
  writeFileSync(path.join(html, "index/page.html"), "the page");
  for (const name of [...Object.keys(FILMS), "film.flv"]) utimesSync(path.join(html, name), MODIFIED_S, MODIFIED_S);
  return server;
}

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  header(name: string): string | undefined;
}

async function get(server: TestServer, target: string, ...lines: string[]): Promise<Answer> {
  return split(await server.get(target, ...lines));
}

function split(text: string): Answer {
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end);
  return {
    status: Number(/^HTTP\/1\.\d (\d+)/.exec(text)?.[1]),
    head,
    body: text.slice(end + 4),
    header: (name) => new RegExp(`^${name}: (.*?)$`, "mi").exec(head.replaceAll("\r", ""))?.[1],
  };
}

let server: TestServer;
before(async () => {
  server = await start();
});
after(() => server.stop());

describe("flv", () => {
  test("begins at a byte, behind a head of its own", async () => {
    const whole = await get(server, "/film.flv");
    assert.deepEqual([whole.status, whole.body, whole.header("content-type")], [200, FLV, "video/x-flv"]);
    const part = await get(server, "/film.flv?start=100");
    assert.equal(part.body, FLV_HEAD + FLV.slice(100));
    assert.equal(part.header("content-length"), "913");
    assert.equal(part.header("accept-ranges"), "bytes");
    // The tag names the length of the answer.
    assert.equal(part.header("etag"), `"${MODIFIED_S.toString(16)}-${(913).toString(16)}"`);
    for (const start of ["0", "1000", "99999999999999999999999", "-1", "1x", ""])
      assert.equal((await get(server, `/film.flv?start=${start}`)).body, FLV, start);
    const headed = await server.exchange("HEAD /film.flv?a&START=990 HTTP/1.0\r\n\r\n");
    assert.equal(split(headed.text).header("content-length"), "23");
    assert.equal(split(headed.text).body, "");
  });

  test("has ranges, which count from the head on", async () => {
    const film = FLV_HEAD + FLV.slice(100);
    const range = async (value: string): Promise<Answer> => get(server, "/film.flv?start=100", `Range: bytes=${value}`);
    const first = await range("0-9");
    assert.deepEqual(
      [first.status, first.body, first.header("content-range")],
      [206, film.slice(0, 10), "bytes 0-9/913"],
    );
    assert.equal((await range("-10")).body, film.slice(-10));
    assert.equal((await range("5-99")).body, film.slice(5, 100));
    assert.equal((await range("913-")).status, 416);
    // nginx ends the connection when several ranges are not all in the head.
    const several = await range("0-3,10-19,900-");
    const boundary = /boundary=(\d+)/.exec(several.head)?.[1] ?? "";
    const parts = [
      [0, 4],
      [10, 20],
      [900, 913],
    ].map(
      ([from = 0, to]) =>
        `\r\n--${boundary}\r\nContent-Type: video/x-flv\r\nContent-Range: bytes ${from}-${(to as number) - 1}/913\r\n\r\n${film.slice(from, to)}`,
    );
    assert.equal(several.body, `${parts.join("")}\r\n--${boundary}--\r\n`);
    assert.equal(several.header("content-length"), String(several.body.length));
  });

  test("takes GET and HEAD of files only", async () => {
    const { text } = await server.exchange("POST /film.flv HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 405/);
    assert.equal((await get(server, "/none.flv")).status, 404);
    assert.match(server.log("error.log"), /open\(\) "\S+\/none\.flv" failed \(2: No such file or directory\)/);
  });
});

describe("mp4", () => {
  test("sends a film as it is without arguments that say otherwise", async () => {
    const film = latin1(FILMS["film.mp4"] as Bytes);
    for (const args of ["", "?start", "?start=x", "?end=0", "?start=1.2.3", "?start=0", "?start=0&end=0", "?x=1"]) {
      const answer = await get(server, `/film.mp4${args}`);
      assert.deepEqual([answer.status, answer.body === film, answer.header("content-type")], [200, true, "video/mp4"]);
    }
    assert.equal((await get(server, "/empty.mp4")).header("content-length"), "0");
  });

  test("what is no file, or not wanted, is the business of others", async () => {
    const { text } = await server.exchange("DELETE /film.mp4 HTTP/1.0\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 405/);
    const page = await get(server, "/index/");
    assert.deepEqual([page.status, page.body], [200, "the page"]);
    assert.match((await get(server, "/folder.mp4")).head, /^HTTP\/1\.1 301.*Location: \S+\/folder\.mp4\//s);
    assert.equal((await get(server, "/none.mp4?start=1")).status, 404);
  });

  test("tells in the log why a film can't be cut", async () => {
    for (const [target, message] of [
      ["/broken.mp4?start=1", 'broken.mp4" mp4 compressed moov atom (cmov) is not supported'],
      ["/film.mp4?start=13", 'film.mp4" mp4 start time exceeds file duration'],
      ["/empty.mp4?start=1", 'no mp4 trak atoms were found in "'],
      ["/small/film.mp4?start=1", ", you may want to increase mp4_max_buffer_size"],
    ] as const) {
      assert.equal((await get(server, target)).status, 500, target);
      const line = server.log("error.log").trimEnd().split("\n").at(-1) ?? "";
      assert.ok(line.includes(message) && line.includes("[error]"), line);
    }
  });

  test("holds inside an if, with a file cache, and for a slow client", async () => {
    const expected = (await get(server, "/film.mp4?start=3&end=6")).body;
    assert.notEqual(expected.length, (FILMS["film.mp4"] as Bytes).length);
    for (const target of ["/if/film.mp4?x=1&", "/cached/film.mp4?", "/cached/film.mp4?"])
      assert.equal((await get(server, `${target}start=3&end=6`)).body, expected, target);
    const added = await get(server, "/sub/film.mp4?start=3&end=6");
    assert.equal(added.body, `${expected}tail`);
    const { text } = await server.exchange(
      "GET /large.mp4?start=1 HTTP/1.1\r\nHost: a\r\n\r\nGET /film.flv?start=990 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    const first = split(text);
    const length = Number(first.header("content-length"));
    assert.ok(length > 8_000_000);
    assert.ok(first.body.slice(length).startsWith("HTTP/1.1 200 OK"));
    assert.ok(text.endsWith(FLV.slice(990)));
  });

  test("has one range only when it is cut", async () => {
    const whole = (await get(server, "/film.mp4?start=3&end=6")).body;
    const part = await get(server, "/film.mp4?start=3&end=6", "Range: bytes=700-719");
    assert.deepEqual([part.status, part.body], [206, whole.slice(700, 720)]);
    const several = await get(server, "/film.mp4?start=3&end=6", "Range: bytes=0-1,3-4");
    assert.deepEqual([several.status, several.body === whole], [200, true]);
    assert.equal((await get(server, "/film.mp4", "Range: bytes=0-1,3-4")).status, 206);
  });
});

const nginx = installedNginx();
const has = nginx === undefined ? "" : spawnSync(nginx, ["-V"]).stderr.toString();
const skip = /http_mp4_module/.test(has) && /http_flv_module/.test(has) ? false : "no nginx with mp4 and flv here";

const PARTS =
  "start=0 start=2 start=2.6 start=7.1&end=9 end=3 end=0.5 start=3&end=2 start=9.99 start=10.5 start=12 start=0.25&end=5.1";

test("the nginx of this machine sends the same bytes", { skip }, async () => {
  const theirs = await start(nginx);
  try {
    for (const location of ["/", "/key/", "/small/"]) {
      for (const film of ["film.mp4", "late.mp4", "v1.mp4", "broken.mp4"]) {
        for (const args of PARTS.split(" ")) {
          for (const lines of [[], ["Range: bytes=10-30"], ["Range: bytes=-700"], ["If-None-Match: *"]]) {
            const [ours, other] = await Promise.all([
              get(server, `${location}${film}?${args}`, ...lines),
              get(theirs, `${location}${film}?${args}`, ...lines),
            ]);
            const name = `${location}${film}?${args} ${lines.join()}`;
            assert.equal(ours.status, other.status, name);
            if (ours.status >= 400) continue;
            assert.ok(ours.body === other.body, name);
            for (const field of ["content-length", "content-range", "etag", "accept-ranges", "last-modified"])
              assert.equal(ours.header(field), other.header(field), `${name} ${field}`);
          }
        }
      }
    }
  } finally {
    await theirs.stop();
  }
});
