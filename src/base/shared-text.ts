/** A text in shared memory with a version: one process writes it, the others see that it has changed and read it again. */
import { fromUtf8, utf8 } from "./bytes.ts";

// Offsets in its words; the text follows.
const VERSION = 0;
const LENGTH = 1;
const TEXT = 2;

export class SharedText {
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;

  /** `words` are zeros at first. Read and write with the lock of the memory held; `version` needs none. */
  constructor(words: Int32Array) {
    this.words = words;
    this.bytes = new Uint8Array(words.buffer, words.byteOffset + TEXT * 4, (words.length - TEXT) * 4);
  }

  /** 0 before the first text; changes with each. Cheap enough to be asked for by every request. */
  get version(): number {
    return Atomics.load(this.words, VERSION);
  }

  /** "" before the first text. */
  read(): string {
    return utf8(this.bytes, 0, this.words[LENGTH] as number);
  }

  /** False, and nothing has changed, when the text is too long. */
  write(text: string): boolean {
    const bytes = fromUtf8(text);
    if (bytes.length > this.bytes.length) return false;
    this.bytes.set(bytes);
    this.words[LENGTH] = bytes.length;
    Atomics.add(this.words, VERSION, 1);
    return true;
  }
}
