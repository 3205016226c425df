/** Hand-overs of two and three nodes on a network without faults, and with exactly one: what each side does, and for how long both are active. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { World, type WorldSettings } from "./world.ts";

const settings: WorldSettings = {
  version: 2,
  intervalMs: 1000,
  priorities: [100, 90],
  nopreempt: false,
  preemptDelayMs: 0,
  weight: -50,
  handoverLimitMs: 5000,
};

interface Scene {
  readonly world: World;
  readonly told: readonly string[];
  /** Lets so much time pass. */
  pass(ms: number): void;
  /** Longest time for which more than one node was active. */
  bothActiveMs(): number;
  roles(): string;
}

/** A pair at rest: A is active, the nodes know each other. */
function atRest(changes: Partial<WorldSettings> = {}): Scene {
  const world = new World(3, { ...settings, ...changes });
  const told: string[] = [];
  for (const node of world.nodes) node.onHandover = (text) => told.push(text);
  let longestMs = 0;
  let sinceMs: number | undefined;
  const scene: Scene = {
    world,
    told,
    pass(ms) {
      const { timeline } = world;
      const untilMs = timeline.nowMs + ms;
      timeline.runUntil(untilMs, () => {
        world.check();
        const isDouble = world.nodes.filter((node) => node.isActive).length > 1;
        if (!isDouble) sinceMs = undefined;
        else sinceMs ??= timeline.nowMs;
        if (sinceMs !== undefined) longestMs = Math.max(longestMs, timeline.nowMs - sinceMs);
      });
    },
    bothActiveMs: () => longestMs,
    roles: () => world.nodes.map((node) => node.state?.role ?? "off").join(" "),
  };
  scene.pass(20_000);
  assert.equal(world.nodes.filter((node) => node.isActive).length, 1);
  // With nopreempt the first one keeps it.
  assert.ok(world.settings.nopreempt || world.node("A").isActive);
  return scene;
}

test("the address moves at once, the old owner keeps it in silence, and the new one sends on what it does not know", () => {
  const { world, told, pass, roles, bothActiveMs } = atRest();
  const [a, b] = [world.node("A"), world.node("B")];
  a.setOpenConnections(3);
  a.handOver();
  pass(10);
  assert.equal(roles(), "backup active");
  assert.deepEqual(told, ["A hand-over: moved to B (192.168.50.134), hitless "]);
  assert.equal(world.clientSees, "B");
  assert.equal(a.keepsAddress, true);
  assert.equal(b.detours.detours.length, 1);
  assert.ok(bothActiveMs() <= 2 * world.maxDelayMs, `both were active for ${bothActiveMs()} ms`);
  pass(2000);
  assert.equal(a.keepsAddress, true, "connections are open");
  a.setOpenConnections(0);
  pass(1000);
  assert.equal(a.keepsAddress, false);
  assert.deepEqual([a.detours.silences, b.detours.detours], [[], []]);
  pass(60_000);
  assert.equal(roles(), "backup active", "the stronger node stands back");
  assert.equal(a.state?.priority, 89);
});

test("the limit cuts off what is left, and the hand-over back lets both rank as configured", () => {
  const { world, told, pass, roles } = atRest();
  const [a, b] = [world.node("A"), world.node("B")];
  a.setOpenConnections(3);
  a.handOver();
  pass(5100);
  assert.equal(a.keepsAddress, false);
  b.setOpenConnections(1);
  b.handOver();
  pass(20);
  assert.equal(roles(), "active backup");
  assert.equal(told.length, 2);
  assert.equal(a.state?.priority, 100);
  assert.equal(b.keepsAddress, true);
});

test("hand-overs back and forth while connections of both go on leave one owner and nothing behind", () => {
  const { world, pass, roles, bothActiveMs } = atRest({ handoverLimitMs: 60_000 });
  for (const node of world.nodes) node.setOpenConnections(5);
  for (let i = 0; i < 10; i++) {
    world.node(i % 2 === 0 ? "A" : "B").handOver();
    pass(700);
  }
  assert.equal(roles(), "active backup");
  assert.ok(bothActiveMs() <= 2 * world.maxDelayMs);
  for (const node of world.nodes) node.setOpenConnections(0);
  pass(5000);
  for (const { name, keepsAddress, detours, phases } of world.nodes)
    assert.deepEqual([keepsAddress, detours.detours, detours.silences, phases], [false, [], [], []], name);
});

