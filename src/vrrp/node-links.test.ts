import assert from "node:assert/strict";
import { test } from "node:test";
import type { VirtualLink, VrrpInstance } from "../conf/keepalived/config.ts";
import { FakeRouting } from "../io/routing-fake.ts";
import { FakeVirtualLinks } from "../io/virtual-links-fake.ts";
import { EXAMPLE_VMAC, exampleInstance, ip } from "./example.ts";
import { extraAnnouncements } from "./extra-garp.ts";
import { NodeLinks } from "./node-links.ts";
import type { Farewell } from "./ports.ts";

function withLink(changes: Partial<VirtualLink> = {}): VrrpInstance {
  const virtualLink = { ...EXAMPLE_VMAC, ...changes };
  return exampleInstance({ virtualLink, advertInterface: virtualLink.name, family: virtualLink.family });
}

function world() {
  const routing = new FakeRouting([{ name: "eth0" }]);
  const virtualLinks = new FakeVirtualLinks(routing);
  const logs: string[] = [];
  const guarded = new Map<string, Farewell | undefined>();
  const links = new NodeLinks({
    virtualLinks,
    routing,
    guard: (name, farewell) => void guarded.set(name, farewell),
    log: { enabled: () => true, write: (_, text) => logs.push(text) },
  });
  const ensure = (...instances: readonly VrrpInstance[]): void => links.ensure(instances, routing.links());
  return { routing, virtualLinks, logs, guarded, links, ensure };
}

test("a link is made, known to the guard and quiet; its base is silent until it goes", () => {
  const { routing, virtualLinks, guarded, links, ensure } = world();
  const instance = withLink();
  ensure(instance);
  assert.ok(links.isComing(instance), "the watch has not told of it");
  const made = routing.link("vrrp.33");
  assert.ok(made?.isUp);
  assert.deepEqual(virtualLinks.arpSettings(1), { arpIgnore: 1, arpFilter: 1 });
  assert.deepEqual(virtualLinks.quiet, [{ name: "vrrp.33", baseIndex: 1, hides: undefined }]);
  assert.deepEqual(guarded.get("virtual links")?.links, {
    made: [{ index: made.index, name: "vrrp.33" }],
    bases: [{ index: 1, before: { arpIgnore: 0, arpFilter: 0 } }],
  });
  ensure(instance);
  assert.ok(!links.isComing(instance));
  links.stop();
  assert.equal(routing.link("vrrp.33"), undefined);
  assert.deepEqual(virtualLinks.arpSettings(1), { arpIgnore: 0, arpFilter: 0 });
  assert.deepEqual(virtualLinks.quiet, []);
  assert.equal(guarded.get("virtual links"), undefined);
});

test("what is there already is taken over, mended or replaced, and somebody else's link is not", () => {
  const { routing, virtualLinks, logs, ensure } = world();
  const settings = { ...EXAMPLE_VMAC, baseIndex: 1 };
  virtualLinks.create({ ...settings, mac: Uint8Array.of(2, 0, 0, 0, 0, 9) });
  ensure(withLink());
  assert.deepEqual(logs, ["(VI_1) Update old VMAC interface vrrp.33 due to wrong MAC/mode"]);
  assert.deepEqual(routing.link("vrrp.33")?.mac, EXAMPLE_VMAC.mac);

  const second = world();
  second.routing.createLink({ name: "vrrp.33" });
  second.ensure(withLink());
  second.ensure(withLink());
  assert.deepEqual(second.logs, ["(VI_1) VMAC vrrp.33 conflicts with existing interface"], "said once");

  const third = world();
  third.virtualLinks.create({ ...settings, name: "old" });
  third.ensure(withLink());
  assert.equal(third.routing.link("old"), undefined, "two with one MAC address can't be up");
  assert.ok(third.routing.link("vrrp.33")?.isUp);

  const fourth = world();
  fourth.routing.createLink({ name: "eth1" });
  fourth.virtualLinks.create({ ...settings, baseIndex: 2 });
  fourth.ensure(withLink());
  assert.match(fourth.logs.join(), /Removing old VMAC interface vrrp\.33 .* Success creating VMAC interface vrrp\.33/);
});

