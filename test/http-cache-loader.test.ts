/** The look through a cache's folder that makes files known: over a real folder, without the minute that a server waits before it. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import type { Log } from "../src/base/log.ts";
import { Zone } from "../src/base/zone.ts";
import type { CacheLine } from "../src/http/cache-directives.ts";
import { CacheLoader } from "../src/http/cache-loader.ts";
import { FileCache } from "../src/http/file-cache.ts";
import type { HttpPorts } from "../src/http/service.ts";
import { SystemFiles } from "../src/os/files.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "cache-loader-"));
after(() => rmSync(folder, { recursive: true }));

const lines: string[] = [];
const log: Log = { enabled: () => true, write: (level, message) => lines.push(`[${level}] ${message}`) };

function open(line: Partial<CacheLine>, zoneBytes = 64 * 1024): FileCache {
  const host = { isAlive: () => true, rest: () => {} };
  const zone = new Zone("c", new Int32Array(zoneBytes / 4), { processId: 1, host });
  const ports = {
    files: new SystemFiles(),
    log,
    reactor: { clock: { now: () => 0, wall: () => 1000 } },
    random: (sizeBytes: number) => new Uint8Array(sizeBytes),
    shared: { zone: () => zone },
    processId: 1,
    isAlive: () => true,
  } as unknown as HttpPorts;
  const pace = { files: 100, sleepMs: 50, thresholdMs: 200 };
  const whole: CacheLine = {
    zone: "c",
    path: folder,
    levels: [1, 2],
    useTempPath: true,
    inactiveS: 600,
    maxSizeBytes: Number.POSITIVE_INFINITY,
    minFreeBytes: 0,
    loader: pace,
    manager: pace,
    place: "",
    ...line,
  };
  return new FileCache(whole, ports);
}

const nameOf = (n: number): string => n.toString(16).padStart(32, "0");
const put = (name: string, sizeBytes: number): void => {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), Buffer.alloc(sizeBytes));
};
const left = (): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .sort();

test("files become known, what is none is deleted, and the rest is left alone", () => {
  for (let n = 0; n < 5; n++) put(`${nameOf(n).slice(-1)}/${nameOf(n).slice(-3, -1)}/${nameOf(n)}`, 5000);
  put(nameOf(9), 335);
  put("a".repeat(31).concat("g"), 5000);
  put(`${nameOf(7)}.0000000001`, 10);
  put("temp/anything", 1);
  symlinkSync("/etc/passwd", path.join(folder, nameOf(8)));
  const cache = open({});
  const loader = new CacheLoader(cache, new SystemFiles(), log);
  while (!loader.step(() => 0));
  assert.equal(cache.keys.count, 5);
  assert.equal(cache.keys.blocks, 5 * cache.blocksOf(8192));
  assert.deepEqual(left(), [...[0, 1, 2, 3, 4].map(nameOf), `${nameOf(7)}.0000000001`, "anything"].sort());
  assert.ok(lines.some((line) => /^\[crit\] cache file ".*9" is too small$/.test(line)));
  loader.report();
  assert.match(lines.at(-1) as string, /^\[notice\] http file cache: .* 0\.039M, bsize: 4096$/);
});

test("it rests after so many files, and when its time is over", () => {
  const steps = (line: Partial<CacheLine>, clock: () => number): number => {
    const loader = new CacheLoader(open(line), new SystemFiles(), log);
    let count = 1;
    while (!loader.step(clock)) count++;
    return count;
  };
  assert.ok(steps({ loader: { files: 2, sleepMs: 0, thresholdMs: 1000 } }, () => 0) >= 3);
  let now = 0;
  assert.ok(steps({ loader: { files: 1000, sleepMs: 0, thresholdMs: 2 } }, () => now++) >= 3);
  assert.equal(
    steps({}, () => 0),
    1,
  );
});

test("files beyond the room for their keys are deleted, and it is said once a second", () => {
  for (let n = 100; n < 200; n++) put(nameOf(n), 400);
  lines.length = 0;
  const cache = open({ levels: [] }, 8192);
  const loader = new CacheLoader(cache, new SystemFiles(), log);
  while (!loader.step(() => 0));
  assert.equal(left().length, cache.keys.count + 2);
  assert.deepEqual(lines, ['[alert] could not allocate node in cache keys zone "c"']);
});
