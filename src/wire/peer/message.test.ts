import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import {
  decodePeer,
  encodePeer,
  type Hello,
  MAX_HELLO_ROUTERS,
  MAX_PEER_BYTES,
  NOBODY,
  type Order,
  PART_BYTES,
  type Part,
  type Seal,
} from "./message.ts";

const sealWith =
  (key: string): Seal =>
  (bytes) =>
    createHmac("sha256", key).update(bytes).digest();
const seal = sealWith("the pair's key");
const nonce = (fill: number): Uint8Array => new Uint8Array(8).fill(fill);
const envelope = { session: nonce(1), sequence: 2 ** 33 + 7, to: nonce(2), challenge: nonce(3), echo: NOBODY };
const order: Order = { kind: "order", step: "offer", id: 7, vrid: 33, family: 4, value: 600_000, reason: "drain" };
const hello: Hello = {
  kind: "hello",
  name: "lb-a",
  version: "0.1.0",
  detours4: true,
  detours6: false,
  isDrained: true,
  addresses: [Uint8Array.of(192, 168, 50, 133)],
  routers: [{ vrid: 33, family: 4, role: "active", priority: 100, keeps: true, left: 3 }],
  time: { sentMs: 1_700_000_000_123.25, echoMs: 0, heldMs: 0 },
};

const part: Part = { kind: "part", id: 9, part: 2, parts: 3, bytes: new Uint8Array(PART_BYTES).fill(7) };

test("every kind of message is read back as it was sent", () => {
  for (const message of [hello, order, { kind: "ask", what: "flight", id: 2 ** 32 - 1, part: 65_535 } as const, part])
    assert.deepEqual(decodePeer(encodePeer(envelope, message, seal), seal), {
      ok: true,
      value: { envelope, message },
    });
});

test("bytes of an order, as the documentation draws them", () => {
  const bytes = encodePeer(envelope, order, seal);
  assert.equal(
    Buffer.from(bytes.subarray(0, -32)).toString("hex"),
    [
      "544e444d01030010",
      "0101010101010101",
      "0000000200000007",
      "0202020202020202",
      "0303030303030303",
      "0000000000000000",
      "000000072104000927c005647261696e",
    ].join(""),
  );
  assert.deepEqual(Buffer.from(bytes.subarray(-32)), seal(bytes.subarray(0, -32)));
});

test("another key and a single flipped bit are refused, whatever the bit says", () => {
  const good = encodePeer(envelope, order, seal);
  assert.deepEqual(decodePeer(good, sealWith("another key")), { ok: false, reason: "another key, or forged" });
  for (let bit = 0; bit < good.length * 8; bit++) {
    const copy = good.slice();
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.equal(decodePeer(copy, seal).ok, false, `bit ${bit}`);
  }
});

test("a part that is longer than a part may be is refused", () => {
  const long = encodePeer(envelope, { ...part, bytes: new Uint8Array(PART_BYTES + 1) }, seal);
  assert.deepEqual(decodePeer(long, seal), { ok: false, reason: "malformed body of kind 11" });
});

test("the largest hello fits a datagram", () => {
  const text = "x".repeat(500);
  const addresses = Array.from({ length: 20 }, () => new Uint8Array(16));
  const routers = Array.from({ length: 255 }, () => hello.routers[0] as Hello["routers"][0]);
  assert.ok(
    encodePeer(envelope, { ...hello, name: text, version: text, addresses, routers }, seal).length <= MAX_PEER_BYTES,
  );
});

test("long texts are cut where a character begins, and routers beyond the bound are left out", () => {
  const routers = Array.from({ length: 255 }, (_, i) => ({ ...(hello.routers[0] as Hello["routers"][0]), vrid: i }));
  const read = decodePeer(encodePeer(envelope, { ...hello, name: "ü".repeat(200), routers }, seal), seal);
  assert.ok(read.ok && read.value.message.kind === "hello");
  assert.equal(read.value.message.name, "ü".repeat(60));
  assert.equal(read.value.message.routers.length, MAX_HELLO_ROUTERS);
});
