/** random_index and empty_gif, nginx's answers beside ours where it is installed. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import type { TestServer } from "./http-server.ts";
import { SideBySide } from "./support/side-by-side.ts";

const HTTP = `
  access_log off; root %DIR%/html;
  server { listen 127.0.0.1:%PORT%; server_name localhost;
    location / { random_index on; }
    location /off/ { random_index off; }
    location /aliased/ { alias %DIR%/html/many/; random_index on; }
    location /inner/ { random_index on; location /inner/deep/ { } }
    location /gif { empty_gif; expires epoch; }
    location /gif/limited { empty_gif; limit_except GET { } }
    location /gif/if { empty_gif; if ($arg_x) { add_header X-If yes; } }
    location /many/shown { return 200 "<$uri $args>"; }
  }`;

const FILES = {
  ...Object.fromEntries(["a", "b", "c", "d"].map((name) => [`html/many/${name}`, name])),
  "html/many/.hidden": "hidden",
  "html/many/folder/index.html": "index",
  "html/many/folder/.x": "hidden",
  "html/hidden/.x": "hidden",
  "html/links/x.txt/y": "",
  "html/target": "target",
  "html/inner/deep/one": "one",
  "html/off/index.html": "index",
};

function prepare({ folder }: TestServer): void {
  const html = path.join(folder, "html");
  mkdirSync(path.join(html, "linked"));
  symlinkSync(path.join(html, "target"), path.join(html, "linked/file"));
  symlinkSync(path.join(html, "many"), path.join(html, "linked/directory"));
  symlinkSync(path.join(html, "nowhere"), path.join(html, "linked/nowhere"));
  mkdirSync(path.join(html, "broken"));
  symlinkSync(path.join(html, "nowhere"), path.join(html, "broken/nowhere"));
  mkdirSync(path.join(html, "circle"));
  symlinkSync("circle", path.join(html, "circle/circle"));
  mkdirSync(path.join(html, "closed"));
  chmodSync(path.join(html, "closed"), 0);
}

describe("random_index and empty_gif", { timeout: 60_000 }, () => {
  let both: SideBySide;
  before(async () => {
    both = await SideBySide.start(HTTP, { files: FILES });
    for (const server of [both.ours, both.theirs]) if (server !== undefined) prepare(server);
  });
  after(() => both.stop());

  test("any file of the directory answers, in time each of them, and nothing else", async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 200 && seen.size < 4; i++) {
      const answer = await both.ours.get("/many/");
      seen.add(answer.slice(answer.indexOf("\r\n\r\n") + 4));
    }
    assert.deepEqual([...seen].sort(), ["a", "b", "c", "d"]);
    assert.match(await both.ours.get("/aliased/"), /^HTTP\/1.1 200 [\s\S]*[abcd]$/);
  });

  test("links to files count, those to directories and to nothing do not", async () => {
    assert.equal(await both.body("/linked/"), "target");
    assert.match(await both.get("/broken/"), /^HTTP\/1.1 403 /);
    assert.match(await both.get("/circle/"), /^HTTP\/1.1 500 /);
  });

  test("without a file the index comes, and then nginx's refusal", async () => {
    assert.equal(await both.body("/many/folder/"), "index");
    assert.match(await both.get("/hidden/"), /^HTTP\/1.1 403 /);
    assert.match(await both.get("/links/"), /^HTTP\/1.1 403 /);
    assert.equal(await both.body("/off/"), "index");
    assert.equal(await both.body("/inner/deep/"), "one");
  });

  test("a directory that can't be read is nginx's error", async () => {
    assert.match(await both.get("/nowhere/"), /^HTTP\/1.1 404 /);
    assert.match(await both.get("/target/"), /^HTTP\/1.1 404 /);
    await both.get("/closed/");
    assert.equal(await both.send("PUT /off/ HTTP/1.0\r\n\r\n"), await both.send("PUT /off/ HTTP/1.0\r\n\r\n"));
    assert.ok(both.complaints(/opendir|stat\(\)|directory index/).length >= 5);
  });

  test("the picture is nginx's, byte by byte, with its age", async () => {
    const answer = await both.ours.get("/gif");
    assert.match(answer, /Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT\r\n/);
    assert.match(answer, /Content-Type: image\/gif\r\nContent-Length: 43\r\n/);
    await both.get("/gif");
    await both.send("HEAD /gif HTTP/1.0\r\n\r\n");
    assert.match(await both.send("POST /gif HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"), /^HTTP\/1.1 405 /);
    assert.match(await both.get("/gif", "If-Modified-Since: Mon, 28 Sep 1970 06:00:00 GMT"), /^HTTP\/1.1 304 /);
    assert.match(await both.get("/gif", "Range: bytes=0-2"), /^HTTP\/1.1 200 /);
    assert.match(await both.get("/gif/if?x=1"), /X-If: yes/);
    assert.match(await both.get("/gif/limited"), /^HTTP\/1.1 200 /);
    await both.send("POST /gif/limited HTTP/1.0\r\n\r\n");
    await both.send("DELETE /gif/limited HTTP/1.0\r\n\r\n");
  });
});
