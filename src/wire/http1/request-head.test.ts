import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1 } from "../../base/bytes.ts";
import { CONTENT_LENGTH, HOST } from "./fields.ts";
import type { HeadLimits } from "./head-results.ts";
import * as head from "./head-results.ts";
import { GET, METHOD_NAMES } from "./methods.ts";
import { RequestHead } from "./request-head.ts";

const LIMITS: HeadLimits = {
  bufferSize: 1024,
  largeBuffers: 4,
  largeBufferSize: 8192,
  maxHeaders: 1000,
  underscores: false,
  ignoreInvalid: true,
  onIgnored: undefined,
  choose: undefined,
};

function parse(text: string, limits: Partial<HeadLimits> = {}): { result: number; head: RequestHead } {
  const bytes = fromLatin1(text);
  const request = new RequestHead();
  request.begin(bytes, 0);
  return { result: request.parse(bytes.length, { ...LIMITS, ...limits }), head: request };
}

function resultOf(text: string, limits: Partial<HeadLimits> = {}): number {
  return parse(text, limits).result;
}

test("a plain request gives its parts", () => {
  const { result, head: request } = parse("GET /a/b.html?x=1 HTTP/1.1\r\nHost: example.org\r\nX-A:  v w  \r\n\r\nrest");
  assert.equal(result, head.COMPLETE);
  assert.equal(request.method, GET);
  assert.equal(request.version, 1001);
  assert.equal(request.text(request.uriStart, request.uriEnd), "/a/b.html?x=1");
  assert.equal(request.text(request.argsStart, request.uriEnd), "x=1");
  assert.equal(request.text(0, request.lineEnd), "GET /a/b.html?x=1 HTTP/1.1");
  assert.equal(request.fieldCount, 2);
  assert.equal(request.name(1), "X-A");
  assert.equal(request.value(1), "v w");
  assert.equal(request.knownValue(HOST), "example.org");
  assert.equal(request.scanned, "GET /a/b.html?x=1 HTTP/1.1\r\nHost: example.org\r\nX-A:  v w  \r\n\r\n".length);
});

test("bare line feeds, leading empty lines and spaces around the target are accepted", () => {
  const { result, head: request } = parse("\r\n\nGET   /   HTTP/1.0  \nHost:a\n\n");
  assert.equal(result, head.COMPLETE);
  assert.equal(request.version, 1000);
  assert.equal(request.text(request.uriStart, request.uriEnd), "/");
  assert.equal(request.knownValue(HOST), "a");
});

test("HTTP/0.9 is a request line alone, for GET only", () => {
  assert.equal(resultOf("GET /\r\n"), head.COMPLETE);
  assert.equal(parse("GET /x \n").head.version, 9);
  assert.equal(resultOf("POST /\r\n"), head.INVALID_09_METHOD);
});

test("methods are capitals, underscore and dash", () => {
  for (const method of METHOD_NAMES.slice(1, 16)) {
    const { result, head: request } = parse(`${method} / HTTP/1.1\r\n\r\n`);
    assert.equal(result, head.COMPLETE, method);
    assert.equal(request.methodText(), method);
    assert.equal(request.method, METHOD_NAMES.indexOf(method));
  }
  assert.equal(parse("X-Y_Z / HTTP/1.1\r\n\r\n").head.methodText(), "X-Y_Z");
  for (const line of ["get / HTTP/1.1\r\n", "G3T / HTTP/1.1\r\n", " GET /\r\n", "\0", "GE\r\n"]) {
    assert.equal(resultOf(line), head.INVALID_METHOD, line);
  }
});

test("targets that cannot be are refused", () => {
  for (const line of [
    "GET a HTTP/1.1\r\n",
    "GET /\x01 HTTP/1.1\r\n",
    "GET /a\x7f HTTP/1.1\r\n",
    "GET /?\x00 HTTP/1.1\r\n",
    "GET / http/1.1\r\n",
    "GET / HTTP/0.9\r\n",
    "GET / HTTP/1.\r\n",
    "GET / HTTP/1.1a\r\n",
    "GET / HTTP/1.1\rx",
    "GET http:/x HTTP/1.1\r\n",
    "GET http://[::1/ HTTP/1.1\r\n",
    "CONNECT a HTTP/1.1\r\n",
    "CONNECT a: HTTP/1.1\r\n",
    "CONNECT a:80/ HTTP/1.1\r\n",
  ]) {
    assert.equal(resultOf(line), head.INVALID_REQUEST, JSON.stringify(line));
  }
  assert.equal(resultOf("GET / HTTP/2.0\r\n"), head.INVALID_VERSION);
  assert.equal(resultOf("GET / HTTP/10.1\r\n"), head.INVALID_VERSION);
});

test("absolute-form and authority-form give a host", () => {
  const cases: [string, string, string][] = [
    ["GET http://example.org:80/x HTTP/1.1\r\n\r\n", "example.org:80", "/x"],
    ["GET http://example.org HTTP/1.1\r\n\r\n", "example.org", "/"],
    ["GET http://example.org?a HTTP/1.1\r\n\r\n", "example.org", "?a"],
    ["GET https://[::1]:8080/ HTTP/1.1\r\n\r\n", "[::1]:8080", "/"],
    ["CONNECT example.org:443 HTTP/1.1\r\n\r\n", "example.org:443", "/"],
  ];
  for (const [text, host, uri] of cases) {
    const { result, head: request } = parse(text);
    assert.equal(result, head.COMPLETE, text);
    assert.equal(request.text(request.hostStart, request.hostEnd), host);
    assert.equal(request.text(request.uriStart, request.uriEnd), uri);
  }
});

