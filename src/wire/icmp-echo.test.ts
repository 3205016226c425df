import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "../base/bytes.ts";
import { addWords, foldChecksum } from "./checksum.ts";
import { decodeEchoReply, encodeEcho } from "./icmp-echo.ts";

test("an echo of IPv4 has its checksum, one of IPv6 leaves it to the kernel", () => {
  const echo = encodeEcho(4, { id: 0x1234, sequence: 2 }, fromLatin1("abc"));
  assert.deepEqual([...echo.subarray(0, 2)], [8, 0]);
  assert.equal(foldChecksum(addWords(0, echo)), 0);
  assert.deepEqual([...encodeEcho(6, { id: 1, sequence: 2 }, new Uint8Array(0))], [128, 0, 0, 0, 0, 1, 0, 2]);
});

test("a reply is known by its type, behind the IP header if there is one", () => {
  const reply = Uint8Array.of(0, 0, 0, 0, 0x12, 0x34, 0, 2);
  const ids = { ok: true, value: { id: 0x1234, sequence: 2 } };
  assert.deepEqual(decodeEchoReply(4, reply, false), ids);
  const packet = Uint8Array.from([0x46, ...new Array<number>(23).fill(0), ...reply]);
  assert.deepEqual(decodeEchoReply(4, packet, true), ids);
  assert.equal(decodeEchoReply(6, reply, false).ok, false);
  assert.equal(decodeEchoReply(4, Uint8Array.of(8, 0, 0, 0, 0, 1, 0, 2), false).ok, false);
});

test("no bytes make the decoder throw", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 90 }),
      fc.constantFrom(4 as const, 6 as const),
      fc.boolean(),
      (bytes, family, header) => {
        decodeEchoReply(family, bytes, header);
      },
    ),
  );
});
