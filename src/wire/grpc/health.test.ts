import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeHealthResponse, encodeHealthRequest, servingName } from "./health.ts";

test("a request names its service, or nothing", () => {
  assert.deepEqual([...encodeHealthRequest("")], [0, 0, 0, 0, 0]);
  assert.deepEqual([...encodeHealthRequest("my.Service")], [0, 0, 0, 0, 12, 0x0a, 10, ...Buffer.from("my.Service")]);
  const long = encodeHealthRequest("é".repeat(100));
  assert.deepEqual([...long.subarray(0, 8)], [0, 0, 0, 0, 203, 0x0a, 200, 1]);
});

test("an answer says its status, whatever else is in it", () => {
  for (const [message, status] of [
    [[], 0],
    [[8, 1], 1],
    [[8, 2], 2],
    [[8, 3], 3],
    [[8, 1, 8, 2], 2],
    [[8, 0x81, 0], 1],
    [[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], 2 ** 31 - 1],
    [[0x12, 2, 8, 9, 8, 1], 1],
    [[0x19, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1, 0x1d, 1, 2, 3, 4], 1],
    [[0x80, 1, 7, 8, 1], 1],
  ] as const)
    assert.deepEqual(decodeHealthResponse(Uint8Array.of(0, 0, 0, 0, message.length, ...message)), {
      ok: true,
      value: status,
    });
  assert.deepEqual([0, 1, 2, 3, 9].map(servingName), ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN", "9"]);
});

test("an answer that is no message, or not one, is malformed", () => {
  for (const [data, reason] of [
    [[], "no message"],
    [[0, 0, 0, 0], "no message"],
    [[1, 0, 0, 0, 2, 8, 1], "a compressed message"],
    [[0, 0, 0, 0, 3, 8, 1], "a message of another length"],
    [[0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 0], "a message of another length"],
    [[0, 0, 0, 0, 1, 8], "a malformed number"],
    [[0, 0, 0, 0, 1, 0], "a malformed field"],
    [[0, 0, 0, 0, 1, 0x88], "a malformed field"],
    [[0, 0, 0, 0, 2, 0x12, 1], "a field that ends too early"],
    [[0, 0, 0, 0, 2, 0x13, 1], "a field that ends too early"],
    [[0, 0, 0, 0, 3, 0x19, 1, 2], "a field that ends too early"],
  ] as const)
    assert.deepEqual(decodeHealthResponse(Uint8Array.from(data)), { ok: false, reason }, data.join());
});
