/**
 * What all parts of a page with server side includes know together: variables, captures of the last pattern, and blocks. It belongs
 * to the main request. Names are in lower case. Counterpart in nginx: the ngx_http_ssi_ctx_t of the main request.
 */

import { type Chunk, copyChunk } from "./body.ts";
import type { Request } from "./request.ts";
import { lowerAscii } from "./substitutions.ts";

/** Bytes of variables and blocks that one page may make; nginx has no bound but memory. */
export const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** What a variable or a piece of a block counts beside its bytes. */
const OVERHEAD_BYTES = 64;

/** Key of the main request's notes. */
const PAGE = {};

/** What stands in for an answer that is empty or an error. */
export interface Block {
  readonly name: string;
  readonly chunks: Chunk[];
}

export class SsiPage {
  private readonly variables = new Map<string, string>();
  private readonly blocks: Block[] = [];
  private captures: readonly (string | undefined)[] = [];
  private usedBytes = 0;

  /** Undefined when there is none of this name. */
  get(name: string): string | undefined {
    return this.isCapture(name) ? (this.captures[Number(name)] ?? "") : this.variables.get(lowerAscii(name));
  }

  /** False when there is too much. What a pattern has captured can't be changed. */
  set(name: string, value: string): boolean {
    if (this.isCapture(name)) return true;
    if (!this.use(value.length)) return false;
    this.variables.set(lowerAscii(name), value);
    return true;
  }

  private isCapture(name: string): boolean {
    return /^\d$/.test(name) && Number(name) < this.captures.length;
  }

  /** Keeps what a pattern has found; `names` of its groups as `Pattern` has them. False when there is too much. */
  capture(found: RegExpExecArray, names: readonly string[]): boolean {
    let count = found.length;
    while (count > 1 && found[count - 1] === undefined) count--;
    this.captures = found.slice(0, count);
    return names.every((name, index) => name === "" || this.set(name, found[index + 1] ?? ""));
  }

  openBlock(name: string): Block {
    const block = { name, chunks: [] };
    this.blocks.push(block);
    return block;
  }

  /** Of several with one name the first. */
  findBlock(name: string): Block | undefined {
    return this.blocks.find((block) => block.name === name);
  }

  /** Puts lent bytes at the end of a block. False when there is too much. */
  append(block: Block, chunk: Chunk): boolean {
    const copy = copyChunk(chunk);
    block.chunks.push(copy);
    return this.use(copy.end - copy.start);
  }

  private use(sizeBytes: number): boolean {
    this.usedBytes += sizeBytes + OVERHEAD_BYTES;
    return this.usedBytes <= MAX_PAGE_BYTES;
  }
}

/** The page that a request is a part of. */
export function pageOf({ main }: Request): SsiPage {
  main.notes ??= new Map();
  let page = main.notes.get(PAGE) as SsiPage | undefined;
  if (page === undefined) {
    page = new SsiPage();
    main.notes.set(PAGE, page);
  }
  return page;
}
