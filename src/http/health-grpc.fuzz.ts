import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Bytes, concatBytes, equalBytes, fromLatin1 } from "../base/bytes.ts";
import { encodeHealthRequest } from "../wire/grpc/health.ts";
import { FRAME_DATA, FRAME_MORE, FrameReader } from "../wire/http2/frame-reader.ts";
import { writeFrameHeader } from "../wire/http2/frame-writer.ts";
import { DATA, END_STREAM, PREFACE } from "../wire/http2/protocol.ts";
import { type GrpcQuestion, GrpcTalk } from "./health-grpc.ts";
import { ANSWER_MORE, ANSWER_WHOLE } from "./health-talk.ts";

const MESSAGE = encodeHealthRequest("a.service");
const QUESTION: GrpcQuestion = {
  message: MESSAGE,
  status: undefined,
  headBytes: 200,
  fields: () => [
    [":method", "POST"],
    [":path", "/x"],
  ],
};

function frame(type: number, flags: number, streamId: number, payload: Bytes): Bytes {
  const bytes = new Uint8Array(9 + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, streamId);
  bytes.set(payload, 9);
  return bytes;
}

const grpcStatus = (value: string): Bytes =>
  concatBytes([Uint8Array.of(0, 11), fromLatin1("grpc-status"), Uint8Array.of(1), fromLatin1(value)]);
const STATUS_200 = Uint8Array.of(0x88);

/** Payloads that mean something somewhere. */
const payload = fc.constantFrom<Bytes>(
  new Uint8Array(0),
  STATUS_200,
  Uint8Array.of(0x8d),
  grpcStatus("0"),
  concatBytes([STATUS_200, grpcStatus("12")]),
  Uint8Array.of(0, 0, 0, 0, 2, 8, 1),
  Uint8Array.of(0, 4, 0, 0, 0, 0),
  Uint8Array.of(0, 4, 0, 1, 0, 0),
  Uint8Array.of(0, 0, 0, 7),
  Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0),
);
const piece = fc.oneof(
  fc
    .record(
      {
        type: fc.nat(10),
        flags: fc.constantFrom(0, 1, 4, 5, 8),
        streamId: fc.constantFrom(0, 1, 1, 1, 3),
        payload: fc.oneof(payload, fc.uint8Array({ maxLength: 12 })),
      },
      { noNullPrototype: true },
    )
    .map(({ type, flags, streamId, payload: bytes }) => frame(type, flags, streamId, bytes)),
  fc.constantFrom(frame(4, 0, 0, new Uint8Array(0)), frame(1, 4, 1, STATUS_200), frame(1, 5, 1, grpcStatus("0"))),
  fc.uint8Array({ maxLength: 5 }),
);

interface Heard {
  readonly result: number;
  readonly fault: string;
  readonly verdict: unknown;
  /** Of the message, as the server has got it. */
  readonly sent: readonly number[];
}

/** What a talk makes of an answer that comes in pieces. */
function hear(bytes: Bytes, cuts: readonly number[]): Heard {
  const talk = new GrpcTalk(QUESTION);
  const said = [talk.ask()];
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let result = ANSWER_MORE;
  let at = 0;
  for (const end of ends) {
    if (result !== ANSWER_MORE) break;
    result = talk.take(bytes, at, end);
    said.push(talk.replies());
    at = end;
  }
  return {
    result,
    fault: talk.fault,
    verdict: result === ANSWER_WHOLE ? talk.judge() : undefined,
    sent: sentMessage(concatBytes(said)),
  };
}

/** Everything that was said is frames, and its data are the message or its beginning. */
function sentMessage(said: Bytes): readonly number[] {
  assert.ok(equalBytes(said.subarray(0, PREFACE.length), PREFACE));
  const reader = new FrameReader();
  const message: number[] = [];
  for (let at = PREFACE.length; at < said.length; at = reader.position) {
    const result = reader.next(said, at, said.length);
    assert.ok(result !== FRAME_MORE && reader.reason === "", reader.reason);
    if (reader.type !== DATA) continue;
    assert.equal(result, FRAME_DATA);
    message.push(...reader.bytes.subarray(reader.start, reader.end));
    assert.equal((reader.flags & END_STREAM) !== 0, message.length === MESSAGE.length);
  }
  assert.deepEqual(message, [...MESSAGE.subarray(0, message.length)]);
  return message;
}

test("any answer is more to come, an answer or a fault, the same however it is cut", () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 10 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.boolean(),
      (pieces, cuts, begins) => {
        const bytes = concatBytes([...(begins ? [frame(4, 0, 0, new Uint8Array(0))] : []), ...pieces]);
        const whole = hear(bytes, []);
        const cut = hear(bytes, cuts);
        if (whole.fault === "") assert.equal(cut.fault, "");
        // A cut may end the answer before what follows it has come.
        if (cut.result !== ANSWER_WHOLE) assert.deepEqual(cut, whole);
        else if (whole.result === ANSWER_WHOLE) assert.deepEqual(cut.verdict, whole.verdict);
        assert.equal(whole.result > ANSWER_WHOLE, whole.fault !== "");
      },
    ),
    { numRuns: 3000 },
  );
});

test("a good answer is heard through any cuts", () => {
  const good = concatBytes([
    frame(4, 0, 0, Uint8Array.of(0, 4, 0, 0, 0, 3)),
    frame(8, 0, 0, Uint8Array.of(0, 0, 0, 9)),
    frame(1, 4, 1, STATUS_200),
    frame(0, 0, 1, Uint8Array.of(0, 0, 0, 0, 2)),
    frame(0, 0, 1, Uint8Array.of(8, 1)),
    frame(1, 5, 1, grpcStatus("0")),
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 12 }), (cuts) => {
      const { result, verdict } = hear(good, cuts);
      assert.deepEqual([result, verdict], [ANSWER_WHOLE, { failing: undefined, detail: "answer: SERVING" }]);
    }),
  );
});
