// Makes a checkout ready to run: installs the packages of package-lock.json and compiles, each only when needed.
// Plain JavaScript, because it runs before there is a compiler. `node scripts/setup.mjs [--quiet]`
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundlePrograms } from "./bundle.mjs";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Ends the program with one clear sentence. */
function fail(sentence) {
  console.error(`tandem: ${sentence}`);
  process.exit(1);
}

function run(command, args, failure) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (result.error !== undefined) fail(`${failure}: ${result.error.message}`);
  if (result.status !== 0) fail(`${failure} (exit status ${result.status})`);
}

/** Installs when package-lock.json differs from the one of the last installation, then compiles what has changed. */
export async function setup({ quiet = false } = {}) {
  if (process.platform !== "linux") fail(`Tandem runs on Linux; this is ${process.platform}`);
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) fail(`Tandem needs Node.js 20 or later; this is ${process.version}`);

  const lock = readFileSync(path.join(root, "package-lock.json"), "utf8");
  const stamp = path.join(root, "node_modules", ".tandem-lock");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
    if (!quiet) console.log("Installing packages …");
    // Not `npm ci`: it refuses a lock file without the optional builds for other platforms that some registries lack.
    run("npm", ["install", "--no-save", "--ignore-scripts", "--loglevel=error"], "npm could not install the packages");
    writeFileSync(stamp, lock);
  }
  const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc");
  if (!quiet && !existsSync(path.join(root, "dist"))) console.log("Compiling (tsc -b) …");
  mkdirSync(path.join(root, "dist", ".tsbuildinfo"), { recursive: true });
  run(process.execPath, [compiler, "-b", root], "the sources do not compile");
  await bundlePrograms(root);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setup({ quiet: process.argv.includes("--quiet") });
