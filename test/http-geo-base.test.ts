/** The binary base of geo's ranges: made of a long file, read instead of it, and understood by nginx; and what is said when it can't be. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { decodeGeoBase } from "../src/conf/geo-base.ts";
import { installedNginx, OURS, TestServer } from "./http-server.ts";

const nginx = installedNginx();
const folder = mkdtempSync(path.join(os.tmpdir(), "tandem-geo-"));
mkdirSync(path.join(folder, "logs"));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);

/** More than 100,000 lines, the last of them ours. */
function ranges(count = 100_001): string {
  let text = "";
  for (let i = 1; i < count; i++) {
    const ip = `10.${i >> 16}.${(i >> 8) & 0xff}.${i & 0xff}`;
    text += `${ip}-${ip} v${i % 7};\n`;
  }
  return `${text}127.0.0.1-127.0.0.1 here;\n`;
}
const LONG = ranges();

/** What a program says of a configuration with these blocks: the lines of its log. */
function judge(binary: string, geo: string): readonly string[] {
  writeFileSync(at("nginx.conf"), `events {} http { access_log off;\n${geo}\nserver { listen 127.0.0.1:1; } }`);
  writeFileSync(at("logs/error.log"), "");
  const args = ["-t", "-q", "-p", folder, "-c", "nginx.conf", "-e", "logs/error.log"];
  const { stderr } = spawnSync(binary, args, { encoding: "latin1" });
  const log = readFileSync(at("logs/error.log"), "latin1");
  const lines = log.split("\n").filter((line) => /geo|range/.test(line));
  assert.doesNotMatch(stderr, /host not found|permitted to listen/);
  return lines.map((line) => line.replace(/^\S+ \S+ (\[\w+\]) \S+: /, "$1 ").replaceAll(`${folder}/`, "DIR/"));
}

/** The same of both; the base that is there is there for both. */
function same(geo: string): readonly string[] {
  const mine = judge(OURS, geo);
  if (nginx !== undefined) assert.deepEqual(mine.slice(0, 1), judge(nginx, geo).slice(0, 1), geo);
  return mine;
}

const INCLUDE = "geo $x { ranges; default none; include long.conf; }";
const USING = '[notice] using binary geo range base "DIR/long.conf.bin" in DIR/nginx.conf:2';

test("a long file becomes a base, once, which is read instead of it by both programs", () => {
  writeFileSync(at("long.conf"), LONG);
  const made = judge(OURS, `${INCLUDE}\ngeo $y { ranges; include long.conf; }`);
  assert.deepEqual([...made].sort(), [
    '[notice] creating binary geo range base "DIR/long.conf.bin"',
    USING.replace(":2", ":3"),
  ]);
  const decoded = decodeGeoBase(readFileSync(at("long.conf.bin")));
  assert.ok(decoded.ok);
  assert.equal(decoded.value.get(0x7f00)?.[0]?.value, "here");
  assert.deepEqual(same(INCLUDE), [USING]);
  if (nginx === undefined) return;
  rmSync(at("long.conf.bin"));
  judge(nginx, INCLUDE);
  const theirs = decodeGeoBase(readFileSync(at("long.conf.bin")));
  assert.ok(theirs.ok);
  assert.deepEqual(new Map(theirs.value), new Map(decoded.value));
  assert.equal(statSync(at("long.conf.bin")).size % 8, 0);
});

test("a base that is older, damaged or foreign is not used, and is made again", () => {
  writeFileSync(at("short.conf"), "127.0.0.1-127.0.0.1 here;");
  const short = INCLUDE.replace("long", "short");
  const base = readFileSync(at("long.conf.bin"));
  const put = (bytes: Uint8Array, ageS: number): void => {
    writeFileSync(at("short.conf.bin"), bytes);
    const time = statSync(at("short.conf")).mtimeMs / 1000 - ageS;
    utimesSync(at("short.conf.bin"), time, time);
  };
  const said = (what: string): string =>
    `[warn] ${what} binary geo range base "DIR/short.conf.bin" in DIR/nginx.conf:2`;
  put(base, 10);
  assert.deepEqual(same(short), [said("stale")]);
  put(base, 0);
  assert.deepEqual(same(short), [USING.replace("long", "short")]);
  put(base.subarray(0, 12), 0);
  assert.deepEqual(same(short), [said("incompatible")]);
  const damaged = Buffer.from(base);
  damaged.writeUInt8(1, damaged.length - 12);
  put(damaged, 0);
  assert.deepEqual(same(short), [said("CRC32 mismatch in")]);
});

test("a base stands alone", () => {
  const mixed = 'binary geo range base "DIR/long.conf.bin" cannot be mixed with';
  writeFileSync(at("other.conf"), LONG);
  writeFileSync(at("other.conf.bin"), readFileSync(at("long.conf.bin")));
  for (const [block, message] of [
    ["ranges; 1.1.1.1-1.1.1.1 x; include long.conf;", `${mixed} usual entries`],
    ["ranges; include long.conf; 1.1.1.1-1.1.1.1 x;", `${mixed} usual entries`],
    ["ranges; include long.conf; delete 1.1.1.1-1.1.1.1;", `${mixed} usual entries`],
    ["ranges; include other.conf; include long.conf;", `second ${mixed} "DIR/other.conf.bin"`],
  ] as const) {
    const lines = same(`geo $x { ${block} }`);
    assert.ok(lines.includes(`[emerg] ${message} in DIR/nginx.conf:2`), lines.join("\n"));
    if (nginx === undefined) continue;
    assert.ok(judge(nginx, `geo $x { ${block} }`).includes(`[emerg] ${message} in DIR/nginx.conf:2`), block);
  }
  assert.deepEqual(same("geo $x { ranges; include long.conf; default y; proxy 10.0.0.0/8; }"), [USING]);
});

test("what is no long file of ranges has none", () => {
  writeFileSync(at("few.conf"), ranges(100_000));
  writeFileSync(at("one.conf"), "1.1.1.1-1.1.1.1 x;");
  writeFileSync(at("more.conf"), LONG);
  for (const block of [
    "ranges; include few.conf;",
    "ranges; include more.conf; 1.1.1.1-1.1.1.1 x;",
    "ranges; 1.1.1.1-1.1.1.1 x; include more.conf;",
    "ranges; include more.conf; include one.conf;",
    "ranges; include mor?.conf;",
  ]) {
    // Older nginx finds no files by pattern here.
    const ask = block.includes("?") ? (geo: string) => judge(OURS, geo) : same;
    assert.deepEqual(ask(`geo $x { ${block} }`), [], block);
    assert.ok(!existsSync(at("more.conf.bin")) && !existsSync(at("few.conf.bin")), block);
  }
});

test("workers answer by the base, before and after a reload", { timeout: 60_000 }, async () => {
  const http = `geo $x { ranges; default none; include ranges.conf; }
    server { listen 127.0.0.1:%PORT%; return 200 $x; }`;
  const server = await TestServer.start(http, { files: { "conf/ranges.conf": LONG } });
  try {
    assert.match(await server.get("/"), /\r\n\r\nhere$/);
    assert.ok(existsSync(path.join(server.folder, "conf/ranges.conf.bin")));
    server.signal("SIGHUP");
    while (!server.log("error.log").includes("using binary geo range base"))
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.match(await server.get("/"), /\r\n\r\nhere$/);
  } finally {
    await server.stop();
  }
});
