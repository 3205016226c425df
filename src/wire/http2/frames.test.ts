import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Bytes, concatBytes, fromLatin1, latin1 } from "../../base/bytes.ts";
import { FieldBlock } from "./field-block.ts";
import { isConnectionField, isFieldName, isFieldValue } from "./field-rules.ts";
import { FRAME_DATA, FRAME_FAULT, FRAME_MORE, FRAME_STREAM_FAULT, FRAME_WHOLE, FrameReader } from "./frame-reader.ts";
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
  writeSettingsAck,
  writeWindowUpdate,
} from "./frame-writer.ts";
import { OPEN_BLOCK, WRONG_FRAMES } from "./frames.cases.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  DEFAULT_FRAME_BYTES,
  END_HEADERS,
  END_STREAM,
  errorName,
  FLOW_CONTROL_ERROR,
  GOAWAY,
  HEADERS,
  NO_ERROR,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  REFUSED_STREAM,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  WITH_PRIORITY,
} from "./protocol.ts";
import { PeerSettings } from "./settings.ts";

const hex = (text: string): Bytes =>
  Uint8Array.from(text.replaceAll(" ", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const print = (bytes: Bytes): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const written = (write: (target: Bytes) => number): Bytes => {
  const target = new Uint8Array(1000).fill(0xaa);
  return target.slice(0, write(target));
};
const payload = (reader: FrameReader): string => latin1(reader.bytes, reader.start, reader.end);

/** One frame from bytes that hold nothing else. */
function only(bytes: Bytes, reader = new FrameReader()): FrameReader {
  assert.equal(reader.next(bytes, 0, bytes.length), FRAME_WHOLE, reader.reason);
  assert.equal(reader.position, bytes.length);
  assert.ok(reader.isAtRest);
  return reader;
}

const BLOCK = fromLatin1("block");

describe("frames as they are written and read", () => {
  test("DATA, with padding and without", () => {
    const plain = written((target) => writeData(target, 0, 3, fromLatin1("data"), true));
    assert.equal(print(plain), "000004 00 01 00000003 64617461".replaceAll(" ", ""));
    const padded = written((target) => writeData(target, 0, 3, fromLatin1("data"), false, 2));
    assert.equal(print(padded), "000007 00 08 00000003 02 64617461 0000".replaceAll(" ", ""));
    for (const bytes of [plain, padded]) {
      const reader = new FrameReader();
      assert.equal(reader.next(bytes, 0, bytes.length), FRAME_DATA);
      assert.deepEqual([reader.type, reader.streamId, payload(reader), reader.isLast], [DATA, 3, "data", true]);
      assert.equal(reader.length, bytes.length - 9);
      assert.equal(reader.flags, bytes === plain ? END_STREAM : PADDED);
    }
  });

  test("HEADERS with priority and padding", () => {
    const priority = { dependsOn: 1, isExclusive: true, weight: 256 };
    const bytes = written((target) => writeHeaders(target, 0, 5, BLOCK, true, 16_384, { priority, paddingBytes: 1 }));
    assert.equal(print(bytes), "00000c 01 2d 00000005 01 80000001 ff 626c6f636b 00".replaceAll(" ", ""));
    const reader = only(bytes);
    assert.deepEqual([reader.type, reader.streamId, payload(reader)], [HEADERS, 5, "block"]);
    assert.equal(reader.flags, END_STREAM | END_HEADERS | PADDED | WITH_PRIORITY);
    assert.deepEqual([reader.dependsOn, reader.isExclusive, reader.weight], [1, true, 256]);
  });

  test("a block that is larger than a frame goes on in CONTINUATIONs", () => {
    const block = fromLatin1("0123456789ab");
    const target = new Uint8Array(blockRoom(block.length, 5));
    const bytes = target.subarray(0, writeHeaders(target, 0, 1, block, false, 5));
    const reader = new FrameReader();
    const whole = new FieldBlock(100);
    let at = 0;
    for (const [type, text, flags] of [
      [HEADERS, "01234", 0],
      [CONTINUATION, "56789", 0],
      [CONTINUATION, "ab", END_HEADERS],
    ] as const) {
      assert.equal(reader.next(bytes, at, bytes.length), FRAME_WHOLE, reader.reason);
      assert.deepEqual([reader.type, payload(reader), reader.flags], [type, text, flags]);
      assert.ok(whole.add(reader.bytes, reader.start, reader.end, (flags & END_HEADERS) !== 0));
      at = reader.position;
    }
    assert.equal(at, bytes.length);
    assert.equal(latin1(whole.bytes, whole.start, whole.end), "0123456789ab");
  });

  test("PUSH_PROMISE", () => {
    const bytes = written((target) => writePushPromise(target, 0, 1, 2, BLOCK, 16_384, 0));
    assert.equal(print(bytes), "00000a 05 0c 00000001 00 00000002 626c6f636b".replaceAll(" ", ""));
    const reader = only(bytes);
    assert.deepEqual(
      [reader.type, reader.streamId, reader.otherStream, payload(reader)],
      [PUSH_PROMISE, 1, 2, "block"],
    );
  });

  test("PRIORITY, RST_STREAM, WINDOW_UPDATE", () => {
    const priority = written((target) => writePriority(target, 0, 7, { dependsOn: 3, isExclusive: false, weight: 1 }));
    assert.equal(print(priority), "000005 02 00 00000007 00000003 00".replaceAll(" ", ""));
    let reader = only(priority);
    assert.deepEqual([reader.type, reader.dependsOn, reader.isExclusive, reader.weight], [PRIORITY, 3, false, 1]);
    const reset = written((target) => writeRstStream(target, 0, 7, REFUSED_STREAM));
    assert.equal(print(reset), "000004 03 00 00000007 00000007".replaceAll(" ", ""));
    reader = only(reset);
    assert.deepEqual([reader.type, reader.streamId, reader.error], [RST_STREAM, 7, REFUSED_STREAM]);
    const update = written((target) => writeWindowUpdate(target, 0, 0, 2 ** 31 - 1));
    assert.equal(print(update), "000004 08 00 00000000 7fffffff".replaceAll(" ", ""));
    reader = only(update);
    assert.deepEqual([reader.type, reader.streamId, reader.increment], [WINDOW_UPDATE, 0, 2 ** 31 - 1]);
  });

  test("SETTINGS and PING with their answers, GOAWAY", () => {
    const settings = written((target) =>
      writeSettings(target, 0, [
        [4, 2 ** 31 - 1],
        [0xf00d, 0xffff_ffff],
      ]),
    );
    assert.equal(print(settings), "00000c 04 00 00000000 0004 7fffffff f00d ffffffff".replaceAll(" ", ""));
    assert.equal(only(settings).type, SETTINGS);
    assert.equal(only(written((target) => writeSettingsAck(target, 0))).flags, ACK);
    const ping = written((target) => writePing(target, 0, fromLatin1("..12345678"), 2, true));
    assert.equal(print(ping), "000008 06 01 00000000 3132333435363738".replaceAll(" ", ""));
    assert.deepEqual([only(ping).type, payload(only(ping))], [PING, "12345678"]);
    const goaway = written((target) => writeGoaway(target, 0, 9, 0xffff_ffff, fromLatin1("why")));
    assert.equal(print(goaway), "00000b 07 00 00000000 00000009 ffffffff 776879".replaceAll(" ", ""));
    const reader = only(goaway);
    assert.deepEqual([reader.type, reader.otherStream, reader.error, payload(reader)], [GOAWAY, 9, 0xffff_ffff, "why"]);
  });

  test("what a client says first", () => {
    assert.equal(latin1(PREFACE), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert.equal(PREFACE.length, 24);
  });
});

test("a frame of an unknown type is told of without its payload, unknown flags and the reserved bit are ignored", () => {
  const bytes = concatBytes([hex("000003 fa ff 80000005 616263"), hex("000000 04 f0 80000000")]);
  const reader = new FrameReader();
  assert.equal(reader.next(bytes, 0, bytes.length), FRAME_WHOLE);
  assert.deepEqual([reader.type, reader.streamId, reader.position, payload(reader)], [0xfa, 5, 12, ""]);
  assert.equal(reader.next(bytes, 12, bytes.length), FRAME_WHOLE);
  assert.equal(reader.type, SETTINGS);
});

test("padding may be all that DATA bring, and is never data", () => {
  const bytes = hex("000004 00 09 00000001 03 000000");
  const reader = new FrameReader();
  assert.equal(reader.next(bytes, 0, 11), FRAME_MORE);
  assert.equal(reader.next(bytes, 11, bytes.length), FRAME_DATA);
  assert.deepEqual([payload(reader), reader.isLast, reader.length], ["", true, 4]);
});

test("DATA are told as they come, other frames when they are whole", () => {
  const bytes = concatBytes([
    written((target) => writeData(target, 0, 1, fromLatin1("abc"), false, 2)),
    written((target) => writePing(target, 0, fromLatin1("12345678"), 0, false)),
  ]);
  const reader = new FrameReader();
  const told: string[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const result = reader.next(bytes, at, at + 1);
    if (result !== FRAME_MORE) told.push(`${reader.type}:${payload(reader)}${reader.isLast ? "." : ""}`);
  }
  assert.deepEqual(told, ["0:a", "0:b", "0:c", "0:.", "6:12345678"]);
});

describe("frames that are wrong", () => {
  for (const [what, frames, result, error] of WRONG_FRAMES)
    test(what, () => {
      const bytes = hex(frames);
      const reader = new FrameReader();
      let last = FRAME_MORE;
      for (let at = 0; at < bytes.length && last !== FRAME_FAULT; at = reader.position)
        last = reader.next(bytes, at, bytes.length);
      assert.deepEqual([last, errorName(reader.error)], [result, errorName(error)]);
      assert.notEqual(reader.reason, "");
      if (result !== FRAME_STREAM_FAULT) return;
      assert.equal(reader.streamId, 1);
      assert.equal(
        only(
          written((target) => writeSettingsAck(target, 0)),
          reader,
        ).type,
        SETTINGS,
        "the connection goes on",
      );
    });

  test("a frame of the size that was allowed is read, also when it comes in pieces", () => {
    const bytes = new Uint8Array(9 + DEFAULT_FRAME_BYTES).fill(0x61);
    writeFrameHeader(bytes, 0, DEFAULT_FRAME_BYTES, CONTINUATION, END_HEADERS, 1);
    const reader = new FrameReader();
    only(hex(OPEN_BLOCK).subarray(0, 10), reader);
    assert.equal(reader.next(bytes, 0, 5), FRAME_MORE);
    assert.equal(reader.next(bytes, 5, 9), FRAME_MORE);
    assert.equal(reader.next(bytes, 9, 1000), FRAME_MORE);
    assert.equal(reader.next(bytes, 1000, bytes.length), FRAME_WHOLE);
    assert.equal(payload(reader), "a".repeat(DEFAULT_FRAME_BYTES));
  });
});

describe("settings", () => {
  const apply = (text: string, settings = new PeerSettings()): { error: number; settings: PeerSettings } => {
    const bytes = hex(text);
    return { error: settings.apply(bytes, 0, bytes.length), settings };
  };

  test("hold as they were said last, and begin as the protocol says", () => {
    const { error, settings } = apply(
      "0001 00002000 0002 00000000 0003 00000064 0004 7fffffff 0005 00ffffff 0006 00010000 0008 00000001 0009 00000001 0001 00000000 0007 ffffffff",
    );
    assert.equal(error, NO_ERROR);
    assert.deepEqual(
      { ...settings },
      {
        headerTableBytes: 0,
        enablePush: false,
        maxConcurrentStreams: 100,
        initialWindowBytes: 2 ** 31 - 1,
        maxFrameBytes: 2 ** 24 - 1,
        maxHeaderListBytes: 65_536,
        enableConnectProtocol: true,
        noOldPriorities: true,
      },
    );
    const { headerTableBytes, enablePush, maxConcurrentStreams, initialWindowBytes, maxFrameBytes } =
      new PeerSettings();
    assert.deepEqual(
      [headerTableBytes, enablePush, maxConcurrentStreams, initialWindowBytes, maxFrameBytes],
      [4096, true, Number.POSITIVE_INFINITY, 65_535, 16_384],
    );
  });

  test("beyond their bounds are an error of the connection", () => {
    for (const [text, error] of [
      ["0002 00000002", PROTOCOL_ERROR],
      ["0004 80000000", FLOW_CONTROL_ERROR],
      ["0005 00003fff", PROTOCOL_ERROR],
      ["0005 01000000", PROTOCOL_ERROR],
      ["0008 00000002", PROTOCOL_ERROR],
      ["0008 00000001 0008 00000000", PROTOCOL_ERROR],
      ["0009 00000002", PROTOCOL_ERROR],
    ] as const)
      assert.equal(apply(text).error, error, text);
    assert.equal(apply("0008 00000000").error, NO_ERROR);
  });
});

test("a field block is bounded, and several follow each other", () => {
  const block = new FieldBlock(8);
  const add = (text: string, isLast: boolean): boolean => block.add(fromLatin1(text), 0, text.length, isLast);
  const whole = (): string => latin1(block.bytes, block.start, block.end);
  assert.ok(add("12345678", true));
  assert.equal(whole(), "12345678");
  assert.equal(add("123456789", true), false);
  assert.ok(add("1234", false));
  assert.ok(add("", false));
  assert.ok(add("5678", true));
  assert.equal(whole(), "12345678");
  assert.ok(add("ab", false));
  assert.ok(add("c", true));
  assert.equal(whole(), "abc");
  assert.ok(add("1234567", false));
  assert.equal(add("89", false), false);
});

test("fields of HTTP/2 have lower-case names, plain values and nothing to say of the connection", () => {
  const isName = (text: string, isPseudo = false): boolean => isFieldName(fromLatin1(text), 0, text.length, isPseudo);
  for (const name of ["a", "x-b_c.d", "!#$%&'*+^`|~9"]) assert.ok(isName(name), name);
  for (const name of ["", "A", "a b", "a:", ":a", "a\0", "a\x7f", "\xe9", "a\r"])
    assert.equal(isName(name), false, name);
  assert.ok(isName(":path", true));
  for (const name of ["path", ":", "::a", ":Path"]) assert.equal(isName(name, true), false, name);
  const isValue = (text: string): boolean => isFieldValue(fromLatin1(text), 0, text.length);
  for (const value of ["", "a", "a b", "\xe9", "a\x01b"]) assert.ok(isValue(value), value);
  for (const value of [" ", " a", "a\t", "a\0b", "a\rb", "a\nb"]) assert.equal(isValue(value), false, value);
  assert.ok(isConnectionField("keep-alive", "x") && isConnectionField("te", "gzip"));
  assert.equal(isConnectionField("te", "Trailers"), false);
  assert.equal(isConnectionField("host", "x"), false);
});

test("an error code has a name, and an unknown one is its number", () => {
  assert.equal(errorName(2), "INTERNAL_ERROR");
  assert.equal(errorName(13), "HTTP_1_1_REQUIRED");
  assert.equal(errorName(14), "14");
});
