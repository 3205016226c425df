/** What is left of a request on its way to an upstream: pieces in memory, then perhaps a part of a file. */
import type { Memory, MemoryPiece } from "../io/memory.ts";
import type { Stream } from "../io/stream.ts";
import type { BodyBuffer } from "./body-buffer.ts";
import type { BodyMemory } from "./body-memory.ts";
import type { FramedBody } from "./framed-body.ts";

interface FilePart {
  readonly fd: number;
  readonly start: number;
  readonly end: number;
}

export class Unsent {
  private pieces: MemoryPiece[] = [];
  private file: FilePart | undefined = undefined;
  /** What makes more, when all that is here has gone. */
  private source: FramedBody | undefined = undefined;
  /** The last offer was taken whole, and what is here now has not been offered yet. */
  isNew = false;

  get isEmpty(): boolean {
    return this.pieces.length === 0 && this.file === undefined;
  }

  clear(): void {
    if (this.pieces.length > 0) this.pieces = [];
    this.file = undefined;
    this.source = undefined;
  }

  add(memory: Memory, start: number, end: number): void {
    this.pieces.push({ memory, start, end });
  }

  addFile(fd: number, start: number, end: number): void {
    this.file = { fd, start, end };
  }

  addFramed(body: FramedBody): void {
    this.source = body;
  }

  addBody({ file, pieces, length }: BodyBuffer): void {
    if (file !== undefined && length > 0) this.file = { fd: file.fd, start: 0, end: length };
    for (const { memory, start, end } of pieces) this.add(memory, start, end);
  }

  /** Bytes that the stream has taken: of the memory, or of the file when no memory is left. -errno when it is dead. */
  offerTo(stream: Stream): number {
    const { pieces, file } = this;
    const [piece] = pieces;
    this.isNew = false;
    if (piece === undefined) return file === undefined ? 0 : this.offerFile(stream, file);
    const { memory, start, end } = piece;
    const isAlone = pieces.length === 1;
    const taken = isAlone ? stream.write(memory, start, end - start, file !== undefined) : stream.writeAll(pieces);
    if (taken > 0) this.dropFirst(taken);
    return taken;
  }

  /** The call that nginx makes with what is offered next, as an error names it. */
  get call(): string {
    return this.pieces.length === 0 ? "sendfile()" : "writev()";
  }

  /** Nothing that is left lies in this memory any more, which others need. */
  leave(shared: Memory, memory: BodyMemory): void {
    this.pieces = this.pieces.map((piece) => {
      if (piece.memory !== shared) return piece;
      const size = piece.end - piece.start;
      const own = memory.take(size);
      own.bytes.set(shared.bytes.subarray(piece.start, piece.end), 0);
      return { memory: own, start: 0, end: size };
    });
  }

  private offerFile(stream: Stream, { fd, start, end }: FilePart): number {
    const taken = stream.sendFile(fd, start, end - start);
    if (taken > 0) this.file = start + taken < end ? { fd, start: start + taken, end } : undefined;
    if (this.file === undefined) this.refill();
    return taken;
  }

  private dropFirst(sizeBytes: number): void {
    const { pieces } = this;
    let left = sizeBytes;
    let whole = 0;
    for (; whole < pieces.length; whole++) {
      const { memory, start, end } = pieces[whole] as MemoryPiece;
      if (left < end - start) {
        pieces[whole] = { memory, start: start + left, end };
        break;
      }
      left -= end - start;
    }
    this.pieces = whole === pieces.length ? [] : pieces.slice(whole);
    if (this.pieces.length === 0 && this.file === undefined) this.refill();
  }

  private refill(): void {
    if (this.source === undefined) return;
    this.isNew = true;
    if (!this.source.next(this)) this.source = undefined;
  }
}
