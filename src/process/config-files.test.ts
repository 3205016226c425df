import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { findPaths, readConfigFile } from "./config-files.ts";
import { RecordingReader, ReplayingReader } from "./recorded-files.ts";

describe("configuration files", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "conf-"));
  after(() => rmSync(folder, { recursive: true }));
  for (const name of ["b.conf", "a.conf", ".hidden.conf", "c.txt", "x[1].conf", "+.conf"]) {
    writeFileSync(path.join(folder, name), name);
  }
  for (const name of ["one", "two"]) {
    mkdirSync(path.join(folder, name));
    writeFileSync(path.join(folder, name, "site.conf"), name);
  }
  symlinkSync("nowhere", path.join(folder, "dangling.conf"));
  const find = (pattern: string): string[] =>
    findPaths(`${folder}/${pattern}`).map((found) => found.slice(folder.length + 1));

  test("a pattern finds what glob(3) finds, in the order of bytes", () => {
    assert.deepEqual(find("*.conf"), ["+.conf", "a.conf", "b.conf", "x[1].conf"]);
    assert.deepEqual(find("?.conf"), ["+.conf", "a.conf", "b.conf"]);
    assert.deepEqual(find("[ab].conf"), ["a.conf", "b.conf"]);
    assert.deepEqual(find("[!a].conf"), ["+.conf", "b.conf"]);
    assert.deepEqual(find("*/site.conf"), ["one/site.conf", "two/site.conf"]);
    assert.deepEqual(find("t*/*"), ["two/site.conf"]);
    assert.deepEqual(find(".*.conf"), [".hidden.conf"]);
    assert.deepEqual(find("x\\[*.conf"), ["x[1].conf"]);
    assert.deepEqual(find("nothing*"), []);
    assert.deepEqual(find("missing/*.conf"), []);
  });

  test("reading tells which call failed", () => {
    assert.deepEqual(readConfigFile(`${folder}/missing`), { call: "open()", errno: 2 });
    assert.deepEqual(readConfigFile(`${folder}/one`), { call: "read()", errno: 21 });
    assert.deepEqual(readConfigFile(`${folder}/a.conf`), Buffer.from("a.conf"));
  });

  test("a replay answers as the disk did, whatever has happened to the files since", () => {
    const recording = new RecordingReader();
    const file = path.join(folder, "changing.conf");
    writeFileSync(file, "first \xe4", "latin1");
    const before = [recording.read(file), recording.read(`${folder}/missing`), recording.glob(`${folder}/[ab].conf`)];
    writeFileSync(file, "second");
    rmSync(path.join(folder, "b.conf"));
    const replay = new ReplayingReader(JSON.parse(JSON.stringify(recording.recorded)));
    const again = [replay.read(file), replay.read(`${folder}/missing`), replay.glob(`${folder}/[ab].conf`)];
    assert.deepEqual(again.map(plain), before.map(plain));
  });

  /** Buffers and other bytes compare by content. */
  function plain(value: unknown): unknown {
    return value instanceof Uint8Array ? [...value] : value;
  }
});
