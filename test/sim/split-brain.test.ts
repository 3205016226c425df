/** `split_brain_policy safe` in partitions: who is active where, and that nobody else is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "./random.ts";
import { World, type WorldSettings } from "./world.ts";

const VALID_MS = 3000;
const SEEDS = 120;
const base: WorldSettings = {
  version: 2,
  intervalMs: 1000,
  priorities: [100, 90],
  nopreempt: false,
  preemptDelayMs: 0,
  weight: 0,
};
type Guard = NonNullable<WorldSettings["splitBrain"]>;
const guard = (changes: Partial<Guard>): Guard => ({
  witness: "none",
  hasGateway: false,
  validMs: VALID_MS,
  ...changes,
});

/** Runs on; for how long two nodes that do not hear each other were active, in all. */
function pass(world: World, ms: number): number {
  const { timeline } = world;
  let sinceMs: number | undefined;
  let doubleMs = 0;
  const look = (): void => {
    world.check();
    const active = world.nodes.filter((node) => node.isActive);
    const isDouble = active.some((a) => active.some((b) => a !== b && !world.canReach(a, b) && !world.canReach(b, a)));
    if (sinceMs !== undefined) doubleMs += timeline.nowMs - sinceMs;
    sinceMs = isDouble ? timeline.nowMs : undefined;
  };
  timeline.runUntil(timeline.nowMs + ms, look);
  look();
  return doubleMs;
}
const roles = (world: World): string => world.nodes.map((node) => node.state?.role ?? "off").join(" ");

function atRest(splitBrain: Guard | undefined, changes: Partial<WorldSettings> = {}, seed = 3): World {
  const world = new World(seed, { ...base, ...(splitBrain === undefined ? {} : { splitBrain }), ...changes });
  pass(world, 30_000);
  assert.equal(world.nodes.filter((node) => node.isActive).length, 1, roles(world));
  return world;
}

test("available: a partition has two owners, which is what this is about", () => {
  const world = atRest(undefined);
  world.part(["A"], ["B"]);
  assert.ok(pass(world, 20_000) > 10_000);
});

test("the side that has the witness has the address, the other one lets go before", () => {
  for (const signs of [guard({ witness: "reachable" }), guard({ hasGateway: true }), guard({ witness: "exclusive" })]) {
    for (const side of ["A", "B"]) {
      const world = atRest(signs);
      const other = side === "A" ? "B" : "A";
      world.part(["A"], ["B"]);
      world.part([other], ["G", "W"]);
      assert.equal(pass(world, 20_000), 0, `${JSON.stringify(signs)} on the side of ${side}`);
      assert.ok(world.node(side).isActive, roles(world));
      assert.ok(!world.node(other).isActive);
      world.heal();
      pass(world, 20_000);
      assert.equal(world.nodes.filter((node) => node.isActive).length, 1);
      assert.equal(world.clientSees, world.nodes.find((node) => node.isActive)?.name);
    }
  }
});

test("a lease has one holder even where both sides reach the witness; being reachable is not enough there", () => {
  const world = atRest(guard({ witness: "exclusive" }));
  const [owner, other] = world.node("A").isActive ? ["A", "B"] : ["B", "A"];
  world.part(["A"], ["B"]);
  assert.equal(pass(world, 60_000), 0);
  assert.ok(world.node(owner as string).isActive && !world.node(other as string).isActive);
  world.node(owner as string).powerOff();
  pass(world, 20_000);
  assert.ok(world.node(other as string).isActive, "the lease of the dead has run out");
  world.node(owner as string).boot();
  assert.equal(pass(world, 20_000), 0);
  const reachable = atRest(guard({ witness: "reachable" }));
  reachable.part(["A"], ["B"]);
  assert.ok(pass(reachable, 60_000) > 0);
});

