/**
 * Hand-overs on a real network: both families, several addresses that cross from each node to the other at once, and what
 * is left in the kernel afterwards and after kill -9.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PartnerStatus, StatusDocument } from "../../src/admin/status.ts";
import { equalBytes } from "../../src/base/bytes.ts";
import { printIp } from "../../src/base/ip.ts";
import type { AgentHandle } from "../../src/lab/agent-handle.ts";
import { BACK_END_PORT, STREAM_PORT } from "../../src/lab/streams.ts";
import { Topology } from "../../src/lab/topology.ts";
import { captureAnnouncements } from "../../src/os/packet-capture.ts";
import { inPrivateNetwork } from "../../src/os/private-network.cases.ts";
import { KernelSegments } from "../../src/os/segments.ts";
import { decodeArpFrame } from "../../src/wire/arp.ts";
import { addWords, foldChecksum, pseudoHeaderSum } from "../../src/wire/checksum.ts";
import { encodeIpv4 } from "../../src/wire/ipv4.ts";
import { decodeNeighborAdvertFrame } from "../../src/wire/ndp.ts";
import { Node, staged, until } from "./lab-node.ts";

const V4 = "192.168.50.130";
const OTHER_V4 = "192.168.50.131";
const CROSSING_V4 = "192.168.50.140";
const V6 = "2001:db8:50::130";
const NGINX = `user root; pid /run/nginx.pid; worker_processes 1; error_log stderr notice; events {} http { access_log off;
  server { listen ${STREAM_PORT}; listen [::]:${STREAM_PORT}; location = / { return 200 hello; }
    location / { proxy_pass http://127.0.0.1:${BACK_END_PORT}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection; proxy_buffering off; proxy_request_buffering off; } } }`;

/** Node a has VI_1 and VI_6, node b has VI_2. */
function keepalivedConf(node: "a" | "b", more: string): string {
  const instance = (name: string, vrid: number, isOurs: boolean, addresses: readonly string[]): string =>
    `vrrp_instance ${name} { interface eth0\nvirtual_router_id ${vrid}\npriority ${isOurs ? 100 : 90}\nversion 3\nadvert_int 0.1\n${more}
     virtual_ipaddress {\n${addresses.join("\n")}\n}\n}\n`;
  return `global_defs {\nrouter_id ${node}\npeer_key a-secret-of-this-test\n}
${instance("VI_1", 33, node === "a", [V4, OTHER_V4])}${instance("VI_6", 36, node === "a", ["fe80::50:130", V6])}
${instance("VI_2", 34, node === "b", [CROSSING_V4])}`;
}

/** The link that an address belongs on. */
type LinkOf = (ip: string) => string;
const onVirtualLinks: LinkOf = (ip) => (ip === V6 ? "vrrp.36" : ip === CROSSING_V4 ? "vrrp.34" : "vrrp.33");

async function withPair(
  body: (a: Node, b: Node, clients: readonly AgentHandle[], topology: Topology) => Promise<void>,
  linkOf: LinkOf = () => "eth0",
): Promise<void> {
  const addresses = (host: number): string[] => [`192.168.50.${host}/24`, `2001:db8:50::${host}/64`];
  const station = (name: string, host: number) => ({ name, interface: "eth0", addresses: addresses(host) });
  const clients = ["c1", "c2", "c3"];
  const topology = await Topology.build("sw", [
    station("a", 133),
    station("b", 134),
    ...clients.map((name, i) => station(name, 201 + i)),
  ]);
  try {
    const a = new Node("a", topology.station("a").agent);
    const b = new Node("b", topology.station("b").agent);
    try {
      for (const node of [a, b]) {
        const files = [
          staged(
            "/etc/keepalived/keepalived.conf",
            keepalivedConf(node.name, linkOf === onVirtualLinks ? "use_vmac" : ""),
          ),
          staged("/etc/nginx/nginx.conf", NGINX),
        ];
        await node.agent.call("stage", files);
        await node.agent.call("watchAddresses");
        await node.startBackEnd();
        await node.start();
      }
      const holds = (node: Node, ip: string): boolean => node.holds(ip, linkOf(ip));
      await until("both nodes own what is theirs", () => holds(a, V4) && holds(a, V6) && holds(b, CROSSING_V4));
      await until("they know each other", async () => (await isBackupOf(a, b)) && holds(a, V4) && !holds(b, V4));
      await body(
        a,
        b,
        clients.map((name) => topology.station(name).agent),
        topology,
      );
    } catch (error) {
      const log = [a, b].flatMap(({ name, lines }) => lines.slice(-60).map((line) => `${name} ${line}`));
      throw new Error(`${(error as Error).stack}\n${log.join("\n")}`);
    }
  } finally {
    await topology.close();
  }
}

