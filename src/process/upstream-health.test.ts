import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerStateName } from "../io/service.ts";
import { upstreamHealth } from "./upstream-health.ts";

function health(isChecked: boolean, ...states: PeerStateName[]) {
  const peers = states.map((state) => ({
    name: "p",
    server: "p",
    isBackup: false,
    state,
    connections: 0,
    fails: 0,
    check: undefined,
  }));
  return upstreamHealth({ name: "u", isChecked, peers });
}

test("peers that are down or drained by configuration are not missed", () => {
  assert.deepEqual(health(true, "up", "down", "draining", "unhealthy", "checking"), { healthy: 1, total: 3 });
});

test("where peers are checked, failures of requests alone change nothing", () => {
  assert.deepEqual(health(true, "unavail", "up"), { healthy: 2, total: 2 });
  assert.deepEqual(health(false, "unavail", "up"), { healthy: 1, total: 2 });
});
