/** A node with real routers on a switch and links without a kernel: sync groups, tracking, reload, faults of links. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlapDamping, SyncGroup, VrrpInstance } from "../conf/keepalived/config.ts";
import { FakeRouting } from "../io/routing-fake.ts";
import { FakeSwitch } from "../io/segment-fake.ts";
import { FakeVirtualLinks } from "../io/virtual-links-fake.ts";
import { alone, EXAMPLE_VMAC, exampleAddress, exampleInstance, exampleNode, exampleScript, ip } from "./example.ts";
import { VrrpNode } from "./node.ts";
import type { NodeConfig } from "./ports.ts";

const at = { file: "x", line: 1 };
const none = { scripts: [], interfaces: [], processes: [], files: [], bfds: [], upstreams: [] };
const notifies = exampleInstance().notifies;

/** Two links, eth0 and eth1, and a hand on the clock. */
function world(config: NodeConfig) {
  let now = 0;
  let next: { atMs: number; ring: () => void } | undefined;
  const routing = new FakeRouting([{ name: "eth0" }, { name: "eth1" }]);
  routing.addAddress({ linkIndex: 1, ip: ip("192.168.50.133"), prefixLength: 24 });
  routing.addAddress({ linkIndex: 2, ip: ip("10.0.0.133"), prefixLength: 24 });
  const told: string[] = [];
  const logs: string[] = [];
  const guarded = new Set<string>();
  const virtualLinks = new FakeVirtualLinks(routing);
  const fabric = new FakeSwitch({ travel: () => [0], schedule: (_, task) => task() });
  const node = new VrrpNode(
    {
      clock: { now: () => now, wall: () => now },
      log: { enabled: () => true, write: (_, text) => logs.push(text) },
      routing,
      segments: fabric.port("node"),
      alarm: (ring) => ({
        arm: (atMs) => {
          next = { atMs, ring };
        },
        disarm: () => {
          next = undefined;
        },
      }),
      guard: (router, farewell) => {
        if (farewell === undefined) guarded.delete(router);
        else guarded.add(router);
      },
      notify: ({ type, name, state, priority }) => told.push(`${type} ${name} ${state} ${priority}`),
      changed: () => {},
      ...alone(routing),
      virtualLinks,
    },
    config,
  );
  return {
    node,
    routing,
    told,
    logs,
    guarded,
    virtualLinks,
    run(untilMs: number): void {
      while (next !== undefined && next.atMs <= untilMs) {
        now = next.atMs;
        const { ring } = next;
        next = undefined;
        ring();
      }
      now = untilMs;
    },
    roles: () => node.routers.map(({ settings, state }) => `${settings.name} ${state.role}`).join(", "),
    held: () =>
      routing
        .addresses()
        .map(({ ip: address }) => Array.from(address).join("."))
        .filter((address) => !address.endsWith(".133")),
  };
}

function instance(name: string, link: string, vrid: number, address: string, more: Partial<VrrpInstance> = {}) {
  const addresses = [{ ...exampleAddress(address), interface: link }];
  return exampleInstance({ name, interface: link, virtualRouterId: vrid, addresses, ...more });
}

const group: SyncGroup = {
  name: "G",
  members: ["A", "B"],
  tracks: none,
  notifies,
  smtpAlert: false,
  notifyPriorityChanges: false,
  trackingWeight: false,
  at,
  where: new Map(),
};
const grouped = exampleNode({
  syncGroups: [group],
  instances: [
    instance("A", "eth0", 1, "192.168.50.1", { syncGroup: "G" }),
    instance("B", "eth1", 2, "10.0.0.1", { syncGroup: "G", priority: 50 }),
  ],
});

test("a sync group takes over together, when its last member has heard nobody", () => {
  const { node, run, roles, told, held, guarded } = world(grouped);
  node.start();
  assert.equal(roles(), "A backup, B backup");
  run(3700);
  assert.equal(roles(), "A backup, B backup", "A's timer has run out, B's not yet");
  run(3810);
  assert.equal(roles(), "A active, B active");
  assert.deepEqual(held(), ["192.168.50.1", "10.0.0.1"]);
  assert.deepEqual([...guarded], ["A", "B"]);
  assert.deepEqual(told, [
    "INSTANCE A BACKUP 100",
    "INSTANCE B BACKUP 50",
    "GROUP G BACKUP 0",
    "INSTANCE A MASTER 100",
    "INSTANCE B MASTER 50",
    "GROUP G MASTER 0",
  ]);
});

