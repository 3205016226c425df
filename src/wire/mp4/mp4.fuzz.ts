/**
 * Random films, cut anywhere, have the samples of their time; and films that were broken anywhere are cut or refused, but nothing
 * outside of them is read, and a part lies within the file.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { writeU32 } from "../checksum.ts";
import { cutMp4 } from "./cut.ts";
import { findAtoms, MOVIE, makeMp4, PICTURES, readSamples, SOUND, type TrackPlan } from "./mp4.cases.ts";
import type { Mp4Answer, Mp4Cut, Mp4Source } from "./source.ts";

const LIMITS = { bufferBytes: 512 * 1024, maxBufferBytes: 10 * 1024 * 1024 };

/** A source that sees to it that only bytes of the file are asked for. */
function sourceOf(bytes: Bytes): Mp4Source {
  const read = (offset: number, size: number): Bytes => {
    assert.ok(Number.isSafeInteger(offset) && size >= 0 && offset >= 0 && offset + size <= bytes.length);
    return bytes.slice(offset, offset + size);
  };
  return { name: "F", sizeBytes: bytes.length, read };
}

const track: fc.Arbitrary<TrackPlan> = fc
  .record({
    chunks: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 }),
    duration: fc.integer({ min: 1, max: 500 }),
    step: fc.integer({ min: 1, max: 7 }),
    co64: fc.boolean(),
    version: fc.constantFrom(0 as const, 1 as const),
  })
  .map(({ chunks, duration, step, co64, version }) => {
    const samples = chunks.reduce((sum, count) => sum + count, 0);
    return {
      timescale: 1000,
      times: [[samples, duration]] as const,
      keyFrames: Array.from({ length: Math.ceil(samples / step) }, (_, index) => 1 + index * step),
      offsets: [[samples, 7]] as const,
      chunks,
      sizes: Array.from({ length: samples }, (_, sample) => 1 + ((sample * 7) % 11)),
      co64,
      version,
    };
  });

test("a film that is cut to its end has the samples from there on, beginning at a key frame if it shall", () => {
  fc.assert(
    fc.property(
      track,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.boolean(),
      fc.boolean(),
      (plan, where, keyFrame, first) => {
        const [[samples, duration]] = plan.times as unknown as [[number, number]];
        const startMs = Math.floor(where * samples * duration);
        const bytes = makeMp4({ timescale: 1000, tracks: [{ ...plan, co64: false }], dataFirst: first });
        const cut: Mp4Cut = { ...LIMITS, startMs: BigInt(startMs), lengthMs: 0n, startKeyFrame: keyFrame };
        const answer = cutMp4(sourceOf(bytes), cut);
        if (answer.kind === "whole") {
          assert.equal(startMs, 0);
          return;
        }
        assert.ok(answer.kind === "part");
        const got = readSamples(concatBytes([answer.head, bytes.subarray(answer.start, answer.end)]), 0);
        let begin = Math.floor(startMs / duration);
        if (keyFrame) begin = (plan.keyFrames as number[]).filter((number) => number <= begin + 1).at(-1) as number;
        if (keyFrame) begin -= 1;
        const expected = (plan.sizes as number[]).map((size, sample) => [size, sample]).slice(begin);
        assert.deepEqual(got, expected);
      },
    ),
    { numRuns: 300 },
  );
});

const INTERESTING = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 100, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];
const change = fc.record({ at: fc.nat(), value: fc.oneof(fc.constantFrom(...INTERESTING), fc.nat(0xffffffff)) });
const FILMS = [
  MOVIE,
  { ...MOVIE, dataFirst: true },
  { ...MOVIE, version: 1 as const, tracks: [{ ...PICTURES, co64: true, version: 1 as const }] },
  { ...MOVIE, tracks: [SOUND], largeData: true },
].map(makeMp4);

/** What holds of every answer. */
function check(bytes: Bytes, answer: Mp4Answer): void {
  if (answer.kind === "failed") assert.match(answer.reason, /"F"/);
  if (answer.kind !== "part") return;
  const { head, start, end } = answer;
  assert.ok(0 <= start && start < end && end <= bytes.length);
  assert.ok(head.length <= bytes.length + 200);
  assert.equal(findAtoms(head, "moov").length, 1);
}

test("broken films are cut or refused", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...FILMS),
      fc.array(change, { maxLength: 4 }),
      fc.nat(200),
      fc.bigInt({ min: 0n, max: 13_000n }),
      fc.bigInt({ min: 0n, max: 5000n }),
      fc.boolean(),
      fc.constantFrom(30, 100, 5000),
      (film, changes, less, startMs, lengthMs, startKeyFrame, bufferBytes) => {
        const bytes = film.slice(0, film.length - (less < 100 ? 0 : less - 100));
        for (const { at, value } of changes) writeU32(bytes, (at % (bytes.length >> 2)) * 4, value);
        check(bytes, cutMp4(sourceOf(bytes), { startMs, lengthMs, startKeyFrame, bufferBytes, maxBufferBytes: 3000 }));
      },
    ),
    { numRuns: 5000 },
  );
});

test("noise is refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const answer = cutMp4(sourceOf(bytes), { ...LIMITS, startMs: 1n, lengthMs: 0n, startKeyFrame: true });
      assert.equal(answer.kind, "failed");
    }),
  );
});
