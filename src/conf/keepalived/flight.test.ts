import assert from "node:assert/strict";
import { test } from "node:test";
import { readerOf } from "./example.ts";
import { loadKeepalived } from "./load.ts";
import { printKeepalivedDiagnostic } from "./report.ts";

const FILE = "keepalived.conf";

function load(...lines: readonly string[]) {
  const text = `global_defs {\n${lines.join("\n")}\n}\n`;
  const { config, diagnostics } = loadKeepalived(FILE, { reader: readerOf({ [FILE]: text }), configId: "node" });
  return { flight: config.globals.flight, said: diagnostics.map(printKeepalivedDiagnostic) };
}

test("without keywords twenty records are kept in the usual folder", () =>
  assert.deepEqual(load(), { flight: { folder: undefined, files: 20 }, said: [] }));

test("folder and number are read", () =>
  assert.deepEqual(load("flight_recorder_dir /srv/flights", "flight_recorder_files 0"), {
    flight: { folder: "/srv/flights", files: 0 },
    said: [],
  }));

test("a number out of bounds is said and left at its default", () => {
  const { flight, said } = load("flight_recorder_files 1001");
  assert.equal(flight.files, 20);
  assert.match(said.join("\n"), /flight_recorder_files '1001' must be in \[0, 1000\] - ignoring/);
});
