import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { FieldBlock } from "./field-block.ts";
import { isFieldName, isFieldValue } from "./field-rules.ts";
import { FRAME_DATA, FRAME_FAULT, FRAME_MORE, FRAME_WHOLE, FrameReader } from "./frame-reader.ts";
import {
  blockRoom,
  writeData,
  writeFrameHeader,
  writeGoaway,
  writeHeaders,
  writePing,
  writePriority,
  writePushPromise,
  writeRstStream,
  writeSettings,
  writeWindowUpdate,
} from "./frame-writer.ts";
import { CONTINUATION, DATA, END_HEADERS, HEADERS, PUSH_PROMISE } from "./protocol.ts";
import { PeerSettings } from "./settings.ts";

const FRAME_BYTES = 300;
const octets = (maxLength: number): fc.Arbitrary<Bytes> => fc.uint8Array({ maxLength });

/** What a reader makes of bytes that come in pieces: data joined, everything else as it is told. */
function read(bytes: Bytes, cuts: readonly number[]): readonly string[] {
  const reader = new FrameReader(FRAME_BYTES);
  const block = new FieldBlock(2000);
  const told: string[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  let data = "";
  let at = 0;
  for (const end of ends) {
    // Whatever the reader was lent before is overwritten: it may not look at it again.
    const lent = bytes.slice(0, end);
    lent.fill(0xee, 0, at);
    for (;;) {
      const result = reader.next(lent, at, end);
      assert.ok(reader.position >= at && reader.position <= end);
      assert.ok(result === FRAME_MORE || reader.end - reader.start <= FRAME_BYTES);
      at = reader.position;
      if (result === FRAME_MORE) break;
      const { type, flags, streamId, length, error, otherStream, increment, dependsOn, weight } = reader;
      const payload = Array.from(reader.bytes.subarray(reader.start, reader.end)).join();
      if (result === FRAME_DATA) {
        data += payload === "" ? "" : `${payload},`;
        if (reader.isLast) told.push(`DATA ${streamId} ${flags} ${length} ${data}`);
        if (reader.isLast) data = "";
        continue;
      }
      told.push(
        [result, type, flags, streamId, length, payload, error, otherStream, increment, dependsOn, weight].join(" "),
      );
      if (result === FRAME_FAULT) return told;
      if (result === FRAME_WHOLE && [HEADERS, CONTINUATION, PUSH_PROMISE].includes(type))
        if (!block.add(reader.bytes, reader.start, reader.end, (flags & END_HEADERS) !== 0)) return told;
    }
    assert.equal(at, end, "all is consumed");
  }
  return told;
}

/** A frame that is nearly right. */
const frame = fc
  .record(
    {
      type: fc.oneof(fc.nat(9), fc.nat(255)),
      flags: fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 12, 0x24, 0x2d), fc.nat(255)),
      streamId: fc.constantFrom(0, 0, 1, 1, 1, 3, 0x8000_0001),
      payload: fc.oneof(
        fc.constantFrom(0, 4, 5, 6, 8, 12).map((size) => new Uint8Array(size).fill(1)),
        octets(30),
      ),
      lie: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1, -1, 400),
    },
    { noNullPrototype: true },
  )
  .map(({ type, flags, streamId, payload, lie }) => {
    const bytes = new Uint8Array(9 + payload.length);
    writeFrameHeader(bytes, 0, Math.max(0, payload.length + lie), type, flags, streamId);
    bytes.set(payload, 9);
    return bytes;
  });

test("any bytes are frames or a fault, the same however they are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(frame, octets(20)), { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      (parts, cuts) => {
        const bytes = concatBytes(parts);
        assert.deepEqual(read(bytes, cuts), read(bytes, []));
      },
    ),
    { numRuns: 3000 },
  );
});

const stream = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const word = fc.nat(2 ** 32 - 1);
const padding = fc.option(fc.nat(255), { nil: undefined });