test("where adverts are filtered and the wire is whole, the question about the address keeps the second one away", () => {
  const world = atRest(guard({ witness: "reachable" }));
  world.part(["A"], ["B"]);
  world.isFiltered = true;
  assert.equal(pass(world, 60_000), 0);
  assert.equal(roles(world), "active backup");
});

test("without any sign there is no owner; with the partner on the channel the witness may be away", () => {
  const alone = atRest(guard({ witness: "reachable", hasGateway: true }));
  alone.part(["A", "B"], ["W"]);
  pass(alone, 10_000);
  assert.ok(
    alone.nodes.every((node) => !node.isActive),
    roles(alone),
  );
  alone.heal();
  pass(alone, 20_000);
  assert.ok(alone.node("A").isActive);
  const partners = atRest(guard({ witness: "reachable" }), { handoverLimitMs: 3000 });
  partners.part(["A", "B"], ["W"]);
  pass(partners, 30_000);
  assert.equal(roles(partners), "active backup");
});

test("a graceful stop and a hand-over cost no waiting, with a lease neither", () => {
  for (const witness of ["reachable", "exclusive"] as const) {
    const world = atRest(guard({ witness }), { handoverLimitMs: 3000 });
    world.node("A").handOver();
    pass(world, 50);
    assert.equal(roles(world), "backup active", witness);
    pass(world, 20_000);
    assert.equal(roles(world), "backup active", `${witness}: and it stays so`);
    world.node("B").restart(60_000);
    pass(world, 1500);
    assert.ok(world.node("A").isActive, `${witness}: priority 0 was heard`);
  }
});

test("no two owners in any partition that leaves the witness to one side, nor with a lease in any at all", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed);
    const isExclusive = random.chance(0.5);
    const three = random.chance(0.5);
    const world = atRest(
      guard({ witness: isExclusive ? "exclusive" : "reachable", hasGateway: random.chance(0.3) }),
      {
        priorities: three ? [100, 90, 80] : [100, 90],
        ...random.pick([
          { version: 2, intervalMs: 1000 },
          { version: 3, intervalMs: 1000 },
          { version: 3, intervalMs: 100 },
        ] as const),
        handoverLimitMs: random.chance(0.5) ? 3000 : undefined,
      },
      seed,
    );
    const names = world.nodes.map(({ name }) => name);
    for (let round = 0; round < 4; round++) {
      const side = names.filter(() => random.chance(0.5));
      const other = names.filter((name) => !side.includes(name));
      world.tell(`parted: ${side} from ${other}`);
      world.part(side, other);
      if (!isExclusive || random.chance(0.6)) world.part(random.chance(0.5) ? side : other, ["G", "W"]);
      const victim = world.node(random.pick(names));
      // A lease that is handed over changes hands within a second, in which a third node may be quicker.
      const what = random.pick(["nothing", "kill", "power", isExclusive ? "nothing" : "handover"] as const);
      const partedMs = random.between(500, 25_000);
      world.timeline.after(random.between(0, Math.min(8000, partedMs)), () => {
        world.tell(`${what} ${victim.name}`);
        if (what === "kill") victim.killProcess(random.between(0.5, 5), random.between(50, 2000));
        if (what === "power") victim.powerOff();
        if (what === "handover") victim.handOver();
      });
      try {
        const doubleMs = pass(world, partedMs);
        assert.ok(doubleMs <= 2 * world.maxDelayMs, `two owners for ${doubleMs} ms`);
      } catch (error) {
        world.fail(`seed ${seed}, round ${round}: ${(error as Error).message}`);
      }
      world.heal();
      if (!victim.isPowered) victim.boot();
      pass(world, 25_000);
      const active = world.nodes.filter((node) => node.isActive);
      if (active.length !== 1) world.fail(`seed ${seed}, round ${round}: ${active.length} active after the heal`);
      if (world.clientSees !== active[0]?.name) world.fail(`seed ${seed}: the client sees ${world.clientSees}`);
    }
  }
});
