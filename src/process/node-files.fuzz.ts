import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readNodeFiles, unpackNodeFiles } from "./node-files.ts";

const GOOD = {
  node: "a",
  hostName: "a",
  version: "1",
  configId: "a",
  keepalived: "/k",
  nginx: "/n",
  isNginxLeftOut: false,
  stale: ["/k"],
  texts: { "/k": "x" },
  globs: { "/k*": ["/k"] },
  hosts: { h: ["192.0.2.1"] },
};

test("no text makes the reader throw, and what it takes has the right shape", () =>
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      const read = readNodeFiles(text);
      assert.equal(typeof read, "string", "nothing random is a configuration");
    }),
    { numRuns: 500 },
  ));

test("one property that is of another kind, or is missing, refuses the whole", () =>
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(GOOD)),
      fc.oneof(
        fc.constantFrom(undefined, 7, true, [7], { a: 7 }, { a: [7] }, [["x"]]),
        fc.double().filter((number) => Number.isFinite(number)),
      ),
      (name, value) => {
        assert.equal(typeof readNodeFiles(JSON.stringify(GOOD)), "object");
        const isFlag = name === "isNginxLeftOut" && typeof value === "boolean";
        if (!isFlag) assert.equal(typeof readNodeFiles(JSON.stringify({ ...GOOD, [name]: value })), "string", name);
      },
    ),
    { numRuns: 500 },
  ));

test("no bytes make the unpacking throw", () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) =>
      assert.equal(typeof unpackNodeFiles(bytes, "a-secret-of-this-test"), "string"),
    ),
    { numRuns: 300 },
  ));
