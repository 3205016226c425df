import assert from "node:assert/strict";
import { test } from "node:test";
import { type HostKey, HostTable, parseHostKey } from "./host-table.ts";

function table(hasWildcards: boolean, ...keys: string[]): HostTable<string> {
  const made = new HostTable<string>();
  for (const key of keys) made.add(parseHostKey(key, hasWildcards) as HostKey, key);
  return made;
}

test("texts are compared without regard to the case of ASCII letters only", () => {
  const made = table(false, "Abc", "*.x", "", "\xc0");
  assert.equal(made.find("aBC"), "Abc");
  assert.equal(made.find("*.X"), "*.x");
  assert.equal(made.find("a.x"), undefined);
  assert.equal(made.find(""), "");
  assert.equal(made.find("\xe0"), undefined);
});

test("the exact name comes first, then the longest wildcard in front, then the longest behind", () => {
  const made = table(true, "www.example.com", "*.example.com", "*.a.example.com", "www.*", "www.example.*", ".dot.org");
  const answers = {
    "www.example.com": "www.example.com",
    "WWW.b.EXAMPLE.com": "*.example.com",
    "x.a.example.com": "*.a.example.com",
    "a.example.com": "*.example.com",
    "example.com": undefined,
    "www.example.net": "www.example.*",
    "www.net": "www.*",
    "dot.org": ".dot.org",
    "a.b.dot.org": ".dot.org",
    "": undefined,
  };
  for (const [host, key] of Object.entries(answers)) assert.equal(made.find(host), key, host);
});

test("malformed wildcards are refused", () => {
  for (const key of ["*.*", "a*.com", "www.*.com", "a..b", "*"]) assert.equal(parseHostKey(key, true), undefined, key);
  assert.equal(parseHostKey("a*.com", false)?.kind, "exact");
});

test("keys that contradict each other share a conflict", () => {
  const shares = (a: string, b: string): boolean => {
    const one = new Set(parseHostKey(a, true)?.conflicts);
    return (parseHostKey(b, true)?.conflicts ?? []).some((conflict) => one.has(conflict));
  };
  assert.equal(shares("a.com", "A.com"), true);
  assert.equal(shares(".a.com", "a.com"), true);
  assert.equal(shares(".a.com", "*.a.com"), true);
  assert.equal(shares("a.com", "*.a.com"), false);
  assert.equal(shares("a.*", "a.com"), false);
});
