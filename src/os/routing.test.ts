import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type RoutingFixture, routingCases } from "../io/routing.cases.ts";
import type { RoutingFailure } from "../io/routing.ts";
import { openLinkBuilder } from "./link-builder.ts";
import { inPrivateNetwork } from "./private-network.cases.ts";
import { openRouting } from "./routing.ts";

function ok(failure: RoutingFailure | undefined): void {
  assert.equal(failure, undefined);
}

/** A veth pair eth0 – far: the far end plays the cable. */
function openFixture(): RoutingFixture & {
  builder: ReturnType<typeof openLinkBuilder>;
  routing: ReturnType<typeof openRouting>;
} {
  const routing = openRouting();
  const builder = openLinkBuilder();
  const index = (name: string): number => routing.link(name)?.index ?? assert.fail(`no link ${name}`);
  ok(builder.createVethPair("eth0", "far"));
  ok(routing.setLinkUp(index("eth0"), true));
  ok(routing.setLinkUp(index("far"), true));
  const until = Date.now() + 1000;
  while (routing.link("eth0")?.isRunning !== true && Date.now() < until);
  return {
    routing,
    builder,
    settle: () => sleep(30),
    setCarrier: (_linkIndex, carrier) => ok(routing.setLinkUp(index("far"), carrier)),
    destroyLink: (linkIndex) => ok(builder.removeLink(linkIndex)),
    overrun: (linkIndex) => {
      const lo = index("lo");
      for (let i = 0; i < 8000; i++) {
        const address = { linkIndex: lo, ip: Uint8Array.of(10, 8, i >> 8, i & 255), prefixLength: 32 };
        ok(routing.addAddress(address));
        if (i === 7000) {
          ok(routing.removeAddress({ linkIndex, ip: Uint8Array.of(10, 9, 0, 1), prefixLength: 32 }));
          ok(routing.addAddress({ linkIndex, ip: Uint8Array.of(10, 9, 0, 2), prefixLength: 32 }));
        }
        ok(routing.removeAddress(address));
      }
      assert.ok(dropped() > 0, "the kernel has dropped notifications");
    },
    close: () => {
      const left = routing.link("eth0");
      if (left !== undefined) ok(builder.removeLink(left.index));
      builder.close();
      routing.close();
    },
  };
}

/** Notifications that the kernel could not deliver to sockets of this process's namespace (column Drops of /proc/net/netlink). */
function dropped(): number {
  const rows = readFileSync("/proc/net/netlink", "utf8").trim().split("\n").slice(1);
  return Math.max(...rows.map((row) => Number(row.trim().split(/\s+/)[8])));
}

inPrivateNetwork(import.meta.url, () => {
  routingCases("rtnetlink", openFixture);

  test("a bridge joins its ports, and leaving it is told as a change, not as a loss", async () => {
    const { routing, builder, close } = openFixture();
    const gone: string[] = [];
    const masters: (number | undefined)[] = [];
    const watch = routing.watch({
      onLink: (link) => link.name === "far" && masters.push(link.masterIndex),
      onLinkGone: (link) => gone.push(link.name),
      onAddress: () => {},
      onAddressGone: () => {},
    });
    try {
      ok(builder.createBridge("br0"));
      const bridge = routing.link("br0");
      const far = routing.link("far");
      assert.ok(bridge && far);
      assert.equal(bridge.kind, "bridge");
      ok(routing.setLinkUp(bridge.index, true));
      ok(builder.setMaster(far.index, bridge.index));
      assert.equal(routing.link("far")?.masterIndex, bridge.index);
      ok(builder.setPortIsolated(far.index, true));
      assert.equal(readFileSync("/sys/class/net/far/brport/isolated", "utf8").trim(), "1");
      ok(builder.setMaster(far.index, undefined));
      await sleep(30);
      assert.deepEqual(gone, []);
      assert.equal(masters.at(-1), undefined);
      assert.ok(masters.includes(bridge.index));
      ok(builder.removeLink(bridge.index));
    } finally {
      watch.close();
      close();
    }
  });

  test("links are renamed, get another MAC, and refusals carry the kernel's words", () => {
    const { routing, builder, close } = openFixture();
    try {
      const far = routing.link("far");
      assert.ok(far);
      ok(builder.setMac(far.index, Uint8Array.of(2, 0, 0, 0, 0, 7)));
      ok(routing.setLinkUp(far.index, false));
      ok(builder.rename(far.index, "eth9"));
      assert.deepEqual(routing.link("eth9")?.mac, Uint8Array.of(2, 0, 0, 0, 0, 7));
      const failure = builder.createVethPair("eth9", "other");
      assert.equal(failure?.message, "create veth eth9: EEXIST");
      assert.ok(builder.setPortIsolated(far.index, true), "not a port of a bridge");
    } finally {
      close();
    }
  });
});
