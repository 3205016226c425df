import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type SegmentFixture, segmentCases } from "../io/segment.cases.ts";
import { openLinkBuilder } from "./link-builder.ts";
import { inPrivateNetwork } from "./private-network.cases.ts";
import { openRouting } from "./routing.ts";
import { KernelSegments } from "./segments.ts";

/** Both ends of the cable are in this namespace: the kernel must be told that its own addresses may come from outside. */
function permitOwnAddresses(): void {
  for (const name of ["all", "near", "far"]) {
    writeFileSync(`/proc/sys/net/ipv4/conf/${name}/accept_local`, "1");
    writeFileSync(`/proc/sys/net/ipv4/conf/${name}/rp_filter`, "0");
  }
  writeFileSync("/proc/sys/net/ipv4/conf/far/arp_accept", "1");
}

/** Rows of /proc/net/arp: address, type, flags, hardware address, mask, device. */
function neighbors(): readonly string[] {
  const rows = readFileSync("/proc/net/arp", "latin1").trim().split("\n").slice(1);
  return rows
    .map((row) => row.split(/\s+/))
    .flatMap(([ip, , , mac, , device]) => (device === "far" ? [`${ip} ${mac}`] : []));
}

/** Of protocol 112; the kernel fills in the checksum. */
function ipv4Header(from: Uint8Array, to: Uint8Array, payloadBytes: number): readonly number[] {
  return [0x45, 0xc0, 0, 20 + payloadBytes, 0, 1, 0, 0, 255, 112, 0, 0, ...from, ...to];
}

inPrivateNetwork(import.meta.url, () => {
  const openCable = (): SegmentFixture => {
    const routing = openRouting();
    const builder = openLinkBuilder();
    assert.equal(builder.createVethPair("near", "far"), undefined);
    const segments = new KernelSegments();
    const end = (name: string, last: number) => {
      const link = routing.link(name);
      assert.ok(link);
      routing.setLinkUp(link.index, true);
      const ip4 = Uint8Array.of(10, 7, 0, last);
      const ip6 = Uint8Array.from([0xfe, 0x80, ...new Array(13).fill(0), last]);
      assert.equal(routing.addAddress({ linkIndex: link.index, ip: ip4, prefixLength: 24 }), undefined);
      assert.equal(routing.addAddress({ linkIndex: link.index, ip: ip6, prefixLength: 64, nodad: true }), undefined);
      return { segments, link, ip4, ip6 };
    };
    const [near, far] = [end("near", 1), end("far", 2)];
    permitOwnAddresses();
    const limit = performance.now() + 2000;
    // Not only running: until the kernel's link watch has been there, packets are dropped without a word.
    const isReady = (name: string): boolean => readFileSync(`/sys/class/net/${name}/operstate`, "latin1") === "up\n";
    while ((!isReady("near") || !isReady("far")) && performance.now() < limit);
    routing.links(); // waits for the lock under which the link watch works
    return {
      near,
      far,
      settle: () => sleep(60),
      neighbors,
      close: () => {
        builder.removeLink(near.link.index);
        builder.close();
        routing.close();
      },
    };
  };

  segmentCases("kernel", openCable);

  test("kernel: what is read behind another packet in one turn has waited, the first one of a turn has not", (t) => {
    const { near, far, close } = openCable();
    t.after(close);
    const unicast = { link: undefined, group: undefined, hopLimit: 255, receiveBufferBytes: undefined };
    for (const [family, from, to] of [
      [4, near.ip4, far.ip4],
      [6, near.ip6, far.ip6],
    ] as const) {
      const marks: boolean[] = [];
      const sender = near.segments.openAdverts({ ...unicast, link: near.link, family, source: from }, () => {});
      const receiver = far.segments.openAdverts(
        { ...unicast, link: far.link, family, source: to },
        (_packet, _delivery, hasWaited) => marks.push(hasWaited),
      );
      const message = [0x31, 33, 100, 0, 0, 100, 0, 0];
      const packet = Uint8Array.from([...(family === 4 ? ipv4Header(from, to, message.length) : []), ...message]);
      const hearAll = (count: number): readonly boolean[] => {
        marks.length = 0;
        for (let i = 0; i < count; i++) assert.equal(sender.send(packet, to), 0);
        // The kernel needs a moment; the event loop, which would deliver as well, gets none.
        for (const end = Date.now() + 50; Date.now() < end; );
        receiver.drain();
        return [...marks];
      };
      t.after(() => sender.close());
      t.after(() => receiver.close());
      assert.deepEqual(hearAll(3), [false, true, true], `IPv${family}`);
      assert.deepEqual(hearAll(1), [false], `IPv${family}`);
    }
  });
});
