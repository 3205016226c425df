/** One seed: routers, a sequence of faults, and the peace afterwards in which everything must come to rest. */
import type { FlapDamping } from "../../src/conf/keepalived/config.ts";
import { Random } from "./random.ts";
import type { SimNode } from "./sim-node.ts";
import { World, type WorldSettings } from "./world.ts";

/** What a seed's story came to; `violation` is undefined when every promise was kept. */
export interface Outcome {
  readonly seed: number;
  readonly virtualMs: number;
  readonly packets: number;
  /** Names of the faults that it told of, in no order. */
  readonly faults: readonly string[];
  readonly violation: string | undefined;
}

function chooseSettings(random: Random): WorldSettings {
  const version = random.pick([2, 3] as const);
  const intervalMs = version === 2 ? random.pick([1000, 2000]) : random.pick([10, 100, 1000]);
  const priorities = random.chance(0.2)
    ? [100, 100, 100]
    : random.chance(0.1)
      ? [255, 100, 90]
      : [100, 90, 80].map((priority) => priority + random.integer(-9, 9));
  const nopreempt = random.chance(0.2) && !priorities.includes(255);
  const preemptDelayMs = !nopreempt && random.chance(0.15) ? random.integer(1, 5) * intervalMs : 0;
  const weight = random.pick([-20, -50, 0, 10]);
  const withBfd = random.chance(0.3);
  const handoverLimitMs = random.chance(0.7) ? random.pick([0, 500, 3000, 20_000]) : undefined;
  const flapDamping = chooseDamping(random, intervalMs);
  return { version, intervalMs, priorities, nopreempt, preemptDelayMs, weight, withBfd, handoverLimitMs, flapDamping };
}

/** In every fourth story, with times that fit its length; the second fall damps. */
function chooseDamping(random: Random, intervalMs: number): FlapDamping | undefined {
  if (!random.chance(0.25)) return undefined;
  const halfLifeMs = random.integer(2, 10) * intervalMs;
  return { scope: "all", halfLifeMs, suppress: 1400, reuse: 700, maxSuppressMs: 4 * halfLifeMs };
}

type Fault = (world: World, node: SimNode, untilMs: number) => void;

function later(world: World, atMs: number, what: string, task: () => void): void {
  world.timeline.at(atMs, () => {
    world.tell(what);
    task();
  });
}

const FAULTS: Readonly<Record<string, Fault>> = {
  power: (world, node, until) => {
    node.powerOff();
    later(world, until, `${node.name} boots`, () => {
      if (!node.isPowered) node.boot();
    });
  },
  "kill -9": (world, node) => node.killProcess(world.random.between(0.5, 5), world.random.between(50, 300)),
  "kill -9 of everything": (world, node) =>
    node.killEverything(world.random.between(0.5, 8) * world.settings.intervalMs),
  "graceful restart": (world, node) => node.restart(world.random.between(50, 1000)),
  SIGSTOP: (world, node, until) => {
    node.pause();
    later(world, until, `${node.name} SIGCONT`, () => node.resume(world.random.chance(0.5)));
  },
  stall: (world, node) => {
    node.pause();
    const at = world.timeline.nowMs + world.random.between(0.1, 1.5) * world.settings.intervalMs;
    later(world, at, `${node.name} goes on`, () => node.resume(world.random.chance(0.5)));
  },
  "link down": (world, node, until) => {
    if (!node.isPowered) return;
    node.setLink(false);
    later(world, until, `${node.name} link up`, () => node.setLink(true));
  },
  isolation: (world, node, until) => {
    for (const other of world.nodes) {
      world.block(node.name, other.name);
      world.block(other.name, node.name);
    }
    later(world, until, "all partitions heal", () => world.heal());
  },
  "one-way deafness": (world, node, until) => {
    for (const other of world.nodes) world.block(other.name, node.name);
    later(world, until, "all partitions heal", () => world.heal());
  },
  "one-way muteness": (world, node, until) => {
    for (const other of world.nodes) world.block(node.name, other.name);
    later(world, until, "all partitions heal", () => world.heal());
  },
  loss: (world, _, until) => {
    world.loss = world.random.between(0.05, 0.4);
    later(world, until, "no more loss", () => world.heal());
  },
  "delay and duplication": (world, _, until) => {
    world.maxDelayMs = world.random.between(0.1, 0.6) * world.settings.intervalMs;
    world.duplication = 0.2;
    later(world, until, "no more delay", () => world.heal());
  },
  "hand-over": (world, node, until) => {
    node.setOpenConnections(world.random.pick([0, 1, 9000]));
    node.handOver();
    later(world, until, `${node.name} last connection ends`, () => node.setOpenConnections(0));
  },
  "address stolen": (_, node) => {
    if (node.isActive && node.isRunning) node.stealAddress();
  },
  "check fails": (world, node, until) => {
    node.check(false);
    later(world, until, `${node.name} check succeeds`, () => node.check(true));
  },
  "check flaps": (world, node, until) => {
    const everyMs = world.random.between(0.2, 1.5) * world.settings.intervalMs;
    let isOk = true;
    for (let atMs = world.timeline.nowMs; atMs < until; atMs += everyMs) {
      isOk = !isOk;
      const succeeds = isOk;
      later(world, atMs, `${node.name} check ${succeeds ? "succeeds" : "fails"}`, () => node.check(succeeds));
    }
    later(world, until, `${node.name} check succeeds`, () => node.check(true));
  },
};

