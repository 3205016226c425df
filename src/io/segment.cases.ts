/** What every implementation of the segment port does. The fixture has two Ethernet links joined by a cable, with addresses of both families. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp, printIp } from "../base/ip.ts";
import type { AdvertSocketSettings, Segments } from "./segment.ts";

/** One end of the cable. */
export interface SegmentEnd {
  readonly segments: Segments;
  readonly link: { readonly index: number; readonly name: string };
  /** Of the link: 10.7.0.1 or 10.7.0.2. */
  readonly ip4: Uint8Array;
  /** Link-local. */
  readonly ip6: Uint8Array;
}

export interface SegmentFixture {
  readonly near: SegmentEnd;
  readonly far: SegmentEnd;
  /** Resolves when what was sent has arrived. */
  settle(): Promise<void>;
  /** What the far end believes of its neighbours, `10.7.0.9 02:00:00:00:00:09`: it believes every gratuitous ARP. */
  neighbors(): readonly string[];
  close(): void;
}

function ip(text: string): Uint8Array {
  const address = parseIp(text);
  assert.ok(address, text);
  return address;
}

const GROUP_4 = ip("224.0.0.18");
const GROUP_6 = ip("ff02::12");
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** An IPv4 packet of protocol 112 with a valid header checksum. */
function packet(source: Uint8Array, destination: Uint8Array, payload: readonly number[]): Uint8Array {
  const bytes = Uint8Array.from([
    ...[0x45, 0xc0, 0, 20 + payload.length, 0, 1, 0, 0, 255, 112, 0, 0],
    ...source,
    ...destination,
    ...payload,
  ]);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  bytes[10] = (~sum >> 8) & 0xff;
  bytes[11] = ~sum & 0xff;
  return bytes;
}

function settings(end: SegmentEnd, family: 4 | 6, changes: Partial<AdvertSocketSettings> = {}): AdvertSocketSettings {
  const [group, source] = family === 4 ? [GROUP_4, end.ip4] : [GROUP_6, end.ip6];
  return { link: end.link, family, group, source, hopLimit: 255, receiveBufferBytes: undefined, ...changes };
}

/** Registers the cases under a name. */
export function segmentCases(name: string, open: () => SegmentFixture): void {
  const withSockets = (what: string, body: (fixture: SegmentFixture) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const fixture = open();
      try {
        await body(fixture);
      } finally {
        fixture.close();
      }
    });
  };

  withSockets("an IPv4 packet to the group arrives whole at the other end, and not at its own", async (fixture) => {
    const { near, far } = fixture;
    const [here, there]: [string[], string[]] = [[], []];
    const sender = near.segments.openAdverts(settings(near, 4), (bytes) => here.push(hex(bytes)));
    const receiver = far.segments.openAdverts(settings(far, 4), (bytes, delivery) => {
      assert.equal(delivery, undefined);
      there.push(hex(bytes));
    });
    const sent = packet(near.ip4, GROUP_4, [0x21, 33, 100, 0, 0, 1, 0, 0]);
    assert.equal(sender.send(sent, GROUP_4), 0);
    await fixture.settle();
    assert.deepEqual(there, [hex(sent)]);
    assert.deepEqual(here, []);
    sender.close();
    receiver.close();
  });

  withSockets("only the group that was joined and the own address are heard", async (fixture) => {
    const { near, far } = fixture;
    const heard: number[] = [];
    const sender = near.segments.openAdverts(settings(near, 4), () => {});
    const unicast = far.segments.openAdverts(settings(far, 4, { group: undefined }), (bytes) =>
      heard.push(bytes[21] as number),
    );
    sender.send(packet(near.ip4, GROUP_4, [0x21, 1, 0, 0, 0, 0, 0, 0]), GROUP_4);
    sender.send(packet(near.ip4, far.ip4, [0x21, 2, 0, 0, 0, 0, 0, 0]), far.ip4);
    await fixture.settle();
    assert.deepEqual(heard, [2]);
    sender.close();
    unicast.close();
  });

  withSockets("an IPv6 message arrives with its source, destination and hop limit", async (fixture) => {
    const { near, far } = fixture;
    const heard: string[] = [];
    const sender = near.segments.openAdverts(settings(near, 6), () => {});
    const receiver = far.segments.openAdverts(settings(far, 6), (bytes, delivery) => {
      assert.ok(delivery);
      heard.push(`${printIp(delivery.source)} ${printIp(delivery.destination)} ${delivery.hopLimit} ${hex(bytes)}`);
    });
    sender.send(Uint8Array.of(0x31, 33, 100, 0, 0, 100, 0, 0), GROUP_6);
    await fixture.settle();
    assert.deepEqual(heard, [`${printIp(near.ip6)} ff02::12 255 3121640000640000`]);
    sender.close();
    receiver.close();
  });

  withSockets("a closed socket hears nothing, and the next one on the same link does", async (fixture) => {
    const { near, far } = fixture;
    const heard: string[] = [];
    const sender = near.segments.openAdverts(settings(near, 4), () => {});
    far.segments.openAdverts(settings(far, 4), () => heard.push("first")).close();
    const second = far.segments.openAdverts(settings(far, 4), () => heard.push("second"));
    sender.send(packet(near.ip4, GROUP_4, [0x21, 1, 0, 0, 0, 0, 0, 0]), GROUP_4);
    await fixture.settle();
    assert.deepEqual(heard, ["second"]);
    sender.close();
    second.close();
  });

  withSockets("drain delivers what has arrived without a turn of the event loop", async (fixture) => {
    const { near, far } = fixture;
    let heard = 0;
    const sender = near.segments.openAdverts(settings(near, 4), () => {});
    const receiver = far.segments.openAdverts(settings(far, 4), () => heard++);
    for (let i = 0; i < 5; i++) sender.send(packet(near.ip4, GROUP_4, [0x21, 1, 0, 0, 0, 0, 0, 0]), GROUP_4);
    // A busy kernel needs a moment; the event loop, which would deliver as well, gets none.
    for (const end = Date.now() + 2000; heard < 5 && Date.now() < end; ) receiver.drain();
    assert.equal(heard, 5);
    sender.close();
    receiver.close();
  });

  withSockets("an Ethernet frame arrives as it was made: a gratuitous ARP is believed", async (fixture) => {
    const { near } = fixture;
    const [mac, address] = [
      [2, 0, 0, 0, 0, 9],
      [10, 7, 0, 9],
    ];
    const broadcast = new Array<number>(6).fill(0xff);
    const arp = [0, 1, 8, 0, 6, 4, 0, 1, ...mac, ...address, ...broadcast, ...address];
    const socket = near.segments.openFrames(near.link.index);
    assert.equal(socket.send(Uint8Array.from([...broadcast, ...mac, 8, 6, ...arp])), 0);
    await fixture.settle();
    assert.ok(fixture.neighbors().includes("10.7.0.9 02:00:00:00:00:09"), fixture.neighbors().join("\n"));
    socket.close();
  });
}
