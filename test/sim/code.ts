/** Which code tells the stories: a digest of everything compiled that a story runs through. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../../", import.meta.url));
const FOLDERS = ["src/base", "src/bfd", "src/conf", "src/io", "src/vrrp", "src/wire", "test/sim"];
const FILES = ["src/process/crash-guard.js"];

/** The first digits of a SHA-256. Tests do not count. */
export function codeDigest(): string {
  const hash = createHash("sha256");
  const files = [...FOLDERS.flatMap(scriptsBelow), ...FILES].sort();
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(path.join(DIST, file)));
  return hash.digest("hex").slice(0, 16);
}

function scriptsBelow(folder: string): readonly string[] {
  return readdirSync(path.join(DIST, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return scriptsBelow(file);
    return /\.js$/.test(file) && !/\.(test|fuzz|bench|cases)\.js$/.test(file) ? [file] : [];
  });
}
