/** What nginx's directives look like, as a table of facts, and configurations around one line. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Context } from "../../src/conf/slot.ts";

/** One row of `test/data/nginx-directives.tsv`. */
export interface DirectiveFacts {
  readonly name: string;
  readonly isBlock: boolean;
  readonly minWords: number;
  /** Infinity when there is no bound. */
  readonly maxWords: number;
  readonly contexts: readonly string[];
}

/** Reads the table; `root` is the checkout. */
export function readDirectiveFacts(root: string): DirectiveFacts[] {
  const lines = readFileSync(path.join(root, "test/data/nginx-directives.tsv"), "utf8").split("\n");
  return lines
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [name = "", form, words = "", contexts = ""] = line.split("\t");
      const min = Number.parseInt(words, 10);
      const max = words.endsWith("+") ? Number.POSITIVE_INFINITY : Number(words.split("-")[1] ?? words);
      return { name, isBlock: form === "{", minWords: min, maxWords: max, contexts: contexts.split(", ") };
    });
}

/** The lines of `test/data/nginx-uses.txt`. */
export function readUses(root: string): string[] {
  const lines = readFileSync(path.join(root, "test/data/nginx-uses.txt"), "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

const LOCATION = (line: string): string => `http {\nserver {\nlocation / {\n${line}\n}\n}\n}`;
const FRAMES: Readonly<Partial<Record<Context, (line: string) => string>>> = {
  main: (line) => line,
  // Much of what stands in http is looked at for each server only.
  http: (line) => `http {\n${line}\nserver {\n}\n}`,
  server: (line) => `http {\nserver {\n${line}\n}\n}`,
  location: LOCATION,
  "if in server": (line) => `http {\nserver {\nif ($uri) {\n${line}\n}\n}\n}`,
  "if in location": (line) => LOCATION(`if ($uri) {\n${line}\n}`),
  limit_except: (line) => LOCATION(`limit_except GET {\n${line}\n}`),
  upstream: (line) => `http {\nupstream u {\nserver 127.0.0.1;\n${line}\n}\n}`,
};

/** The contexts that `frame` can make. */
export const FRAMED: readonly Context[] = ["events", ...(Object.keys(FRAMES) as Context[])];

/** A whole configuration whose only remarkable line stands in a context. */
export function frame(context: Context, line: string): string {
  return context === "events" ? `events {\n${line}\n}\n` : `events {}\n${FRAMES[context]?.(line)}\n`;
}