test("a link with a virtual MAC address forgets its neighbours when its addresses have gone", () => {
  const virtualLink = EXAMPLE_VMAC;
  const addresses = [{ ...exampleAddress("192.168.50.1"), interface: virtualLink.name }];
  const A = exampleInstance({ name: "A", virtualLink, advertInterface: virtualLink.name, addresses });
  const { node, run, held, routing, virtualLinks } = world(exampleNode({ instances: [A] }));
  node.start();
  routing.deliver();
  run(8000);
  assert.deepEqual(held(), ["192.168.50.1"]);
  const atTheStart = virtualLinks.forgotten.splice(0).length;
  routing.setCarrier(1, false);
  routing.deliver();
  assert.deepEqual(held(), []);
  assert.deepEqual(virtualLinks.forgotten, [routing.link("vrrp.33")?.index]);
  assert.ok(atTheStart <= 1, "what a predecessor has left");
});

test("a fault of one member is a fault of its group, at once and until it is gone", () => {
  const { node, run, roles, told, held, routing, guarded } = world(grouped);
  node.start();
  run(4000);
  told.length = 0;
  routing.setCarrier(2, false);
  routing.deliver();
  assert.equal(roles(), "A fault, B fault");
  assert.deepEqual(held(), []);
  assert.deepEqual([...guarded], []);
  assert.ok(told.includes("GROUP G FAULT 0"));
  routing.setCarrier(2, true);
  routing.deliver();
  assert.equal(roles(), "A backup, B backup");
  run(9000);
  assert.equal(roles(), "A active, B active");
});

test("an instance with a script of weight 0 waits for its first result", () => {
  const tracks = { ...none, scripts: [{ name: "chk", weight: 0, weightReverse: false, at }] };
  const { node, roles, run } = world(
    exampleNode({ scripts: [exampleScript({ weight: 0 })], instances: [exampleInstance({ tracks })] }),
  );
  node.start();
  run(10_000);
  assert.equal(roles(), "VI_1 init");
  node.scriptResult("chk", true);
  assert.equal(roles(), "VI_1 backup");
  node.scriptResult("chk", false);
  assert.equal(roles(), "VI_1 fault");
  node.scriptResult("unknown", false);
});

test("a fault of the node is one of its routers, but for those whose weights say who is better when a service is dead", () => {
  const chk = (weight: number) => ({ name: "chk", weight, weightReverse: false, at });
  const scripted = (weight: number) => ({ ...none, scripts: [chk(weight)] });
  const watched = (weight: number) => ({ ...none, processes: [chk(weight)] });
  const told = { ...none, interfaces: [chk(-1)], files: [chk(-1)], bfds: [chk(-1)], upstreams: [chk(-1)] };
  const cases: readonly [string, Partial<VrrpInstance>, SyncGroup["tracks"] | undefined, string][] = [
    ["nothing is tracked", {}, undefined, "fault"],
    ["a script of weight 0", { tracks: scripted(0) }, undefined, "fault"],
    ["a script of weight -20", { tracks: scripted(-20) }, undefined, "active"],
    ["a script of weight 2", { tracks: scripted(2) }, undefined, "active"],
    ["a process of weight 0", { tracks: watched(0) }, undefined, "fault"],
    ["a process of weight -20", { tracks: watched(-20) }, undefined, "active"],
    ["what says nothing of this node's services", { tracks: told }, undefined, "fault"],
    ["a group that tracks nothing", {}, none, "fault"],
    ["a group whose script has a weight", {}, scripted(-20), "active"],
    ["a group whose process has a weight", {}, watched(-20), "active"],
  ];
  for (const [what, more, ofGroup, role] of cases) {
    const { node, run } = world(
      exampleNode({
        scripts: [exampleScript({ weight: 0 })],
        syncGroups: ofGroup === undefined ? [] : [{ ...group, members: ["A"], tracks: ofGroup }],
        instances: [instance("A", "eth0", 1, "192.168.50.1", { ...more, ...(ofGroup && { syncGroup: "G" }) })],
      }),
    );
    node.start();
    node.scriptResult("chk", true);
    node.processCount("chk", 1);
    run(4000);
    node.nodeFault("no worker accepts");
    assert.equal(node.routers[0]?.state.role, role, what);
    if (role !== "fault") continue;
    assert.equal(node.routers[0]?.state.reason, "no worker accepts");
    node.nodeFault(undefined);
    run(9000);
    assert.equal(node.routers[0]?.state.role, "active", `${what}: the fault is gone`);
  }
});