test("a link follows its base, and is made anew when somebody has removed it", () => {
  const { routing, ensure, links } = world();
  const instance = withLink();
  ensure(instance);
  ensure(instance);
  routing.destroyLink(routing.link("vrrp.33")?.index ?? 0);
  ensure(instance);
  assert.ok(routing.link("vrrp.33"));
  assert.ok(links.isComing(instance));
  ensure(instance);
  routing.destroyLink(routing.link("vrrp.33")?.index ?? 0);
  routing.destroyLink(1);
  ensure(instance);
  assert.equal(routing.link("vrrp.33"), undefined);
  assert.ok(!links.isComing(instance));
  routing.createLink({ name: "eth0" });
  ensure(instance);
  assert.ok(routing.link("vrrp.33"));
  ensure();
  assert.equal(routing.link("vrrp.33"), undefined, "nobody wants it any more");
});

test("IPv6 adverts get the base's address on the link, which the base alone answers for", () => {
  const { routing, virtualLinks, ensure, links } = world();
  const instance = withLink({ family: 6 });
  ensure(instance);
  ensure(instance);
  const view = { links: routing.links(), addresses: [] };
  links.giveSource(instance, ip("fe80::1"), view);
  const index = routing.link("vrrp.33")?.index ?? 0;
  const [address] = routing.addresses(index);
  assert.deepEqual(
    [address?.ip, address?.prefixLength, address?.nodad, address?.preferredS],
    [ip("fe80::1"), 64, true, 0],
  );
  assert.deepEqual(virtualLinks.quiet, [{ name: "vrrp.33", baseIndex: 1, hides: ip("fe80::1") }]);
  links.giveSource(instance, ip("fe80::2"), view);
  assert.deepEqual(
    routing.addresses(index).map((one) => one.ip),
    [ip("fe80::2")],
  );
});

test("an ipvlan link carries its address; what the kernel refuses is said once", () => {
  const { routing, virtualLinks, logs, ensure } = world();
  const address = { address: ip("192.0.2.9"), prefixLength: 24 };
  ensure(withLink({ kind: "ipvlan", name: "iv", mac: new Uint8Array(0), address }));
  assert.deepEqual(
    routing.addresses(routing.link("iv")?.index).map((one) => one.ip),
    [address.address],
  );
  const broken = world();
  broken.virtualLinks.failure = { errno: 95, message: "create ipvlan iv: EOPNOTSUPP" };
  for (let i = 0; i < 2; i++) broken.ensure(withLink({ kind: "ipvlan", name: "iv" }));
  assert.deepEqual(broken.logs, ["(VI_1) Unable to create IPVLAN interface iv: create ipvlan iv: EOPNOTSUPP"]);
  assert.deepEqual(virtualLinks.quiet, [], "it has the MAC address of its base");
  assert.equal(logs.length, 1);
});

test("garp_extra_if speaks for one address of each link that no adverts pass", () => {
  const [address] = exampleInstance().addresses;
  assert.ok(address);
  const on = (name: string, text: string) => ({ ...address, interface: name, address: ip(text) });
  const announce = { ...exampleInstance().announce, extraIntervalMs: 1000 };
  const instance = {
    ...withLink(),
    announce,
    addressLinks: [{ ...EXAMPLE_VMAC, name: "vrrp1.33", base: "eth1" }],
    addresses: [on("vrrp.33", "192.0.2.1"), on("vrrp1.33", "192.0.2.2"), on("vrrp1.33", "192.0.2.3")],
    excludedAddresses: [on("eth2", "192.0.2.4")],
  };
  const names = (changes: Partial<VrrpInstance>) =>
    extraAnnouncements({ ...instance, ...changes }).map(({ address: { 3: last } }) => last);
  assert.deepEqual(names({}), [2]);
  assert.deepEqual(names({ sendsFromBase: true }), [1, 2]);
  assert.deepEqual(names({ announce: { ...announce, extraEverywhere: true } }), [2, 4]);
  assert.deepEqual(names({ announce: { ...announce, extraIntervalMs: 0 } }), []);
});
