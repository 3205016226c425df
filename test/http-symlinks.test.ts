/** disable_symlinks: which links are followed, by every module that opens files; nginx's answers beside ours where it is installed. */
import assert from "node:assert/strict";
import { existsSync, lchownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import type { TestServer } from "./http-server.ts";
import { SideBySide } from "./support/side-by-side.ts";

const HTTP = `
  access_log off; root %DIR%/html;
  log_format name '$uri';
  server { listen 127.0.0.1:%PORT%; server_name localhost;
    location / { disable_symlinks off; }
    location /on/ { alias %DIR%/html/; disable_symlinks on; }
    location /owner/ { alias %DIR%/html/; disable_symlinks if_not_owner; }
    location /from/ { alias %DIR%/html/inner/; disable_symlinks on from=%DIR%/html/link-dir; }
    location /root/ { alias %DIR%/html/link-dir/; disable_symlinks on from=$document_root; }
    location /bare/ { alias %DIR%/html/link-dir/; disable_symlinks if_not_owner from=$document_root; }
    location /odd/ { alias %DIR%/./html/../html//; disable_symlinks on; }
    location ~ ^/exact/(.*)$ { alias %DIR%/html/$1; disable_symlinks on from=%DIR%/html/$1; }
    location ~ ^/tail/(.*)/x$ { alias %DIR%/html/$1/; disable_symlinks on; index x; }
    location /empty/ { alias %DIR%/html/; disable_symlinks on from=$arg_from; }
    location /try/ { alias %DIR%/html/; disable_symlinks on; try_files /link /link-dir/ /file =404; }
    location /try-dir/ { root %DIR%/html/; disable_symlinks on; rewrite ^/try-dir(.*)$ $1 break; try_files $uri/ =418; }
    location /if/ { alias %DIR%/html/; disable_symlinks on; if (-f $request_filename) { return 204; } if (!-e $request_filename) { return 205; } }
    location /index/ { alias %DIR%/html/; disable_symlinks on; index link file; }
    location /index-ok/ { alias %DIR%/html/; disable_symlinks if_not_owner; index link; }
    location /gzip/ { alias %DIR%/html/packed/; disable_symlinks on; gzip_static always; }
    location /cached/ { open_file_cache max=10; open_file_cache_errors on; alias %DIR%/html/; disable_symlinks on; }
    location /cached-off/ { open_file_cache max=10; open_file_cache_errors on; alias %DIR%/html/; }
    location /cached-owner/ { open_file_cache max=10; open_file_cache_errors on; alias %DIR%/html/; disable_symlinks if_not_owner; }
    location /logged/ { alias %DIR%/html/; disable_symlinks on; access_log %DIR%/logs/$arg_log.log name; }
    location /logged-owner/ { alias %DIR%/html/; disable_symlinks if_not_owner; access_log %DIR%/logs/$arg_log.log name; open_log_file_cache max=10; }
  }`;

const FILES = {
  "html/file": "file",
  "html/inner/file": "inner",
  "html/inner/deep/file": "deep",
  "html/foreign-file": "foreign",
  "html/packed/a.gz": "packed",
  "html/packed/a": "a",
  "html/packed/b": "b",
};

function prepare({ folder }: TestServer): void {
  const at = (name: string): string => path.join(folder, name);
  symlinkSync("file", at("html/link"));
  symlinkSync("inner", at("html/link-dir"));
  symlinkSync("../link", at("html/inner/link"));
  symlinkSync("link", at("html/link-link"));
  symlinkSync("nowhere", at("html/link-nowhere"));
  symlinkSync("a.gz", at("html/packed/b.gz"));
  symlinkSync(at("logs/target.log"), at("logs/linked.log"));
  mkdirSync(at("html/x"));
  writeFileSync(at("html/x/x"), "x");
  if (process.getuid?.() !== 0) return;
  // Links of another owner, and a file of another owner behind one.
  for (const [target, name] of [
    ["file", "html/foreign"],
    ["inner", "html/foreign-dir"],
  ] as const) {
    symlinkSync(target, at(name));
    lchownSync(at(name), 12345, 12345);
  }
  symlinkSync("foreign-file", at("html/to-foreign"));
  lchownSync(at("html/foreign-file"), 12345, 12345);
}

const NAMES =
  "file link link-dir link-dir/ link-dir/file link-dir/deep/file link-dir/link link-link link-nowhere nowhere inner inner/file inner/link file/ file/x link/x inner//deep///file x/".split(
    " ",
  );
const FOREIGN = "foreign foreign-dir/file foreign-dir/ to-foreign foreign-file".split(" ");

describe("disable_symlinks", { timeout: 60_000 }, () => {
  let both: SideBySide;
  before(async () => {
    both = await SideBySide.start(HTTP, { files: FILES });
    for (const server of [both.ours, both.theirs]) if (server !== undefined) prepare(server);
  });
  after(() => both.stop());

  async function status(target: string): Promise<string> {
    return (await both.get(target)).slice(9, 12);
  }

  test("off follows all links, on none, whatever the path looks like", async () => {
    for (const name of NAMES) await both.get(`/${name}`);
    for (const place of ["on", "odd"]) {
      assert.equal(await status(`/${place}/file`), "200");
      assert.equal(await status(`/${place}/inner//deep///file`), "200");
      assert.equal(await status(`/${place}/link`), "403");
      assert.equal(await status(`/${place}/link-dir/file`), "404");
      for (const name of NAMES) await both.get(`/${place}/${name}`);
    }
    const lines = both.complaints(/openat\(\)/);
    assert.ok(
      lines.some((line) => line.includes('[error] openat() "DIR/html/link" failed (40: ')),
      lines[0],
    );
    assert.ok(
      lines.some((line) => line.includes('openat() "DIR/html/link-dir/file" failed (20: ')),
      lines[0],
    );
  });

  test("if_not_owner follows links whose owner owns what they lead to", async (t) => {
    for (const name of NAMES) await both.get(`/owner/${name}`);
    assert.equal(await status("/owner/link"), "200");
    assert.equal(await status("/owner/link-dir/deep/file"), "200");
    if (process.getuid?.() !== 0) return t.diagnostic("links of others need root");
    for (const name of FOREIGN) await both.get(`/owner/${name}`);
    for (const name of ["foreign", "foreign-dir/file", "to-foreign"])
      assert.equal(await status(`/owner/${name}`), "403", name);
    assert.equal(await status("/owner/foreign-file"), "200");
    assert.equal(await status("/cached-off/to-foreign"), "200");
    assert.equal(await status("/cached-owner/to-foreign"), "403");
    assert.equal(await status("/cached-off/to-foreign"), "200");
  });

  test("from= is the part of the path that may have links", async () => {
    assert.equal(await status("/root/file"), "200");
    assert.equal(await status("/root/link"), "403");
    assert.equal(await status("/bare/deep/file"), "200");
    assert.equal(await status("/exact/link"), "200");
    assert.equal(await status("/exact/link-dir/link"), "200");
    assert.equal(await status("/from/file"), "200");
    assert.equal(await status("/from/link"), "403");
    assert.equal(await status("/empty/link-dir/file"), "404");
    for (const [from, expected] of [
      ["html/link-dir/", "200"],
      ["html/link-dir", "200"],
      ["html/link", "404"],
      ["html", "404"],
      ["nowhere", "404"],
    ] as const)
      assert.equal(await status(`/empty/link-dir/file?from=%DIR%/${from}`), expected, from);
  });

  test("a slash at the end makes a directory of the path", async () => {
    assert.equal(await status("/tail/x/x"), "301");
    for (const name of ["file", "link", "link-dir", "inner"]) await both.get(`/tail/${name}/x`);
  });

  test("try_files, if, index and packed files look no further", async () => {
    assert.equal(await both.body("/try/x"), "file");
    for (const name of ["link-dir", "inner", "file", "x"]) await both.get(`/try-dir/${name}`);
    assert.equal(await status("/if/file"), "204");
    for (const name of ["link", "link-dir", "nowhere", "inner"]) await both.get(`/if/${name}`);
    assert.equal(await status("/index/"), "403");
    assert.equal(await both.body("/index-ok/"), "file");
    for (const name of ["inner/", "link-dir/", "nowhere/"]) await both.get(`/index/${name}`);
    // Older nginx sends no Accept-Ranges with packed files.
    assert.match(await both.ours.get("/gzip/a"), /Content-Encoding: gzip[\s\S]*packed$/);
    assert.equal(await both.body("/gzip/b"), "b");
    both.complaints(/failed|is not found|forbidden/);
  });

  test("what was opened for one location is not open for another one", async () => {
    for (const place of ["cached-off", "cached", "cached-off", "cached-owner", "cached", "cached-off"])
      assert.equal(await status(`/${place}/link`), place === "cached" ? "403" : "200", place);
    assert.equal(await status("/cached/link-dir/file"), "404");
    assert.equal(await status("/cached/link-dir/file"), "404");
    assert.equal(await status("/cached-off/link-dir/file"), "200");
  });

  test("a log file may not be a link either", async () => {
    await both.get("/logged/file?log=plain");
    await both.get("/logged/file?log=linked");
    await both.get("/logged-owner/file?log=linked");
    const { folder } = both.ours;
    assert.equal(readFileSync(path.join(folder, "logs/plain.log"), "latin1"), "/logged/file\n");
    assert.ok(!existsSync(path.join(folder, "logs/target.log")));
    const lines = both.complaints(/linked\.log/);
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? "", /^\[crit\] openat\(\) "DIR\/logs\/linked.log" failed \(40: /);
  });
});
