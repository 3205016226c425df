/** Whatever comes in, in whatever pieces, comes out again; with zlib in this process and with node's functions alike. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { constants, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { type DeflateSettings, type Encoder, FINISH, type Gzip, NO_FLUSH, SYNC_FLUSH } from "../io/compression.ts";
import { NativeCompression } from "./compression.ts";
import { NodeCompression } from "./compression-node.ts";
import { openZlib } from "./ffi/zlib.ts";

const zlib = openZlib();
const native = zlib && new NativeCompression(zlib);
const implementations: [string, Gzip | undefined][] = [
  ["zlib", native],
  ["node", new NodeCompression()],
];

const settings: fc.Arbitrary<DeflateSettings> = fc.record({
  level: fc.integer({ min: 1, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
  memoryLevel: fc.integer({ min: 1, max: 9 }),
});

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
  { maxLength: 6 },
);

/** Runs until everything has been taken and given. */
function run(deflater: Encoder, bytes: Uint8Array, flush: number, out: Uint8Array[]): void {
  let at = 0;
  do {
    const length = deflater.run(bytes, at, bytes.length, flush);
    assert.ok(length >= 0, `${length}`);
    at += deflater.taken;
    out.push(deflater.output.slice(0, length));
  } while (deflater.isFull);
  assert.equal(at, bytes.length);
}

for (const [name, compression] of implementations) {
  describe(`compression by ${name}`, {
    skip: compression === undefined && "this node has no zlib that can be called",
  }, () => {
    const begin = (one: DeflateSettings): Encoder => compression?.deflater(one) as Encoder;

    test("what goes in comes out, in any pieces; behind a flush all of it is there", () => {
      fc.assert(
        fc.property(settings, pieces, (one, all) => {
          const deflater = begin(one);
          const out: Uint8Array[] = [];
          const before: Uint8Array[] = [];
          for (const { bytes, flush } of all) {
            run(deflater, bytes, flush ? SYNC_FLUSH : NO_FLUSH, out);
            before.push(bytes);
            if (!flush) continue;
            const there = gunzipSync(Buffer.concat(out), { finishFlush: constants.Z_SYNC_FLUSH });
            assert.ok(there.equals(Buffer.concat(before)));
          }
          run(deflater, new Uint8Array(0), FINISH, out);
          deflater.release();
          assert.ok(gunzipSync(Buffer.concat(out)).equals(Buffer.concat(before)));
        }),
        { numRuns: 60 },
      );
    });

    test("a stream that was given up leaves nothing for the next one", () => {
      fc.assert(
        fc.property(settings, fc.uint8Array({ maxLength: 5000 }), (one, bytes) => {
          const first = begin(one);
          run(first, bytes, NO_FLUSH, []);
          first.release();
          const second = begin(one);
          const out: Uint8Array[] = [];
          run(second, bytes, FINISH, out);
          second.release();
          assert.ok(gunzipSync(Buffer.concat(out)).equals(bytes));
        }),
        { numRuns: 30 },
      );
    });

    test("many streams at once, taking turns, do not mix", () => {
      const streams = Array.from({ length: 100 }, (_, index) => ({
        deflater: begin({ level: 1 + (index % 9), windowBits: 9 + (index % 7), memoryLevel: 1 + (index % 9) }),
        out: [] as Uint8Array[],
      }));
      for (let turn = 0; turn < 3; turn++) {
        for (const [index, { deflater, out }] of streams.entries()) {
          run(deflater, Buffer.from(`turn ${turn} of ${index}. `), turn === 2 ? FINISH : NO_FLUSH, out);
        }
      }
      for (const [index, { deflater, out }] of streams.entries()) {
        deflater.release();
        const text = gunzipSync(Buffer.concat(out)).toString();
        assert.equal(text, `turn 0 of ${index}. turn 1 of ${index}. turn 2 of ${index}. `);
      }
    });
  });
}

describe("unpacking", { skip: native === undefined && "this node has no zlib that can be called" }, () => {
  const unpack = (packed: Uint8Array, cut: number): { bytes: Buffer; isOver: boolean } | number => {
    const inflater = native?.inflater();
    assert.ok(inflater !== undefined);
    const out: Uint8Array[] = [];
    for (let at = 0; at < packed.length; ) {
      const end = Math.min(packed.length, at + cut);
      do {
        const length = inflater.run(packed, at, end);
        if (length < 0) {
          inflater.release();
          return length;
        }
        at += inflater.taken;
        out.push(inflater.output.slice(0, length));
      } while (inflater.isFull || at < end);
    }
    const { isOver } = inflater;
    inflater.release();
    return { bytes: Buffer.concat(out), isOver };
  };

  test("streams behind one another come out, in any pieces", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 2000 }), { minLength: 1, maxLength: 4 }),
        fc.nat(300_000),
        fc.integer({ min: 1, max: 100_000 }),
        (bodies, zeros, cut) => {
          const all = [...bodies, new Uint8Array(zeros)];
          const result = unpack(Buffer.concat(all.map((body) => gzipSync(body))), cut);
          assert.ok(typeof result !== "number" && result.isOver && result.bytes.equals(Buffer.concat(all)));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("what is cut off has no end; what is changed is refused or has one; nothing crashes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 500 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (body, place, change) => {
          const packed = gzipSync(body);
          const cut = unpack(packed.subarray(0, place % packed.length), 1000);
          assert.ok(typeof cut !== "number" && !cut.isOver);
          packed[place % packed.length] = (packed[place % packed.length] as number) ^ change;
          const changed = unpack(packed, 1000);
          if (typeof changed === "number") assert.ok(changed === -3 || changed === 2, `${changed}`);
        },
      ),
    );
  });

  test("noise is refused", () => {
    assert.equal(unpack(Buffer.from("no gzip at all"), 100), -3);
  });
});
