/** Names and values of parameters as a gateway protocol writes them: what FastCGI, SCGI and uwsgi have in common. */
import type { Bytes } from "../base/bytes.ts";

export interface PairForm {
  /** Bytes of a pair whose texts have these lengths. */
  sizeOf(nameLength: number, valueLength: number): number;
  /** Writes a pair, one byte a character, at `bytes[at]`; the offset behind it. */
  write(bytes: Bytes, at: number, name: string, value: string): number;
}
