import assert from "node:assert/strict";
import { test } from "node:test";
import { readerOf } from "./example.ts";
import { loadKeepalived } from "./load.ts";
import { printKeepalivedDiagnostic } from "./report.ts";

const FILE = "keepalived.conf";

function load(...lines: readonly string[]) {
  const text = `global_defs {\n${lines.join("\n")}\n}\n`;
  const { config, diagnostics, isUsable } = loadKeepalived(FILE, {
    reader: readerOf({ [FILE]: text }),
    configId: "node",
  });
  return { peer: config.globals.peer, isUsable, said: diagnostics.map(printKeepalivedDiagnostic) };
}

test("without a key there is no channel, and the rest has its defaults", () => {
  assert.deepEqual(load().peer, { key: undefined, port: 61_112, handoverLimitMs: 300_000 });
});

test("key, port and limit are read", () => {
  const { peer, said } = load('peer_key "a secret with blanks"', "peer_port 7000", "handover_limit 0");
  assert.deepEqual(peer, { key: "a secret with blanks", port: 7000, handoverLimitMs: 0 });
  assert.deepEqual(said, []);
});

test("a key that can be guessed makes the file unusable", () => {
  const { isUsable, said } = load("peer_key short");
  assert.equal(isUsable, false);
  assert.match(said.join(), /Line 2\) peer_key needs at least 16 characters/);
});

test("numbers out of bounds are said and left at their defaults", () => {
  const { peer, said } = load("peer_port 70000", "handover_limit 86401");
  assert.deepEqual([peer.port, peer.handoverLimitMs], [61_112, 300_000]);
  assert.match(said.join("\n"), /peer_port '70000' must be in \[1, 65535\] - ignoring/);
  assert.match(said.join("\n"), /handover_limit '86401' must be in \[0, 86400\] - ignoring/);
});
