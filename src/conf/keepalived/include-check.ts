/** `include_check` and the letters behind `include`: which missing files are errors. keepalived: parser.c. */
import type { GlobalsDraft } from "./drafts.ts";
import { keyword } from "./slots.ts";

/** A file can't be read; nothing matches a name, a pattern, a part of a brace expression. All of them imply `readable`. */
const KINDS = ["match", "wildcard_match", "brace_match"] as const;
export type IncludeCheck = "readable" | (typeof KINDS)[number];
export type IncludeChecks = ReadonlySet<IncludeCheck>;

export const NO_CHECKS: IncludeChecks = new Set();
export const ALL_CHECKS: IncludeChecks = new Set(["readable", ...KINDS]);

/** What a letter behind `include` adds. */
const LETTERS: Readonly<Record<string, IncludeChecks>> = {
  r: new Set(["readable"]),
  m: new Set(["readable", "match"]),
  w: new Set(["readable", "match", "wildcard_match"]),
  b: new Set(["readable", "brace_match"]),
  a: ALL_CHECKS,
};

/** Checks with those of the letters, `rm`. */
export function withLetters(checks: IncludeChecks, letters: string): IncludeChecks {
  return new Set([...checks, ...[...letters].flatMap((letter) => [...(LETTERS[letter] ?? [])])]);
}

/** The words behind `include_check`, as keepalived 2.2.7 takes them: one word alone, or words with + and - in front. */
export function readIncludeCheck(
  words: readonly string[],
  before: IncludeChecks,
): { readonly checks: IncludeChecks; readonly errors: readonly string[] } {
  if (words.length === 0) return { checks: ALL_CHECKS, errors: [] };
  const kinds = new Set<(typeof KINDS)[number]>(KINDS.filter((kind) => before.has(kind)));
  const errors: string[] = [];
  words.forEach((word, index) => {
    const sign = /^[+-]/.exec(word)?.[0];
    const name = sign === undefined ? word : word.slice(1);
    const kind = KINDS.find((one) => one === name);
    if (sign === undefined && index === 0) kinds.clear();
    if (kind === undefined) errors.push(`Unknown include_check type '${name}' - ignoring`);
    else if (sign === undefined && index > 0) errors.push(`Duplicate include_check '${name}' specified - ignoring`);
    else if (sign === "-") kinds.delete(kind);
    else kinds.add(kind);
  });
  return { checks: kinds.size === 0 ? NO_CHECKS : new Set<IncludeCheck>(["readable", ...kinds]), errors };
}

/** The keyword, for what is to be said about it; whoever reads the files has obeyed it already. */
export const includeCheck = keyword<GlobalsDraft>(
  {
    syntax: "[[+|-]match|wildcard_match|brace_match …]",
    default: "none; all when bare",
    doc: "Includes from here on that find nothing are errors: by name, by pattern, by a part of a brace expression; files that can't be read are then errors, too.",
  },
  (_draft, line, scope) => {
    for (const error of readIncludeCheck(line.words.slice(1), NO_CHECKS).errors)
      scope.report("warn", error, line.position);
  },
);
