import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { fromLatin1 } from "../base/bytes.ts";
import type { Crypt } from "../io/crypt.ts";
import { parseCredentials } from "./basic-credentials.ts";
import { encrypt, isSameSecret, MAX_STORED, PasswordSearch, untilNul } from "./passwords.ts";

/** Stands where the C library's crypt is. */
const crypt: Crypt = { hash: (password, setting) => ({ ok: true, value: `crypt ${password} ${setting}` }) };

function encrypted(password: string, stored: string): string {
  const result = encrypt(password, stored, crypt);
  assert.ok(result.ok);
  return result.value;
}

test("apr1 is what openssl passwd -apr1 makes", () => {
  assert.equal(encrypted("password", "$apr1$salt$"), "$apr1$salt$Xxd1irWT9ycqoYxGFn4cb.");
  assert.equal(encrypted("", "$apr1$salt$whatever"), "$apr1$salt$AnXM5PAEa9T4ruYbwPoUh/");
  assert.equal(encrypted("x".repeat(100), "$apr1$12345678"), "$apr1$12345678$yiFoyfrrVNwrIepED8sjv0");
  assert.equal(encrypted("password", "$apr1$123456789$"), encrypted("password", "$apr1$12345678$"));
});

test("SHA and SSHA are digests in base64, the salt behind the digest", () => {
  const digest = (...parts: string[]): Buffer => createHash("sha1").update(parts.join(""), "latin1").digest();
  assert.equal(encrypted("p\xe9", "{SHA}"), `{SHA}${digest("p\xe9").toString("base64")}`);
  const salted = Buffer.concat([digest("password", "sa\xfft"), Buffer.from("sa\xfft", "latin1")]).toString("base64");
  assert.equal(encrypted("password", `{SSHA}${salted}`), `{SSHA}${salted}`);
  assert.equal(encrypted("password", "{SSHA}Zm9v"), `{SSHA}${digest("password").toString("base64")}`);
});

test("PLAIN is the password itself, and everything else is for crypt", () => {
  assert.equal(encrypted("password", "{PLAIN}other"), "{PLAIN}password");
  assert.equal(encrypted("password", "{plain}other"), "crypt password {plain}other");
  assert.equal(encrypted("password", "$apr$x"), "crypt password $apr$x");
});

test("secrets are the same when every character is", () => {
  assert.ok(isSameSecret("", ""));
  assert.ok(isSameSecret("secret", "secret"));
  assert.ok(!isSameSecret("secret", "secreT"));
  assert.ok(!isSameSecret("secret", "secret "));
  assert.equal(untilNul("a\0b"), "a");
});

function find(user: string, file: string): string | undefined {
  const search = new PasswordSearch(user);
  search.add(fromLatin1(file));
  return search.result;
}

test("a user is found at the beginning of a line, and the password ends with the line or a colon", () => {
  assert.equal(find("a", "b:1\na:2\n"), "2");
  assert.equal(find("a", "a:2"), "2");
  assert.equal(find("a", "a:2:x\n"), "2");
  assert.equal(find("a", "a:2\r\n"), "2");
  assert.equal(find("a", "a:"), "");
  assert.equal(find("a", " a:2\nxa:3\n#a:4\n\ra:5\n"), undefined);
  assert.equal(find("#a", "#a:1"), undefined);
  assert.equal(find("a:b", "a:b:c"), "c");
});

test("a line that is the beginning of the name hides the next one", () => {
  assert.equal(find("abc", "ab\nabc:1\nabc:2"), "2");
  assert.equal(find("abc", "ax\nabc:1"), "1");
});

test("a stored password has a bound, wherever the file is cut", () => {
  const file = fromLatin1(`a:${"x".repeat(5000)}\n`);
  for (const size of [1, 7, 2048, 4096, 10_000]) {
    const search = new PasswordSearch("a");
    let at = 0;
    while (at < file.length && !search.add(file.subarray(at, at + size))) at += size;
    assert.equal(search.result, "x".repeat(MAX_STORED));
    assert.ok(at < MAX_STORED + 2, "no more is read than needed");
  }
});

test("credentials need the scheme, a name and a colon", () => {
  const encode = (text: string): string => Buffer.from(text, "latin1").toString("base64");
  assert.deepEqual(parseCredentials(`Basic ${encode("me:pass:word")}`), { user: "me", password: "pass:word" });
  assert.deepEqual(parseCredentials(`BASIC   ${encode("\xfc:")}`), { user: "\xfc", password: "" });
  for (const wrong of ["", "Basic", "Basic ", `Basic ${encode(":x")}`, `Basic ${encode("x")}`, "Basic !", "Digest x"])
    assert.equal(parseCredentials(wrong), undefined, wrong);
});
