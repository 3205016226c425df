import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../base/bytes.ts";
import { MAX_PAYLOAD_BYTES, RingWriter, readRing, ringMemoryBytes } from "./ring.ts";

const RING_BYTES = 8192;
const memory = (): Uint8Array => new Uint8Array(ringMemoryBytes(RING_BYTES));
const texts = (bytes: Uint8Array): string[] => readRing(bytes).map(({ payload }) => utf8(payload));

test("memory that nobody has written holds nothing", () => assert.deepEqual(readRing(memory()), []));

test("records come back in order, with kind, instant and bytes", () => {
  const bytes = memory();
  const writer = new RingWriter(bytes);
  writer.append(3, 1.5, fromUtf8("one"));
  writer.append(1, 2.25, fromUtf8(""));
  assert.deepEqual(
    readRing(bytes).map(({ kind, atMs, payload }) => [kind, atMs, utf8(payload)]),
    [
      [3, 1.5, "one"],
      [1, 2.25, ""],
    ],
  );
});

test("a full ring forgets its oldest records, and only those", () => {
  const bytes = memory();
  const writer = new RingWriter(bytes);
  for (let i = 0; i < 5000; i++) {
    writer.append(3, i, fromUtf8(`${i} ${"x".repeat((i * 7) % 300)}`));
    const read = texts(bytes);
    assert.ok(read.length >= Math.min(i + 1, 20), `${read.length} of ${i}`);
    for (const [at, text] of read.entries()) assert.equal(text.split(" ")[0], String(i - read.length + 1 + at));
  }
});

test("another writer goes on where one has ended", () => {
  const bytes = memory();
  new RingWriter(bytes).append(3, 1, fromUtf8("before"));
  new RingWriter(bytes).append(3, 2, fromUtf8("behind"));
  assert.deepEqual(texts(bytes), ["before", "behind"]);
});

test("a writer that dies in the middle of a record leaves the whole ones", () => {
  const bytes = memory();
  const writer = new RingWriter(bytes);
  for (let i = 0; i < 300; i++) writer.append(3, i, fromUtf8(`${i} ${"y".repeat(200)}`));
  const before = texts(bytes);
  const control = bytes.slice(0, 8);
  writer.append(3, 300, fromUtf8("z".repeat(200)));
  // The tail has moved, bytes are there, the head has not followed.
  bytes.set(control.subarray(0, 4), 0);
  assert.deepEqual(texts(bytes), before.slice(1));
});

test("what is too long is cut", () => {
  const bytes = memory();
  new RingWriter(bytes).append(3, 0, new Uint8Array(3 * MAX_PAYLOAD_BYTES));
  assert.equal(readRing(bytes)[0]?.payload.length, MAX_PAYLOAD_BYTES);
});

test("the count of bytes runs over 2^32 without a seam", () => {
  const bytes = memory();
  const control = new Int32Array(bytes.buffer, 0, 2);
  control.fill((2 ** 32 - 4096) | 0);
  const writer = new RingWriter(bytes);
  for (let i = 0; i < 200; i++) writer.append(3, i, fromUtf8(`${i}`.padEnd(100)));
  assert.equal(texts(bytes).at(-1)?.trim(), "199");
  assert.ok(texts(bytes).length > 50);
});
