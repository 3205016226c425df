import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeRouting } from "../io/routing-fake.ts";
import { LinkDelays } from "./link-delays.ts";

test("a link counts as down or up only when it has been so for its delay, others at once", () => {
  const routing = new FakeRouting([{ name: "eth0" }, { name: "eth1" }]);
  const delays = new LinkDelays();
  delays.configure([{ name: "eth0", downMs: 1000, upMs: 3000 }]);
  const look = (nowMs: number): string =>
    [...delays.of(routing.links(), nowMs)].map(({ isRunning }) => (isRunning ? "up" : "down")).join();
  assert.equal(look(0), "up,up");
  for (const index of [1, 2]) routing.setCarrier(index, false);
  assert.equal(look(10), "up,down");
  assert.equal(delays.nextMs, 1010);
  routing.setCarrier(1, true);
  assert.equal(look(500), "up,down");
  assert.equal(delays.nextMs, Number.POSITIVE_INFINITY, "it was short");
  routing.setCarrier(1, false);
  assert.equal(look(600), "up,down");
  assert.equal(look(1599), "up,down");
  assert.equal(look(1600), "down,down");
  routing.setCarrier(1, true);
  assert.equal(look(2000), "down,down");
  assert.equal(look(5000), "up,down");
  routing.setCarrier(1, false);
  look(6000);
  delays.configure([]);
  assert.equal(look(6001), "down,down");
  assert.equal(delays.nextMs, Number.POSITIVE_INFINITY);
});
