// lane: measures (gaps, against bounds of scenarios)
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, test } from "node:test";
import { flavourOf } from "../../src/lab/flavours.ts";
import { whyNot } from "../../src/lab/namespaces.ts";
import { complaintsOf, EXAMPLE, fastPair, rehearse } from "../support/lab.ts";

const originals = flavourOf("keepalived");
const skip = typeof originals === "string" ? originals : (whyNot() ?? false);
const pair = fastPair();
after(() => rmSync(pair, { recursive: true, force: true }));

const SCENARIOS = "graceful-stop,recover-preempt,kill-vrrp,partition,heal,freeze,thaw,link-down,recover-nopreempt";

for (const node of ["a", "b"]) {
  const role = node === "a" ? "active" : "standing by";
  test(`version 3: Tandem and a real keepalived that is ${role} agree in every scenario`, { skip }, async () => {
    const { status, live, result } = await rehearse([pair, "--peer", `keepalived=${node}`, "--scenario", SCENARIOS]);
    assert.deepEqual(complaintsOf(result), []);
    assert.equal(status, 0, live);
  });

  test(`version 2 with a password: a real keepalived that is ${role} hands over and takes back`, { skip }, async () => {
    const { status, live, result } = await rehearse([
      EXAMPLE,
      "--peer",
      `keepalived=${node}`,
      "--scenario",
      "graceful-stop,recover-preempt",
    ]);
    assert.deepEqual(complaintsOf(result), []);
    assert.equal(status, 0, live);
  });
}
