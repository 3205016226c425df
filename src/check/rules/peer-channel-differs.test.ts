import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

const withPeer = (lines: string) => replace("global_defs {", `global_defs {\n${lines}`);
const KEY = "peer_key a-secret-of-this-test";

test("without a channel, and with the same one, nothing is said", () => {
  assert.deepEqual(found("peer-channel-differs", {}), []);
  assert.deepEqual(found("peer-channel-differs", { both: withPeer(KEY) }), []);
});

test("another key, another port and a key on one node only are warnings", () => {
  const titles = (a: string, b: string) =>
    found("peer-channel-differs", { a: withPeer(a), b: withPeer(b) }).map(({ title, places }) => [
      title,
      places.length,
    ]);
  assert.deepEqual(titles(KEY, "peer_key another-secret-of-it"), [["peer_key of a is not that of b", 2]]);
  assert.deepEqual(titles(KEY, `${KEY}\npeer_port 7000`), [["peer_port of a is not that of b", 1]]);
  assert.deepEqual(titles(KEY, ""), [["Only a has a peer_key", 1]]);
});

test("a secret is not in the finding", () =>
  assert.doesNotMatch(
    JSON.stringify(
      found("peer-channel-differs", { a: withPeer(KEY) }).map(({ places, ...finding }) => [finding, places.length]),
    ),
    /a-secret/,
  ));
