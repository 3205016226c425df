import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { NO_DETOURS, NOTHING_FORWARDED } from "../io/detour.ts";
import { FakeDetours } from "../io/detour-fake.ts";
import { FakeRoutes } from "../io/routes-fake.ts";
import { FakeRouting } from "../io/routing-fake.ts";
import { FakeSwitch } from "../io/segment-fake.ts";
import { FakeVirtualLinks } from "../io/virtual-links-fake.ts";
import { ip } from "../vrrp/example.ts";
import type { Farewell } from "../vrrp/ports.ts";
import { CrashGuard } from "./crash-guard.ts";

const route = {
  family: 4,
  type: 1,
  destination: { address: ip("10.1.0.0"), prefixLength: 16 },
  source: undefined,
  preferredSource: undefined,
  gateway: undefined,
  linkIndex: 1,
  table: 254,
  protocol: 18,
  scope: undefined,
  metric: undefined,
  typeOfService: 0,
  onlink: false,
  realms: 0,
  expiresS: undefined,
  preference: undefined,
  ttlPropagate: undefined,
  metrics: [],
  locks: 0,
  congestionControl: undefined,
  nextHops: [],
  mode: "prepend",
} as const;

const vmac = {
  name: "vrrp.51",
  kind: "macvlan",
  mac: Uint8Array.of(0, 0, 0x5e, 0, 1, 51),
  ipvlanType: "bridge",
  group: undefined,
  family: 4,
} as const;

test("the guard sends the farewells and removes the addresses of routers that held some when the process died", () => {
  const routing = new FakeRouting([{ name: "eth0" }]);
  const address = { linkIndex: 1, ip: ip("192.0.2.9"), prefixLength: 32 };
  routing.addAddress(address);
  const heard: string[] = [];
  const fabric = new FakeSwitch({ travel: () => [0], schedule: (_, task) => task() });
  const group = ip("224.0.0.18");
  const settings = { link: { index: 1, name: "eth0" }, family: 4, group, source: ip("192.0.2.1") } as const;
  const socket = { ...settings, hopLimit: 255, receiveBufferBytes: undefined };
  fabric.port("partner").openAdverts(socket, (packet) => heard.push(Buffer.from(packet).toString()));

  const detours = new FakeDetours();
  const here = { address: address.ip, to: ip("192.0.2.2"), linkIndex: 1, forwarded: NOTHING_FORWARDED };
  detours.set({ detours: [here], silences: [] });
  const routes = new FakeRoutes();
  const links = new FakeVirtualLinks(routing);
  const guard = new CrashGuard(fabric.port("node"), routing, detours, links, routes, silentLog, () => 0);
  const farewell = (router: string): Farewell => ({
    router,
    socket,
    renewal: undefined,
    packets: [{ bytes: new Uint8Array(Buffer.from(`goodbye ${router}`)), destination: group }],
    addresses: [{ ...address, peer: undefined }],
    hasDetours: false,
  });
  guard.remember("A", farewell("A"));
  guard.remember("B", farewell("B"));
  guard.remember("B", undefined);
  guard.release();
  assert.deepEqual(heard, ["goodbye A"]);
  assert.deepEqual(routing.addresses(), []);
  guard.release();
  assert.deepEqual(heard, ["goodbye A"], "once");
  assert.deepEqual(detours.state.detours, [here], "nobody has said that there are detours of its own");

  links.create({ ...vmac, baseIndex: 1 });
  const index = routing.link("vrrp.51")?.index ?? 0;
  links.setArpSettings(1, { arpIgnore: 1, arpFilter: 1 });
  const base = { index: 1, before: { arpIgnore: 0, arpFilter: 2 } };
  const nothing = { router: "virtual links", socket: undefined, packets: [], renewal: undefined, hasDetours: false };
  const made = [
    { index, name: "vrrp.51" },
    { index: 1, name: "a link whose number eth0 has by now" },
  ];
  guard.remember("virtual links", { ...nothing, addresses: [], links: { made, bases: [base] } });
  guard.release();
  assert.deepEqual(
    routing.links().map(({ name }) => name),
    ["eth0"],
  );
  assert.deepEqual(links.arpSettings(1), base.before);

  routes.addRoute(route);
  guard.remember("A routes and rules", { ...nothing, addresses: [], items: { routes: [route], rules: [] } });
  guard.release();
  assert.equal(routes.present.size, 0);

  const kept = { linkIndex: 1, ip: ip("192.0.2.10"), prefixLength: 32 };
  routing.addAddress(kept);
  const silent = { router: "A on the loopback", socket: undefined, packets: [], renewal: undefined, hasDetours: true };
  guard.remember(silent.router, { ...silent, addresses: [{ ...kept, peer: undefined }] });
  guard.release();
  assert.deepEqual(heard, ["goodbye A"], "nothing is said for an address that is kept in silence");
  assert.deepEqual(routing.addresses(), []);
  assert.deepEqual(detours.state, NO_DETOURS);
});
