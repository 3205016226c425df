import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Bytes, fromLatin1, latin1 } from "../../base/bytes.ts";
import { HPACK_END, HPACK_FAULT, HPACK_FIELD, HPACK_NO_ROOM, HpackDecoder, type HpackResult } from "./hpack-decoder.ts";
import { BEGIN_ROOM, fieldRoom, HpackEncoder, PASS, REMEMBER, SECRET } from "./hpack-encoder.ts";
import { IntegerReader, integerBytes, LARGEST_INTEGER, writeInteger } from "./hpack-integer.ts";
import { decodeHuffman, encodeHuffman, HUFFMAN_MALFORMED, HUFFMAN_NO_ROOM, huffmanBytes } from "./huffman.ts";

type Field = readonly [name: string, value: string];

const hex = (text: string): Bytes =>
  Uint8Array.from(text.replaceAll(" ", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const print = (bytes: Bytes): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function decode(decoder: HpackDecoder, block: Bytes, room = 4096): { fields: Field[]; result: HpackResult } {
  const target = new Uint8Array(room);
  const fields: Field[] = [];
  decoder.begin(block, 0, block.length);
  for (let at = 0; ; ) {
    const result = decoder.next(target, at);
    if (result === HPACK_NO_ROOM) continue;
    if (result !== HPACK_FIELD) return { fields, result };
    const { nameStart, nameEnd, valueStart, valueEnd } = decoder;
    fields.push([latin1(target, nameStart, nameEnd), latin1(target, valueStart, valueEnd)]);
    at = valueEnd;
  }
}

function encode(encoder: HpackEncoder, fields: readonly Field[], indexing = REMEMBER): Bytes {
  const target = new Uint8Array(BEGIN_ROOM + fields.reduce((sum, [name, value]) => sum + fieldRoom(name, value), 0));
  let at = encoder.begin(target, 0);
  for (const [name, value] of fields) at = encoder.field(target, at, name, value, indexing);
  return target.slice(0, at);
}

/** What the table remembers, the newest first, as a block of nothing but indexes tells it. */
function tableOf(decoder: HpackDecoder): { fields: readonly Field[]; sizeBytes: number } {
  const { count, sizeBytes } = decoder.table;
  const block = Uint8Array.from({ length: count }, (_, i) => 0x80 | (62 + i));
  return { fields: decode(decoder, block).fields, sizeBytes };
}

describe("integers (RFC 7541 C.1)", () => {
  for (const [value, bits, bytes] of [
    [10, 5, "0a"],
    [1337, 5, "1f9a0a"],
    [42, 8, "2a"],
    [0, 1, "00"],
    [1, 1, "0100"],
    [127, 7, "7f00"],
    [254, 8, "fe"],
    [255, 8, "ff00"],
    [LARGEST_INTEGER, 7, "7f80ffffff07"],
  ] as const)
    test(`${value} with a prefix of ${bits} bits`, () => {
      const target = new Uint8Array(8);
      const end = writeInteger(target, 0, value, bits, 0);
      assert.equal(print(target.subarray(0, end)), bytes);
      assert.equal(integerBytes(value, bits), end);
      const reader = new IntegerReader();
      assert.ok(reader.read(target, 0, end, bits));
      assert.deepEqual([reader.value, reader.position], [value, end]);
      assert.equal(reader.read(target, 0, end - 1, bits), false, "one byte less is no number");
    });

  test("a number that is too large, or written with zeros that mean nothing, is refused", () => {
    const reader = new IntegerReader();
    for (const bytes of ["7f81ffffff07", "7fffffffffffffff7f", "7f808080808000", "7f8080808080"])
      assert.equal(reader.read(hex(bytes), 0, bytes.length / 2, 7), false, bytes);
  });
});

describe("Huffman", () => {
  test("every symbol is decoded as it was encoded, alone and in a text of all", () => {
    const all = latin1(Uint8Array.from({ length: 256 }, (_, code) => code));
    for (const text of ["", ...all, all]) {
      const bytes = new Uint8Array(huffmanBytes(text));
      assert.equal(encodeHuffman(bytes, 0, text), bytes.length);
      const target = new Uint8Array(text.length);
      assert.equal(decodeHuffman(bytes, 0, bytes.length, target, 0, text.length), text.length);
      assert.equal(latin1(target), text);
    }
  });

  test("the end-of-string symbol, padding with zeros and padding of a whole byte are malformed (§5.2)", () => {
    const target = new Uint8Array(10);
    const decodeHex = (text: string): number => decodeHuffman(hex(text), 0, text.length / 2, target, 0, 10);
    assert.equal(decodeHex("1f"), 1, "a, and three bits of padding");
    assert.equal(decodeHex("18"), HUFFMAN_MALFORMED);
    assert.equal(decodeHex("1fff"), HUFFMAN_MALFORMED);
    assert.equal(decodeHex("ffffffff"), HUFFMAN_MALFORMED);
    assert.equal(decodeHex("fffffffc"), HUFFMAN_MALFORMED);
    assert.equal(decodeHex("ff"), HUFFMAN_MALFORMED);
    assert.equal(decodeHuffman(hex("1863"), 0, 2, target, 0, 2), HUFFMAN_NO_ROOM);
  });
});

describe("representations (RFC 7541 C.2)", () => {
  for (const [what, block, field, remembered] of [
    ["with indexing", "400a637573746f6d2d6b65790d637573746f6d2d686561646572", ["custom-key", "custom-header"], 55],
    ["without indexing", "040c2f73616d706c652f70617468", [":path", "/sample/path"], 0],
    ["never indexed", "100870617373776f726406736563726574", ["password", "secret"], 0],
    ["indexed", "82", [":method", "GET"], 0],
  ] as const)
    test(`a field ${what}`, () => {
      const decoder = new HpackDecoder();
      assert.deepEqual(decode(decoder, hex(block)), { fields: [field], result: HPACK_END });
      assert.equal(decoder.table.sizeBytes, remembered);
      assert.equal(decoder.isNeverIndexed, what === "never indexed");
      assert.equal(decoder.staticName, field[0] === ":path" ? 4 : field[0] === ":method" ? 2 : 0);
    });

  test("a secret is never indexed, also when its name is known, and a field that is passed on is not remembered", () => {
    const encoder = new HpackEncoder();
    assert.equal(print(encode(encoder, [["authorization", "&&"]], SECRET)), "1f08022626");
    assert.equal(print(encode(encoder, [["a&", "&"]], PASS)), "0002612601" + "26");
    assert.equal(print(encode(encoder, [["a&", "&"]], PASS)), "0002612601" + "26");
  });
});

const REQUESTS: readonly (readonly Field[])[] = [
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ],
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
    ["cache-control", "no-cache"],
  ],
  [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ],
];
const REQUEST_TABLES = [57, 110, 164];

