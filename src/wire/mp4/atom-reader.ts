/**
 * Walks through the atoms of an mp4 file. Counterpart in nginx: ngx_http_mp4_read_atom, and ngx_http_mp4_read, whose buffer is
 * only reckoned with here: what it would hold decides what is called truncated or too large.
 */
import type { Bytes } from "../../base/bytes.ts";
import { readU32 } from "../checksum.ts";
import { HEAD_BYTES, LARGE_HEAD_BYTES, readU64 } from "./atoms.ts";
import type { Mp4Source } from "./source.ts";

// What reading an atom comes to.
export const OK = 0;
/** Of a file: it can be sent as it is. Of a track: it has nothing behind the start. */
export const SKIP = 1;
/** `reason` says why. */
export const FAULT = 2;

/** Reads the data of an atom, where the reader stands, and moves on behind them; undefined when it doesn't know the atom. */
export type Visit = (name: number, sizeBytes: number) => number | undefined;

export class AtomReader {
  readonly source: Mp4Source;
  reason = "";
  level: "error" | "crit" = "error";
  /** Where it stands in the file. */
  offset = 0;
  /** A part of the file that is in memory, and where it begins. */
  loaded: Bytes | undefined = undefined;
  loadedAt = 0;
  /** The size of nginx's buffer, and the part of the file that would be in it. */
  bufferBytes: number;
  bufferEnd = 0;
  private bufferStart = 0;

  constructor(source: Mp4Source, bufferBytes: number) {
    this.source = source;
    this.bufferBytes = bufferBytes;
  }

  /** Notes why the file can't be used. */
  fault(reason: string): number {
    this.reason = reason;
    return FAULT;
  }

  /** Reads atoms up to `end`; those that `visit` does not know are passed over. One of size 0 ends everything. */
  readAtoms(end: number, visit: Visit): number {
    const { name } = this.source;
    while (this.offset < end) {
      let head = this.peek(4);
      if (head === undefined) return FAULT;
      let size: number | bigint = readU32(head, 0);
      if (size === 0) return OK;
      let headBytes = HEAD_BYTES;
      if (size === 1) {
        head = this.peek(LARGE_HEAD_BYTES);
        if (head === undefined) return FAULT;
        size = readU64(head, 8);
        headBytes = LARGE_HEAD_BYTES;
      }
      if (size < headBytes) return this.fault(`"${name}" mp4 atom is too small:${size}`);
      head = this.peek(HEAD_BYTES);
      if (head === undefined) return FAULT;
      if (size > end - this.offset) return this.fault(`"${name}" mp4 atom too large:${size}`);
      const start = this.offset;
      this.offset += headBytes;
      const rc = visit(readU32(head, 4), Number(size) - headBytes);
      if (rc === undefined) this.offset = start + Number(size);
      else if (rc !== OK) return rc;
    }
    return OK;
  }

  /** The next bytes of the file; undefined is a fault. */
  private peek(sizeBytes: number): Bytes | undefined {
    const { loaded, loadedAt, offset } = this;
    if (!this.fill(sizeBytes)) return undefined;
    const at = offset - loadedAt;
    if (loaded !== undefined && at >= 0 && at + sizeBytes <= loaded.length) return loaded.subarray(at, at + sizeBytes);
    return this.read(sizeBytes);
  }

  /** Does what nginx's buffer does: false, a fault, when the file ends too soon. */
  fill(sizeBytes: number): boolean {
    const { offset, source } = this;
    if (offset >= this.bufferStart && offset + sizeBytes <= this.bufferEnd) return true;
    this.bufferBytes = Math.min(this.bufferBytes, source.sizeBytes - offset);
    if (this.bufferBytes < sizeBytes) {
      this.fault(`"${source.name}" mp4 file truncated`);
      return false;
    }
    this.bufferStart = offset;
    this.bufferEnd = offset + this.bufferBytes;
    return true;
  }

  /** Reads bytes of the file without moving on; undefined is a fault. */
  read(sizeBytes: number): Bytes | undefined {
    const { source } = this;
    const bytes = source.read(this.offset, sizeBytes);
    if (bytes?.length === sizeBytes) return bytes;
    this.level = "crit";
    this.reason = bytes === undefined ? "" : `pread() read only ${bytes.length} of ${sizeBytes} from "${source.name}"`;
    return undefined;
  }
}
