/** Whatever pieces a body comes in, the same texts are replaced as in the whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1, latin1 } from "../../base/bytes.ts";
import { bytesChunk, LAST, MORE } from "../body.ts";
import { Request } from "../request.ts";
import { lowerAscii, Patterns } from "../substitutions.ts";
import { Substitution } from "./sub.ts";

/** The rule, place by place: the first pattern that fits is replaced; one that the end cuts off keeps the rest as it is. */
function replaced(body: string, patterns: readonly string[], once: boolean): string {
  const used = new Set<number>();
  let out = "";
  for (let at = 0; at < body.length; ) {
    const rest = lowerAscii(body.slice(at));
    const index = patterns.findIndex(
      (pattern, number) => !used.has(number) && (rest.startsWith(pattern) || pattern.startsWith(rest)),
    );
    const pattern = patterns[index];
    if (pattern === undefined) {
      out += body[at];
      at++;
    } else if (!rest.startsWith(pattern)) return out + body.slice(at);
    else {
      out += `<${index}>`;
      at += pattern.length;
      if (once) used.add(index);
    }
  }
  return out;
}

const letter = fc.constantFrom("a", "b", "A", "B", ".", "\xe9", "\xc9", "\n");
const text = (maxLength: number, minLength = 0): fc.Arbitrary<string> =>
  fc.array(letter, { minLength, maxLength }).map((letters) => letters.join(""));

test("pieces make no difference", () => {
  fc.assert(
    fc.property(
      fc.array(text(4, 1).map(lowerAscii), { minLength: 1, maxLength: 4 }),
      fc.array(text(12), { maxLength: 6 }),
      fc.boolean(),
      (patterns, pieces, once) => {
        const values = patterns.map((_, index) => () => `<${index}>`);
        const filter = new Substitution(new Patterns(patterns), values, once);
        const request = new Request();
        let out = "";
        const give = (piece: string | undefined): void => {
          const bytes = fromLatin1(`..${piece ?? ""}..`);
          const chunks = piece === undefined ? [] : [bytesChunk(bytes, 2, bytes.length - 2)];
          for (const chunk of filter.filter(request, chunks, piece === undefined ? LAST : MORE)) {
            out += latin1(chunk.bytes as Uint8Array, chunk.start, chunk.end);
          }
          // They were lent.
          bytes.fill(0);
        };
        for (const piece of pieces) give(piece);
        give(undefined);
        assert.equal(out, replaced(pieces.join(""), patterns, once));
      },
    ),
    { numRuns: 1000 },
  );
});

test("what can't be the beginning of a pattern is not held back", () => {
  const filter = new Substitution(new Patterns(["za"]), [() => "ZA"], true);
  const given = (piece: string): string =>
    filter
      .filter(new Request(), [bytesChunk(fromLatin1(piece))], MORE)
      .map(({ bytes, start, end }) => latin1(bytes as Uint8Array, start, end))
      .join("|");
  assert.deepEqual(["xyz", "z", "x", "yZ", "A-za"].map(given), ["xy", "z", "z|x".replace("|", ""), "y", "ZA|-za"]);
});