test("a returning node of higher priority asks for the address instead of taking it", () => {
  const { world, pass, roles, bothActiveMs } = atRest();
  const [a, b] = [world.node("A"), world.node("B")];
  a.restart(3000);
  pass(4000);
  assert.equal(roles(), "backup active");
  b.setOpenConnections(2);
  pass(5000);
  assert.equal(roles(), "active backup");
  assert.equal(b.keepsAddress, true, "the connections of the weaker node go on");
  assert.ok(bothActiveMs() <= 2 * world.maxDelayMs, `both were active for ${bothActiveMs()} ms`);
});

test("a check that fails, as a reload with a lower priority, moves the address in the same way", () => {
  const { world, pass, roles } = atRest();
  const [a, b] = [world.node("A"), world.node("B")];
  a.setOpenConnections(2);
  a.check(false);
  pass(1500);
  assert.equal(roles(), "backup active");
  assert.deepEqual([a.keepsAddress, b.detours.detours.length], [true, 1]);
});

test("without a peer channel the partner takes over from the lowest priority, and nobody is ever without owner", () => {
  const { world, told, pass, roles } = atRest({ handoverLimitMs: undefined });
  world.node("A").handOver();
  pass(1500);
  assert.equal(roles(), "backup active");
  assert.match(told[0] ?? "", /moved to 192\.168\.50\.134, priority the partner speaks no peer channel/);
  assert.equal(world.node("A").keepsAddress, false);
  pass(60_000);
  assert.equal(roles(), "backup active");
});

test("with nobody there, or a partner that does not preempt, everything stays as it was and the reason is said", () => {
  for (const changes of [{ priorities: [100] }, { nopreempt: true, handoverLimitMs: undefined }]) {
    const { world, told, pass } = atRest(changes);
    const owner = world.nodes.find((node) => node.isActive) ?? assert.fail("nobody is active");
    const priority = owner.state?.priority;
    owner.handOver();
    pass(10_000);
    assert.match(told[0] ?? "", /not moved nobody has taken over from the lowest priority/);
    assert.equal(owner.state?.priority, priority);
    assert.ok(owner.isActive);
  }
});

