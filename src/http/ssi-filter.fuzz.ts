/** Pages without includes, in any pieces and with lent bytes: what comes out is what comes out of the whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1, latin1 } from "../base/bytes.ts";
import { bytesChunk, LAST, MORE } from "./body.ts";
import type { Connection } from "./connection.ts";
import { Request } from "./request.ts";
import { beginContext, type SsiRules } from "./ssi-context.ts";
import { SsiFilter } from "./ssi-filter.ts";
import { SsiPatterns } from "./ssi-patterns.ts";

const patterns = new SsiPatterns();
const rules: SsiRules = {
  silentErrors: false,
  maxValueBytes: 40,
  lookUp: (name) => (name.startsWith("arg_") ? () => name.slice(4) : undefined),
  pattern: (source) => patterns.get(source),
};

interface Result {
  readonly text: string;
  readonly complaints: readonly string[];
}

function run(pieces: readonly string[]): Result {
  const complaints: string[] = [];
  const request = new Request();
  request.connection = {
    logErrorOf: (_request: Request, _level: string, message: string) => complaints.push(message),
    terminate: () => complaints.push("the connection ends"),
  } as unknown as Connection;
  const filter = new SsiFilter(beginContext(request, rules));
  let text = "";
  const give = (piece: string, mark: number): void => {
    const bytes = fromLatin1(`..${piece}..`);
    let chunks = piece === "" ? [] : [bytesChunk(bytes, 2, bytes.length - 2)];
    for (let calls = 0; ; calls++) {
      assert.ok(calls < 1000, "it comes to an end");
      for (const chunk of filter.filter(request, chunks, mark)) {
        text += latin1(chunk.bytes as Uint8Array, chunk.start, chunk.end);
      }
      // They were lent.
      bytes.fill(0);
      chunks = [];
      if (!filter.hasMore) return;
    }
  };
  for (const piece of pieces) give(piece, MORE);
  give("", LAST);
  return { text, complaints };
}

const token = fc.constantFrom(
  ...[
    "text ",
    "<",
    "<!",
    "<!--",
    '<!--#echo var="a"-->',
    '<!--#echo var="arg_x" encoding="url"-->',
    '<!--#echo var="1"-->',
  ],
  ...[
    '<!--#set var="a" value="1 < $a"-->',
    '<!--#set var="a" value="<\\"$arg_b\\$"-->',
    '<!--#set var="a" value="${"-->',
  ],
  ...['<!--#if expr="$a"-->', '<!--#if expr="$arg_x = /(.)/"-->', '<!--#elif expr="$a != b"-->', "<!--#else-->"],
  ...["<!--#endif-->", '<!--#block name="b"-->', "<!--#endblock-->", "<!--#bad-->", "<!--#echo -->", "<!--#x y-->"],
  ...['<!--#config errmsg="[E]"-->', '<!--#config errmsg=""-->', '<!--#include virtual="/a" stub="none"-->', "<!--#"],
  ...['<!--#include virtual=""-->', `<!--#set var="a" value="${"$a".repeat(20)}"-->`, "z".repeat(50_000)],
);
const pages = fc.array(token, { maxLength: 30 }).map((tokens) => tokens.join(""));

test("pieces make no difference", () => {
  fc.assert(
    fc.property(pages, fc.array(fc.nat(), { maxLength: 8 }), (page, borders) => {
      const sorted = borders.map((border) => border % (page.length + 1)).sort((a, b) => a - b);
      const pieces = [...sorted, page.length].map((end, index) => page.slice(index === 0 ? 0 : sorted[index - 1], end));
      const whole = run([page]);
      assert.deepEqual(run(pieces), whole);
      assert.ok(!whole.text.includes("<!--#if"), "no command is text");
    }),
    { numRuns: 500 },
  );
});

test("each byte for itself is the same page", () => {
  const page =
    'a<<!--#set var="a" value="<x>"--><!--#if expr="$a = /<(.)/"--><!--#echo var="1"--><!--#else-->no<!--#endif-->' +
    '<!--#block name="b"-->in <!--#echo var="a"--> it<!--#endblock--><!--#echo var="a" encoding="none"--><!--#bad--><!';
  const whole = run([page]);
  assert.equal(whole.text, "a<x<x>[an error occurred while processing the directive]");
  assert.deepEqual(whole.complaints, ['invalid SSI command: "bad"']);
  assert.deepEqual(run(Array.from(page)), whole);
});

test("what comes out of one call has a bound", () => {
  const request = new Request();
  request.connection = {} as Connection;
  const context = beginContext(request, rules);
  const filter = new SsiFilter(context);
  context.page.set("a", "x".repeat(60_000));
  const page = fromLatin1('<!--#echo var="a"-->'.repeat(10));
  const sizes: number[] = [];
  for (let chunks = [bytesChunk(page)]; ; chunks = []) {
    const out = filter.filter(request, chunks, MORE);
    sizes.push(out.reduce((sum, { start, end }) => sum + end - start, 0));
    if (!filter.hasMore) break;
  }
  assert.deepEqual(sizes, [120_000, 120_000, 120_000, 120_000, 120_000]);
});