test("a block is read as it was written, through any frame size, padding and priority", () => {
  const priority = fc.record(
    { dependsOn: fc.nat(2 ** 31 - 1), isExclusive: fc.boolean(), weight: fc.integer({ min: 1, max: 256 }) },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(
      fc.tuple(stream, stream, octets(1500), fc.boolean(), fc.integer({ min: 270, max: 500 }), padding, fc.boolean()),
      fc.option(priority, { nil: undefined }),
      ([streamId, promised, sent, isLast, frameBytes, paddingBytes, isPromise], rank) => {
        const target = new Uint8Array(blockRoom(sent.length, frameBytes));
        const options = {
          ...(rank === undefined ? {} : { priority: rank }),
          ...(paddingBytes === undefined ? {} : { paddingBytes }),
        };
        const end = isPromise
          ? writePushPromise(target, 0, streamId, promised, sent, frameBytes, paddingBytes)
          : writeHeaders(target, 0, streamId, sent, isLast, frameBytes, options);
        const reader = new FrameReader(frameBytes);
        const block = new FieldBlock(1500);
        for (let at = 0; at < end; at = reader.position) {
          assert.equal(reader.next(target, at, end), FRAME_WHOLE, reader.reason);
          assert.equal(reader.streamId, streamId);
          assert.ok(block.add(reader.bytes, reader.start, reader.end, (reader.flags & END_HEADERS) !== 0));
        }
        assert.deepEqual(block.bytes.slice(block.start, block.end), sent);
        if (isPromise) assert.equal(reader.otherStream, promised);
        else if (rank !== undefined) {
          const { dependsOn, isExclusive, weight } = reader;
          assert.deepEqual({ dependsOn, isExclusive, weight }, rank);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("frames of a fixed form are read as they were written", () => {
  fc.assert(
    fc.property(
      stream,
      word,
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      octets(40),
      padding,
      (id, code, eight, data, pad) => {
        const target = new Uint8Array(1000);
        const reader = new FrameReader();
        const once = (end: number): FrameReader => {
          const result = reader.next(target, 0, end);
          assert.ok(result === FRAME_WHOLE || result === FRAME_DATA, reader.reason);
          assert.equal(reader.position, end);
          return reader;
        };
        assert.equal(once(writeRstStream(target, 0, id, code)).error, code);
        const goaway = once(writeGoaway(target, 0, id, code, data));
        assert.deepEqual([goaway.otherStream, goaway.error], [id, code]);
        assert.deepEqual(goaway.bytes.slice(goaway.start, goaway.end), data);
        assert.equal(once(writeWindowUpdate(target, 0, 0, id)).increment, id);
        once(writePing(target, 0, eight, 0, false));
        assert.deepEqual(reader.bytes.slice(reader.start, reader.end), eight);
        once(writeData(target, 0, id, data, true, pad));
        assert.deepEqual([reader.type, reader.isLast], [DATA, true]);
        assert.deepEqual(reader.bytes.slice(reader.start, reader.end), data);
        const weight = 1 + (code % 256);
        assert.equal(once(writePriority(target, 0, id, { dependsOn: id, isExclusive: true, weight })).weight, weight);
        const settings = new PeerSettings();
        once(
          writeSettings(target, 0, [
            [1, code],
            [6, code],
          ]),
        );
        settings.apply(reader.bytes, reader.start, reader.end);
        assert.deepEqual([settings.headerTableBytes, settings.maxHeaderListBytes], [code, code]);
      },
    ),
    { numRuns: 500 },
  );
});

test("any settings and any fields are taken or refused", () => {
  fc.assert(
    fc.property(octets(60), (bytes) => {
      const settings = new PeerSettings();
      const error = settings.apply(bytes, 0, bytes.length);
      if (error === 0) assert.ok(settings.maxFrameBytes >= 16_384 && settings.initialWindowBytes < 2 ** 31);
      if (isFieldName(bytes, 0, bytes.length, false)) assert.ok(isFieldValue(bytes, 0, bytes.length));
    }),
  );
});