const DATES = ["Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT"] as const;
const COOKIE = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const response = (status: string, date: string): readonly Field[] => [
  [":status", status],
  ["cache-control", "private"],
  ["date", date],
  ["location", "https://www.example.com"],
];
const RESPONSES: readonly (readonly Field[])[] = [
  response("302", DATES[0]),
  response("307", DATES[0]),
  [...response("200", DATES[1]), ["content-encoding", "gzip"], ["set-cookie", COOKIE]],
];
const RESPONSE_TABLES: readonly { readonly fields: readonly Field[]; readonly sizeBytes: number }[] = [
  { fields: response("302", DATES[0]).toReversed(), sizeBytes: 222 },
  {
    fields: [[":status", "307"], ...response("302", DATES[0]).slice(1).toReversed()],
    sizeBytes: 222,
  },
  {
    fields: [
      ["set-cookie", COOKIE],
      ["content-encoding", "gzip"],
      ["date", DATES[1]],
    ],
    sizeBytes: 215,
  },
];

const SEQUENCES: readonly {
  readonly section: string;
  readonly lists: readonly (readonly Field[])[];
  readonly tableBytes: number;
  readonly blocks: readonly string[];
  /** Blocks that our encoder writes the same way. */
  readonly same: readonly boolean[];
}[] = [
  {
    section: "C.3",
    lists: REQUESTS,
    tableBytes: 4096,
    blocks: [
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
    same: [false, false, false],
  },
  {
    section: "C.4",
    lists: REQUESTS,
    tableBytes: 4096,
    blocks: [
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
    same: [true, true, true],
  },
  {
    section: "C.5",
    lists: RESPONSES,
    tableBytes: 256,
    blocks: [
      "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
      "4803333037c1c0bf",
      "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ],
    same: [false, true, false],
  },
  {
    section: "C.6",
    lists: RESPONSES,
    tableBytes: 256,
    blocks: [
      "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
      "4883640effc1c0bf",
      "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ],
    // A text that is not shorter by Huffman is written as it is: "307".
    same: [true, false, true],
  },
];

for (const { section, lists, tableBytes, blocks, same } of SEQUENCES)
  test(`the messages of RFC 7541 ${section} are read, remembered and written`, () => {
    const decoder = new HpackDecoder(tableBytes);
    const encoder = new HpackEncoder(tableBytes);
    encode(encoder, []);
    const echo = new HpackDecoder(tableBytes);
    for (const [i, block] of blocks.entries()) {
      assert.deepEqual(decode(decoder, hex(block)), { fields: lists[i], result: HPACK_END });
      if (tableBytes === 256) assert.deepEqual(tableOf(decoder), RESPONSE_TABLES[i]);
      else assert.equal(decoder.table.sizeBytes, REQUEST_TABLES[i]);
      const written = encode(encoder, lists[i] as readonly Field[]);
      assert.equal(print(written) === block, same[i], print(written));
      assert.deepEqual(decode(echo, written), { fields: lists[i], result: HPACK_END });
    }
  });

test("a block that is malformed says what is wrong", () => {
  for (const [block, reason] of [
    ["80", "an index of nothing"],
    ["be", "an index of nothing"],
    ["7f00", "an index of nothing"],
    ["ff", "a malformed index"],
    ["ffffffffffffff", "a malformed index"],
    ["40", "a malformed name"],
    ["4003616", "a malformed name"],
    ["40016101", "a malformed value"],
    ["400161", "a malformed value"],
    ["4001618118", "a malformed string"],
    ["4081180161", "a malformed string"],
    ["8220", "a table size within a block"],
    ["3fe21f", "a table size that is too large"],
    ["3f", "a malformed table size"],
  ] as const) {
    const decoder = new HpackDecoder();
    assert.equal(decode(decoder, hex(block)).result, HPACK_FAULT, block);
    assert.equal(decoder.reason, reason, block);
  }
});

test("a peer that was asked to remember less has to say so first, and may then remember more again", () => {
  const decoder = new HpackDecoder();
  const encoder = new HpackEncoder();
  const list: Field[] = [["a", "b"]];
  decode(decoder, encode(encoder, list));
  assert.equal(decoder.table.count, 1);
  decoder.setAllowed(100);
  assert.equal(decode(decoder, hex("be")).result, HPACK_FAULT);
  assert.equal(decoder.reason, "the table was not made smaller");
  encoder.setAllowed(0);
  encoder.setAllowed(100);
  const block = encode(encoder, list);
  assert.equal(print(block).slice(0, 6), "203f45", "first nothing, then a hundred bytes");
  assert.deepEqual(decode(decoder, block), { fields: list, result: HPACK_END });
  assert.deepEqual([decoder.table.count, decoder.table.limitBytes], [1, 100]);
  assert.equal(print(encode(encoder, list)), "be");
});

test("a field without room is left out, and remembered all the same", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const long: Field = ["long", "x".repeat(500)];
  const short: Field = ["short", "y"];
  assert.deepEqual(decode(decoder, encode(encoder, [long, short]), 100), { fields: [short], result: HPACK_END });
  assert.deepEqual(decode(decoder, encode(encoder, [long, short]), 100), { fields: [short], result: HPACK_END });
  assert.deepEqual(decode(decoder, encode(encoder, [short, long])), { fields: [short, long], result: HPACK_END });
});

test("a field that is larger than the table empties it, whether there is room for it or not", () => {
  for (const room of [100, 10_000]) {
    const decoder = new HpackDecoder();
    decode(decoder, hex("400161" + "0162"));
    assert.equal(decoder.table.count, 1);
    const value = fromLatin1("x".repeat(5000));
    const block = new Uint8Array(5010);
    block.set(hex("400163"));
    const end = writeInteger(block, 3, value.length, 7, 0);
    block.set(value, end);
    decode(decoder, block.subarray(0, end + value.length), room);
    assert.equal(decoder.table.count, 0);
  }
});

test("an encoder that may not remember anything writes every field out", () => {
  const encoder = new HpackEncoder();
  encoder.setAllowed(0);
  const decoder = new HpackDecoder(0);
  const list: Field[] = [["x-name", "value"]];
  for (let i = 0; i < 2; i++)
    assert.deepEqual(decode(decoder, encode(encoder, list)), { fields: list, result: HPACK_END });
  assert.equal(decoder.table.count, 0);
});
