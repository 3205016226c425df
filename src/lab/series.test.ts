import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { Measurement, Scenario } from "./scenario.ts";
import { printDuration, Series, type SeriesPair } from "./series.ts";
import { figuresTable, percentile, type SeriesRun } from "./series-figures.ts";
import { SeriesRecord } from "./series-record.ts";
import { asWritten } from "./variants.ts";

const ABOUT = { programs: "1", files: "2", machine: "3" };

function measured(gapMs: number, failed: number, open = false): Measurement {
  const nothing = { allowedMs: undefined, allowedBy: "", bothHeldMs: 0, expectations: [], failures: {} };
  return { before: "a", after: "b", gapMs, open, failed, attempts: 100, ...nothing };
}

function run(pair: string, scenario: string, measurement: Measurement | undefined): SeriesRun {
  return measurement === undefined
    ? { pair, scenario, tookMs: 1000, error: "no pair" }
    : { pair, scenario, tookMs: 1000, measurement };
}

test("a percentile is a value that was measured, by the nearest rank", () => {
  const values = Array.from({ length: 20 }, (_, i) => 20 - i);
  assert.equal(percentile(values, 0.5), 10);
  assert.equal(percentile(values, 0.99), 20);
  assert.equal(percentile([...values, 100, 200], 0.95), 100);
  assert.equal(percentile([7], 0), 7);
  assert.equal(percentile([], 0.5), undefined);
});

test("the table has both pairs side by side, with what could not be finished and gaps that had no end", () => {
  const runs = [
    run("Tandem", "heal", measured(30, 1)),
    run("Tandem", "heal", measured(40, 2)),
    run("nginx + keepalived", "heal", measured(48_000.4, 900, true)),
    run("nginx + keepalived", "heal", measured(20, 0)),
    run("nginx + keepalived", "heal", undefined),
    run("Tandem", "bfd-kill", measured(80, 5)),
  ];
  const rows = [
    { name: "bfd-kill", title: "BFD" },
    { name: "heal", title: "the partition heals" },
    { name: "thaw", title: "never run" },
  ];
  const lines = figuresTable(runs, ["Tandem", "nginx + keepalived"], rows).split("\n");
  assert.deepEqual(lines.slice(2, 5), [
    "| BFD | 1 | 80 / 80 / 80 | 0 | 5 / 5 | – |  |  |  |",
    "| the partition heals | 2 | 30 / 40 / 40 | 0 | 1 / 2 | 2 (1 not finished) | 20 / 48000 / 48000+ | 1 | 0 / 900 |",
    "",
  ]);
});

test("a record goes on where it was ended, also in the middle of a line, and belongs to its programs and files", (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "tandem-series-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, "record.jsonl");
  new SeriesRecord(file, ABOUT).add(run("Tandem", "heal", measured(30, 1)));
  appendFileSync(file, '{"pair":"Tandem","scena');
  const again = new SeriesRecord(file, ABOUT);
  assert.equal(again.count("Tandem", "heal"), 1);
  assert.equal(again.runs[0]?.measurement?.gapMs, 30);
  again.add(run("Tandem", "heal", measured(31, 1)));
  assert.equal(new SeriesRecord(file, ABOUT).count("Tandem", "heal"), 2, readFileSync(file, "utf8"));
  assert.throws(() => new SeriesRecord(file, { ...ABOUT, programs: "9" }), /has runs of other programs: name another/);
});

/** A lab that prints a run for each scenario and round, as `--stream` does; it knows no network. */
const LAB = `
  const at = (name) => process.argv[process.argv.indexOf(name) + 1];
  for (const scenario of at("--scenario").split(","))
    for (let i = 0; i < Number(at("--runs")); i++)
      console.log(JSON.stringify({ scenario, measurement: { gapMs: 5, failed: 0, open: false } }));
  if (process.argv.includes("breaks")) { console.error("no namespaces here"); process.exit(2); }
`;

function fakePair(
  title: string,
  directory: string,
  options: readonly string[] = [],
): SeriesPair & { command: string[] } {
  const file = path.join(directory, "lab.mjs");
  writeFileSync(file, LAB);
  const scenario = (name: string, isAlone: boolean): Scenario => ({
    name,
    title: name,
    variant: asWritten,
    isAlone,
    run: () => Promise.reject(new Error("not here")),
  });
  const scenarios = [scenario("one", false), scenario("two", false), scenario("loud", true)];
  return { title, options, scenarios, command: [process.execPath, file] };
}

test("a series makes the runs that its record lacks, each once, and no more", async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "tandem-series-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const record = new SeriesRecord(undefined, ABOUT);
  for (let i = 0; i < 3; i++) record.add(run("Tandem", "one", measured(1, 0)));
  const pairs = [fakePair("Tandem", directory), fakePair("originals", directory, ["--peer", "both"])];
  const command = pairs[0]?.command ?? [];
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  assert.equal(await new Series({ pairs, runs: 7, parallel: 2, command, record, print }).run(), true);
  for (const pair of ["Tandem", "originals"])
    for (const scenario of ["one", "two", "loud"]) assert.equal(record.count(pair, scenario), 7, `${pair} ${scenario}`);
  assert.match(lines[0] ?? "", /runs in \d+ labs, 2 at once: about/);
});

test("a lab that can't be run ends the series, and its last words are told", async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "tandem-series-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const pair = fakePair("Tandem", directory, ["breaks"]);
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const record = new SeriesRecord(undefined, ABOUT);
  const series = new Series({ pairs: [pair], runs: 40, parallel: 1, command: pair.command, record, print });
  assert.equal(await series.run(), false);
  assert.ok(lines.some((line) => line.includes("could not be run (status 2): no namespaces here")));
});

test("durations as people say them", () => {
  assert.equal(printDuration(40_000), "1 min");
  assert.equal(printDuration(20_000), "20 s");
  assert.equal(printDuration(125 * 60_000), "2 h 5 min");
});
