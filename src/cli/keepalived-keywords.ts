/** The keywords of keepalived.conf as a flat list: for `tandem explain` and the reference. */
import type { Place } from "../conf/describe.ts";
import { printPosition } from "../conf/diagnostics.ts";
import type { Documented } from "../conf/keepalived/interpreter.ts";
import type { Piece } from "../conf/keepalived/lines.ts";

/** A keyword and the blocks around it, outermost first. */
export interface KeywordEntry {
  readonly name: string;
  readonly blocks: readonly string[];
  readonly documented: Documented;
}

/** What no table has, because it is gone when lines are interpreted: its files have taken its place. */
const INCLUDE: KeywordEntry = {
  name: "include",
  blocks: [],
  documented: {
    syntax: "FILE | PATTERN",
    doc: "Reads other files in its place, inside of blocks too; relative paths begin at the folder of the file. includem, includew, includeb and includea complain when there is none.",
    isImplemented: true,
  },
};

/** Everything that a keepalived.conf can say, given the tables of its keywords. */
export function allKeywords(keywords: Readonly<Record<string, Documented>>): KeywordEntry[] {
  return [INCLUDE, ...flattenKeywords(keywords)];
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

/** The lines of a keepalived.conf that begin with a keyword, each with the blocks around it. */
export function placesOfKeyword(name: string, pieces: readonly Piece[]): Place[] {
  const places: Place[] = [];
  const blocks: string[] = [];
  let previous = "";
  for (const piece of pieces) {
    if (piece.kind === "open") blocks.push(previous);
    else if (piece.kind === "close") blocks.pop();
    else {
      previous = piece.text.trim();
      if (previous.split(/\s/, 1)[0] !== name) continue;
      const where = blocks.length === 0 ? "outside of blocks" : blocks.join(" / ");
      places.push({ where, text: previous, position: printPosition(piece.position) });
    }
  }
  return places;
}
