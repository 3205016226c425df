import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "../base/bytes.ts";
import { parseCredentials } from "./basic-credentials.ts";
import { encrypt, MAX_STORED, PasswordSearch } from "./passwords.ts";

const piece = fc.constantFrom("a", "b", "ab", ":", "#", "\n", "\r", " ", "\0", "\xff", "x".repeat(700));
const files = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
const users = fc
  .array(fc.constantFrom("a", "b", "#", " ", "\xff"), { minLength: 1, maxLength: 4 })
  .map((l) => l.join(""));

/** The same by lines: a line that is a mere beginning of the name takes the next one with it. */
function lookUp(file: string, user: string): string | undefined {
  const lines = file.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line.startsWith("#") || line.startsWith("\r")) continue;
    if (line.startsWith(`${user}:`))
      return (line.slice(user.length + 1).split(/[\r:]/, 1)[0] as string).slice(0, MAX_STORED);
    if (line !== "" && user.startsWith(line)) i++;
  }
  return undefined;
}

test("a user is found whatever the file looks like and wherever it is cut", () => {
  fc.assert(
    fc.property(files, users, fc.integer({ min: 1, max: 3000 }), (file, user, size) => {
      const bytes = fromLatin1(file);
      const search = new PasswordSearch(user);
      for (let at = 0; at < bytes.length && !search.add(bytes.subarray(at, at + size)); at += size);
      assert.equal(search.result, lookUp(file, user));
    }),
    { numRuns: 3000 },
  );
});

test("any stored password can be compared with, and what was made of it is made of it again", () => {
  const crypt = { hash: () => ({ ok: true, value: "" }) as const };
  const stored = fc.tuple(
    fc.constantFrom("$apr1$", "{SSHA}", "{SHA}", "{PLAIN}"),
    fc.oneof(fc.string({ unit: "binary-ascii", maxLength: 60 }), fc.base64String({ maxLength: 60 })),
  );
  fc.assert(
    fc.property(stored, fc.string({ unit: "binary-ascii", maxLength: 80 }), ([method, rest], password) => {
      const once = encrypt(password, method + rest, crypt);
      assert.ok(once.ok && once.value.startsWith(method));
      assert.deepEqual(encrypt(password, once.value, crypt), once);
    }),
    { numRuns: 300 },
  );
});

test("any line Authorization is read or refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.base64String(), (noise, base64) => {
      for (const value of [noise, `Basic ${noise}`, `basic ${base64}`]) {
        const credentials = parseCredentials(value);
        if (credentials === undefined) continue;
        assert.notEqual(credentials.user, "");
        assert.doesNotMatch(credentials.user, /:/);
      }
    }),
  );
});
