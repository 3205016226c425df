import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "../base/bytes.ts";
import { HealthAnswer } from "./health-answer.ts";
import { EXAMINED_BODY_BYTES } from "./health-match.ts";
import { ANSWER_MALFORMED, ANSWER_MORE, ANSWER_WHOLE } from "./health-talk.ts";

const LENGTH = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
const HINTED = `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${LENGTH}`;
const CLOSED = "HTTP/1.0 200 OK\r\n\r\nhello";

function read(text: string, cuts: readonly number[] = [], headBytes = 4096): { result: number; answer: HealthAnswer } {
  const bytes = fromLatin1(text);
  const answer = new HealthAnswer(headBytes);
  const ends = [...new Set([...cuts.map((cut) => cut % text.length), text.length])].sort((a, b) => a - b);
  let result = ANSWER_MORE;
  let at = 0;
  for (const end of ends) {
    if (result !== ANSWER_MORE) break;
    if (end > at) result = answer.take(bytes, at, end);
    at = end;
  }
  return { result, answer };
}

test("an answer is whole by its length, its last chunk or the end of the connection, however it is cut", () => {
  fc.assert(
    fc.property(fc.constantFrom(LENGTH, CHUNKED, HINTED, CLOSED), fc.array(fc.nat(200)), (text, cuts) => {
      const { result, answer } = read(text, cuts);
      assert.equal(result, text === CLOSED ? ANSWER_MORE : ANSWER_WHOLE);
      assert.equal(answer.end(), text === CLOSED);
      assert.equal(answer.head.status, 200);
      assert.equal(answer.text, "hello");
      assert.equal(answer.reusable, text !== CLOSED);
    }),
  );
});

test("a connection is used again only when the answer allows it and nothing came behind it", () => {
  assert.equal(read(LENGTH.replace("Content", "Connection: close\r\nContent")).answer.reusable, false);
  assert.equal(read(LENGTH.replace("1.1", "1.0")).answer.reusable, false);
  assert.equal(read(`${LENGTH}more`).answer.reusable, false);
  assert.equal(read("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n").result, ANSWER_WHOLE, "204 has no body");
});

test("what is no answer, or has too long a head, is malformed", () => {
  for (const text of ["nonsense\r\n", "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n", CHUNKED.replace("3\r\n", "z\r\n")])
    assert.equal(read(text).result, ANSWER_MALFORMED, text);
  assert.equal(read("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").result, ANSWER_MALFORMED);
  assert.equal(read(LENGTH, [], 30).result, ANSWER_MALFORMED);
});

test("a body is read as far as it is looked at", () => {
  const { result, answer } = read(`HTTP/1.0 200 OK\r\n\r\n${"x".repeat(EXAMINED_BODY_BYTES + 10)}`);
  assert.equal(result, ANSWER_WHOLE);
  assert.equal(answer.text.length, EXAMINED_BODY_BYTES);
});
