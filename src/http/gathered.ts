/** What of an answer waits in memory behind what a slow client has been given: handed on, or put into a file, all at once. nginx: `in` of ngx_event_pipe_t. */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Output } from "./output.ts";
import type { TemporaryFile } from "./temporary-file.ts";

export class Gathered {
  /** Bytes that wait. */
  length = 0;
  private pieces: Bytes[] = [];

  /** Takes bytes of its own. */
  add(bytes: Bytes): void {
    this.pieces.push(bytes);
    this.length += bytes.length;
  }

  /** Everything, which is forgotten here. */
  take(): Bytes {
    const [first = NOTHING] = this.pieces;
    const all = this.pieces.length <= 1 ? first : concatBytes(this.pieces);
    this.clear();
    return all;
  }

  /** Appends everything to the file, no more than `mostBytes` in one call, through the scratch memory. 0, or the errno of what failed. */
  write(file: TemporaryFile, scratch: Output, mostBytes: number): number {
    const all = this.take();
    const step = Math.min(mostBytes, scratch.size);
    for (let at = 0; at < all.length; at += step) {
      const end = Math.min(at + step, all.length);
      scratch.bytes.set(all.subarray(at, end), 0);
      const errno = file.append(scratch.memory, 0, end - at);
      if (errno !== 0) return errno;
    }
    return 0;
  }

  clear(): void {
    this.pieces = [];
    this.length = 0;
  }
}

const NOTHING: Bytes = new Uint8Array(0);
