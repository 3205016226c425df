/**
 * A text in shared memory with a version: one process writes it, the others see that it has changed and read it again. It is
 * written beside the one before and counts with its version, so that a writer that is killed has written nothing.
 */
import { fromUtf8, utf8 } from "./bytes.ts";

// Offsets in its words.
const VERSION = 0;
/** Bytes of the texts of even and of odd versions. */
const LENGTHS = 1;
const TEXTS = 3;

export class SharedText {
  private readonly words: Int32Array;
  /** Of even and of odd versions. */
  private readonly texts: readonly [Uint8Array, Uint8Array];

  /** `words` are zeros at first. Read and write with the lock of the memory held; `version` needs none. */
  constructor(words: Int32Array) {
    this.words = words;
    const half = (words.length - TEXTS) >> 1;
    const textAt = (word: number): Uint8Array => new Uint8Array(words.buffer, words.byteOffset + word * 4, half * 4);
    this.texts = [textAt(TEXTS), textAt(TEXTS + half)];
  }

  /** 0 before the first text; changes with each. Cheap enough to be asked for by every request. */
  get version(): number {
    return Atomics.load(this.words, VERSION);
  }

  /** "" before the first text. */
  read(): string {
    const side = this.version & 1;
    return utf8(this.texts[side as 0 | 1], 0, this.words[LENGTHS + side] as number);
  }

  /** False, and nothing has changed, when the text is too long. */
  write(text: string): boolean {
    const bytes = fromUtf8(text);
    const side = (this.version + 1) & 1;
    const target = this.texts[side as 0 | 1];
    if (bytes.length > target.length) return false;
    target.set(bytes);
    this.words[LENGTHS + side] = bytes.length;
    Atomics.add(this.words, VERSION, 1);
    return true;
  }
}
