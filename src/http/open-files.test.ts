import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { silentLog } from "../base/log.ts";
import type { FileInfo } from "../io/files.ts";
import { type OpenFile, type OpenFileCacheSettings, OpenFiles } from "./open-files.ts";

const ENOENT = 2;
const EBADF = 9;

interface Node {
  inode: number;
  sizeBytes: number;
  isDirectory: boolean;
}

/** A file system of a few names, which counts what is asked of it. */
class Disk {
  readonly nodes = new Map<string, Node>();
  readonly open_ = new Map<number, Node>();
  readonly calls: string[] = [];
  private nextInode = 1;
  private nextFd = 3;

  make(path: string, sizeBytes: number, isDirectory = false): void {
    this.nodes.set(path, { inode: this.nextInode++, sizeBytes, isDirectory });
  }

  open(path: string): number {
    this.calls.push(`open ${path}`);
    const node = this.nodes.get(path);
    if (node === undefined) return -ENOENT;
    this.open_.set(this.nextFd, node);
    return this.nextFd++;
  }

  /** Knows the root, and what lies in it. */
  openAt(_directory: number, name: string, mode: string): number {
    if (mode !== "search") return this.open(`/${name}`);
    this.open_.set(this.nextFd, { inode: 0, sizeBytes: 0, isDirectory: true });
    return this.nextFd++;
  }

  statAt(): number {
    return -ENOENT;
  }

  close(fd: number): void {
    assert.ok(this.open_.delete(fd), "a descriptor is closed once");
  }

  stat(path: string, info: FileInfo): number {
    this.calls.push(`stat ${path}`);
    return fill(info, this.nodes.get(path));
  }

  statFd(fd: number, info: FileInfo): number {
    return fill(info, this.open_.get(fd), EBADF);
  }

  readAhead(fd: number): number {
    this.calls.push(`readAhead ${fd}`);
    return 0;
  }

  readDirectly(fd: number): number {
    this.calls.push(`readDirectly ${fd}`);
    return 0;
  }
}

function fill(info: FileInfo, node: Node | undefined, errno = ENOENT): number {
  if (node === undefined) return -errno;
  const { inode, sizeBytes, isDirectory } = node;
  Object.assign(info, { inode, sizeBytes, isDirectory, isFile: !isDirectory, mtimeS: 0 });
  return 0;
}

let disk: Disk;
let files: OpenFiles;
let now = 0;
beforeEach(() => {
  disk = new Disk();
  now = 0;
  files = new OpenFiles(disk, { now: () => now, wall: () => now }, silentLog);
});

const LINE = { max: 3, inactiveMs: 20_000 };
const settings = (more: Partial<OpenFileCacheSettings> = {}): OpenFileCacheSettings => ({
  line: LINE,
  validMs: 60_000,
  minUses: 1,
  errors: false,
  ...more,
});

/** Opens, describes and releases: what one request does. */
function use(path: string, with_: OpenFileCacheSettings | "none" = settings()): string {
  const file = files.open(path, with_ === "none" ? undefined : with_);
  files.release(file);
  return tell(file);
}

function tell({ errno, failedCall, isDirectory, sizeBytes }: OpenFile): string {
  if (errno !== 0) return `${failedCall} ${errno}`;
  return isDirectory ? "folder" : String(sizeBytes);
}

const openFiles = (): number => disk.open_.size;

describe("without a cache", () => {
  test("a file is opened for each use and closed behind it", () => {
    disk.make("a", 10);
    assert.equal(use("a", "none"), "10");
    const file = files.open("a", undefined);
    assert.equal(openFiles(), 1);
    files.release(file);
    assert.equal(openFiles(), 0);
    assert.equal(use("none", "none"), "open() 2");
    assert.equal(tell(files.test("a", undefined)), "10");
    assert.equal(tell(files.test("none", undefined)), "stat() 2");
    assert.equal(openFiles(), 0);
  });

  test("a file is prepared by its size when it is opened, and so is one whose descriptor had been closed", () => {
    disk.make("a", 10);
    disk.make("b", 200);
    const rules = { readAheadAbove: 100, directFrom: 200 };
    const prepared = (): string[] => disk.calls.splice(0).filter((call) => call.startsWith("read"));
    const small = files.open("a", undefined, undefined, rules);
    assert.deepEqual([prepared(), files.isDirect(small.fd)], [[], false]);
    const kept = settings({ minUses: 5 });
    const large = files.open("b", kept, undefined, rules);
    const { fd } = large;
    assert.deepEqual([prepared(), files.isDirect(fd)], [[`readAhead ${fd}`, `readDirectly ${fd}`], true]);
    files.release(large);
    assert.equal(files.isDirect(fd), false, "closed for want of uses");
    assert.equal(prepared().length, 0);
    const again = files.open("b", kept, undefined, rules);
    assert.equal(prepared().length, 2);
    assert.equal(files.isDirect(again.fd), true);
  });

  test("a folder is closed at once", () => {
    disk.make("f", 0, true);
    assert.equal(use("f", "none"), "folder");
    assert.equal(openFiles(), 0);
  });
});