test("a reload keeps roles, exchanges addresses, adds and removes routers", () => {
  const first = instance("A", "eth0", 1, "192.168.50.1");
  const { node, run, roles, held, told } = world(
    exampleNode({ instances: [first, instance("B", "eth1", 2, "10.0.0.1")] }),
  );
  node.start();
  run(4000);
  assert.equal(roles(), "A active, B active");
  told.length = 0;
  const changed = { ...first, addresses: [{ ...exampleAddress("192.168.50.2"), interface: "eth0" }] };
  node.reload(exampleNode({ instances: [changed, instance("C", "eth1", 3, "10.0.0.3")] }));
  assert.equal(roles(), "A active, C backup");
  assert.deepEqual(held(), ["192.168.50.2"]);
  assert.deepEqual(told, ["INSTANCE B FAULT 100", "INSTANCE C BACKUP 100"]);
  run(9000);
  assert.deepEqual(held(), ["192.168.50.2", "10.0.0.3"]);
});

test("a changed VRID makes another router of it", () => {
  const first = instance("A", "eth0", 1, "192.168.50.1", { notifies: { ...notifies, deleted: true } });
  const { node, run, roles, told } = world(exampleNode({ instances: [first] }));
  node.start();
  run(4000);
  node.reload(exampleNode({ instances: [{ ...first, virtualRouterId: 7 }] }));
  assert.equal(roles(), "A backup");
  assert.ok(told.includes("INSTANCE A DELETED 100"));
});

test("a link that is missing at the start is a fault until it comes, with an address", () => {
  const { node, run, roles, routing } = world(exampleNode({ instances: [instance("A", "eth9", 1, "192.168.50.1")] }));
  node.start();
  assert.equal(roles(), "A fault");
  const link = routing.createLink({ name: "eth9" });
  routing.deliver();
  assert.equal(node.routers[0]?.state.reason, "interface eth9 has no IPv4 address to send from");
  routing.addAddress({ linkIndex: link.index, ip: ip("10.9.0.1"), prefixLength: 24 });
  routing.deliver();
  assert.equal(roles(), "A backup");
  run(4000);
  assert.equal(roles(), "A active");
  routing.destroyLink(link.index);
  routing.deliver();
  assert.equal(roles(), "A fault");
});

test("a short loss of the link does not count with interface_up_down_delays", () => {
  const config = exampleNode({ linkDelays: [{ name: "eth0", downMs: 500, upMs: 500 }] });
  const { node, routing, run } = world(config);
  node.start();
  run(4000);
  const role = () => node.routers[0]?.state.role;
  const setCarrier = (carrier: boolean): void => {
    routing.setCarrier(1, carrier);
    routing.deliver();
  };
  assert.equal(role(), "active");
  setCarrier(false);
  run(4400);
  setCarrier(true);
  run(6000);
  assert.equal(role(), "active");
  setCarrier(false);
  run(6600);
  assert.equal(role(), "fault");
  setCarrier(true);
  run(6900);
  assert.equal(role(), "fault");
  run(7200);
  assert.equal(role(), "backup");
});

test("a stop leaves nothing behind", () => {
  const { node, run, held, told, guarded } = world(grouped);
  node.start();
  run(4000);
  told.length = 0;
  node.stop();
  assert.deepEqual(held(), []);
  assert.deepEqual([...guarded], []);
  assert.deepEqual(told, ["INSTANCE A STOP 100", "INSTANCE B STOP 50", "GROUP G STOP 0"]);
  run(99_000);
  assert.deepEqual(held(), []);
});

const DAMPING: FlapDamping = { scope: "all", halfLifeMs: 60_000, suppress: 2000, reuse: 750, maxSuppressMs: 240_000 };
const upstream = { name: "app", weight: -30, weightReverse: false, at };

