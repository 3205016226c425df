import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1, latin1 } from "../../base/bytes.ts";
import { CHUNK_DATA, CHUNK_DONE, CHUNK_INVALID, CHUNK_MORE, ChunkedDecoder } from "./chunked.ts";
import { parseHttpDate, printHttpDate, printIsoTime, printLogTime } from "./date.ts";
import { parseDecimal, writeDecimal } from "./digits.ts";
import { etagListed } from "./etag.ts";
import { parseHost } from "./host.ts";
import { findParam } from "./params.ts";
import { parseRanges, UNLIMITED_RANGES } from "./range.ts";
import { statusText } from "./status.ts";
import { escapeUri, extension, findArg, isUnsafePath, normalisePath, unescapeUri } from "./uri.ts";

function normal(target: string, mergeSlashes = true): string | undefined {
  const bytes = fromLatin1(target);
  const result = normalisePath(bytes, 0, bytes.length, mergeSlashes, false);
  return result === undefined ? undefined : result.path + (result.args === undefined ? "" : `?${result.args}`);
}

test("paths are normalised", () => {
  const cases: Record<string, string> = {
    "/": "/",
    "//a///b": "/a/b",
    "/a/./b/.": "/a/b/",
    "/a/../b": "/b",
    "/a/b/..": "/a/",
    "/a/b/..?x": "/a/?x",
    "/a%2f..%2Fb": "/b",
    "/a/%2e%2e/b": "/b",
    "/a%20b%3fc": "/a b?c",
    "/a%23b#c": "/a#b",
    "/a?b=%20#c": "/a?b=%20",
    "/a/.b/..c/...": "/a/.b/..c/...",
    "/%25": "/%",
    "/a.+b": "/a.+b",
  };
  for (const [target, path] of Object.entries(cases)) assert.equal(normal(target), path, target);
  assert.equal(normal("//a//b", false), "//a//b");
  for (const target of ["/..", "/a/../..", "/%", "/%4", "/%zz", "/%00", "/a/%2e%2e/../b"]) {
    assert.equal(normal(target), undefined, target);
  }
});

test("URIs are escaped, unescaped and checked", () => {
  assert.equal(escapeUri("/a b?c#d%e\xff", "uri"), "/a%20b%3Fc%23d%25e%FF");
  assert.equal(escapeUri("a&b+c", "args"), "a%26b%2Bc");
  assert.equal(escapeUri("a/~b", "uriComponent"), "a%2F~b");
  assert.equal(unescapeUri("/a%20%zz%4"), "/a zz");
  for (const path of ["", "?a", "..", "../a", "/a/../b", "/a/..", "/a\0"]) assert.ok(isUnsafePath(path), path);
  assert.ok(!isUnsafePath("/a/..b"));
  assert.deepEqual(["/a.b", "/a.b/c", "/.a", "/a.", "/a.b.c", "/a"].map(extension), ["b", "", "", "", "c", ""]);
  assert.equal(findArg("a=1&B=2&a=3&c", "a"), "1");
  assert.equal(findArg("a=1&B=2", "b"), "2");
  assert.equal(findArg("aa=1&c", "a"), undefined);
});

function host(text: string): string | undefined {
  const bytes = fromLatin1(text);
  const parsed = parseHost(bytes, 0, bytes.length);
  return parsed === undefined ? undefined : `${parsed.host} ${parsed.port}`;
}

