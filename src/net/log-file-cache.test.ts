import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileInfo, Files } from "../io/files.ts";
import { LogFileCache, type LogFileCacheSettings } from "./log-file-cache.ts";

/** A disk with names and inodes; what is open is in `opened`. */
class Disk {
  readonly inodes = new Map<string, number>();
  readonly opened = new Map<number, number>();
  private next = 1;

  readonly files = {
    openAppend: (path: string): number => {
      if (path.includes("none")) return -2;
      const inode = this.inodes.get(path) ?? this.next++;
      this.inodes.set(path, inode);
      const fd = this.next++;
      this.opened.set(fd, inode);
      return fd;
    },
    close: (fd: number): void => {
      assert.ok(this.opened.delete(fd), `${fd} is open`);
    },
    stat: (path: string, info: FileInfo): number => {
      info.inode = this.inodes.get(path) ?? 0;
      return this.inodes.has(path) ? 0 : -2;
    },
    statFd: (fd: number, info: FileInfo): number => {
      info.inode = this.opened.get(fd) ?? 0;
      return 0;
    },
  } as unknown as Files;
}

function setUp(settings: Partial<LogFileCacheSettings> = {}) {
  const disk = new Disk();
  const clock = { ms: 1000, now: () => clock.ms, wall: () => clock.ms };
  const cache = new LogFileCache(disk.files, clock, {
    max: 2,
    inactiveMs: 10_000,
    minUses: 1,
    validMs: 5000,
    ...settings,
  });
  const write = (path: string): number => {
    const fd = cache.open(path);
    if (fd >= 0) cache.release(path);
    return fd;
  };
  return { disk, clock, cache, write };
}

test("a file stays open, and the one that was not used for longest gives way", () => {
  const { disk, write } = setUp();
  const a = write("a");
  assert.equal(write("a"), a);
  write("b");
  write("a");
  write("c");
  assert.equal(disk.opened.size, 2);
  assert.equal(write("a"), a);
  assert.equal(disk.opened.size, 2);
});

test("a file that was moved away is left when its name is looked up again", () => {
  const { disk, clock, write } = setUp();
  const a = write("a");
  disk.inodes.delete("a");
  clock.ms += 4999;
  assert.equal(write("a"), a);
  clock.ms += 1;
  const other = write("a");
  assert.notEqual(other, a);
  assert.deepEqual([...disk.opened.keys()], [other]);
  clock.ms += 5000;
  assert.equal(write("a"), other);
});

test("a file that is seldom used is closed behind each line, one that is not used any more soon", () => {
  const { disk, clock, write } = setUp({ minUses: 2 });
  write("a");
  assert.equal(disk.opened.size, 0);
  write("a");
  assert.equal(disk.opened.size, 1);
  clock.ms += 10_000;
  write("b");
  assert.equal(disk.opened.size, 0);
});

test("what can't be opened is told and not kept, and clear closes all", () => {
  const { disk, cache, write } = setUp();
  assert.equal(write("none"), -2);
  write("a");
  cache.clear();
  assert.equal(disk.opened.size, 0);
  write("a");
  assert.equal(disk.opened.size, 1);
});
