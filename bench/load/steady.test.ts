/** The load programs of the bench tell the truth: what they count is what was asked, and a stall is charged in full. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Histogram } from "./histogram.ts";
import type { SteadyResult } from "./steady.ts";

test("a quantile is the upper bound of its step, at most 3 % too much, and never more than the maximum", () => {
  const histogram = new Histogram();
  for (let us = 1; us <= 10_000; us++) histogram.add(us);
  for (const [part, us] of [
    [0.001, 10],
    [0.5, 5_000],
    [0.99, 9_900],
    [1, 10_000],
  ] as const) {
    const found = histogram.quantileUs(part);
    assert.ok(found >= us && found <= us * 1.04 + 1, `${part}: ${found}`);
  }
  assert.equal(histogram.maxUs, 10_000);
  assert.equal(histogram.above(20_000), 0);
});

test("histograms survive the way through JSON and add up", () => {
  const one = new Histogram();
  for (const us of [0, 31, 32, 33, 1e6, 1e9]) one.add(us);
  const sum = new Histogram();
  sum.merge(JSON.parse(JSON.stringify(one)));
  sum.merge(JSON.parse(JSON.stringify(one)));
  assert.equal(sum.total, 12);
  assert.equal(sum.maxUs, 1e9);
  assert.deepEqual(sum.quantileUs(0.5), one.quantileUs(0.5));
});

test("a server that stalls is charged for every request that came due meanwhile, not only for those it was sent", async () => {
  const held: (() => void)[] = [];
  let served = 0;
  let isStalled = false;
  const server = http.createServer((_, response) => {
    const answer = (): void => void response.end("ok");
    if (++served === 300) {
      isStalled = true;
      setTimeout(() => {
        isStalled = false;
        for (const late of held.splice(0)) late();
      }, 400);
    }
    if (isStalled) held.push(answer);
    else answer();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const program = fileURLToPath(new URL("./steady.js", import.meta.url));
    const child = spawn(process.execPath, [program, String(port), "/", "500", "2", "0", "8"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    for await (const chunk of child.stdout) text += chunk;
    const { asked, failed, latency } = JSON.parse(text) as SteadyResult;
    const histogram = new Histogram();
    histogram.merge(latency);
    assert.equal(asked, 1000);
    assert.equal(failed, 0);
    assert.equal(histogram.total, 1000);
    // 500 a second: 150 of them come due in the first 300 ms of the stall. Eight connections alone would have told of eight.
    const slow = histogram.above(100_000);
    assert.ok(slow >= 140, `${slow} took longer than 100 ms`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