test("a path that must be normalised is marked", () => {
  const flags = (target: string): [boolean, boolean] => {
    const { head: request } = parse(`GET ${target} HTTP/1.1\r\n\r\n`);
    return [request.complexUri, request.quotedUri];
  };
  assert.deepEqual(flags("/a.b/c?d//../%20"), [false, false]);
  assert.deepEqual(flags("/a//b"), [true, false]);
  assert.deepEqual(flags("/a/./b"), [true, false]);
  assert.deepEqual(flags("/a/.b"), [true, false]);
  assert.deepEqual(flags("/a#b"), [true, false]);
  assert.deepEqual(flags("/a?b#c"), [true, false]);
  assert.deepEqual(flags("/a%20b"), [false, true]);
  assert.deepEqual(flags("/a+b"), [false, false]);
});

test("header lines that cannot be are refused with the place", () => {
  for (const line of [" a: b", ":b", "a b: c", "a\t: c", "a: \0", "a: b\0c", "a: b \0", "a\x7f: b", "a: b\rc"]) {
    const { result } = parse(`GET / HTTP/1.1\r\nHost: x\r\n${line}\r\n\r\n`);
    assert.equal(result, head.INVALID_HEADER, JSON.stringify(line));
  }
  assert.equal(resultOf("GET / HTTP/1.1\r\nHost: x\r\n\rx"), head.INVALID_HEADER);
});

test("odd header names are dropped, or kept when configured so", () => {
  const text = "GET / HTTP/1.1\r\nHost: x\r\nx_y: 1\r\nx.y: 2\r\nlast: 3\r\n\r\n";
  const dropped: string[] = [];
  const { head: request } = parse(text, { onIgnored: (line) => dropped.push(line) });
  assert.deepEqual(dropped, ["x_y: 1", "x.y: 2"]);
  assert.equal(request.fieldCount, 2);
  assert.equal(parse(text, { underscores: true }).head.fieldCount, 3);
  assert.equal(parse(text, { ignoreInvalid: false }).head.fieldCount, 4);
});

test("a second Host, Content-Length or Transfer-Encoding is refused, a second Cookie is not", () => {
  for (const name of ["Host", "content-length", "TRANSFER-ENCODING", "If-Range", "Expect"]) {
    const text = `GET / HTTP/1.1\r\n${name}: 1\r\nA: b\r\n${name}: 1\r\n\r\n`;
    const { result, head: request } = parse(text);
    assert.equal(result, head.DUPLICATE_HEADER, name);
    assert.deepEqual([request.errorStart, request.errorEnd], [2, 0]);
  }
  assert.equal(resultOf("GET / HTTP/1.1\r\nCookie: 1\r\nCookie: 2\r\n\r\n"), head.COMPLETE);
});

test("the request line must fit into one large buffer", () => {
  const line = (size: number): string => `GET /${"x".repeat(size)} HTTP/1.1\r\n`;
  assert.equal(resultOf(`${line(8192 - line(0).length)}\r\n`), head.COMPLETE);
  assert.equal(resultOf(`${line(8193 - line(0).length)}\r\n`), head.URI_TOO_LARGE);
  assert.equal(resultOf(`GET /${"x".repeat(8192)}`), head.URI_TOO_LARGE);
});

test("a header line must fit into one large buffer, and there are so many", () => {
  const request = (...sizes: number[]): string =>
    `GET / HTTP/1.1\r\n${sizes.map((size, i) => `X${i}: ${"x".repeat(size - 6)}\r\n`).join("")}\r\n`;
  assert.equal(resultOf(request(8192)), head.COMPLETE);
  assert.equal(resultOf(request(8193)), head.HEADER_TOO_LARGE);
  assert.equal(resultOf(request(8000, 8000, 8000, 8000)), head.COMPLETE);
  assert.equal(resultOf(request(8000, 8000, 8000, 8000, 8000)), head.HEADER_TOO_LARGE);
  assert.equal(resultOf(request(50, 50, 50), { maxHeaders: 3 }), head.COMPLETE);
  assert.equal(resultOf(request(50, 50, 50), { maxHeaders: 2 }), head.TOO_MANY_HEADERS);
});

test("known fields are found in any case, others by name", () => {
  const { head: request } = parse("GET / HTTP/1.1\r\nHOST: x\r\nX-One: 1\r\ncontent-LENGTH: 5\r\nx-one: 2\r\n\r\n");
  assert.equal(request.knownValue(CONTENT_LENGTH), "5");
  assert.equal(request.find("x-one"), 1);
  assert.equal(request.find("x-one", 2), 3);
  assert.equal(request.find("x_one", 0, true), 1);
  assert.equal(request.find("x-two"), -1);
});

test("a head can be moved to other memory half way", () => {
  const text = "GET /path HTTP/1.1\r\nHost: example.org\r\nA: b\r\n\r\n";
  const whole = fromLatin1(text);
  const request = new RequestHead();
  request.begin(whole.slice(0, 30), 0);
  assert.equal(request.parse(30, LIMITS), head.INCOMPLETE);
  request.bytes = fromLatin1(`.....${text}`);
  request.base = 5;
  assert.equal(request.parse(5 + text.length, LIMITS), head.COMPLETE);
  assert.equal(request.knownValue(HOST), "example.org");
  request.detach();
  assert.equal(request.value(1), "b");
});
