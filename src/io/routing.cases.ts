/** What every implementation of the routing port does. The fixture has a loopback link `lo` and an Ethernet link `eth0` that is up and plugged in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp, printIp } from "../base/ip.ts";
import { type Address, EADDRNOTAVAIL, ENODEV, type Routing, type RoutingWatcher, SCOPES } from "./routing.ts";

export interface RoutingFixture {
  readonly routing: Routing;
  /** Resolves when watchers have been told what has happened. */
  settle(): Promise<void>;
  setCarrier(linkIndex: number, carrier: boolean): void;
  destroyLink(linkIndex: number): void;
  /** Makes `count` changes so fast that a kernel's notifications overrun; ends with address 10.9.0.1/32 gone and 10.9.0.2/32 there. */
  overrun(linkIndex: number): void;
  close(): void;
}

function ip(text: string): Uint8Array {
  const address = parseIp(text);
  assert.ok(address, text);
  return address;
}

/** A watcher that writes down what it is told. */
function recorder(): { events: string[]; watcher: RoutingWatcher } {
  const events: string[] = [];
  const print = (address: Address): string => `${printIp(address.ip)}/${address.prefixLength}`;
  return {
    events,
    watcher: {
      onLink: (link) =>
        events.push(`link ${link.name} ${link.isUp ? "up" : "down"}${link.isRunning ? " running" : ""}`),
      onLinkGone: (link) => events.push(`link ${link.name} gone`),
      onAddress: (address) => events.push(`address ${print(address)}`),
      onAddressGone: (address) => events.push(`address ${print(address)} gone`),
    },
  };
}

