/** Settings of the http core and of files that need a server of their own: what the real nginx says is what ours says. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, utimesSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { installedNginx, normal, TestServer } from "./http-server.ts";

const nginx = installedNginx();
const skip = nginx === undefined ? "nginx is not installed" : false;

const MODIFIED_S = 1_700_000_000;
/** Letters only: nothing in it looks like a port. */
const BIG = Array.from({ length: 60_000 }, (_, i) =>
  String(i).replace(/\d/g, (digit) => "abcdefghij"[Number(digit)] ?? ""),
).join(" ");

const FILES = {
  "html/big.txt": BIG,
  "html/index.html": "index\n",
  [`html/utf8/short-ффф`]: "",
  [`html/utf8/long-${"ф".repeat(50)}`]: "1",
  [`html/utf8/fifty-${"ф".repeat(44)}`]: "22",
  [`html/utf8/fifty-one-${"ф".repeat(41)}`]: "22",
  [`html/utf8/<>&-${"ф".repeat(50)}`]: "333",
  [`html/utf8/${"€".repeat(5)}<${">".repeat(50)}`]: "4444",
  [`html/utf8/folder-${"ф".repeat(10)}/x`]: "",
  [`html/utf8/plain-${"x".repeat(50)}`]: "",
};

const HTTP = `
  access_log off;
  server {
    listen 127.0.0.1:%PORT%; root %DIR%/html;
    location /direct/ { alias %DIR%/html/; directio 64k; sendfile on; }
    location /direct-kept/ { alias %DIR%/html/; directio 1; open_file_cache max=10; }
    location /direct-packed/ { alias %DIR%/html/; directio 1; gzip on; gzip_http_version 1.0; gzip_types *; read_ahead 1; }
    location /direct-slow/ { alias %DIR%/html/; directio 1; limit_rate 1k; }
    location /utf8/ { autoindex on; charset UTF-8; }
    location /bytes/ { alias %DIR%/html/utf8/; autoindex on; }
    location /other/ { alias %DIR%/html/utf8/; autoindex on; autoindex_exact_size off; charset koi8-r; }
  }
`;

let ours: TestServer;
let theirs: TestServer | undefined;

before(async () => {
  ours = await TestServer.start(HTTP, { files: FILES });
  if (nginx !== undefined) theirs = await TestServer.start(HTTP, { binary: nginx, files: FILES });
  for (const server of theirs === undefined ? [ours] : [ours, theirs])
    for (const name of Object.keys(FILES)) utimesSync(path.join(server.folder, name), MODIFIED_S, MODIFIED_S);
});

after(async () => {
  await ours?.stop();
  await theirs?.stop();
});

function firstDifference(a: string, b: string): string {
  const others = b.split("\n");
  const index = a.split("\n").findIndex((line, at) => line !== others[at]);
  return `${a.split("\n")[index]?.slice(0, 300)} is not ${others[index]?.slice(0, 300)}`;
}

/** The answer of ours, which must be that of nginx where there is one. */
async function answer(target: string, ...headers: string[]): Promise<string> {
  const mine = normal(await ours.get(target, ...headers), ours);
  if (theirs !== undefined) {
    const minute = (text: string): string => text.replace(/\d\d-\w{3}-\d{4} \d\d:\d\d/g, "MINUTE");
    const other = minute(normal(await theirs.get(target, ...headers), theirs));
    // A difference is shown by its first line only: bodies may be large.
    assert.ok(minute(mine) === other, `${target}: ${firstDifference(minute(mine), other)}`);
  }
  return mine;
}

test("names in a listing are cut by characters when its charset is UTF-8", async () => {
  const f = Buffer.from("ф").toString("latin1");
  const listing = await answer("/utf8/");
  assert.ok(listing.includes(`>long-${f.repeat(42)}..&gt;</a>`));
  assert.ok(listing.includes(`>fifty-${f.repeat(44)}</a> `));
  assert.ok(listing.includes(`>&lt;&gt;&amp;-${f.repeat(43)}..&gt;</a>`));
});

test("names in a listing are cut by bytes when its charset is another one or none", { skip }, async () => {
  await answer("/bytes/");
  await answer("/other/");
});

test("a file that is read past the kernel's cache comes whole and in any part", async () => {
  for (const folder of ["/direct/", "/direct-kept/"]) {
    assert.ok((await answer(`${folder}big.txt`)).endsWith(`\r\n\r\n${BIG}`), folder);
    assert.ok((await answer(`${folder}big.txt`, "Range: bytes=5-300000")).endsWith(BIG.slice(5, 300_001)), folder);
    assert.ok((await answer(`${folder}index.html`)).endsWith("index\n"));
  }
  const packed = await ours.get("/direct-packed/big.txt", "Accept-Encoding: gzip");
  const body = Buffer.from(packed.slice(packed.indexOf("\r\n\r\n") + 4), "latin1");
  assert.equal(gunzipSync(body).toString(), BIG);
});

/** O_CLOEXEC, which is there for the new binary only. */
const CLOSE_ON_EXEC = 0o2000000;

/** The flags (open(2)) of a descriptor that a worker has for a file. */
function descriptorFlags(server: TestServer, file: string): number | undefined {
  const workers = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "latin1").trim().split(" ");
  for (const worker of workers) {
    for (const fd of readdirSync(`/proc/${worker}/fd`)) {
      if (readlinkSync(`/proc/${worker}/fd/${fd}`) !== `${server.folder}/${file}`) continue;
      const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/${worker}/fdinfo/${fd}`, "latin1"))?.[1];
      return Number.parseInt(flags ?? "", 8) & ~CLOSE_ON_EXEC;
    }
  }
  return undefined;
}

test("directio opens a file with the flags that nginx opens it with", { skip }, async () => {
  const flags: (number | undefined)[] = [];
  for (const server of [ours, theirs as TestServer]) {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.write("GET /direct-slow/big.txt HTTP/1.0\r\n\r\n");
    await once(socket, "data");
    flags.push(descriptorFlags(server, "html/big.txt"));
    socket.destroy();
  }
  assert.notEqual(flags[0], undefined);
  assert.equal(flags[0], flags[1]);
});
