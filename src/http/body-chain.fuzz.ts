/** Filters of all kinds behind one another, with a client that is slow at random: what comes out is what they make of the whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../base/bytes.ts";
import {
  type BodyFilter,
  bytesChunk,
  type Chunk,
  copyChunk,
  FLUSH,
  fileChunk,
  LAST,
  type Mark,
  MORE,
  PIECE_BYTES,
} from "./body.ts";
import type { Connection } from "./connection.ts";
import { Request } from "./request.ts";

/** Memory that all answers of a worker share. */
const shared = new Uint8Array(PIECE_BYTES);

/** A client that takes so many chunks between two rests. */
class Client {
  readonly taken: Uint8Array[] = [];
  appetite: number;
  /** Chunks that were emitted while it was full: they are kept as they are. */
  readonly kept: Chunk[] = [];
  readonly file: Uint8Array;

  constructor(appetite: number, file: Uint8Array) {
    this.appetite = appetite;
    this.file = file;
  }

  get full(): boolean {
    return this.appetite <= 0;
  }

  keeps(): boolean {
    return this.full;
  }

  isBlocked(request: Request): boolean {
    return this.full || request.chain?.holds === true;
  }

  emit(_request: Request, chunk: Chunk): void {
    if (this.full) this.kept.push(chunk);
    else this.take(chunk);
    this.appetite--;
  }

  private take({ bytes, start, end }: Chunk): void {
    this.taken.push((bytes ?? this.file).slice(start, end));
  }

  /** Takes what was kept; then there is room again. */
  rest(appetite: number): void {
    // Meanwhile others were served.
    shared.fill(0xdd);
    this.worker.pieceMemory.bytes.fill(0xdd);
    for (const chunk of this.kept) this.take(chunk);
    this.kept.length = 0;
    this.appetite = appetite;
  }

  readonly worker = {
    pieceMemory: { bytes: new Uint8Array(PIECE_BYTES), address: 0 },
    ports: {
      files: {
        read: (_fd: number, memory: { bytes: Uint8Array }, offset: number, size: number, position: number): number => {
          memory.bytes.set(this.file.subarray(position, position + size), offset);
          return size;
        },
      },
    },
  };
}

/** A filter, and what it makes of a whole body. */
interface Kind {
  make(order: number): BodyFilter;
  whole(body: Uint8Array): Uint8Array;
}

const plain: Kind = {
  make: (order) => ({ order, takesPieces: false, filter: (_request, chunks) => chunks }),
  whole: (body) => body,
};

/** Sees bytes only, few at a time; answers in two halves, in memory that it uses again. */
const adding: Kind = {
  make: (order) => {
    return {
      order,
      takesPieces: true,
      filter: (_request, chunks) =>
        chunks.flatMap(({ bytes, start, end }, index) => {
          assert.ok(bytes !== undefined && end - start <= PIECE_BYTES);
          const target = index === 0 ? shared : new Uint8Array(end - start);
          for (let i = start; i < end; i++) target[i - start] = (bytes[i] as number) + 1;
          const half = (end - start) >> 1;
          const second = bytesChunk(target, half, end - start);
          return half === 0 ? [second] : [bytesChunk(target, 0, half), second];
        }),
    };
  },
  whole: (body) => body.map((byte) => byte + 1),
};

/** Keeps everything until the end. */
const collecting: Kind = {
  make: (order) => {
    const kept: Chunk[] = [];
    return {
      order,
      takesPieces: false,
      filter: (_request, chunks, mark) => {
        kept.push(...chunks.map(copyChunk));
        return mark === LAST ? kept : [];
      },
    };
  },
  whole: (body) => body,
};

/** Gives each chunk twice, one at a time, then an end. */
class Doubling implements BodyFilter {
  readonly order: number;
  readonly takesPieces = true;
  hasMore = false;
  private readonly waiting: Chunk[] = [];
  private ended = false;

  constructor(order: number) {
    this.order = order;
  }

