/** What every implementation of the UDP port does. The fixture has two hosts, each with an address of both families. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { printIp } from "../base/ip.ts";
import type { Udp, UdpSenderSettings } from "./udp.ts";

/** One host, which may share a kernel with the other one. */
export interface UdpEnd {
  readonly udp: Udp;
  readonly ip4: Uint8Array;
  readonly ip6: Uint8Array;
}

export interface UdpFixture {
  readonly near: UdpEnd;
  readonly far: UdpEnd;
  /** Resolves when what was sent has arrived. */
  settle(): Promise<void>;
  close(): void;
}

const PORT = 3784;
const SOURCE_PORTS = { min: 49_152, max: 49_153, first: 49_153 };

/** Registers the cases under a name. */
export function udpCases(name: string, open: () => UdpFixture): void {
  const run = (what: string, body: (fixture: UdpFixture, heard: string[], note: Note) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const fixture = open();
      const heard: string[] = [];
      try {
        await body(fixture, heard, (bytes, { source, sourcePort, destination, hopLimit }) => {
          const way = `${printIp(source)}:${sourcePort} > ${printIp(destination)}`;
          heard.push(`${way} ttl ${hopLimit}: ${Buffer.from(bytes).toString("latin1")}`);
        });
      } finally {
        fixture.close();
      }
    });
  };
  const settings = (to: Uint8Array, changes: Partial<UdpSenderSettings> = {}): UdpSenderSettings => {
    return { destination: to, port: PORT, source: undefined, sourcePorts: SOURCE_PORTS, hopLimit: 255, ...changes };
  };
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

  for (const family of [4, 6] as const)
    run(
      `IPv${family} datagrams arrive with both addresses, the source port and the hop limit`,
      async (fixture, heard, note) => {
        const { near, far } = fixture;
        const [from, to] = family === 4 ? [near.ip4, far.ip4] : [near.ip6, far.ip6];
        const receiver = far.udp.receive(family, PORT, note);
        const sender = near.udp.sender(settings(to, { source: from }));
        const second = near.udp.sender(settings(to, { source: from, hopLimit: 64 }));
        assert.equal(sender.send(bytes("one")), 0);
        assert.equal(second.send(bytes("two")), 0);
        await fixture.settle();
        receiver.drain();
        assert.deepEqual(heard, [
          `${printIp(from)}:49153 > ${printIp(to)} ttl 255: one`,
          `${printIp(from)}:49152 > ${printIp(to)} ttl 64: two`,
        ]);
        assert.throws(() => near.udp.sender(settings(to, { source: from })), /bind/, "both source ports are taken");
        sender.close();
        near.udp.sender(settings(to, { source: from })).close();
        receiver.close();
        second.send(bytes("three"));
        await fixture.settle();
        assert.equal(heard.length, 2);
        second.close();
      },
    );

  run("a port can be received on once, by each family", async ({ far }) => {
    const receivers = [far.udp.receive(4, PORT, () => {}), far.udp.receive(6, PORT, () => {})];
    assert.throws(() => far.udp.receive(4, PORT, () => {}), /bind/);
    for (const receiver of receivers) receiver.close();
    far.udp.receive(4, PORT, () => {}).close();
  });

  run("an address of somebody else can't be a source", async ({ near, far }) => {
    const stranger = Uint8Array.of(10, 9, 8, 7);
    assert.throws(() => near.udp.sender(settings(far.ip4, { source: stranger })), /bind/);
  });
}

type Note = Parameters<Udp["receive"]>[2];