/** How long the parts of a story are. */
interface Pace {
  /** Faults happen in this many advert intervals, from … to. */
  readonly turmoil: readonly [number, number];
  /** The peace is over as soon as nothing is left; false: only behind all of that time. */
  readonly endsAtRest: boolean;
  /** How many adverts of the last quiet are counted. */
  readonly adverts: number;
}

const LONG: Pace = { turmoil: [10, 60], endsAtRest: false, adverts: 10 };
const BRISK: Pace = { turmoil: [8, 40], endsAtRest: true, adverts: 3 };
/** What is left of a hand-over that a partition has interrupted may last so long in peace. */
const PARTED_MS = 10_000;
/** Every so many stories one is long: what swings late is seen there. */
const LONG_EVERY = 8;
const REST_STEP_MS = 250;

/** Tells the story of a seed. */
export function runSeed(seed: number, isLong = seed % LONG_EVERY === 0): Outcome {
  const pace = isLong ? LONG : BRISK;
  const random = new Random(seed);
  const world = new World(seed, chooseSettings(random), random);
  const { intervalMs, preemptDelayMs } = world.settings;
  world.tell(`seed ${seed}: ${JSON.stringify(world.settings)}`);
  const turmoilMs = random.between(...pace.turmoil) * intervalMs + 500;
  // In every other story of a pair with a peer channel half of all that happens is hand-overs.
  const isBusy = world.settings.handoverLimitMs !== undefined && random.chance(0.5);
  const names = Object.keys(FAULTS).flatMap((name, _, all) =>
    name === "hand-over" && isBusy ? new Array<string>(all.length).fill(name) : [name],
  );
  const faults: string[] = [];
  for (let count = random.integer(1, 10); count > 0; count--) {
    const name = random.pick(names);
    faults.push(name);
    const node = random.pick(world.nodes);
    const at = random.between(intervalMs, turmoilMs * 0.8);
    const until = at + random.between(0.2, 12) * intervalMs;
    later(world, at, `${name} (${node.name})`, () => FAULTS[name]?.(world, node, Math.min(until, turmoilMs)));
  }
  try {
    world.run(turmoilMs);
    makePeace(world);
    const partedMs = world.settings.handoverLimitMs === undefined ? 0 : PARTED_MS;
    const dampedMs = world.settings.flapDamping?.maxSuppressMs ?? 0;
    const peaceMs = turmoilMs + 2 * world.silenceBoundMs + preemptDelayMs + 6 * intervalMs + 2000 + dampedMs;
    world.run(peaceMs);
    while (world.timeline.nowMs < peaceMs + partedMs && !(pace.endsAtRest && isAtRest(world)))
      world.run(Math.min(world.timeline.nowMs + REST_STEP_MS, peaceMs + partedMs));
    checkPeace(world, pace.adverts);
    return { seed, virtualMs: world.timeline.nowMs, packets: world.packets, faults, violation: undefined };
  } catch (error) {
    const violation = (error as Error).name === "Violation" ? (error as Error).message : String((error as Error).stack);
    return { seed, virtualMs: world.timeline.nowMs, packets: world.packets, faults, violation };
  }
}

function makePeace(world: World): void {
  world.tell("peace");
  world.heal();
  for (const node of world.nodes) {
    if (!node.isLinkUp) node.setLink(true);
    if (!node.isPowered) node.boot();
    node.resume(false);
    node.check(true);
    node.setOpenConnections(0);
  }
}

/** Nothing of a hand-over is left, and the best node is active. */
function isAtRest({ nodes, settings }: World): boolean {
  const best = Math.max(...nodes.map(({ state }) => state?.priority ?? 0));
  const owners = nodes.filter(({ isActive }) => isActive);
  const hasLeft = nodes.some(({ phases, keepsAddress }) => keepsAddress || phases.length > 0);
  return !hasLeft && owners.length === 1 && (settings.nopreempt || owners[0]?.state?.priority === best);
}

/** One owner, the best one, and the client knows it; and the segment is quiet for so many adverts. */
function checkPeace(world: World, adverts: number): void {
  const active = world.nodes.filter((node) => node.isActive);
  const [owner] = active;
  if (owner === undefined || active.length !== 1) world.fail(`${active.length} active routers in peace`);
  for (const node of world.nodes)
    if (node.holdsAddress !== (node === owner))
      world.fail(`${node.name} holds the address in peace, ${owner.name} is active`);
  if (world.clientSees !== owner.name)
    world.fail(`the client still sends to ${world.clientSees}, but ${owner.name} is active: it never announced itself`);
  const best = Math.max(...world.nodes.map((node) => node.state?.priority ?? 0));
  if (!world.settings.nopreempt && owner.state?.priority !== best)
    world.fail(`${owner.name} is active, but not the best`);
  for (const { name, phases, keepsAddress, detours } of world.nodes)
    if (keepsAddress || phases.length + detours.detours.length + detours.silences.length > 0)
      world.fail(`${name} has something left of a hand-over in peace (${phases.join(", ")})`);
  const before = world.packets;
  world.run(world.timeline.nowMs + adverts * world.settings.intervalMs);
  const sent = world.packets - before;
  if (sent > adverts + 1) world.fail(`${sent} adverts in ${adverts} intervals of peace`);
}
