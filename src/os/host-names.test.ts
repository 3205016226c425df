import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { test } from "node:test";
import { printIp } from "../base/ip.ts";
import { lookUpHost } from "./host-names.ts";

test("a name has the addresses that the C library knows, in its order", async () => {
  const known = await lookup("localhost", { all: true, verbatim: true });
  const found = lookUpHost("localhost")?.map(printIp);
  assert.deepEqual(new Set(found), new Set(known.map(({ address }) => address)));
  assert.ok(found?.includes("127.0.0.1"));
});

test("short forms of addresses are addresses for the system", () => {
  assert.deepEqual(lookUpHost("127.1")?.map(printIp), ["127.0.0.1"]);
  assert.deepEqual(lookUpHost("::1")?.map(printIp), ["::1"]);
});

test("what is no name has no address", () => {
  for (const name of ["", "no such name", "a..b", "x".repeat(300), "localhost\0", "name.invalid."])
    assert.equal(lookUpHost(name), undefined, name);
});