describe("with a cache", () => {
  test("a file stays open and is not looked at again while it is valid", () => {
    disk.make("a", 10);
    assert.equal(use("a"), "10");
    disk.make("a", 20);
    now = 59_999;
    assert.equal(use("a"), "10");
    assert.deepEqual([disk.calls, openFiles()], [["open a"], 1]);
    now = 60_000;
    assert.equal(use("a"), "20");
    assert.deepEqual([disk.calls, openFiles()], [["open a", "stat a", "stat a", "open a"], 1]);
  });

  test("the same file is kept, with its new size", () => {
    disk.make("a", 10);
    use("a");
    (disk.nodes.get("a") as Node).sizeBytes = 11;
    now = 60_000;
    assert.equal(use("a"), "11");
    assert.deepEqual(disk.calls, ["open a", "stat a"]);
    now = 119_999;
    use("a");
    assert.equal(disk.calls.length, 2, "valid again from then on");
  });

  test("who still uses a file that was replaced keeps it", () => {
    disk.make("a", 10);
    const old = files.open("a", settings());
    disk.make("a", 20);
    now = 60_000;
    const fresh = files.open("a", settings());
    assert.deepEqual([tell(old), tell(fresh), openFiles()], ["10", "20", 2]);
    files.release(old);
    assert.equal(openFiles(), 1);
    files.release(fresh);
    assert.equal(openFiles(), 1);
  });

  test("what is gone is found out by stat, and forgotten unless errors are kept", () => {
    disk.make("a", 10);
    use("a");
    disk.nodes.delete("a");
    now = 60_000;
    assert.equal(use("a"), "stat() 2");
    assert.equal(openFiles(), 0);
    disk.make("a", 20);
    assert.equal(use("a"), "20");
  });

  test("errors are kept when they shall, as long as they are valid", () => {
    const keeping = settings({ errors: true });
    assert.equal(use("a", keeping), "open() 2");
    disk.make("a", 10);
    assert.equal(use("a", keeping), "open() 2");
    assert.equal(use("b"), "open() 2");
    disk.make("b", 5);
    assert.equal(use("b"), "5");
    now = 60_000;
    assert.equal(use("a", keeping), "10");
  });

  test("a folder is remembered without a descriptor", () => {
    disk.make("f", 0, true);
    assert.equal(use("f"), "folder");
    assert.equal(use("f"), "folder");
    now = 60_000;
    assert.equal(use("f"), "folder");
    assert.deepEqual([disk.calls, openFiles()], [["open f", "stat f"], 0]);
    disk.make("f", 7);
    now = 120_000;
    assert.equal(use("f"), "7");
  });

  test("a file that is used too seldom is closed, and opened and looked at again", () => {
    const twice = settings({ minUses: 2 });
    disk.make("a", 10);
    use("a", twice);
    assert.equal(openFiles(), 0);
    disk.make("a", 20);
    assert.equal(use("a", twice), "20");
    assert.equal(openFiles(), 1);
    assert.equal(use("a", twice), "20");
    assert.deepEqual(disk.calls, ["open a", "open a"]);
    disk.nodes.delete("b");
    disk.make("b", 1);
    use("b", twice);
    disk.nodes.delete("b");
    assert.equal(use("b", twice), "open() 2");
    assert.equal(openFiles(), 1);
  });

  test("the one that was used longest ago goes when there are too many", () => {
    for (const name of ["a", "b", "c", "d"]) disk.make(name, 1);
    for (const name of ["a", "b", "c", "a", "d"]) use(name);
    assert.equal(openFiles(), 3);
    disk.calls.length = 0;
    for (const name of ["a", "c", "d"]) use(name);
    assert.deepEqual(disk.calls, []);
    use("b");
    assert.deepEqual(disk.calls, ["open b"]);
  });

  test("the beginning of a use counts too", () => {
    for (const name of ["a", "b", "c", "d"]) disk.make(name, 1);
    for (const name of ["a", "b", "c"]) use(name);
    const file = files.open("a", settings());
    use("d");
    disk.calls.length = 0;
    use("a");
    assert.deepEqual(disk.calls, []);
    files.release(file);
  });

  test("one that must go while it is used is closed by its last user", () => {
    for (const name of ["a", "b", "c", "d"]) disk.make(name, 1);
    const file = files.open("a", settings());
    for (const name of ["b", "c", "d"]) use(name);
    assert.equal(openFiles(), 4);
    files.release(file);
    assert.equal(openFiles(), 3);
  });

  test("one or two that nobody has used for long go with every use", () => {
    const large = settings({ line: { max: 10, inactiveMs: 20_000 } });
    for (const name of ["a", "b", "c", "d"]) disk.make(name, 1);
    for (const name of ["a", "b", "c"]) use(name, large);
    now = 20_000;
    use("d", large);
    assert.equal(openFiles(), 4);
    now = 20_001;
    use("d", large);
    assert.equal(openFiles(), 2);
    use("d", large);
    assert.equal(openFiles(), 1);
  });

  test("places with the same line share a cache, others don't", () => {
    disk.make("a", 1);
    use("a");
    use("a", settings({ validMs: 1000 }));
    assert.deepEqual(disk.calls, ["open a"]);
    use("a", settings({ line: { ...LINE } }));
    assert.deepEqual(disk.calls, ["open a", "open a"]);
    assert.equal(openFiles(), 2);
  });

  test("a file that was opened with other links in its path is opened anew, and a look would follow them", () => {
    disk.make("/file", 1);
    const links = { ofOwner: false, free: 0 };
    for (const check of [undefined, links, { ...links }, undefined])
      files.release(files.open("/file", settings(), check));
    assert.deepEqual(disk.calls, ["open /file", "open /file", "stat /file", "open /file"]);
    disk.calls.length = 0;
    for (let i = 0; i < 2; i++) {
      now += 60_000;
      files.release(files.open("/file", settings(), links));
    }
    assert.deepEqual(disk.calls, ["open /file", "open /file"]);
    assert.equal(files.open("/none", settings({ errors: true }), links).failedCall, "openat()");
    assert.equal(files.open("/none", settings({ errors: true }), links).failedCall, "openat()");
  });
});
