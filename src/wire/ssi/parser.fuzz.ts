/** Pages in any pieces: what is found in them depends on no border between two. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1, latin1 } from "../../base/bytes.ts";
import { printCommand } from "./commands.ts";
import { OPENING, SSI_COMMAND, SSI_FAILURE, SSI_MORE, SSI_TEXT, type SsiCommand, SsiParser } from "./parser.ts";

const MAX_VALUE_BYTES = 6;

interface Found {
  readonly texts: string;
  /** Commands and failures as they came, with the length of the text in front. */
  readonly events: readonly unknown[];
  readonly complaints: readonly string[];
}

function read(pieces: readonly string[]): Found {
  const complaints: string[] = [];
  const events: unknown[] = [];
  let texts = "";
  const parser = new SsiParser(MAX_VALUE_BYTES, (message) => complaints.push(message));
  for (const piece of pieces) {
    // Nothing outside of the bounds may be seen.
    const bytes = fromLatin1(`#<${piece}!-`);
    const end = bytes.length - 2;
    for (let at = 2; at < end; ) {
      const result = parser.next(bytes, at, end);
      assert.ok(parser.position >= at && parser.position <= end, "it stays where it is told to");
      assert.ok(result !== SSI_MORE || parser.position === end, "all is used when there is nothing more");
      if (result === SSI_TEXT) texts += OPENING.slice(0, parser.lead) + latin1(bytes, parser.textStart, parser.textEnd);
      else if (result === SSI_COMMAND) events.push([texts.length, { ...parser.command }]);
      else if (result === SSI_FAILURE) events.push([texts.length, "failure"]);
      at = parser.position;
    }
  }
  return { texts, events, complaints };
}

function cut(body: string, borders: readonly number[]): string[] {
  const sorted = [...new Set(borders.map((border) => border % (body.length + 1)))].sort((a, b) => a - b);
  return [...sorted, body.length].map((end, index) => body.slice(index === 0 ? 0 : sorted[index - 1], end));
}

const token = fc.constantFrom(
  ...["<", "!", "-", "--", "#", ">", "<!--#", "-->", "<!--#x ", 'k="v"', "k='v'", '"', "'", "\\", "=", " ", "\n", "a"],
  ...["\xe9", "\0", "$x", "b".repeat(7), "n".repeat(33)],
);
const page = fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join(""));

test("borders make no difference", () => {
  fc.assert(
    fc.property(page, fc.array(fc.nat(), { maxLength: 12 }), (body, borders) => {
      assert.deepEqual(read(cut(body, borders)), read([body]));
    }),
    { numRuns: 3000 },
  );
});

test("every border of a page with everything in it makes no difference", () => {
  const body =
    'a<b<!c<!-d<!--e<<!--# x k = "1\'\\"" l=\'2\' -->f<!<!--#y-->g<!--#z -x-->h<!--#bad k=v -- -->i<!--#w k="';
  const whole = read([body]);
  assert.equal(whole.events.length, 4);
  for (let at = 0; at <= body.length; at++) {
    assert.deepEqual(read([body.slice(0, at), body.slice(at)]), whole, `cut at ${at}`);
  }
  assert.deepEqual(read(Array.from(body)), whole);
});

test("a page without an opening is text, but for the beginning of one at its end", () => {
  fc.assert(
    fc.property(page, (body) => {
      const first = body.indexOf(OPENING);
      const { texts } = read([body]);
      assert.ok(body.length < OPENING.length || texts.startsWith(first < 0 ? body.slice(0, -4) : body.slice(0, first)));
      if (first < 0) assert.equal(texts, body.replace(/<(!(--?)?)?$/, ""));
    }),
    { numRuns: 2000 },
  );
});

const name = fc.stringMatching(/^[a-z]{1,32}$/);
const value = fc.stringMatching(/^([^"\\]|\\.){0,3}$/).map((text) => text.replace(/[^\0-\xff]/g, "?"));

test("a command that is written is read", () => {
  const commands = fc.record({ name, parameters: fc.array(fc.record({ name, value }), { maxLength: 16 }) });
  fc.assert(
    fc.property(fc.array(commands, { minLength: 1, maxLength: 4 }), (wanted: SsiCommand[]) => {
      const { events, complaints } = read([wanted.map(printCommand).join("|")]);
      assert.deepEqual(complaints, []);
      assert.deepEqual(
        events.map((event) => (event as readonly unknown[])[1]),
        wanted.map((command) => ({ ...command, parameters: command.parameters.map((one) => ({ ...one })) })),
      );
    }),
  );
});
