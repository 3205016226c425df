import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

const secret = (password: string) =>
  replace("advert_int 1", `authentication {\nauth_type PASS\nauth_pass ${password}\n}`);

test("no authentication, the same, and one that differs behind 8 bytes are the same to the wire", () => {
  assert.deepEqual(found("authentication-differs", {}), []);
  assert.deepEqual(found("authentication-differs", { a: secret("12345678x"), b: secret("12345678y") }), []);
});

test("another password, or none, is an error; version 3 has none at all", () => {
  assert.match(found("authentication-differs", { a: secret("1"), b: secret("2") })[0]?.title ?? "", /differs/);
  assert.match(found("authentication-differs", { a: secret("1") })[0]?.title ?? "", /b has none/);
  assert.deepEqual(found("authentication-differs", { a: secret("1"), both: replace("state", "version 3\nstate") }), []);
});
