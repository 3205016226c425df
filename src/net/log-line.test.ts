import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1, latin1 } from "../base/bytes.ts";
import { viewOf } from "../wire/http1/words.ts";
import { LogLine } from "./log-line.ts";

function compose(limit: number, make: (line: LogLine) => void): string | undefined {
  const bytes = new Uint8Array(64).fill(0x2e);
  const line = new LogLine();
  line.begin(bytes, 4, limit);
  make(line);
  assert.equal(latin1(bytes, limit), ".".repeat(64 - limit), "nothing is written behind the limit");
  return line.fits ? latin1(bytes, 4, line.used) : undefined;
}

test("constants, slices, texts and numbers follow one another", () => {
  const text = compose(64, (line) => {
    line.constant(fromLatin1("a "));
    line.slice(viewOf(fromLatin1("xGET /y")), 1, 7);
    line.byte(0x20);
    line.text("agent");
    line.decimal(1024);
  });
  assert.equal(text, "a GET /y agent1024");
});

test("what a client can send is escaped in slices and in texts alike; a missing value is a dash", () => {
  const odd = '\x00\x1f"\\\x7e\x7f\xff';
  const escaped = "\\x00\\x1F\\x22\\x5C~\\x7F\\xFF";
  assert.equal(
    compose(64, (line) => line.slice(viewOf(fromLatin1(odd)), 0, odd.length)),
    escaped,
  );
  assert.equal(
    compose(64, (line) => line.text(odd)),
    escaped,
  );
  assert.equal(
    compose(64, (line) => line.text(undefined)),
    "-",
  );
  assert.equal(
    compose(64, (line) => line.text("")),
    "",
  );
});

test("every octet of an address is written in decimal", () => {
  for (let octet = 0; octet < 256; octet++) {
    const text = compose(64, (line) => line.address(Uint8Array.of(octet, 0, 255 - octet, octet)));
    assert.equal(text, `${octet}.0.${255 - octet}.${octet}`);
  }
});

test("what does not fit is not begun, and the line says so", () => {
  for (const make of [
    (line: LogLine) => line.constant(new Uint8Array(5)),
    (line: LogLine) => line.slice(viewOf(new Uint8Array(2)), 0, 2),
    (line: LogLine) => line.text("12"),
    (line: LogLine) => line.decimal(7),
  ]) {
    assert.equal(compose(8, make), undefined);
  }
  assert.equal(
    compose(8, (line) => line.constant(fromLatin1("four"))),
    "four",
  );
});
