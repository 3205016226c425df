/** What a connection has received in the current call: lent memory, and how far it has been used. */
import type { Bytes } from "../base/bytes.ts";

const NOTHING: Bytes = new Uint8Array(0);

export class Input {
  bytes: Bytes = NOTHING;
  at = 0;
  end = 0;

  set(bytes: Bytes, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** The memory goes back to its owner. */
  clear(): void {
    this.bytes = NOTHING;
    this.at = 0;
    this.end = 0;
  }
}
