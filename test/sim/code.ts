/** Which code tells the stories: a digest of everything compiled that a story runs through. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../../", import.meta.url));
const STORY = "test/sim/story.js";
/** How the compiler writes what a module needs of another one of ours. */
const IMPORT = /^(?:import|export)\b[^;]*?"(\.[^"]+)";/gm;

/** The modules that a story is made of, those that they import included, with their texts; in the order of their names. */
export function storyModules(): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const read = (file: string): void => {
    if (texts.has(file)) return;
    const text = readFileSync(path.join(DIST, file), "utf8");
    texts.set(file, text);
    for (const [, needed] of text.matchAll(IMPORT)) read(path.join(path.dirname(file), needed as string));
  };
  read(STORY);
  return new Map([...texts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The first digits of a SHA-256 over all of them. */
export function codeDigest(): string {
  const hash = createHash("sha256");
  for (const [file, text] of storyModules()) hash.update(`${file}\n${text}`);
  return hash.digest("hex").slice(0, 16);
}
