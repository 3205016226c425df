import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeRecord, encodeEvent, encodeRecordedAdvert, readFlightEntry } from "./entry.ts";
import { advertRuns, printFlightRecord, readFlight, readFlightRecord } from "./record.ts";
import { RingWriter, readRing, ringMemoryBytes } from "./ring.ts";

const RING_BYTES = 8192;

test("whatever is appended, what is read is a tail of it", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 2100 }), { maxLength: 40 }), (payloads) => {
      const memory = new Uint8Array(ringMemoryBytes(RING_BYTES));
      const writer = new RingWriter(memory);
      for (const [i, payload] of payloads.entries()) writer.append(1 + (i % 3), i, payload);
      const read = readRing(memory);
      assert.ok(read.length > 0 || payloads.length === 0);
      for (const [i, record] of read.entries()) {
        const at = payloads.length - read.length + i;
        assert.equal(record.atMs, at);
        assert.deepEqual([...record.payload], [...(payloads[at] as Uint8Array).subarray(0, 2048)]);
      }
    }),
    { numRuns: 100 },
  );
});

test("no bytes in a ring make its reader throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 64 }), fc.nat(), fc.nat(), (data, a, b) => {
      const memory = new Uint8Array(ringMemoryBytes(RING_BYTES));
      for (let at = 8; at < memory.length; at++) memory[at] = data[at % data.length] as number;
      new Int32Array(memory.buffer, 0, 2).set([a & ~3, b & ~3]);
      for (const record of readRing(memory)) decodeRecord(record);
      readFlight(readRing(memory), 0, 0);
    }),
    { numRuns: 200 },
  );
});

test("no packet makes the summary of adverts throw", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 })), (packets) => {
      const adverts = packets.map((packet, atMs) => {
        const { kind, payload } = encodeRecordedAdvert("heard", "eth0", packet);
        const read = decodeRecord({ kind, atMs, payload });
        assert.ok(read !== undefined && "packet" in read);
        assert.deepEqual([...read.packet], [...packet]);
        return read;
      });
      advertRuns(adverts);
    }),
  );
});

test("an event is read back, its text cut", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 2000 }), fc.double({ noNaN: true, noDefaultInfinity: true }), (text, atMs) => {
      const read = decodeRecord({ ...encodeEvent({ kind: "log", level: "notice", text }), atMs });
      assert.deepEqual(read, { kind: "log", level: "notice", text: text.slice(0, 400), atMs });
    }),
  );
});

test("no JSON makes the reader of records throw, and what it takes can be printed", () => {
  const entries = fc.array(
    fc.oneof(
      fc.jsonValue(),
      fc.record({
        kind: fc.constantFrom("log", "late", "role"),
        atMs: fc.double(),
        text: fc.string(),
        level: fc.string(),
      }),
    ),
  );
  const record = fc.record({
    version: fc.string(),
    node: fc.string(),
    why: fc.string(),
    savedMs: fc.nat(),
    routers: fc.array(fc.jsonValue()),
    entries,
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        record.map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const read = readFlightRecord(text);
        if (typeof read === "string") return;
        assert.deepEqual(readFlightRecord(printFlightRecord(read, 1 << 20)), read);
        for (const entry of read.entries) assert.deepEqual(readFlightEntry(entry), entry);
      },
    ),
  );
});
