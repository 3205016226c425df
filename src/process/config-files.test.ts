import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { printIp } from "../base/ip.ts";
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

  test("host names are asked for once, and answered again as they were", () => {
    const asked: string[] = [];
    const recording = new RecordingReader((name) => {
      asked.push(name);
      return name === "known" ? [Uint8Array.of(192, 0, 2, 1), new Uint8Array(16)] : [];
    });
    const text = (reader: Pick<RecordingReader, "lookUp">, name: string): string =>
      reader.lookUp(name)?.map(printIp).join(" ") ?? "-";
    const names = ["known", "missing", "known", "missing"];
    assert.deepEqual(
      names.map((name) => text(recording, name)),
      ["192.0.2.1 ::", "-", "192.0.2.1 ::", "-"],
    );
    assert.deepEqual(asked, ["known", "missing"]);
    const replay = new ReplayingReader(JSON.parse(JSON.stringify(recording.recorded)));
    assert.deepEqual(
      [text(replay, "known"), text(replay, "missing"), text(replay, "toString")],
      ["192.0.2.1 ::", "-", "-"],
    );
  });

  test("while no name server answers, the first name is missing and no other is waited for", () => {
    const asked: string[] = [];
    const recording = new RecordingReader((name) => {
      asked.push(name);
      return "again";
    });
    assert.equal(recording.lookUp("first"), undefined);
    assert.equal(recording.lookUp("second")?.length, 1);
    assert.equal(recording.lookUp("first"), undefined);
    assert.deepEqual(asked, ["first"]);
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