test("a partner whose checks fail is given nothing, unless this node is worse off", () => {
  const { world, told, pass, roles } = atRest();
  const [a, b] = [world.node("A"), world.node("B")];
  b.check(false);
  pass(10);
  a.handOver();
  pass(500);
  assert.match(told[0] ?? "", /not moved the partner's VI_1 is not well: its checks leave it priority 40 of 90/);
  assert.equal(roles(), "active backup");
  assert.deepEqual([a.keepsAddress, b.detours.detours], [false, []]);
});

test("a partner whose checks fail behind its answer refuses the order, and nothing has moved", () => {
  const { world, told, pass, roles } = atRest();
  const [a, b] = [world.node("A"), world.node("B")];
  a.handOver();
  while (!b.phases.includes("ready")) pass(0.05);
  b.check(false);
  for (let i = 0; i < 5000; i++) {
    pass(0.1);
    assert.equal(roles(), "active backup");
  }
  assert.match(told[0] ?? "", /not moved the partner's VI_1 is not well: its checks leave it priority 40 of 90/);
  assert.equal(a.state?.priority, 100);
  assert.deepEqual([a.keepsAddress, b.detours.detours], [false, []]);
});

test("a partner that dies in the middle leaves an owner, and nothing behind", () => {
  for (const dyingAtMs of [0.1, 0.3, 0.6, 1, 2, 500, 3000]) {
    for (const victim of ["A", "B"]) {
      const { world, pass } = atRest();
      world.node("A").setOpenConnections(4);
      world.node("A").handOver();
      pass(dyingAtMs);
      world.node(victim).powerOff();
      pass(15_000);
      const survivor = world.node(victim === "A" ? "B" : "A");
      const what = `${victim} died after ${dyingAtMs} ms`;
      assert.ok(survivor.isActive, what);
      assert.deepEqual(
        [survivor.keepsAddress, survivor.detours.detours, survivor.detours.silences],
        [false, [], []],
        what,
      );
    }
  }
});

test("kill -9 of the VRRP process in the middle: its supervisor takes away what it has left", () => {
  for (const dyingAtMs of [0.1, 0.6, 2, 700]) {
    for (const victim of ["A", "B"]) {
      const { world, pass } = atRest();
      world.node("A").setOpenConnections(4);
      world.node("A").handOver();
      pass(dyingAtMs);
      world.node(victim).killProcess(2, 100_000);
      pass(5);
      const { keepsAddress, holdsAddress, detours } = world.node(victim);
      const what = `${victim} was killed after ${dyingAtMs} ms`;
      assert.deepEqual([keepsAddress, holdsAddress, detours.detours, detours.silences], [false, false, [], []], what);
    }
  }
});

test("no single lost message keeps a hand-over from its end", () => {
  for (let lost = 0; lost < 12; lost++) {
    const { world, pass, roles, told } = atRest();
    world.node("A").setOpenConnections(0);
    let count = 0;
    world.loses = () => count++ === lost;
    world.node("A").handOver();
    pass(8000);
    assert.equal(roles(), "backup active", `message ${lost}`);
    assert.match(told[0] ?? "", /hitless/, `message ${lost}`);
    for (const { keepsAddress, detours } of world.nodes)
      assert.deepEqual([keepsAddress, detours.detours, detours.silences], [false, [], []], `message ${lost}`);
  }
});

test("a hand-over on to a third node leaves connections of both former owners whole", () => {
  const { world, pass } = atRest({ priorities: [100, 90, 80], handoverLimitMs: 30_000 });
  const [a, b, c] = [world.node("A"), world.node("B"), world.node("C")];
  for (const node of world.nodes) node.setOpenConnections(2);
  a.handOver();
  pass(500);
  assert.ok(b.isActive);
  a.drain(true);
  pass(100);
  b.handOver();
  pass(500);
  assert.ok(c.isActive, "a drained node is no partner");
  assert.deepEqual([a.keepsAddress, b.keepsAddress], [true, true]);
  assert.deepEqual(
    [b, c].map(({ detours }) => detours.detours.map(({ to }) => to[3])),
    [[133], [134]],
    "what A still serves goes from C to B and from B to A",
  );
  for (const node of world.nodes) node.setOpenConnections(0);
  pass(4000);
  for (const { keepsAddress, detours } of world.nodes)
    assert.deepEqual([keepsAddress, detours.detours, detours.silences], [false, [], []]);
  a.drain(false);
  pass(9000);
  assert.ok(a.isActive, "and takes back what is its own");
});

test("a drained node takes over when nobody else is there, and gives back", () => {
  const { world, pass, roles } = atRest();
  const [a, b] = [world.node("A"), world.node("B")];
  a.handOver();
  pass(100);
  a.drain(true);
  b.powerOff();
  pass(6000);
  assert.equal(roles(), "active off");
  b.boot();
  pass(9000);
  assert.equal(roles(), "backup active");
});

test("a node whose supervisor hangs gives its address away, and has it again when the supervisor is back", () => {
  const { world, pass, roles } = atRest();
  const a = world.node("A");
  a.setAttended(false);
  pass(100);
  assert.equal(roles(), "backup active");
  a.setAttended(false);
  pass(60_000);
  assert.equal(roles(), "backup active");
  assert.ok((a.state?.priority ?? 255) < 90);
  a.setAttended(true);
  pass(9000);
  assert.equal(roles(), "active backup");
  assert.equal(a.state?.priority, 100);
});

test("a supervisor that was gone while its node gave the address away lifts what that has left behind", () => {
  for (const handoverLimitMs of [5000, undefined])
    for (const backMs of [0, 0.1, 0.3, 1, 1500]) {
      const { world, pass, roles } = atRest({ handoverLimitMs });
      world.node("A").setAttended(false);
      pass(backMs);
      world.node("A").setAttended(true);
      pass(15_000);
      assert.equal(roles(), "active backup", `back after ${backMs} ms`);
    }
});

test("a supervisor that is back from a hang does not move what the operator has handed over", () => {
  const { world, pass, roles } = atRest();
  const a = world.node("A");
  a.handOver();
  pass(100);
  for (const _ of [1, 2]) {
    a.setAttended(false);
    pass(20_000);
    a.setAttended(true);
    pass(20_000);
    assert.equal(roles(), "backup active");
    assert.equal(a.state?.priority, 89);
  }
  a.drain(false);
  pass(9000);
  assert.equal(roles(), "active backup", "an order lifts it");
});