test("what health takes again and again is given back when it has been quiet, and both are said", () => {
  const chk = exampleScript({ name: "chk", weight: -30, rise: 1, fall: 1 });
  const track = { name: "chk", weight: -30, weightReverse: false, at };
  const flapDamping = DAMPING;
  const { node, logs, run } = world(
    exampleNode({
      scripts: [chk],
      instances: [instance("VI_1", "eth0", 1, "10.9.0.1", { tracks: { ...none, scripts: [track] }, flapDamping })],
    }),
  );
  node.start();
  const priority = () => node.routers[0]?.state.priority;
  for (let i = 0; i <= 6; i++) {
    run(10_000 * i);
    node.scriptResult("chk", i % 2 === 0);
    if (i % 2 === 1) assert.equal(priority(), 70, "a fall counts at once");
  }
  assert.equal(priority(), 70);
  const [router] = node.routers;
  assert.ok(router !== undefined);
  const report = node.flapsOf(router);
  assert.equal(report?.heldPriority, 70);
  const endsMs = 60_000 + (report?.endsInMs ?? 0);
  run(endsMs - 1);
  assert.equal(priority(), 70);
  run(endsMs + 1);
  assert.equal(priority(), 100);
  assert.equal(node.flapsOf(router)?.penalty, 750);
  assert.deepEqual(
    logs.filter((text) => text.includes("Flap damping")),
    [
      "(VI_1) Flap damping: its health flaps (penalty 2424), ranks at 70 at most for 102 s",
      "(VI_1) Flap damping: quiet since then, ranks as its health allows again",
    ],
  );
});

test("unless it is asked for, only what track_upstream takes is damped", () => {
  const chk = exampleScript({ name: "chk", weight: -10, rise: 1, fall: 1 });
  const track = { name: "chk", weight: -10, weightReverse: false, at };
  const tracks = { ...none, scripts: [track], upstreams: [upstream] };
  const flapDamping = { ...DAMPING, scope: "upstreams" } as const;
  const { node, run } = world(
    exampleNode({ scripts: [chk], instances: [instance("VI_1", "eth0", 1, "10.9.0.1", { tracks, flapDamping })] }),
  );
  node.start();
  const priority = () => node.routers[0]?.state.priority;
  for (let i = 0; i <= 10; i++) {
    run(1000 * i);
    node.upstreamHealth("app", { healthy: 4, total: 4 });
    node.scriptResult("chk", i % 2 === 0);
    assert.equal(priority(), i % 2 === 0 ? 100 : 90);
  }
  for (let i = 0; i <= 6; i++) {
    run(20_000 + 1000 * i);
    node.upstreamHealth("app", { healthy: i % 2 === 0 ? 4 : 2, total: 4 });
  }
  assert.equal(priority(), 85);
  node.scriptResult("chk", false);
  assert.equal(priority(), 75);
});

test("what a reload takes and gives is no flap, and a reload does not end the damping", () => {
  const flapDamping = { ...DAMPING, scope: "upstreams" } as const;
  const config = (weight: number, priority = 100, more: Partial<VrrpInstance> = {}) =>
    exampleNode({
      instances: [
        instance("VI_1", "eth0", 1, "10.9.0.1", {
          priority,
          tracks: { ...none, upstreams: [{ ...upstream, weight }] },
          flapDamping,
          ...more,
        }),
      ],
    });
  const { node, run } = world(config(-30));
  node.start();
  const priority = () => node.routers[0]?.state.priority;
  node.upstreamHealth("app", { healthy: 0, total: 4 });
  for (let i = 0; i < 8; i++) node.reload(config(i % 2 === 0 ? 0 : -30, 120 + i));
  node.upstreamHealth("app", { healthy: 4, total: 4 });
  assert.equal(priority(), 127);
  for (let i = 0; i <= 6; i++) {
    run(1000 * i);
    node.upstreamHealth("app", { healthy: i % 2 === 0 ? 4 : 0, total: 4 });
  }
  assert.equal(priority(), 97);
  node.reload(config(-30, 150));
  assert.equal(priority(), 120);
  node.reload(config(-30, 150, { flapDamping: undefined }));
  assert.equal(priority(), 150);
});

test("a fault of one member damps the whole group", () => {
  const chk = exampleScript({ name: "chk", weight: 0, rise: 1, fall: 1 });
  const track = { name: "chk", weight: 0, weightReverse: false, at };
  const members = { syncGroup: "G", flapDamping: DAMPING };
  const tracks = { ...none, scripts: [track] };
  const { node, run } = world(
    exampleNode({
      scripts: [chk],
      syncGroups: [group],
      instances: [
        instance("A", "eth0", 1, "10.9.0.1", { ...members, tracks }),
        instance("B", "eth1", 2, "10.9.0.2", members),
      ],
    }),
  );
  node.start();
  for (let i = 0; i <= 6; i++) {
    run(1000 * i);
    node.scriptResult("chk", i % 2 === 0);
  }
  assert.deepEqual(
    node.routers.map(({ state }) => [state.priority, state.role]),
    [
      [1, "backup"],
      [1, "backup"],
    ],
  );
  run(30_000);
  assert.ok(
    node.routers.every(({ state }) => state.role === "active"),
    "nobody else is there",
  );
});
