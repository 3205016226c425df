// `npm test`: sets the checkout up, then lint, then every test file that was compiled. `npm test -- WORD…` runs the
// files whose path contains a word. Files of the pure layers share one process, all others get their own; which of them run beside each
// other is the rule of lanes.mjs.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "node:test";
import { pathToFileURL } from "node:url";
import { kindOf, readSeconds, runStages, stagesOf } from "./lanes.mjs";
import { root, setup } from "./setup.mjs";

/** Layers without a view of Node or the kernel: their tests are fast and cannot disturb each other. */
const PURE = ["base", "wire", "conf", "io", "balance", "net", "http", "vrrp", "bfd", "lvs", "admin", "check"];
const FILE_TIMEOUT_MS = 600_000;
/** Where the seconds of the last run are kept: what takes longest begins first. */
const SECONDS = path.join(root, "dist", ".test-seconds.json");
/** Of a file that has not run here yet: its size says something. */
const BYTES_PER_SECOND = 300;

function testFiles(folder) {
  const compiled = path.join(root, "dist", folder);
  if (!existsSync(compiled)) return [];
  return readdirSync(compiled, { recursive: true })
    .filter((name) => /\.(test|fuzz)\.js$/.test(name))
    .map((name) => path.join(folder, name))
    .filter((name) => existsSync(path.join(root, name.replace(/\.js$/, ".ts")))) // else a leftover of a renamed file
    .sort();
}

// Certificates of a session's proxy: node would read them for 45 ms in every process, and the tests start thousands.
delete process.env.NODE_EXTRA_CA_CERTS;
await setup();
const words = process.argv.slice(2);
if (words.length === 0) {
  const lint = spawnSync(process.execPath, [path.join(root, "node_modules/@biomejs/biome/bin/biome"), "check", "."], {
    cwd: root,
    stdio: "inherit",
  });
  if (lint.status !== 0) {
    console.error("biome found something: npm run format mends what can be mended by itself");
    process.exit(1);
  }
}

const files = [...testFiles("src"), ...testFiles("test"), ...testFiles("bench")].filter(
  (file) => words.length === 0 || words.some((word) => file.includes(word)),
);
const isPure = (file) => PURE.some((layer) => file.startsWith(path.join("src", layer) + path.sep));
const shared = path.join(root, "dist", ".pure-tests.mjs");
const pure = files.filter(isPure);
writeFileSync(
  shared,
  pure.map((file) => `await import(${JSON.stringify(pathToFileURL(path.join(root, "dist", file)).href)});\n`).join(""),
);
const sourceOf = (file) => file.replace(/\.js$/, ".ts");
const programs = files
  .filter((file) => !isPure(file))
  .map((file) => {
    const name = sourceOf(file);
    const text = readFileSync(path.join(root, name), "utf8");
    return { name, program: path.join(root, "dist", file), kind: kindOf(name, text), sizeBytes: text.length };
  });
if (pure.length > 0) {
  const sizeBytes = pure.reduce((sum, file) => sum + readFileSync(path.join(root, sourceOf(file))).length, 0);
  programs.push({ name: `${pure.length} files of the pure layers`, program: shared, kind: "host", sizeBytes });
}

const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const seconds = readSeconds(SECONDS);
const started = Date.now();

/** Runs a file to its end, then tells in one go what came of it; failures also at once. */
async function runFile({ name, program }) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const begun = Date.now();
  const skips = [];
  for await (const event of run({ files: [program], timeout: FILE_TIMEOUT_MS })) {
    if (event.type === "test:stderr" || event.type === "test:stdout") {
      if (process.env.TEST_VERBOSE) process.stderr.write(event.data.message);
      continue;
    }
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { data } = event;
    // Of a suite only its own hooks count: why its tests were cancelled is said there.
    const isHook = event.type === "test:fail" && data.details?.error?.failureType === "hookFailed";
    if (data.details?.type === "suite" && !isHook) continue;
    const isFile =
      data.name === program || data.file === undefined || data.name === path.relative(process.cwd(), program);
    if (event.type === "test:fail" && data.details?.error?.failureType === "subtestsFailed") continue;
    if (isFile && event.type === "test:pass") continue;
    if (data.skip !== undefined && data.skip !== false) {
      counts.skipped++;
      skips.push(`${data.name}: ${data.skip === true || data.skip === "" ? "no reason given" : data.skip}`);
    } else if (event.type === "test:pass") counts.passed++;
    else {
      counts.failed++;
      const error = data.details?.error?.cause ?? data.details?.error;
      failures.push(`${name}: ${data.name}\n${String(error?.stack ?? error)}`);
      console.log(
        `  FAIL ${name}: ${data.name}\n    ${String(error?.message ?? error)
          .split("\n")
          .slice(0, 12)
          .join("\n    ")}`,
      );
    }
  }
  const tookS = (Date.now() - begun) / 1000;
  seconds.set(name, tookS);
  for (const kind of Object.keys(totals)) totals[kind] += counts[kind];
  const { passed, failed } = counts;
  console.log(
    `${failed > 0 ? "✗" : "✓"} ${name}: ${passed} passed${failed > 0 ? `, ${failed} failed` : ""} (${tookS.toFixed(1)} s)`,
  );
  for (const skip of skips) console.log(`  skipped ${skip}`);
}

await runStages(
  stagesOf(programs, ({ name, sizeBytes }) => seconds.get(name) ?? sizeBytes / BYTES_PER_SECOND),
  runFile,
);
writeFileSync(SECONDS, JSON.stringify(Object.fromEntries(seconds)));
if (failures.length > 0) console.log(`\n${failures.join("\n\n")}`);
console.log(`\n${((Date.now() - started) / 1000).toFixed(0)} s`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);
