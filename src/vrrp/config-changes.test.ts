import assert from "node:assert/strict";
import { test } from "node:test";
import { configChanges, printChanges } from "./config-changes.ts";
import { exampleAddress, exampleInstance, exampleNode, examplePassword } from "./example.ts";

const changes = (a: Parameters<typeof exampleInstance>[0], b: Parameters<typeof exampleInstance>[0]): string[] =>
  printChanges(
    configChanges(exampleNode({ instances: [exampleInstance(a)] }), exampleNode({ instances: [exampleInstance(b)] })),
  );

test("the same configuration, read from other lines, has no changes", () => {
  const where = new Map([["priority", { file: "x", line: 7 }]]);
  assert.deepEqual(changes({}, { where, at: { file: "y", line: 9 } }), []);
});

test("a change is told with its path and both values", () => {
  assert.deepEqual(changes({ priority: 100, nopreempt: false }, { priority: 90, nopreempt: true }), [
    "instances VI_1 priority: 100 → 90",
    "instances VI_1 nopreempt: false → true",
  ]);
});

test("addresses and instances come and go by their names", () => {
  const address = exampleAddress("192.168.50.131");
  assert.deepEqual(changes({ addresses: [] }, { addresses: [address] }), [
    "instances VI_1 addresses 192.168.50.131: none → 192.168.50.131",
  ]);
  assert.deepEqual(
    printChanges(configChanges(exampleNode({ instances: [] }), exampleNode({ instances: [exampleInstance({})] }))),
    ["instances VI_1: none → VI_1"],
  );
});

test("a secret is never told", () => {
  const text = changes({ authentication: examplePassword("1111") }, { authentication: examplePassword("2222") });
  assert.deepEqual(text, ["instances VI_1 authentication password: one secret → another"]);
  const node = exampleNode();
  const keyed = {
    ...node,
    globals: { ...node.globals, peer: { ...node.globals.peer, key: "the-secret-of-the-pair" } },
  };
  assert.doesNotMatch(printChanges(configChanges(node, keyed)).join(), /the-secret/);
});

test("many changes are counted", () => {
  const list = Array.from({ length: 30 }, (_, i) => ({ path: `p${i}`, before: "1", after: "2" }));
  const sentences = printChanges(list);
  assert.equal(sentences.length, 21);
  assert.equal(sentences.at(-1), "and 10 more");
});