/** `a` knows b as the backup of VI_1, and b knows a. */
async function isBackupOf(a: Node, b: Node): Promise<boolean> {
  const read = async (node: Node): Promise<readonly PartnerStatus[]> => {
    const printed = await node.tandem("status", "--json");
    return printed.startsWith("{") ? ((JSON.parse(printed) as StatusDocument).vrrp?.partners ?? []) : [];
  };
  const theirs = (await read(a))[0]?.routers.find(({ virtualRouterId }) => virtualRouterId === 33);
  return theirs?.role === "BACKUP" && (await read(b)).length > 0;
}

/** The sender of `strayFrame`. */
const STRANGER = "192.168.50.222";
const kinds = { downloads: 3, uploads: 2, tunnels: 3, lastsMs: 4000 };

inPrivateNetwork(import.meta.url, () => {
  for (const [where, linkOf] of [
    ["", () => "eth0"],
    [" from and to virtual MAC addresses", onVirtualLinks],
  ] as const)
    test(`addresses of both families cross over${where}, in both directions at once, and nothing breaks or is left`, () =>
      withPair(async (a, b, clients) => {
        const holds = (node: Node, ip: string): boolean => node.holds(ip, linkOf(ip));
        const ips = [V4, V6, CROSSING_V4];
        for (const [i, ip] of ips.entries()) await clients[i]?.call("startStreams", { ip, ...kinds });
        const keepAlive = { ip: OTHER_V4, port: STREAM_PORT, connections: 4, pauseMs: 10 };
        await clients[0]?.call("startKeepAlive", keepAlive);
        const begunMs = performance.now();
        for (let round = 0; round < 2; round++) {
          // When exchanges have begun anew at the owner of this round, and long before they end.
          await sleep(begunMs + 800 + round * kinds.lastsMs - performance.now());
          const isAtHome = round % 2 === 1;
          const [owner, other] = isAtHome ? [a, b] : [b, a];
          const printed = await Promise.all([
            other.tandem("handover", "VI_1", "VI_6"),
            owner.tandem("handover", "VI_2"),
          ]);
          await sleep(1200);
          assert.match(
            printed.join("\n"),
            /VI_1: handed over to \S+ \(192\.168\.50\.13[34]\); open connections go on here/,
          );
          assert.match(printed.join("\n"), /VI_2: handed over to/);
          for (const ip of [V4, OTHER_V4, V6]) {
            assert.ok(holds(owner, ip) && !holds(other, ip), `${ip} in round ${round}`);
            assert.ok(other.holds(ip, "lo"), `${ip} is kept in round ${round}`);
          }
          assert.ok(holds(other, CROSSING_V4) && owner.holds(CROSSING_V4, "lo"));
        }
        const results = await Promise.all(clients.map((client) => client.call("stopStreams")));
        for (const [i, { downloads, uploads, tunnels, broken }] of results.entries()) {
          assert.deepEqual(broken, {}, `${ips[i]}`);
          assert.ok(downloads > 0 && uploads > 0 && tunnels === kinds.tunnels, `${ips[i]}`);
        }
        const load = await clients[0]?.call("stopKeepAlive");
        assert.deepEqual(load?.failures, {});
        // Whoever comes back before it has heard of the new owner is sent away once more; not at every request.
        const connections = load?.connections ?? 0;
        assert.ok(connections >= 3 * keepAlive.connections, "each client was sent away politely, twice");
        assert.ok(connections <= 10 * keepAlive.connections, `${connections} connections`);
        for (const node of [a, b])
          await until(`nothing is left on ${node.name}`, async () => (await node.leftovers()).length === 0);
        assert.match(
          await a.tandem("status"),
          /partner \S+: 192\.168\.50\.134 on eth0, Tandem \S+, keeps our connections/,
        );
      }, linkOf));

  test("the old owner keeps the address in silence: it neither answers for it nor asks in its name", () =>
    withPair(async (a, b, clients, topology) => {
      await clients[0]?.call("startStreams", { ip: V4, ...kinds });
      await sleep(500);
      await a.tandem("handover", "VI_1", "VI_6");
      await until("they are kept", () => a.holds(V4, "lo") && a.holds(V6, "lo") && b.holds(V4));
      const heard: string[] = [];
      const capture = captureAnnouncements(topology.switchIndex, (frame) => {
        if (equalBytes(frame.subarray(6, 12), topology.station("a").mac)) heard.push(whatIsSaid(frame));
      });
      // A client that has never heard of either asks.
      const [, second] = clients;
      for (const ip of [V4, OTHER_V4, V6]) {
        await second?.call("startStreams", { ip, downloads: 2, uploads: 0, tunnels: 0, lastsMs: 100 });
        await sleep(300);
        assert.deepEqual((await second?.call("stopStreams"))?.broken, {}, ip);
      }
      // A packet of no connection at all goes to the old owner, which refuses it and has to ask for its sender first.
      const frames = new KernelSegments().openFrames(topology.switchIndex);
      assert.equal(frames.send(strayFrame(topology.station("b").mac)), 0);
      await sleep(300);
      frames.close();
      capture.close();
      assert.deepEqual((await clients[0]?.call("stopStreams"))?.broken, {});
      assert.ok(heard.includes(`who has ${STRANGER}, asks 192.168.50.133`), heard.join("\n"));
      const aloud = heard.filter((line) => [V4, OTHER_V4, V6].some((ip) => line.includes(ip)));
      assert.deepEqual(aloud, []);
    }));

  test("a packet that nobody knows is refused, and does not go to and fro, while an address moves back", () =>
    withPair(async (a, b, clients, topology) => {
      // Connections that last keep the first detour where it is.
      await clients[0]?.call("startStreams", { ip: V4, ...kinds });
      await sleep(500);
      await a.tandem("handover", "VI_1");
      await b.tandem("handover", "VI_1");
      await until("it is kept on the other side now", () => a.holds(V4) && b.holds(V4, "lo"));
      assert.deepEqual((await Promise.all([a, b].map((node) => node.leftovers()))).map(hasDetour), [true, true]);
      const frames = new KernelSegments().openFrames(topology.switchIndex);
      const before = packetsReceived();
      for (let i = 0; i < 20; i++) assert.equal(frames.send(strayFrame(topology.station("a").mac)), 0);
      await sleep(300);
      const packets = packetsReceived() - before;
      frames.close();
      assert.ok(packets < 20 * 8 * 2 + 500, `${packets} packets for 20 that nobody knows`);
      assert.deepEqual((await clients[0]?.call("stopStreams"))?.broken, {});
    }));

  test("a graceful end hands over first, serves its connections to their end, and a drained node takes nothing", () =>
    withPair(async (a, b, clients) => {
      const printed = await a.tandem("drain");
      assert.match(printed, /VI_1: handed over to .*\n(.*\n)*drained: no address is wanted here/);
      await until("all has moved", () => [V4, V6, CROSSING_V4].every((ip) => b.holds(ip) && !a.holds(ip)));
      assert.match(await a.tandem("status"), /^drained: this node wants no address/m);
      await a.tandem("drain", "--undo");
      await until("what is its own comes back", async () => a.holds(V4) && a.holds(V6) && (await isBackupOf(a, b)));
      await clients[0]?.call("startStreams", { ip: V4, ...kinds });
      await clients[1]?.call("startStreams", { ip: V6, ...kinds });
      await sleep(800);
      const ended = a.untilEnd("tandem");
      await a.agent.call("signal", { name: "tandem", signal: "SIGQUIT" });
      await until("the partner has all", () => b.holds(V4) && b.holds(V6), 2000);
      await until("it is kept", () => a.holds(V4, "lo"));
      for (const client of clients.slice(0, 2)) {
        const { broken, downloads, uploads, tunnels } = await client.call("stopStreams");
        assert.deepEqual(broken, {});
        assert.ok(downloads > 0 && uploads > 0 && tunnels === kinds.tunnels);
      }
      assert.equal(await ended, "status 0");
      assert.deepEqual(await a.leftovers(), []);
      await until("nor is anything left on the partner", async () => (await b.leftovers()).length === 0);
    }));

  test("kill -9 of the VRRP process on either side takes everything back, and of a whole node at its next start", () =>
    withPair(async (a, b, clients) => {
      const load = { ip: V4, ...kinds, lastsMs: 60_000 };
      await clients[0]?.call("startStreams", load);
      await sleep(500);
      await a.tandem("handover", "VI_1");
      await until("it is kept", () => a.holds(V4, "lo"));
      await b.agent.call("signalPart", { part: "vrrp", signal: "SIGKILL" });
      await until("the detour is gone", async () => (await b.leftovers()).length === 0);
      await until("the old owner has the address again", () => a.holds(V4) && !a.holds(V4, "lo"));
      // a stands back until it is handed the address back.
      await until("a gives it to b again when that is back", () => b.holds(V4) && a.holds(V4, "lo"));
      await a.agent.call("signalPart", { part: "vrrp", signal: "SIGKILL" });
      await until("the old owner keeps nothing", async () => (await a.leftovers()).length === 0);
      assert.ok(b.holds(V4), "the new owner goes on");
      await b.tandem("drain", "--undo");
      await until("a has it again", async () => a.holds(V4) && (await isBackupOf(a, b)));
      await clients[1]?.call("startStreams", load);
      await sleep(500);
      await a.tandem("handover", "VI_1");
      await until("it is kept", () => a.holds(V4, "lo"));
      // Stopped first: whoever survives the others by a moment would take everything away.
      for (const signal of ["SIGSTOP", "SIGKILL"]) await a.agent.call("signalPart", { part: "all", signal });
      await sleep(100);
      assert.ok(a.holds(V4, "lo"), "nobody is there to take it away");
      await a.startBackEnd();
      await a.start();
      await until("the next start does", async () => (await a.leftovers()).length === 0);
    }));
});

