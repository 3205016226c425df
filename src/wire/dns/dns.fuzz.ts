import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answer, record, srv } from "./dns.cases.ts";
import { A, AAAA, CNAME, decodeAnswer, encodeQuery, PTR, SRV } from "./message.ts";
import { decodeName, encodeName } from "./name.ts";

const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
const domain = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join("."));

test("a name survives its encoding", () => {
  fc.assert(
    fc.property(domain, (text) => {
      const bytes = encodeName(text);
      assert.ok(bytes !== undefined);
      assert.deepEqual(decodeName(bytes, 0), { ok: true, value: text });
    }),
  );
});

test("any bytes are an answer or have a reason", () => {
  const mutated = fc
    .tuple(
      domain,
      domain,
      fc.constantFrom(A, AAAA, SRV, PTR),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
      fc.nat(200),
    )
    .map(([question, target, type, changes, cut]) => {
      const records = [
        record({ type: CNAME, data: encodeName(target) as Uint8Array }),
        record({ type: SRV, data: srv(1, 2, 3, target) }),
        record({ type, data: new Uint8Array(type === A ? 4 : 16) }),
      ];
      const bytes = Uint8Array.from(answer(5, question, type, records));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return cut < 40 ? bytes.subarray(0, Math.max(0, bytes.length - cut)) : bytes;
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 80 })), fc.boolean(), (bytes, tcp) => {
      const result = decodeAnswer(bytes, tcp);
      if (!result.ok) assert.match(result.reason, /DNS response/);
      else for (const item of result.value.records) assert.ok(item.ttlS >= 0);
    }),
    { numRuns: 1000 },
  );
});

test("a query asks for what it was made for", () => {
  fc.assert(
    fc.property(domain, fc.nat(0xffff), fc.constantFrom(A, AAAA, SRV, PTR), (text, id, type) => {
      const query = encodeQuery(id, text, type);
      assert.ok(query !== undefined);
      const reply = Uint8Array.from(query);
      reply[2] = 0x81;
      const result = decodeAnswer(reply, true);
      assert.ok(result.ok);
      assert.deepEqual([result.value.id, result.value.question], [id, { name: text, type }]);
    }),
  );
});
