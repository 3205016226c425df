import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromLatin1 } from "../../base/bytes.ts";
import {
  CONTENT_LENGTH_FIELD,
  HEAD_COMPLETE,
  HEAD_INCOMPLETE,
  HEAD_INVALID_LINE,
  HEAD_NO_STATUS,
  ResponseHead,
  SERVER_FIELD,
} from "./response-head.ts";

function parse(text: string): { readonly head: ResponseHead; readonly result: number } {
  const head = new ResponseHead();
  const bytes = fromLatin1(text);
  head.begin(bytes, 0);
  return { head, result: head.parse(bytes.length) };
}

function lines(head: ResponseHead): string[] {
  return Array.from({ length: head.fieldCount }, (_, index) => `${head.name(index)}=${head.value(index)}`);
}

const ORDINARY = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 12\r\nX-Empty:\r\nX-Spaces:   a  b   \r\n\r\n";

describe("the head of a response", () => {
  test("has a status, a reason and lines without the spaces around their values", () => {
    const { head, result } = parse(`${ORDINARY}body`);
    assert.equal(result, HEAD_COMPLETE);
    assert.equal(head.scanned, ORDINARY.length);
    assert.deepEqual([head.status, head.version], [200, 1001]);
    assert.equal(ORDINARY.slice(head.statusStart, head.statusEnd), "200 OK");
    assert.deepEqual(lines(head), ["Server=x", "Content-Length=12", "X-Empty=", "X-Spaces=a  b"]);
    assert.deepEqual([head.field(0), head.field(1), head.field(2)], [SERVER_FIELD, CONTENT_LENGTH_FIELD, -1]);
  });

  test("is the same in whatever pieces it comes", () => {
    const bytes = fromLatin1(ORDINARY);
    const head = new ResponseHead();
    head.begin(bytes, 0);
    for (let end = 0; end < bytes.length; end++) assert.equal(head.parse(end), HEAD_INCOMPLETE, `${end} bytes`);
    assert.equal(head.parse(bytes.length), HEAD_COMPLETE);
    assert.deepEqual(lines(head), lines(parse(ORDINARY).head));
  });

  test("may end its lines with LF, and its status line behind the code", () => {
    const { head, result } = parse("HTTP/1.0 404\nA: b\n\n");
    assert.equal(result, HEAD_COMPLETE);
    assert.deepEqual([head.status, head.version, lines(head)], [404, 1000, ["A=b"]]);
    assert.equal(parse("HTTP/1.1 403.1 sub\r\n\r\n").head.status, 403);
  });

  test("is none without a status line", () => {
    for (const text of ["hello", "HTTP/1.1 20x\r\n", "HTTP/0.9 200 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/x\r\n"]) {
      assert.equal(parse(text).result, HEAD_NO_STATUS, text);
    }
  });

  test("is refused with control characters in names and NUL in values, and says where", () => {
    for (const [line, quoted] of [
      ["Bad Name: x", "Bad"],
      [": x", ""],
      ["X: a\0b", "X: a"],
      ["X: a\rb", "X: a"],
    ] as const) {
      const text = `HTTP/1.1 200 OK\r\n${line}\r\n\r\n`;
      const { head, result } = parse(text);
      assert.equal(result, HEAD_INVALID_LINE, line);
      assert.equal(text.slice(head.errorStart, head.errorEnd), quoted);
    }
  });

  test("is read line by line as nginx 1.31.5 reads it: what each line becomes was seen there", () => {
    for (const [line, expected] of [
      ["X-A", "X-A="],
      ["X-A:", "X-A="],
      ["X-A:b", "X-A=b"],
      ["X_A: c", "X_A=c"],
      ["X-A:  a b  ", "X-A=a b"],
      ["X-A: b\r", "X-A=b"],
      ["X-A: \x01", "X-A=\x01"],
      ["X-T:\ta", "X-T=\ta"],
      ['X-"q": v', 'X-"q"=v'],
      ["/a: b", "/a=b"],
      ["HTT/1: a", "HTT/1=a"],
      ["HTTP: x", "HTTP=x"],
      ["HTTP/foo", undefined],
      ["X-\xe9: d", "X-\xe9=d"],
    ] as const) {
      const { head, result } = parse(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n`);
      assert.equal(result, HEAD_COMPLETE, line);
      assert.deepEqual(lines(head), expected === undefined ? [] : [expected]);
    }
    for (const line of ["X-A : b", "\tX: a", " folded", "X-\x7f: a", "X-A\x01: a", "\0: a", "X-A: \0", "\rX: a"]) {
      assert.equal(parse(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n`).result, HEAD_INVALID_LINE, line);
    }
  });

  test("has a status line as nginx 1.31.5 takes one", () => {
    for (const [line, status, text] of [
      ["HTTP/1.1 200", 200, "200"],
      ["HTTP/1.1  201   Spaced", 201, "201   Spaced"],
      ["HTTP/1.1 403.1 x", 403, "403.1 x"],
      ["HTTP/2.0 200 OK", 200, "200 OK"],
      ["HTTP/11.1 200 OK", 200, "200 OK"],
      ["HTTP/999.1 200 OK", 200, "200 OK"],
      ["HTTP/1.01 999 X", 999, "999 X"],
    ] as const) {
      const { head, result } = parse(`${line}\r\n\r\n`);
      assert.equal(result, HEAD_COMPLETE, line);
      assert.deepEqual([head.status, line.slice(head.statusStart, head.statusEnd)], [status, text]);
    }
    for (const line of [
      "HTTP/1.1\t200 OK",
      "http/1.1 200 OK",
      "HTTP/1 200 OK",
      "HTTP/1000.1 200 OK",
      "HTTP/1.1 200\tOK",
      "ICY 200",
    ]) {
      assert.equal(parse(`${line}\r\n\r\n`).result, HEAD_NO_STATUS, line);
    }
  });

  test("may have a second status line, which is left out", () => {
    const { head, result } = parse("HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n");
    assert.equal(result, HEAD_COMPLETE);
    assert.deepEqual(lines(head), ["A=b"]);
  });

  test("finds a line by name without regard to case, from any line on", () => {
    const { head } = parse("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX: y\r\nSET-COOKIE: b\r\n\r\n");
    assert.equal(head.find("set_cookie"), 0);
    assert.equal(head.find("set-cookie", 1), 2);
    assert.equal(head.find("set-cookie", 3), -1);
  });

  test("can be moved to other memory", () => {
    const { head } = parse(ORDINARY);
    head.moveTo(new Uint8Array(200));
    assert.equal(head.value(0), "x");
  });
});
