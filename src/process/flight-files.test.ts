import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { saveFlight } from "./flight-files.ts";

const text = { json: "{}\n", pcap: Uint8Array.of(1, 2) };

test("records are saved in pairs, the oldest go, and files of others stay", async () => {
  const folder = path.join(mkdtempSync(path.join(os.tmpdir(), "tandem-flights-")), "new");
  try {
    const settings = { folder, files: 2 };
    for (let i = 0; i < 4; i++) await saveFlight(settings, { what: `VI_${i}-MASTER`, wallMs: 1000 * i }, text);
    assert.deepEqual(readdirSync(folder).sort(), [
      "flight-1970-01-01T00-00-02.000Z-VI_2-MASTER.json",
      "flight-1970-01-01T00-00-02.000Z-VI_2-MASTER.pcap",
      "flight-1970-01-01T00-00-03.000Z-VI_3-MASTER.json",
      "flight-1970-01-01T00-00-03.000Z-VI_3-MASTER.pcap",
    ]);
    const file = await saveFlight(settings, { what: "a name/../of its own", wallMs: 9000 }, text);
    assert.equal(path.basename(file ?? ""), "flight-1970-01-01T00-00-09.000Z-a_name_.._of_its_own.json");
    assert.equal(readFileSync(file ?? "", "utf8"), text.json);
  } finally {
    rmSync(path.dirname(folder), { recursive: true });
  }
});

test("no number, no file", async () => {
  assert.equal(await saveFlight({ folder: "/nowhere/at/all", files: 0 }, { what: "x", wallMs: 0 }, text), undefined);
});

test("what can't be written is an error, with nothing left half", async () => {
  await assert.rejects(saveFlight({ folder: "/dev/null/x", files: 1 }, { what: "x", wallMs: 0 }, text), /ENOTDIR/);
});
