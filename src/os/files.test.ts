import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { type DirectoryEntry, emptyFileInfo } from "../io/files.ts";
import { EEXIST, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR } from "./errno.ts";
import { SystemFiles } from "./files.ts";
import { allocateMemory } from "./memory.ts";

const ENXIO = 6;
const ENOTEMPTY = 39;

describe("files", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "files-"));
  const files = new SystemFiles();
  const at = (name: string): string => path.join(folder, name);
  writeFileSync(at("plain"), "0123456789");
  mkdirSync(at("folder"));
  symlinkSync("plain", at("link"));
  after(() => rmSync(folder, { recursive: true }));

  test("stat says what node's own stat says", () => {
    chmodSync(at("plain"), 0o755);
    const info = emptyFileInfo();
    for (const name of ["plain", "folder", "link"]) {
      assert.equal(files.stat(at(name), info), 0);
      const expected = statSync(at(name));
      assert.deepEqual(info, {
        sizeBytes: expected.size,
        allocatedBytes: expected.blocks * 512,
        mtimeS: Math.floor(expected.mtimeMs / 1000),
        inode: expected.ino,
        ownerId: expected.uid,
        mode: expected.mode & 0o777,
        isFile: expected.isFile(),
        isDirectory: expected.isDirectory(),
        isLink: false,
        isExecutable: true,
      });
    }
    assert.equal(files.statLink(at("link"), info), 0);
    assert.deepEqual([info.isLink, info.isFile], [true, false]);
    const fd = files.open(at("plain"));
    assert.equal(files.statFd(fd, info), 0);
    assert.equal(info.sizeBytes, 10);
    files.close(fd);
  });

  test("an existing file is opened for both, a missing one is not made", () => {
    assert.equal(files.openExisting(at("nothing")), -ENOENT);
    assert.ok(!existsSync(at("nothing")));
    writeFileSync(at("both"), "0123456789");
    const fd = files.openExisting(at("both"));
    const memory = allocateMemory(16);
    memory.bytes.set([0x21], 0);
    assert.equal(files.writeAt(fd, memory, 0, 1, 9), 1);
    assert.equal(files.read(fd, memory, 1, 1, 9), 1);
    assert.equal(memory.bytes[1], 0x21);
    files.close(fd);
    rmSync(at("both"));
  });

  test("a file system says how large its blocks are and what is free", () => {
    const info = files.fileSystem(at("plain"));
    assert.ok(typeof info !== "number" && info.blockBytes >= 512 && info.availableBytes >= 0);
    assert.equal(files.fileSystem(at("nothing")), -ENOENT);
  });

  test("sizes over 4 GiB and times before 1970 are read whole", () => {
    execFileSync("truncate", ["-s", "5000000001", at("large")]);
    execFileSync("touch", ["-d", "1969-12-31 23:59:50 UTC", at("large")]);
    const info = emptyFileInfo();
    files.stat(at("large"), info);
    assert.deepEqual([info.sizeBytes, info.mtimeS], [5000000001, -10]);
  });

  test("a file that is read past the kernel's cache gives every piece, also those that begin or end anywhere", () => {
    const text = Array.from({ length: 5000 }, (_, i) => String(i)).join(" ");
    writeFileSync(at("direct"), text);
    const fd = files.open(at("direct"));
    const flags = (): number =>
      Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "", 8);
    const before = flags();
    // Some file systems, tmpfs among them, have nothing but their cache.
    if (files.readDirectly(fd) !== 0) return;
    const direct = flags();
    assert.notEqual(direct, before);
    const memory = allocateMemory(16384);
    for (const [offset, size, position] of [
      [0, 4096, 4096],
      [0, 4096, 20480],
      [7, 100, 3],
      [0, 512, 1],
    ] as const) {
      const read = files.read(fd, memory, offset, size, position);
      const expected = text.slice(position, position + size);
      assert.equal(Buffer.from(memory.bytes.subarray(offset, offset + read)).toString(), expected);
      assert.equal(flags(), direct);
    }
    files.close(fd);
  });

  test("the kernel takes the hint that a file is read from its beginning to its end", () => {
    const fd = files.open(at("plain"));
    assert.equal(files.readAhead(fd), 0);
    files.close(fd);
    assert.notEqual(files.readAhead(-1), 0);
  });

  test("failures are -errno, and a path that C would cut is refused", () => {
    const info = emptyFileInfo();
    assert.equal(files.open(at("missing")), -ENOENT);
    assert.equal(files.stat(at("plain/below"), info), -ENOTDIR);
    assert.equal(files.openAppend(at("folder")), -EISDIR);
    assert.equal(files.open(`${at("plain")}\0.html`), -EINVAL);
    assert.equal(files.open(`/${"x".repeat(5000)}`), -ENAMETOOLONG);
    assert.equal(files.openNew(at("plain")), -EEXIST);
    assert.equal(files.list(at("missing")), -ENOENT);
    assert.equal(files.realPath(at("missing")), -ENOENT);
  });

  test("a path is bytes: each character of the string is one", () => {
    const name = Buffer.from("häß", "utf8").toString("latin1");
    writeFileSync(at("häß"), "umlaut");
    const fd = files.open(at(name));
    assert.ok(fd >= 0);
    files.close(fd);
    const names = (files.list(folder) as readonly DirectoryEntry[]).map((entry) => entry.name);
    assert.ok(names.includes(name));
    assert.equal(files.realPath(at(name)), `${files.realPath(folder)}/${name}`);
  });

  test("read takes any part, write appends, writeAt overwrites", () => {
    const memory = allocateMemory(100);
    const fd = files.open(at("plain"));
    assert.equal(files.read(fd, memory, 5, 100, 7), 3);
    assert.equal(Buffer.from(memory.bytes.subarray(5, 8)).toString(), "789");
    assert.equal(files.read(fd, memory, 0, 100, 10), 0);
    files.close(fd);
    const log = files.openAppend(at("log"));
    memory.bytes.set(Buffer.from("line\n"));
    assert.equal(files.write(log, memory, 0, 5), 5);
    files.close(log);
    const again = files.openAppend(at("log"));
    files.write(again, memory, 0, 5);
    files.close(again);
    assert.equal(readFileSync(at("log"), "utf8"), "line\nline\n");
    const fresh = files.openNew(at("new"));
    files.writeAt(fresh, memory, 0, 5, 2);
    assert.equal(readFileSync(at("new"), "latin1"), "\0\0line\n");
    assert.equal(statSync(at("new")).mode & 0o777, 0o600);
    files.close(fresh);
    assert.equal(files.unlink(at("new")), 0);
    assert.equal(files.unlink(at("new")), -ENOENT);
  });

  test("openEmptied makes or empties a file, and does not wait for who reads a FIFO", () => {
    const fd = files.openEmptied(at("emptied"), 0o640);
    const memory = allocateMemory(4);
    memory.bytes.set(Buffer.from("text"));
    files.write(fd, memory, 0, 4);
    files.close(fd);
    assert.equal(readFileSync(at("emptied"), "latin1"), "text");
    assert.equal(statSync(at("emptied")).mode & 0o777, 0o640 & ~process.umask());
    files.close(files.openEmptied(at("emptied"), 0o600));
    assert.equal(statSync(at("emptied")).size, 0);
    execFileSync("mkfifo", [at("fifo")]);
    assert.equal(files.openEmptied(at("fifo"), 0o600), -ENXIO);
  });

  test("removeFolder takes empty folders only, and times can be set by name", () => {
    mkdirSync(at("outer/inner"), { recursive: true });
    assert.equal(files.removeFolder(at("outer")), -ENOTEMPTY);
    assert.equal(files.removeFolder(at("plain")), -ENOTDIR);
    assert.equal(files.changeTimeOf(at("outer"), 1_700_000_000), 0);
    assert.equal(statSync(at("outer")).mtimeMs, 1_700_000_000_000);
    assert.equal(files.changeTimeOf(at("missing"), 1), -ENOENT);
    assert.equal(files.removeFolder(at("outer/inner")), 0);
    assert.equal(files.removeFolder(at("outer")), 0);
    assert.equal(files.removeFolder(at("outer")), -ENOENT);
  });

  test("openAt walks a path step by step and can refuse links", () => {
    const directory = files.openAt(-1, folder, "search", true);
    assert.ok(directory >= 0);
    assert.equal(files.openAt(directory, "link", "read", false), -ELOOP);
    assert.equal(files.openAt(directory, "link", "append", false), -ELOOP);
    assert.equal(files.openAt(directory, "link", "search", false), -ENOTDIR);
    assert.equal(files.openAt(directory, "plain", "search", true), -ENOTDIR);
    const fd = files.openAt(directory, "link", "read", true);
    assert.ok(fd >= 0);
    files.close(fd);
    const info = emptyFileInfo();
    assert.equal(files.statAt(directory, "link", info), 0);
    assert.ok(info.isLink);
    assert.equal(files.statAt(-1, at("plain"), info), 0);
    assert.ok(info.isFile);
    assert.equal(files.statAt(directory, "nowhere", info), -ENOENT);
    files.close(directory);
  });
});
