/** What servers answer to checks, judged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1, latin1 } from "../base/bytes.ts";
import { md5 } from "../base/hash-md5.ts";
import type { CheckedUrl } from "../conf/keepalived/lvs/config.ts";
import { encodeQuestion, judgeAnswer } from "./dns-question.ts";
import { HttpAnswer, MAX_HEAD_BYTES, printRequest } from "./http-answer.ts";
import { SmtpDialogue } from "./smtp-dialogue.ts";

const plain: CheckedUrl = {
  path: "/",
  digest: undefined,
  statusCodes: [[200, 299]],
  virtualHost: undefined,
  regex: undefined,
};

/** The outcome of an answer that comes in pieces of this size. */
function outcome(
  text: string,
  url: Partial<CheckedUrl> = {},
  size = 7,
  pattern?: (body: Uint8Array) => boolean,
): string {
  const answer = new HttpAnswer({ ...plain, ...url }, pattern);
  for (let at = 0; at < text.length; at += size)
    if (!answer.add(fromLatin1(text.slice(at, at + size)))) return "too much";
  const result = answer.end();
  return result.ok ? `ok ${result.what}` : result.why;
}

test("a status in the ranges is good, whatever the body", () => {
  assert.equal(outcome("HTTP/1.1 200 OK\r\n\r\nhello"), "ok HTTP status code");
  assert.equal(outcome("HTTP/1.1 299 OK\r\nContent-Length: 3\r\n\r\nhello", {}, 1), "ok HTTP status code");
  assert.equal(outcome("HTTP/1.1 500 no\r\n\r\n"), "HTTP status code error to");
  assert.equal(outcome("HTTP/1.1 500 no\r\n\r\n", { statusCodes: [[500, 500]] }), "ok HTTP status code");
});

test("what is no answer has no data, or no status", () => {
  assert.equal(outcome(""), "Read, no data received from ");
  assert.equal(outcome("HTTP/1.1 200 OK\r\n"), "Read, no data received from ");
  for (const head of ["HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "200", "\r\n"])
    assert.equal(outcome(`${head}\r\n\r\n`), "HTTP status code error to", head);
  assert.equal(outcome(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(MAX_HEAD_BYTES)}\r\n\r\n`), "too much");
});

test("the digest is that of the body, up to its announced length", () => {
  const digest = md5(fromLatin1("hello"));
  assert.equal(outcome("HTTP/1.1 200 OK\r\n\r\nhello", { digest }), "ok MD5 digest");
  assert.equal(outcome("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world", { digest }, 30), "ok MD5 digest");
  assert.equal(outcome("HTTP/1.1 200 OK\r\n\r\nhello!", { digest }), "MD5 digest error to");
});

test("a pattern must be found, or must not", () => {
  const regex = { pattern: "", options: [], mustNotMatch: false, minOffset: 0, maxOffset: undefined };
  const find = (body: Uint8Array): boolean => latin1(body).includes("lo");
  assert.equal(outcome("HTTP/1.1 200 OK\r\n\r\nhello", { regex }, 3, find), "ok Regex match");
  assert.equal(outcome("HTTP/1.1 200 OK\r\n\r\nhe", { regex }, 3, find), "Regex match failed");
  const never = { regex: { ...regex, mustNotMatch: true } };
  assert.equal(outcome("HTTP/1.1 200 OK\r\n\r\nhello", never, 3, find), "Regex match failed");
});

test("a length that is not kept is known", () => {
  const answer = new HttpAnswer(plain, undefined);
  answer.add(fromLatin1("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"));
  assert.deepEqual([answer.mismatch, answer.lengths], [4, { announced: 9, received: 5 }]);
});

test("requests are keepalived's", () => {
  assert.equal(
    printRequest("/x", "1.0", undefined, "10.0.0.2:80"),
    "GET /x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 10.0.0.2:80\r\n\r\n",
  );
  assert.equal(
    printRequest("/x", "1.1", "www.example.com", "10.0.0.2:80"),
    "GET /x HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: www.example.com\r\n\r\n",
  );
  assert.match(printRequest("/", "1.0C", undefined, "[::1]:80"), /^GET \/ HTTP\/1\.0\r\n.*\r\nConnection: close\r\n/);
});

function talk(...lines: string[]): string {
  const dialogue = new SmtpDialogue("me", "[10.0.0.2]:25");
  const said: string[] = [];
  for (const line of lines) {
    const turn = dialogue.hear(fromLatin1(line));
    if (turn === undefined) said.push("…");
    else if ("say" in turn) said.push(latin1(turn.say).trim());
    else return [...said, turn.failure ?? "ok"].join(" | ");
  }
  return said.join(" | ");
}

test("a mail server greets, answers HELO and QUIT", () => {
  assert.equal(talk("220 hi\r\n", "250 you\r\n", "221 bye\r\n"), "HELO me | QUIT | ok");
  assert.equal(talk("22", "0", "\n", "250\n", "whatever\n"), "… | … | HELO me | QUIT | ok");
  assert.equal(talk("220-hi\r\n"), "Bad greeting banner from server [10.0.0.2]:25");
  assert.equal(talk("220 hi\r\n", "500 no\r\n"), "HELO me | Bad HELO response from server [10.0.0.2]:25");
  assert.equal(talk("x".repeat(600), "220 hi\n"), "… | HELO me", "a line that is too long is forgotten");
});

test("a question of DNS asks for its name, the root for nothing", () => {
  assert.deepEqual(
    encodeQuestion(0x1234, "www.example.com.", 1),
    Uint8Array.from([
      0x12,
      0x34,
      1,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      ...fromLatin1("\x03www\x07example\x03com\0\0\x01\0\x01"),
    ]),
  );
  for (const root of ["", "."]) assert.equal(encodeQuestion(1, root, 6).length, 12 + 5);
});

test("an answer of DNS is judged by its code, and what is none is waited out", () => {
  const answer = (id: number, flags: number): Uint8Array =>
    Uint8Array.of(id >> 8, id & 255, flags >> 8, flags & 255, 0, 0, 0, 0, 0, 0, 0, 0);
  assert.deepEqual(judgeAnswer(answer(7, 0x8180), 7), { ok: true });
  assert.deepEqual(judgeAnswer(answer(7, 0x8183), 7), { ok: false, why: "read error occurred. (rcode = 3)" });
  for (const other of [answer(8, 0x8180), answer(7, 0x0180), answer(7, 0x8180).subarray(0, 11)])
    assert.equal(judgeAnswer(other, 7), undefined);
});