test("hosts are checked and brought to one form", () => {
  const cases: Record<string, string> = {
    "Example.ORG": "example.org 0",
    "example.org.": "example.org 0",
    "example.org.:80": "example.org 80",
    "127.0.0.1:8080": "127.0.0.1 8080",
    "[2001:DB8::1]:443": "[2001:db8::1] 443",
    "[::1]": "[::1] 0",
    "a_b~%41": "a_b~%41 0",
    "a:": "a 0",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(host(text), expected, text);
  for (const text of [
    "",
    ".",
    ":80",
    "a..b",
    "a b",
    "a/b",
    "a@b",
    "[::1",
    "[::1]x",
    "a:b",
    "a:65536",
    "a:1:2",
    "\0",
    "a,b ",
  ]) {
    assert.equal(host(text), undefined, text);
  }
});

function dechunk(text: string, step = text.length): [string, number] {
  const bytes = fromLatin1(text);
  const decoder = new ChunkedDecoder();
  let body = "";
  let start = 0;
  for (let end = Math.min(step, bytes.length); ; end = Math.min(end + step, bytes.length)) {
    for (;;) {
      const result = decoder.next(bytes, start, end);
      start = decoder.position;
      if (result === CHUNK_DATA) body += latin1(bytes, decoder.dataStart, decoder.position);
      else if (result === CHUNK_MORE) break;
      else return [body, result === CHUNK_DONE ? start : -1];
    }
    if (end === bytes.length) return [body, -2];
  }
}

test("chunks are decoded whole or byte by byte", () => {
  const text = "5\r\nhello\r\n00A;x=y\r\n0123456789\r\n0 \r\nTrailer: a\r\n\r\nnext";
  for (const step of [1, 2, 7, text.length])
    assert.deepEqual(dechunk(text, step), ["hello0123456789", text.length - 4]);
});

test("malformed chunks are refused", () => {
  for (const text of [
    "x",
    "5\n",
    "1\r\naX",
    "1\r\na\rX",
    "5 \n",
    "0\r\n\n",
    "0\r\na\n",
    "fffffffffffffff\r\n",
    "-1\r\n",
    "\r\n",
  ]) {
    assert.equal(dechunk(text)[1], -1, JSON.stringify(text));
  }
  assert.equal(dechunk(`1;${"x".repeat((1 << 20) + 1)}`)[1], -1);
  assert.equal(new ChunkedDecoder().next(fromLatin1(""), 0, 0), CHUNK_MORE);
  assert.notEqual(CHUNK_INVALID, CHUNK_DONE);
});

test("dates are read in three formats and written in one", () => {
  const instant = 784111777;
  assert.equal(printHttpDate(instant), "Sun, 06 Nov 1994 08:49:37 GMT");
  for (const text of ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]) {
    assert.equal(parseHttpDate(text), instant, text);
  }
  for (const text of [
    "",
    "x",
    "Sun, 06 Foo 1994 08:49:37 GMT",
    "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
  ]) {
    assert.equal(parseHttpDate(text), undefined, text);
  }
  assert.equal(printLogTime(instant, 0), "06/Nov/1994:08:49:37 +0000");
  assert.equal(printLogTime(instant, -330), "06/Nov/1994:03:19:37 -0530");
  assert.equal(printIsoTime(instant, 60), "1994-11-06T09:49:37+01:00");
});

test("ranges are read as nginx reads them", () => {
  const ranges = (text: string, size = 100, max = UNLIMITED_RANGES): unknown => {
    const parsed = parseRanges(text, size, max);
    return typeof parsed === "string" ? parsed : parsed.map(({ start, end }) => `${start}-${end}`).join(" ");
  };
  assert.equal(ranges("0-9"), "0-10");
  assert.equal(ranges(" 10 - 19 , 30-"), "10-20 30-100");
  assert.equal(ranges("-10"), "90-100");
  assert.equal(ranges("-200"), "0-100");
  assert.equal(ranges("90-200"), "90-100");
  assert.equal(ranges("100-"), "unsatisfiable");
  assert.equal(ranges("100-, 0-0"), "0-1");
  for (const text of ["", "x", "1", "1-2x", "--1", "1-2;", "99999999999999999999-"]) {
    assert.equal(ranges(text), "unsatisfiable", text);
  }
  assert.equal(ranges("0-99,0-99"), "whole");
  assert.equal(ranges("0-1,2-3", 100, 1), "whole");
  assert.equal(ranges("-0", 0), "whole");
});

test("entity tags are found in lists", () => {
  assert.ok(etagListed("*", undefined, false));
  assert.ok(etagListed('"a", "b" , "c"', '"b"', false));
  assert.ok(etagListed('W/"a"', 'W/"a"', true));
  assert.ok(etagListed('W/"a"', '"a"', true));
  assert.ok(!etagListed('W/"a"', '"a"', false));
  assert.ok(!etagListed('"ab"', '"a"', true));
  assert.ok(!etagListed('"a"x', '"a"', true));
});

test("numbers, parameters and status texts", () => {
  const target = new Uint8Array(20);
  assert.equal(latin1(target, 0, writeDecimal(target, 0, 0)), "0");
  assert.equal(latin1(target, 1, writeDecimal(target, 9007199254740991, 1)), "9007199254740991");
  assert.equal(parseDecimal(fromLatin1("0123"), 0, 4), 123);
  for (const text of ["", "-1", "1 ", "99999999999999999999"])
    assert.equal(parseDecimal(fromLatin1(text), 0, text.length), -1);
  assert.equal(findParam("a=1; B = 2;c", "b", ";"), "2");
  assert.equal(findParam("ab=1", "a", ";"), undefined);
  assert.equal(statusText(404), "404 Not Found");
  assert.equal(statusText(299), "299 ");
});
