import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concatBytes, fromLatin1, latin1 } from "../../base/bytes.ts";
import { parseIp } from "../../base/ip.ts";
import { decodeProxyHeader, type ProxyHeaderResult } from "./decode.ts";
import { type EncodedEnd, encodeProxyV1, encodeProxyV2 } from "./encode.ts";
import { encodeTlv, findTlv } from "./tlv.ts";

const end = (text: string, port: number): EncodedEnd => ({ ip: parseIp(text) as Bytes, port });
const V4: [EncodedEnd, EncodedEnd] = [end("192.0.2.1", 1234), end("198.51.100.2", 443)];

function decode(input: string | Bytes): ProxyHeaderResult {
  return decodeProxyHeader(typeof input === "string" ? fromLatin1(input) : input);
}

/** `source>destination #size`, or what is wrong. */
function show(input: string | Bytes): string {
  const result = decode(input);
  if (result.kind !== "header") return `${result.kind} ${result.reason}`;
  const { ends, sizeBytes } = result.header;
  if (ends === undefined) return `- #${sizeBytes}`;
  const { source, destination } = ends;
  return `${source.address} ${source.port}>${destination.address} ${destination.port} #${sizeBytes}`;
}

test("version 1 is read, and what follows it is left", () => {
  const line = "PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\n";
  assert.equal(show(`${line}GET / HTTP/1.1\r\n`), `192.0.2.1 1234>198.51.100.2 443 #${line.length}`);
  assert.equal(show("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), "2001:db8::1 1>::1 65535 #36");
  assert.equal(show("PROXY UNKNOWN\r\n"), "- #15");
  assert.equal(show("PROXY UNKNOWN ffff::1 whatever\r\nX"), "- #32");
  assert.equal(show("PROXY TCP4 ...:: ff 1 2\r\n"), "...:: 1>ff 2 #25", "nginx looks at the characters, no further");
});

test("a broken header of version 1 is told with its line, as nginx tells it", () => {
  for (const line of [
    "GET / HTTP/1.1",
    "PROXY TCP5 192.0.2.1 198.51.100.2 1234 443",
    "PROXY TCP4 192.0.2.x 198.51.100.2 1234 443",
    "PROXY TCP4 192.0.2.1 198.51.100.2 1234 65536",
    "PROXY TCP4 192.0.2.1 198.51.100.2  443",
    "PROXY TCP4 192.0.2.1 198.51.100.2 1234",
    "PROXY UDP4 192.0.2.1 198.51.100.2 1234 443",
  ]) {
    assert.equal(show(`${line}\r\n`), `malformed broken header: "${line}"`);
  }
  assert.equal(show("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n"), 'malformed broken header: "PROXY TCP4 1.1.1.1 2.2.2.2 1 2"');
});

test("the beginning of a header is incomplete, until it is longer than a header can be", () => {
  const line = "PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\n";
  for (let i = 0; i < line.length; i++) assert.equal(decode(line.slice(0, i)).kind, "incomplete", line.slice(0, i));
  assert.equal(decode(`PROXY TCP4 ${"1".repeat(100)}`).kind, "malformed");
  for (const text of ["PROXY I", "PROXY TCP5", "PROXY UNKNOWM"]) assert.equal(decode(text).kind, "malformed", text);
  const binary = encodeProxyV2(...V4);
  for (let i = 0; i < binary.length; i++) assert.equal(decode(binary.subarray(0, i)).kind, "incomplete");
  assert.equal(decode("\r\n\r\n\0\r\nQUIX").kind, "malformed");
});

test("version 2 is read as it was written", () => {
  assert.equal(show(encodeProxyV2(...V4)), "192.0.2.1 1234>198.51.100.2 443 #35");
  assert.equal(show(encodeProxyV2(end("2001:db8::1", 1), end("::1", 2))), "2001:db8::1 1>::1 2 #59");
  assert.equal(show(encodeProxyV2(end("192.0.2.1", 1), end("2001:db8::1", 2))), "::ffff:192.0.2.1 1>2001:db8::1 2 #59");
  assert.equal(
    show(encodeProxyV2(end("::ffff:192.0.2.1", 1), end("::ffff:192.0.2.2", 2))),
    "192.0.2.1 1>192.0.2.2 2 #35",
  );
  assert.equal(show(encodeProxyV2(undefined, V4[1])), "- #23");
});

test("the bytes of version 2 are those of the specification", () => {
  const bytes = encodeProxyV2(...V4);
  assert.equal(
    Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    // signature, version and command, family and transport, length, addresses, ports, CRC-32C field
    "0d0a0d0a000d0a515549540a" +
      "21" +
      "11" +
      "0013" +
      "c0000201" +
      "c6336402" +
      "04d2" +
      "01bb" +
      "030004" +
      "3f393485",
  );
});

test("version 1 is written as nginx writes it", () => {
  assert.equal(latin1(encodeProxyV1(...V4)), "PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\n");
  assert.equal(latin1(encodeProxyV1(end("2001:db8::1", 1), end("::1", 2))), "PROXY TCP6 2001:db8::1 ::1 1 2\r\n");
  assert.equal(latin1(encodeProxyV1(undefined, undefined)), "PROXY UNKNOWN\r\n");
});

test("what version 2 has no addresses for is skipped, what is broken is refused", () => {
  const bytes = encodeProxyV2(...V4);
  const changed = (at: number, value: number): Bytes => bytes.map((byte, i) => (i === at ? value : byte));
  assert.equal(show(changed(12, 0x20)), "- #35", "LOCAL");
  assert.equal(show(changed(13, 0x12)), "- #35", "a datagram");
  assert.equal(show(changed(13, 0x31)), "- #35", "a unix socket");
  assert.equal(show(changed(12, 0x31)), "malformed unknown PROXY protocol version: 3");
  assert.equal(show(changed(14, 1)), "incomplete header is too large");
  assert.equal(show(changed(14, 0x20)), "malformed header is too large");
  assert.equal(show(changed(15, 11)), "malformed PROXY protocol header ends within its addresses");
});

test("fields are found by name and by number, those of SSL inside their own", () => {
  const ssl = {
    client: 7,
    verify: 20,
    fields: [
      { type: 0x21, value: fromLatin1("TLSv1.3") },
      { type: 0x22, value: fromLatin1("client") },
    ],
  };
  const fields = [
    { type: 0x02, value: fromLatin1("example.com") },
    { type: 0x01, value: fromLatin1("h2") },
    { type: 0xea, value: fromLatin1("aws") },
  ];
  const result = decode(encodeProxyV2(...V4, "stream", { fields, ssl }));
  assert.ok(result.kind === "header");
  const find = (name: string): string => {
    const found = findTlv(result.header.tlvs, name);
    return found.ok ? (found.value === undefined ? "-" : latin1(found.value)) : `error: ${found.reason}`;
  };
  assert.deepEqual(
    [
      "authority",
      "alpn",
      "0xEA",
      "0xea",
      "ssl_version",
      "ssl_cn",
      "ssl_0x22",
      "ssl_verify",
      "unique_id",
      "ssl_cipher",
    ].map(find),
    ["example.com", "h2", "aws", "aws", "TLSv1.3", "client", "client", "20", "-", "-"],
  );
  assert.equal(find("ssl").length, 5 + 10 + 9);
  assert.equal(find("toString"), 'error: unknown PROXY protocol TLV "toString"');
  assert.equal(find("ssl_foo"), 'error: unknown PROXY protocol TLV "ssl_foo"');
  assert.equal(find("0xzz"), 'error: invalid PROXY protocol TLV "0xzz"');
});

test("broken fields are noticed when they are in the way", () => {
  const good = encodeTlv(1, fromLatin1("h2"));
  const broken = concatBytes([good, Uint8Array.of(2, 0, 9, 1)]);
  assert.equal(findTlv(broken, "alpn").ok, true);
  assert.deepEqual(findTlv(broken, "authority"), { ok: false, reason: "broken PROXY protocol TLV" });
  assert.deepEqual(findTlv(Uint8Array.of(1, 0), "alpn"), { ok: false, reason: "broken PROXY protocol TLV" });
  assert.deepEqual(findTlv(encodeTlv(0x20, new Uint8Array(4)), "ssl_cn"), { ok: false, reason: "" });
  assert.deepEqual(findTlv(good, "ssl_cn"), { ok: true, value: undefined });
});
