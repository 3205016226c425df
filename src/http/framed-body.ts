/** Bodies of requests in the records of a protocol (FastCGI's STDIN). nginx: the end of ngx_http_fastcgi_create_request. */
import type { Bytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { BodyBuffer } from "./body-buffer.ts";
import type { BodyMemory } from "./body-memory.ts";
import { Output } from "./output.ts";
import type { BodyFraming } from "./upstream-protocol.ts";

/** What stands between two records, and behind the last. */
const FRAME_ROOM_BYTES = 64;

/** Appends bytes of a body in as many records as they need. */
export function writeRecords(output: Output, framing: BodyFraming, bytes: Bytes, start: number, end: number): void {
  for (let at = start; at < end; ) {
    const size = Math.min(framing.maxRecordBytes, end - at);
    framing.open(output, size);
    output.copy(bytes, at, at + size);
    framing.close(output, size);
    at += size;
  }
}

/** Bytes that a short body needs at most beside its own: each of its pieces is a record at least. */
export function framedRoom(framing: BodyFraming, body: BodyBuffer | undefined): number {
  return ((body?.pieces.length ?? 0) + 1) * framing.overheadBytes(framing.maxRecordBytes);
}

/** Appends a body that is in memory, and its end. */
export function writeFramed(output: Output, framing: BodyFraming, body: BodyBuffer | undefined): void {
  for (const { memory, start, end } of body?.pieces ?? []) writeRecords(output, framing, memory.bytes, start, end);
  framing.end(output);
}

/** Who sends what a long body is made into. */
export interface PartSender {
  add(memory: Memory, start: number, end: number): void;
  addFile(fd: number, start: number, end: number): void;
}

/** A long body, of which one record at a time is made: the next when the one before has gone. */
export class FramedBody {
  private readonly body: BodyBuffer;
  private readonly framing: BodyFraming;
  private readonly output: Output;
  /** The piece of the body that is next, and how far it has come; in a file there is one. */
  private index = 0;
  private at = 0;
  /** Bytes of the record that was made last, which has no end yet. */
  private openBytes = 0;

  constructor(body: BodyBuffer, framing: BodyFraming, memory: BodyMemory) {
    this.body = body;
    this.framing = framing;
    this.output = new Output(memory.take(FRAME_ROOM_BYTES), FRAME_ROOM_BYTES);
  }

  /** Gives the next record to who sends it; false when that was the end of the body. */
  next(sender: PartSender): boolean {
    const { body, framing, output } = this;
    output.used = 0;
    if (this.openBytes > 0) framing.close(output, this.openBytes);
    this.openBytes = 0;
    const { file } = body;
    const piece = file === undefined ? body.pieces[this.index] : { start: 0, end: body.length, memory: undefined };
    if (piece === undefined || (file !== undefined && this.at === body.length)) {
      framing.end(output);
      sender.add(output.memory, 0, output.used);
      return false;
    }
    const start = piece.start + this.at;
    const size = Math.min(framing.maxRecordBytes, piece.end - start);
    framing.open(output, size);
    sender.add(output.memory, 0, output.used);
    if (file !== undefined) sender.addFile(file.fd, start, start + size);
    else sender.add(piece.memory as Memory, start, start + size);
    this.openBytes = size;
    this.at += size;
    if (file === undefined && start + size === piece.end) {
      this.index++;
      this.at = 0;
    }
    return true;
  }
}
