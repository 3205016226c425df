/**
 * Small edits of a keepalived.conf, so that one pair of files serves scenarios that need another interval or another
 * way to watch. The text stays as it is except for the lines that an edit names.
 */

/** One edit: a text in, a text out. */
export type Edit = (text: string) => string;

/** A line without its comment. */
function meaning(line: string): string {
  return line.replace(/(^|\s)[#!].*$/, "").trim();
}

interface Block {
  /** Index of the line with the opening brace, and of the one with its closing brace. */
  readonly open: number;
  readonly close: number;
}

/** The blocks directly inside lines `from` … `to` whose header begins with `keyword`; the brace may stand on the next line. */
function blocksOf(lines: readonly string[], keyword: string, from: number, to: number): readonly Block[] {
  const blocks: Block[] = [];
  let depth = 0;
  let open = -1;
  let header = "";
  for (let i = from; i < to; i++) {
    const text = meaning(lines[i] as string);
    const opens = text.split("{").length - 1;
    const closes = text.split("}").length - 1;
    if (depth === 0 && opens > 0) {
      const own = text.slice(0, text.indexOf("{")).trim();
      header = own === "" ? header : own;
      open = i;
    } else if (depth === 0 && text !== "") header = text;
    depth += opens - closes;
    if (open >= 0 && depth === 0) {
      if (header.split(/\s+/)[0] === keyword) blocks.push({ open, close: i });
      open = -1;
    }
  }
  return blocks;
}

/** Replaces or adds a keyword in every block of a kind: `setKeyword("vrrp_instance", "advert_int", "0.1")`. */
export function setKeyword(block: string, keyword: string, value: string): Edit {
  return (text) =>
    addLines(block, [value === "" ? keyword : `${keyword} ${value}`])(removeKeyword(block, keyword)(text));
}

/** Takes a keyword, with its own block if it has one, out of every block of a kind. */
export function removeKeyword(block: string, keyword: string): Edit {
  return (text) => {
    const lines = text.split("\n");
    for (const { open, close } of [...blocksOf(lines, block, 0, lines.length)].reverse()) {
      for (const inner of [...blocksOf(lines, keyword, open + 1, close)].reverse())
        lines.splice(inner.open, inner.close - inner.open + 1);
      for (const i of keywordLines(lines, keyword, open + 1)) lines.splice(i, 1);
    }
    return lines.join("\n");
  };
}

/** Lines with the keyword at the block's own depth, last first. */
function keywordLines(lines: readonly string[], keyword: string, from: number): readonly number[] {
  const found: number[] = [];
  for (let i = from, depth = 0; i < lines.length && depth >= 0; i++) {
    const text = meaning(lines[i] as string);
    if (depth === 0 && text.split(/\s+/)[0] === keyword) found.unshift(i);
    depth += text.split("{").length - text.split("}").length;
  }
  return found;
}

/** Adds lines at the beginning of every block of a kind. */
export function addLines(block: string, added: readonly string[]): Edit {
  return (text) => {
    const lines = text.split("\n");
    for (const { open } of [...blocksOf(lines, block, 0, lines.length)].reverse())
      lines.splice(open + 1, 0, ...added.map((line) => `\t${line}`));
    return lines.join("\n");
  };
}

/** Adds lines at the end of every block of a kind. */
export function appendLines(block: string, added: readonly string[]): Edit {
  return (text) => {
    const lines = text.split("\n");
    for (const { close } of [...blocksOf(lines, block, 0, lines.length)].reverse())
      lines.splice(close, 0, ...added.map((line) => `\t${line}`));
    return lines.join("\n");
  };
}

/** Adds a block of its own in front of everything else. */
export function addBlock(added: readonly string[]): Edit {
  return (text) => `${added.join("\n")}\n${text}`;
}

/** All edits, one after the other. */
export function editAll(edits: readonly Edit[]): Edit {
  return (text) => edits.reduce((result, edit) => edit(result), text);
}