/** Registers the cases under a name. */
export function routingCases(name: string, open: () => RoutingFixture): void {
  function testCase(statement: string, body: (fixture: RoutingFixture, eth0: number) => Promise<void> | void): void {
    test(`${name}: ${statement}`, async () => {
      const fixture = open();
      try {
        const eth0 = fixture.routing.link("eth0");
        assert.ok(eth0);
        await body(fixture, eth0.index);
      } finally {
        fixture.close();
      }
    });
  }

  testCase("links are listed with what they are", ({ routing }) => {
    const lo = routing.link("lo");
    const eth0 = routing.link("eth0");
    assert.ok(lo !== undefined && eth0 !== undefined);
    assert.ok(lo.isLoopback);
    assert.equal(lo.hardwareType, 772);
    assert.equal(eth0.hardwareType, 1);
    assert.equal(eth0.mac.length, 6);
    assert.equal(eth0.mtuBytes, 1500);
    assert.ok(eth0.isUp && eth0.isRunning && eth0.canMulticast && !eth0.isLoopback);
    assert.equal(routing.link("eth7"), undefined);
  });

  testCase("an address is there when the call returns, with the options it was given", ({ routing }, eth0) => {
    const settings = {
      linkIndex: eth0,
      ip: ip("192.168.50.130"),
      prefixLength: 24,
      broadcast: ip("192.168.50.255"),
      scope: SCOPES.link,
      label: "eth0:vip",
      noprefixroute: true,
      preferredS: 0,
    };
    assert.equal(routing.addAddress(settings), undefined);
    const [address] = routing.addresses(eth0).filter((candidate) => candidate.ip.length === 4);
    assert.ok(address);
    assert.equal(printIp(address.ip), "192.168.50.130");
    assert.equal(address.prefixLength, 24);
    assert.equal(address.broadcast && printIp(address.broadcast), "192.168.50.255");
    assert.equal(address.scope, SCOPES.link);
    assert.equal(address.label, "eth0:vip");
    assert.equal(address.noprefixroute, true);
    assert.equal(address.preferredS, 0);
    assert.equal(address.peer, undefined);
  });

  testCase(
    "an address without options is global, preferred for ever and labelled with its link",
    ({ routing }, eth0) => {
      assert.equal(routing.addAddress({ linkIndex: eth0, ip: ip("192.168.50.130"), prefixLength: 32 }), undefined);
      const [address] = routing.addresses(eth0).filter((candidate) => candidate.ip.length === 4);
      assert.ok(address);
      assert.equal(address.scope, SCOPES.global);
      assert.equal(address.label, "eth0");
      assert.equal(address.broadcast, undefined);
      assert.equal(address.preferredS, Number.POSITIVE_INFINITY);
    },
  );

  testCase("a peer makes the address point-to-point", ({ routing }, eth0) => {
    const address = { linkIndex: eth0, ip: ip("10.1.0.1"), prefixLength: 32, peer: ip("10.1.0.2") };
    assert.equal(routing.addAddress(address), undefined);
    const [found] = routing.addresses(eth0).filter((candidate) => candidate.ip.length === 4);
    assert.equal(found?.peer && printIp(found.peer), "10.1.0.2");
    assert.equal(routing.removeAddress({ ...address, peer: ip("10.1.0.3") })?.errno, EADDRNOTAVAIL);
    assert.equal(routing.removeAddress(address), undefined);
  });

  testCase("IPv6 flags arrive", ({ routing }, eth0) => {
    const address = {
      linkIndex: eth0,
      ip: ip("2001:db8::130"),
      prefixLength: 64,
      nodad: true,
      home: true,
      mngtmpaddr: true,
      noprefixroute: true,
    };
    assert.equal(routing.addAddress(address), undefined);
    const found = routing.addresses(eth0).find((candidate) => printIp(candidate.ip) === "2001:db8::130");
    assert.ok(found);
    assert.deepEqual(
      [found.nodad, found.home, found.mngtmpaddr, found.noprefixroute, found.tentative],
      [true, true, true, true, false],
    );
  });

  testCase("adding an address twice is no failure, removing it twice is", ({ routing }, eth0) => {
    const address = { linkIndex: eth0, ip: ip("192.168.50.130"), prefixLength: 32 };
    assert.equal(routing.addAddress(address), undefined);
    assert.equal(routing.addAddress(address), undefined);
    assert.equal(routing.addresses(eth0).filter((candidate) => candidate.ip.length === 4).length, 1);
    assert.equal(routing.removeAddress(address), undefined);
    const failure = routing.removeAddress(address);
    assert.equal(failure?.errno, EADDRNOTAVAIL);
    assert.match(failure?.message ?? "", /^remove address: EADDRNOTAVAIL/);
  });

  testCase("a missing link and an impossible prefix are refused", ({ routing }, eth0) => {
    assert.equal(routing.addAddress({ linkIndex: 999, ip: ip("10.0.0.1"), prefixLength: 32 })?.errno, ENODEV);
    assert.ok(routing.addAddress({ linkIndex: eth0, ip: ip("10.0.0.1"), prefixLength: 33 }));
    assert.equal(routing.setLinkUp(999, true)?.errno, ENODEV);
  });

  testCase("a watcher hears of every difference once, and not of what was there before", async (fixture, eth0) => {
    const { routing } = fixture;
    const address = { linkIndex: eth0, ip: ip("192.168.50.130"), prefixLength: 32 };
    routing.addAddress({ ...address, ip: ip("192.168.50.1") });
    const { events, watcher } = recorder();
    const watch = routing.watch(watcher);
    try {
      assert.equal(watch.links.get(eth0)?.name, "eth0");
      assert.ok([...watch.addresses()].some((known) => printIp(known.ip) === "192.168.50.1"));
      routing.addAddress(address);
      await fixture.settle();
      routing.addAddress(address);
      await fixture.settle();
      routing.removeAddress(address);
      await fixture.settle();
      assert.deepEqual(events, ["address 192.168.50.130/32", "address 192.168.50.130/32 gone"]);
      assert.ok(![...watch.addresses()].some((known) => printIp(known.ip) === "192.168.50.130"));
    } finally {
      watch.close();
    }
    routing.addAddress(address);
    await fixture.settle();
    assert.equal(events.length, 2);
  });

  testCase("a watcher hears of links that go down, lose their carrier or vanish", async (fixture, eth0) => {
    const { routing } = fixture;
    routing.addAddress({ linkIndex: eth0, ip: ip("192.168.50.1"), prefixLength: 24 });
    const { events, watcher } = recorder();
    const watch = routing.watch(watcher);
    const only = (): string[] => events.splice(0).filter((event) => /eth0|50\.1/.test(event));
    try {
      fixture.setCarrier(eth0, false);
      await fixture.settle();
      assert.equal(only().at(-1), "link eth0 up");
      fixture.setCarrier(eth0, true);
      await fixture.settle();
      assert.equal(only().at(-1), "link eth0 up running");
      routing.setLinkUp(eth0, false);
      await fixture.settle();
      assert.equal(only().at(-1), "link eth0 down");
      fixture.destroyLink(eth0);
      await fixture.settle();
      assert.deepEqual(only().slice(-2), ["address 192.168.50.1/24 gone", "link eth0 gone"]);
    } finally {
      watch.close();
    }
  });

  testCase("a watcher knows the truth after an overrun", async (fixture, eth0) => {
    const { routing } = fixture;
    routing.addAddress({ linkIndex: eth0, ip: ip("10.9.0.1"), prefixLength: 32 });
    const { events, watcher } = recorder();
    const watch = routing.watch(watcher);
    try {
      fixture.overrun(eth0);
      await fixture.settle();
      const known = [...watch.addresses()].map((address) => printIp(address.ip));
      assert.ok(!known.includes("10.9.0.1") && known.includes("10.9.0.2"));
      assert.equal(events.filter((event) => event === "address 10.9.0.1/32 gone").length, 1);
      assert.equal(events.filter((event) => event === "address 10.9.0.2/32").length, 1);
    } finally {
      watch.close();
    }
  });
}
