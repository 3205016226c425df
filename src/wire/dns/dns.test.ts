import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concatBytes, fromLatin1 } from "../../base/bytes.ts";
import { parseIp } from "../../base/ip.ts";
import { answer, name, record, srv, TRUNCATED, u16 } from "./dns.cases.ts";
import { A, AAAA, CNAME, decodeAnswer, encodeQuery, NAME_ERROR, PTR, SRV } from "./message.ts";
import { decodeName, encodeName, reverseName } from "./name.ts";

const V4 = Uint8Array.of(192, 0, 2, 1);

function reason(bytes: Bytes, tcp = false): string {
  const result = decodeAnswer(bytes, tcp);
  return result.ok ? "no reason" : result.reason;
}

test("a query is a header and one question", () => {
  assert.deepEqual(
    encodeQuery(0x1234, "www.example.com", A),
    concatBytes([
      u16(0x1234),
      Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 0, 0, 0),
      fromLatin1("\x03www\x07example\x03com\0\0\x01\0\x01"),
    ]),
  );
  for (const bad of ["", ".", "a..b", ".a", "a.", "x".repeat(64), `${"a.".repeat(127)}ab`]) {
    assert.equal(encodeQuery(1, bad, A), undefined, bad);
  }
  assert.notEqual(encodeName("x".repeat(63)), undefined);
});

test("an address is asked for backwards", () => {
  assert.equal(reverseName(V4), "1.2.0.192.in-addr.arpa");
  assert.equal(
    reverseName(parseIp("2001:db8::1") as Bytes),
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
  );
});

test("addresses, aliases, services and names are read, other records are named", () => {
  const message = answer(7, "Www.Example.com", A, [
    record({ type: CNAME, ttlS: 5, data: name("edge.example.net") }),
    record({ owner: "edge.example.net", type: A, data: V4 }),
    record({ type: 16, data: fromLatin1("\x01x") }),
    record({ type: 39, data: name("a.b") }),
  ]);
  assert.deepEqual(decodeAnswer(message, false), {
    ok: true,
    value: {
      id: 7,
      code: 0,
      truncated: false,
      question: { name: "www.example.com", type: A },
      records: [
        { type: CNAME, ttlS: 5, target: "edge.example.net" },
        { type: A, ttlS: 60, address: V4 },
      ],
      unexpectedTypes: [16],
    },
  });
  const services = decodeAnswer(
    answer(7, "_http._tcp.a.b", SRV, [record({ type: SRV, data: srv(1, 0, 8080, "x.y") })]),
    true,
  );
  assert.ok(services.ok);
  assert.deepEqual(services.value.records, [
    { type: SRV, ttlS: 60, priority: 1, weight: 1, port: 8080, target: "x.y" },
  ]);
  const names = decodeAnswer(
    answer(7, "1.2.0.192.in-addr.arpa", PTR, [record({ type: PTR, data: name("h.example") })]),
    true,
  );
  assert.ok(names.ok);
  assert.deepEqual(names.value.records, [{ type: PTR, ttlS: 60, target: "h.example" }]);
});

test("a negative TTL counts as zero", () => {
  const result = decodeAnswer(answer(1, "a", A, [record({ type: A, ttlS: -5, data: V4 })]), false);
  assert.ok(result.ok);
  assert.equal(result.value.records[0]?.ttlS, 0);
});

test("an error code ends the reading, a truncated answer too", () => {
  const broken = Uint8Array.of(0xff);
  const missing = decodeAnswer(concatBytes([answer(1, "a", A, [], NAME_ERROR), broken]), false);
  assert.ok(missing.ok);
  assert.deepEqual([missing.value.code, missing.value.question?.name], [NAME_ERROR, "a"]);
  const cut = decodeAnswer(answer(1, "a", A, [], TRUNCATED), false);
  assert.ok(cut.ok && cut.value.truncated);
  const formatError = decodeAnswer(concatBytes([u16(9), u16(0x8181), u16(0), u16(0), u16(0), u16(0)]), false);
  assert.ok(formatError.ok);
  assert.deepEqual([formatError.value.id, formatError.value.code, formatError.value.question], [9, 1, undefined]);
});

test("what is malformed is told in nginx's words", () => {
  const good = answer(1, "a.b", A, [record({ type: A, data: V4 })]);
  const cases: readonly [string, Bytes, boolean?][] = [
    ["short DNS response", good.subarray(0, 11)],
    ["short DNS response", good.subarray(0, good.length - 1)],
    ["invalid UDP DNS response 1 fl:0100", concatBytes([u16(1), u16(0x0100), good.subarray(4)])],
    ["invalid TCP DNS response 1 fl:8380", answer(1, "a", A, [], TRUNCATED), true],
    ["invalid number of questions in DNS response", concatBytes([good.subarray(0, 4), u16(2), good.subarray(6)])],
    [
      "unexpected compression pointer in DNS response",
      concatBytes([good.subarray(0, 12), name(""), good.subarray(17)]),
    ],
    [
      "zero-length domain name in DNS response",
      concatBytes([good.subarray(0, 12), Uint8Array.of(0), good.subarray(13)]),
    ],
    ["unknown query class 3 in DNS response", concatBytes([good.subarray(0, 19), u16(3), good.subarray(21)])],
    ["unknown query type 16 in DNS response", answer(1, "a", 16, [])],
    ["unexpected RR class 2 in DNS response", answer(1, "a", A, [record({ type: A, data: V4, recordClass: 2 })])],
    ["invalid A record in DNS response", answer(1, "a", A, [record({ type: A, data: Uint8Array.of(1, 2) })])],
    ["invalid AAAA record in DNS response", answer(1, "a", AAAA, [record({ type: AAAA, data: V4 })])],
    ["unexpected AAAA record in DNS response", answer(1, "a", A, [record({ type: AAAA, data: V4 })])],
    ["unexpected A record in DNS response", answer(1, "a", AAAA, [record({ type: A, data: V4 })])],
    ["invalid label type in DNS response", answer(1, "a", A, [record({ type: CNAME, data: Uint8Array.of(0x80, 1) })])],
    ["name is out of DNS response", answer(1, "a", A, [record({ type: CNAME, data: Uint8Array.of(0xc0, 250) })])],
    ["short DNS response", answer(1, "_s._tcp.a", SRV, [record({ type: SRV, data: Uint8Array.of(0, 1, 0, 1, 0, 1) })])],
    [
      "invalid name in DNS response",
      concatBytes([answer(1, "a", A, []).map((byte, i) => (i === 7 ? 1 : byte)), Uint8Array.of(0), new Uint8Array(20)]),
    ],
  ];
  for (const [expected, bytes, tcp] of cases) assert.equal(reason(bytes, tcp), expected);
});

test("a broken alias does no harm beside an address", () => {
  const broken = record({ type: CNAME, data: Uint8Array.of(0xc0, 250) });
  const result = decodeAnswer(answer(1, "a", A, [broken, record({ type: A, data: V4 })]), false);
  assert.ok(result.ok);
  assert.deepEqual([result.value.records.length, result.value.unexpectedTypes], [1, []]);
});

test("pointers in a circle are noticed", () => {
  assert.deepEqual(decodeName(Uint8Array.of(0xc0, 0), 0), {
    ok: false,
    reason: "compression pointers loop in DNS response",
  });
  assert.equal(decodeName(Uint8Array.of(1, 97, 0xc0, 0), 0).ok, false);
});
