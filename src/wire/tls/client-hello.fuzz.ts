import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Bytes, concatBytes, fromLatin1 } from "../../base/bytes.ts";
import { decodeClientHello } from "./client-hello.ts";

const u16 = (value: number): Bytes => Uint8Array.of(value >> 8, value & 0xff);
const sized16 = (bytes: Bytes): Bytes => concatBytes([u16(bytes.length), bytes]);
const sized8 = (bytes: Bytes): Bytes => concatBytes([Uint8Array.of(bytes.length), bytes]);

interface Said {
  readonly name: string;
  readonly protocols: readonly string[];
  readonly isTls13: boolean;
  readonly sessionId: Bytes;
  readonly other: Bytes;
}

const said: fc.Arbitrary<Said> = fc.record(
  {
    name: fc.stringMatching(/^[a-z0-9.-]{0,60}$/),
    protocols: fc.array(fc.stringMatching(/^[a-z0-9/.]{1,12}$/), { maxLength: 4 }),
    isTls13: fc.boolean(),
    sessionId: fc.uint8Array({ maxLength: 32 }),
    other: fc.uint8Array({ maxLength: 40 }),
  },
  { noNullPrototype: true },
);

function helloOf({ name, protocols, isTls13, sessionId, other }: Said): Bytes {
  const extension = (type: number, bytes: Bytes): Bytes => concatBytes([u16(type), sized16(bytes)]);
  const extensions = concatBytes([
    extension(0xff01, other),
    ...(name === "" ? [] : [extension(0, sized16(concatBytes([Uint8Array.of(0), sized16(fromLatin1(name))])))]),
    ...(protocols.length === 0
      ? []
      : [extension(16, sized16(concatBytes(protocols.map((protocol) => sized8(fromLatin1(protocol))))))]),
    ...(isTls13 ? [extension(43, sized8(Uint8Array.of(3, 4, 3, 3)))] : []),
  ]);
  const body = concatBytes([
    Uint8Array.of(3, 3),
    new Uint8Array(32),
    sized8(sessionId),
    sized16(Uint8Array.of(0x13, 0x01)),
    sized8(Uint8Array.of(0)),
    sized16(extensions),
  ]);
  return concatBytes([Uint8Array.of(1, 0), u16(body.length), body]);
}

/** The message in records that end at these places. */
function recordsOf(message: Bytes, ends: readonly number[]): Bytes {
  const cuts = [...new Set([...ends.map((end) => end % message.length), message.length])].sort((a, b) => a - b);
  let from = 0;
  const records = cuts.map((to) => {
    const record = concatBytes([Uint8Array.of(0x16, 3, 1), sized16(message.subarray(from, to))]);
    from = to;
    return record;
  });
  return concatBytes(records);
}

test("what a hello says is read, in whatever records it comes", () => {
  fc.assert(
    fc.property(said, fc.array(fc.nat(), { maxLength: 4 }), fc.uint8Array({ maxLength: 9 }), (one, ends, rest) => {
      const bytes = recordsOf(helloOf(one), ends);
      const result = decodeClientHello(concatBytes([bytes, rest]));
      assert.deepEqual(result, {
        kind: "hello",
        hello: { major: 3, minor: one.isTls13 ? 4 : 3, serverName: one.name, alpn: one.protocols.join(",") },
      });
    }),
  );
});

test("every beginning of a hello is one", () => {
  fc.assert(
    fc.property(said, fc.array(fc.nat(), { maxLength: 3 }), fc.nat(), (one, ends, cut) => {
      const bytes = recordsOf(helloOf(one), ends);
      assert.equal(decodeClientHello(bytes.subarray(0, cut % bytes.length)).kind, "incomplete");
    }),
  );
});

test("whatever comes, nothing is read beyond it and nothing is thrown", () => {
  const broken = fc.tuple(said, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 })).map(([one, changes]) => {
    const bytes = recordsOf(helloOf(one), []);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      const result = decodeClientHello(bytes);
      if (result.kind !== "hello") return;
      assert.ok(result.hello.serverName.length + result.hello.alpn.length <= bytes.length);
      assert.deepEqual(decodeClientHello(concatBytes([bytes, Uint8Array.of(1, 2, 3)])), result);
    }),
  );
});

test("a hello of SSL 2 says its version, and what is no hello is foreign", () => {
  const ssl2 = decodeClientHello(Uint8Array.of(0x80, 0x2e, 1, 0, 2, 0));
  assert.deepEqual(ssl2, { kind: "hello", hello: { major: 0, minor: 2, serverName: "", alpn: "" } });
  for (const text of ["GET / HTTP/1.0\r\n", "\x16\x02\x00\x00\x04aaaa", "\x16\x03\x01\x00\x04\x02\x00\x00\x00"])
    assert.equal(decodeClientHello(fromLatin1(text)).kind, "foreign", text);
});
