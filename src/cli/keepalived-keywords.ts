/** The keywords of keepalived.conf as a flat list: for `tandem explain` and the reference. */
import type { Documented } from "../conf/keepalived/interpreter.ts";

/** A keyword and the blocks around it, outermost first. */
export interface KeywordEntry {
  readonly name: string;
  readonly blocks: readonly string[];
  readonly documented: Documented;
}

/** All keywords, each before those of its block. */
export function flattenKeywords(
  keywords: Readonly<Record<string, Documented>>,
  blocks: readonly string[] = [],
): KeywordEntry[] {
  return Object.entries(keywords).flatMap(([name, documented]) => [
    { name, blocks, documented },
    ...flattenKeywords(documented.keywords ?? {}, [...blocks, name]),
  ]);
}

/** The name with its parameters: `advert_int SECONDS`. */
export function keywordSyntax({ name, documented }: KeywordEntry): string {
  return documented.syntax === "" ? name : `${name} ${documented.syntax}`;
}
