/** Whatever goes into the encoders of brotli and zstd, in whatever pieces, comes out again; behind a flush all of it is there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import zlib from "node:zlib";
import fc from "fast-check";
import { type Encoder, FINISH, NO_FLUSH, SYNC_FLUSH } from "../src/io/compression.ts";
import { openBrotliEncoders } from "../src/os/brotli.ts";
import { openZstdEncoders } from "../src/os/zstd.ts";
import { unpackZstd } from "./support/zstd.ts";

interface Kind {
  readonly name: string;
  /** A number from 0 to 99 chooses the settings. */
  begin: ((choice: number) => Encoder | undefined) | undefined;
  /** `isWhole`: the stream has its end. */
  unpack(packed: Buffer, isWhole: boolean, sizeBytes: number): Buffer;
}

const brotli = openBrotliEncoders();
const zstd = openZstdEncoders();
const KINDS: readonly Kind[] = [
  {
    name: "brotli",
    begin: brotli && ((choice) => brotli.encoder({ quality: choice % 12, windowBits: 10 + (choice % 15) })),
    unpack: (packed, isWhole) =>
      zlib.brotliDecompressSync(packed, isWhole ? {} : { finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH }),
  },
  {
    name: "zstd",
    begin: zstd && ((choice) => zstd.encoder((choice % 24) - 4 || 1)),
    unpack: unpackZstd,
  },
];

/** Pieces of anything: noise, repetitions, nothing; some flushed. */
const pieces = fc.array(
  fc.record({
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 0, max: 3000 }))
        .map(([unit, times]) => {
          const all = new Uint8Array(unit.length * times);
          for (let i = 0; i < times; i++) all.set(unit, i * unit.length);
          return all;
        }),
      fc.integer({ min: 0, max: 200_000 }).map((length) => {
        let seed = length;
        return Uint8Array.from({ length }, () => {
          seed = (seed * 48_271 + 1) % 0x7fffffff;
          return seed & 0xff;
        });
      }),
    ),
    flush: fc.boolean(),
  }),
  { maxLength: 5 },
);

/** Runs until everything has been taken and given. */
function run(encoder: Encoder, bytes: Uint8Array, flush: number, out: Uint8Array[]): void {
  let at = 0;
  do {
    const length = encoder.run(bytes, at, bytes.length, flush);
    assert.ok(length >= 0, `${length}`);
    at += encoder.taken;
    out.push(encoder.output.slice(0, length));
  } while (encoder.isFull);
  assert.equal(at, bytes.length);
}

for (const { name, begin, unpack } of KINDS) {
  describe(`${name}`, { skip: begin === undefined && `there is no ${name} here that can be called` }, () => {
    const encoderFor = (choice: number): Encoder => begin?.(choice) as Encoder;

    test("what goes in comes out, in any pieces; behind a flush all of it is there", () => {
      fc.assert(
        fc.property(fc.nat(99), pieces, (choice, all) => {
          const encoder = encoderFor(choice);
          const out: Uint8Array[] = [];
          const before: Uint8Array[] = [];
          for (const { bytes, flush } of all) {
            run(encoder, bytes, flush ? SYNC_FLUSH : NO_FLUSH, out);
            before.push(bytes);
            const given = Buffer.concat(before);
            if (flush && given.length > 0) assert.ok(unpack(Buffer.concat(out), false, given.length).equals(given));
          }
          run(encoder, new Uint8Array(0), FINISH, out);
          encoder.release();
          const given = Buffer.concat(before);
          assert.ok(unpack(Buffer.concat(out), true, given.length).equals(given));
        }),
        { numRuns: 40 },
      );
    });

    test("a stream that was given up leaves nothing for the next one", () => {
      fc.assert(
        fc.property(fc.nat(99), fc.uint8Array({ maxLength: 5000 }), (choice, bytes) => {
          const first = encoderFor(choice);
          run(first, bytes, NO_FLUSH, []);
          first.release();
          const second = encoderFor(choice);
          const out: Uint8Array[] = [];
          run(second, bytes, FINISH, out);
          second.release();
          assert.ok(unpack(Buffer.concat(out), true, bytes.length).equals(bytes));
        }),
        { numRuns: 20 },
      );
    });

    test("many streams at once, taking turns, do not mix", () => {
      const streams = Array.from({ length: 40 }, (_, index) => ({
        encoder: encoderFor(index % 8),
        out: [] as Uint8Array[],
      }));
      for (let turn = 0; turn < 3; turn++) {
        for (const [index, { encoder, out }] of streams.entries())
          run(encoder, Buffer.from(`turn ${turn} of ${index}. `), turn === 2 ? FINISH : NO_FLUSH, out);
      }
      for (const [index, { encoder, out }] of streams.entries()) {
        encoder.release();
        const text = `turn 0 of ${index}. turn 1 of ${index}. turn 2 of ${index}. `;
        assert.equal(unpack(Buffer.concat(out), true, text.length).toString(), text);
      }
    });
  });
}
