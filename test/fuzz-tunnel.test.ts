/**
 * Tunnels by Upgrade and CONNECT, wanted, refused and meant otherwise. What both ends get was recorded when nginx 1.31.5 and Tandem agreed
 * upon it (`npm run fuzz -- tunnel --record`); `npm run fuzz -- tunnel` compares with an nginx that is installed.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { departures } from "./fuzz/differential.ts";
import { tunnelSubject } from "./fuzz/tunnel.ts";

const file = path.join(fileURLToPath(new URL("../../test/fuzz", import.meta.url)), "tunnel-agreed.txt");

test("fuzzed tunnels are understood as nginx understands them", { timeout: 120_000 }, async () => {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const agreed = new Map(lines.map((line) => line.split(" ")).map(([seed, hash]) => [Number(seed), hash as string]));
  assert.ok(agreed.size > 150, `${agreed.size} conversations`);
  const departed = await departures(tunnelSubject(true), agreed);
  assert.deepEqual(departed, [], "npm run fuzz -- tunnel --seed N tells the difference");
});
