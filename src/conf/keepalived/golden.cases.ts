/** Reads the golden files of `test/golden/keepalived`; see the README there. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** One configuration, and what keepalived 2.2.7 says about it. */
export interface GoldenCase {
  /** `area: name`. */
  readonly name: string;
  readonly text: string;
  readonly exitStatus: number;
  /** Sorted; FILE for the file's name. */
  readonly messages: readonly string[];
}

const folder = fileURLToPath(new URL("../../../../test/golden/keepalived/", import.meta.url));

/** All cases of all files. */
export function goldenCases(): readonly GoldenCase[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".cases"))
    .sort()
    .flatMap((name) => parse(path.basename(name, ".cases"), readFileSync(path.join(folder, name), "utf8")));
}

/** `block keyword` for keywords that keepalived 2.2.7 knows in that block. */
export function knownKeywords(): readonly (readonly [block: string, keyword: string])[] {
  return readFileSync(path.join(folder, "keywords.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" ") as [string, string]);
}

function parse(area: string, text: string): GoldenCase[] {
  return text
    .split(/^=== /m)
    .slice(1)
    .map((chunk) => {
      const match = /^(.*)\n([\s\S]*)^--- (\d+)\n([\s\S]*)$/m.exec(chunk);
      if (match === null) throw new Error(`malformed case in ${area}.cases: ${chunk.slice(0, 80)}`);
      return {
        name: `${area}: ${match[1]}`,
        text: match[2] as string,
        exitStatus: Number(match[3]),
        messages: (match[4] as string).split("\n").filter((line) => line !== ""),
      };
    });
}

/** Messages as the golden files have them. */
export function normalise(messages: readonly string[], file: string): readonly string[] {
  const named = messages.map((message) =>
    message.replace(/^\(Line/, "(FILE: Line").replaceAll(`(${file}: Line`, "(FILE: Line"),
  );
  return [...new Set(named)].sort();
}
