/** Routers whose checks flap: the address stays where it is well, and is never nobody's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlapDamping } from "../../src/conf/keepalived/config.ts";
import { Random } from "./random.ts";
import { World, type WorldSettings } from "./world.ts";

const DAMPING: FlapDamping = { scope: "all", halfLifeMs: 20_000, suppress: 2000, reuse: 750, maxSuppressMs: 80_000 };
const BASE: WorldSettings = {
  version: 3,
  intervalMs: 100,
  priorities: [100, 90, 80],
  nopreempt: false,
  preemptDelayMs: 0,
  weight: -50,
};
/** Whoever ranks lowest waits for three adverts and their skew. */
const TAKEOVER_MS = 450;

function calm(seed: number, settings: Partial<WorldSettings>): World {
  const world = new World(seed, { ...BASE, ...settings });
  world.run(10_000);
  assert.ok(world.node("A").isActive);
  return world;
}

/** The check of a node fails and succeeds, by turns; how often the address has moved meanwhile. */
function flap(world: World, name: string, times: number, everyMs: number): number {
  const owner = (): string =>
    world.nodes
      .filter(({ isActive }) => isActive)
      .map((node) => node.name)
      .join();
  let moves = 0;
  let before = owner();
  for (let i = 0; i < 2 * times; i++) {
    world.node(name).check(i % 2 === 1);
    world.run(world.timeline.nowMs + everyMs);
    if (owner() !== before) moves++;
    before = owner();
  }
  return moves;
}

for (const [what, weight] of [
  ["takes priority", -50],
  ["is a fault", 0],
] as const) {
  test(`where a failed check ${what}, the address moves with the first falls and stays away then`, () => {
    assert.equal(flap(calm(1, { weight }), "A", 20, 1500), 40, "undamped");
    const world = calm(1, { weight, flapDamping: DAMPING });
    assert.equal(flap(world, "A", 20, 1500), 5, "there, back, there, back, there");
    assert.ok(world.node("B").isActive);
    world.run(world.timeline.nowMs + DAMPING.maxSuppressMs + 1500);
    assert.ok(world.node("A").isActive, "quiet ends it");
  });

  test(`where a failed check ${what}, a damped node takes over at once when it is the only one left`, () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new Random(seed);
      const world = calm(seed, { weight, flapDamping: DAMPING, handoverLimitMs: seed % 2 === 0 ? 0 : undefined });
      flap(world, "A", 4, 1500);
      const { state } = world.node("A");
      assert.equal(state?.role, "backup");
      assert.equal(state?.priority, weight === 0 ? 1 : 50);
      world.node("C").powerOff();
      world.run(world.timeline.nowMs + random.between(0, 500));
      if (random.chance(0.5)) world.node("B").powerOff();
      else world.node("B").setLink(false);
      world.run(world.timeline.nowMs + TAKEOVER_MS);
      assert.ok(world.node("A").isActive, `seed ${seed}`);
      // It flaps on, alone: with a weight it keeps the address all the time.
      const moves = flap(world, "A", 3, 1500);
      assert.equal(moves, weight === 0 ? 6 : 0);
    }
  });
}

test("when every node is damped there is one owner, and it stays", () => {
  const world = calm(3, { weight: 0, flapDamping: DAMPING });
  for (let round = 0; round < 5; round++) for (const name of ["A", "B", "C"]) flap(world, name, 1, 1000);
  for (const node of world.nodes) assert.equal(node.state?.priority, 1, node.name);
  const [owner] = world.nodes.filter(({ isActive }) => isActive);
  assert.ok(owner !== undefined);
  world.run(world.timeline.nowMs + 5000);
  assert.deepEqual(
    world.nodes.filter(({ isActive }) => isActive).map(({ name }) => name),
    [owner.name],
  );
});

test("what is handed over to a damped node that is well stays there", () => {
  for (const weight of [-50, 0]) {
    const world = calm(5, { weight, flapDamping: DAMPING, handoverLimitMs: 500 });
    flap(world, "A", 4, 1500);
    assert.ok(world.node("B").isActive);
    world.node("C").powerOff();
    world.run(world.timeline.nowMs + 5000);
    world.node("B").handOver();
    world.run(world.timeline.nowMs + 3000);
    assert.deepEqual(
      world.nodes.filter(({ isActive }) => isActive).map(({ name }) => name),
      ["A"],
      `weight ${weight}`,
    );
    world.run(world.timeline.nowMs + DAMPING.maxSuppressMs);
    assert.ok(world.node("A").isActive);
  }
});

test("a node that is started anew has forgotten its flaps", () => {
  const world = calm(4, { flapDamping: DAMPING });
  flap(world, "A", 4, 1500);
  world.node("A").restart(100);
  world.run(world.timeline.nowMs + 2000);
  assert.ok(world.node("A").isActive);
});
