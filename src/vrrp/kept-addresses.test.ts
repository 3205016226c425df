import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "./example.ts";
import { forwardedAt } from "./kept-addresses.ts";

function range(from: string, to: string, port: number) {
  return { ip: ip(from), end: ip(to), port };
}

test("what virtual servers have at an address is told once: ports of ranges that hold it, and every mark", () => {
  const services = [
    { ranges: [range("10.0.0.1", "10.0.0.9", 80), range("10.0.0.5", "10.0.0.5", 443)], marks: [] },
    {
      ranges: [range("10.0.0.5", "10.0.0.5", 80), range("2001:db8::1", "2001:db8::1", 25)],
      marks: [{ mark: 7, family: 4 }],
    },
    { ranges: [], marks: [{ mark: 7, family: undefined }] },
  ] as const;
  assert.deepEqual(forwardedAt(ip("10.0.0.5"), services), { ports: [80, 443], marks: [7] });
  assert.deepEqual(forwardedAt(ip("10.0.0.9"), services), { ports: [80], marks: [7] });
  assert.deepEqual(forwardedAt(ip("10.0.1.1"), services), { ports: [], marks: [7] });
  assert.deepEqual(forwardedAt(ip("2001:db8::1"), services), { ports: [25], marks: [7] });
});