/** The tables in the kernel have a detour. */
function hasDetour(leftovers: readonly string[]): boolean {
  return leftovers.some((line) => line.includes("table ip "));
}

/** By all links of the switch. */
function packetsReceived(): number {
  const lines = readFileSync("/proc/self/net/dev", "latin1").trim().split("\n").slice(2);
  return lines.reduce(
    (sum, line) =>
      sum +
      Number(
        line
          .slice(line.indexOf(":") + 1)
          .trim()
          .split(/\s+/)[1],
      ),
    0,
  );
}

/** What an ARP frame or a neighbour advertisement says, in words. */
function whatIsSaid(frame: Uint8Array): string {
  const arp = decodeArpFrame(frame);
  if (arp.ok) {
    const { operation, senderIp, targetIp } = arp.value;
    return operation === 1
      ? `who has ${printIp(targetIp)}, asks ${printIp(senderIp)}`
      : `${printIp(senderIp)} is here, ${printIp(targetIp)}`;
  }
  const advert = decodeNeighborAdvertFrame(frame);
  return advert.ok ? `${printIp(advert.value.target)} is here` : "something else";
}

/** A TCP segment with ACK from an address that nobody knows, in an Ethernet frame. */
function strayFrame(to: Uint8Array): Uint8Array {
  const source = Uint8Array.of(192, 168, 50, 222);
  const destination = Uint8Array.of(192, 168, 50, 130);
  const segment = new Uint8Array(20);
  const view = new DataView(segment.buffer);
  view.setUint16(0, 40_000);
  view.setUint16(2, STREAM_PORT);
  view.setUint32(4, 1);
  view.setUint32(8, 1);
  segment[12] = 5 << 4;
  segment[13] = 0x10;
  view.setUint16(14, 1000);
  view.setUint16(16, foldChecksum(addWords(pseudoHeaderSum(source, destination, 6, segment.length), segment)));
  const packet = encodeIpv4({ source, destination, protocol: 6, ttl: 64, tos: 0, id: 1 }, segment);
  const frame = new Uint8Array(14 + packet.length);
  frame.set(to);
  frame.set([2, 0, 0, 0, 0, 0x77], 6);
  frame.set([8, 0], 12);
  frame.set(packet, 14);
  return frame;
}