  filter(_request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    for (const chunk of chunks) this.waiting.push(copyChunk(chunk), copyChunk(chunk));
    if (mark === LAST && !this.ended) {
      this.ended = true;
      this.waiting.push(bytesChunk(Uint8Array.of(0)));
    }
    const next = this.waiting.shift();
    this.hasMore = this.waiting.length > 0;
    return next === undefined ? [] : [next];
  }
}

const KINDS = { plain, adding, collecting };
const bodies = fc.array(
  fc.record({
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.integer({ min: 0, max: 100_000 }).map((length) => Uint8Array.from({ length }, (_, i) => i * 7)),
    ),
    inFile: fc.boolean(),
    flush: fc.boolean(),
    /** Whether the client rests behind it, and how much it takes then. */
    rest: fc.option(fc.integer({ min: 1, max: 5 })),
  }),
  { maxLength: 8 },
);

function send(request: Request, bytes: Uint8Array, file: { at: number } | undefined, mark: Mark): void {
  if (file !== undefined) {
    request.chain?.send([fileChunk(9, file.at, file.at + bytes.length)], mark);
    return;
  }
  // Lent: what the chain keeps of it without a copy is lost, unless the client was slow before.
  const lent = bytes.slice();
  const blocked = request.connection.isBlocked(request);
  request.chain?.send(lent.length === 0 ? [] : [bytesChunk(lent)], mark);
  if (!blocked) lent.fill(0xee);
}

test("what comes out is what the filters make of the whole body, whoever is slow", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...(Object.keys(KINDS) as (keyof typeof KINDS)[])), { minLength: 1, maxLength: 4 }),
      bodies,
      fc.integer({ min: 1, max: 5 }),
      (names, parts, appetite) => {
        const whole = concatBytes(parts.map(({ bytes }) => bytes));
        const client = new Client(appetite, whole);
        const request = new Request();
        request.connection = client as unknown as Connection;
        names.forEach((name, index) => {
          request.addBodyFilter(KINDS[name].make(30 + index));
        });
        let at = 0;
        for (const { bytes, inFile, flush, rest } of parts) {
          send(request, bytes, inFile ? { at } : undefined, flush ? FLUSH : MORE);
          at += bytes.length;
          if (rest === null) continue;
          client.rest(rest);
          request.chain?.pump();
        }
        send(request, new Uint8Array(0), undefined, LAST);
        for (let i = 0; request.chain?.holds === true || client.kept.length > 0; i++) {
          assert.ok(i < 10_000, "it comes to an end");
          client.rest(appetite);
          request.chain?.pump();
        }
        const expected = names.reduce((body, name) => KINDS[name].whole(body), whole);
        assert.deepEqual(Buffer.from(concatBytes(client.taken)), Buffer.from(expected));
      },
    ),
    { numRuns: 300 },
  );
});

test("a filter that has more is asked again when there is room, and the end comes behind it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 1 }), { maxLength: 12 }),
      fc.nat(3),
      (parts, before) => {
        const client = new Client(1, new Uint8Array(0));
        const request = new Request();
        request.connection = client as unknown as Connection;
        for (let i = 0; i < before; i++) request.addBodyFilter(adding.make(30 + i));
        request.addBodyFilter(new Doubling(40));
        let ends = 0;
        request.addBodyFilter({
          order: 50,
          takesPieces: false,
          filter: (_request, chunks, mark) => {
            assert.equal(ends, 0);
            if (mark === LAST) ends++;
            return chunks;
          },
        });
        for (const bytes of parts) send(request, bytes, undefined, MORE);
        send(request, new Uint8Array(0), undefined, LAST);
        for (let i = 0; request.chain?.holds === true; i++) {
          assert.ok(i < 1000 && client.kept.length <= 1, "one at a time");
          client.rest(1);
          request.chain.pump();
        }
        client.rest(1);
        assert.equal(ends, 1);
        const expected = [
          ...parts.flatMap((bytes) => [bytes, bytes]).map((bytes) => bytes.map((one) => one + before)),
          [0],
        ];
        assert.deepEqual(
          client.taken.map((bytes) => [...bytes]),
          expected.map((bytes) => [...bytes]),
        );
      },
    ),
  );
});
