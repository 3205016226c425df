/** The three tables as the kernel has them, and its lists of sockets. What they do to packets is in test/netns/handover.test.ts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import net from "node:net";
import { test } from "node:test";
import { parseIp } from "../base/ip.ts";
import { NOTHING_FORWARDED } from "../io/detour.ts";
import { KernelDetours } from "./detours.ts";
import { inPrivateNetwork } from "./private-network.cases.ts";
import { openRouting } from "./routing.ts";

const ip = (text: string): Uint8Array => parseIp(text) ?? assert.fail(text);
const hasNft = spawnSync("nft", ["--version"]).status === 0;
const listing = (): string =>
  spawnSync("nft", ["list", "ruleset"], { encoding: "utf8" }).stdout.replaceAll(/\s*\n\s*/g, "\n");
const forwarded = NOTHING_FORWARDED;
const nothing = { detours: [], silences: [] };

inPrivateNetwork(import.meta.url, () => {
  const detours = new KernelDetours();
  const routing = openRouting();
  const lo = routing.link("lo")?.index ?? assert.fail("no loopback");
  routing.setLinkUp(lo, true);

  test("the kernel takes the rules of both families, and nothing is left of the attempt", (t) => {
    assert.deepEqual(detours.supports(), { ipv4: true, ipv6: true });
    if (!hasNft) return t.diagnostic("no nft here to look with");
    assert.equal(listing(), "");
  });

  test("a state is in the kernel as nft would have written it, and replaces the one before whole", {
    skip: hasNft ? false : "no nft here to look with",
  }, () => {
    const old = { address: ip("192.0.2.7"), to: ip("192.0.2.8"), linkIndex: lo, forwarded };
    assert.equal(detours.set({ detours: [old], silences: [] }), undefined);
    const state = {
      detours: [
        { address: ip("192.0.2.1"), to: ip("192.0.2.2"), linkIndex: lo, forwarded },
        { address: ip("2001:db8::1"), to: ip("fe80::2"), linkIndex: lo, forwarded: { ports: [443], marks: [7] } },
      ],
      silences: [{ address: ip("192.0.2.3"), speakAs: ip("192.0.2.4") }],
    };
    assert.equal(detours.set(state), undefined);
    const established = "tcp flags != syn / syn,ack";
    const v4 = `ip daddr 192.0.2.1 ${established}`;
    const v6 = `ip6 daddr 2001:db8::1 ${established}`;
    assert.equal(
      listing().trim(),
      [
        "table ip tandem_handover {",
        "chain detour {",
        "type filter hook prerouting priority mangle + 2; policy accept;",
        "ip daddr 192.0.2.1 ip ttl <= 1 return",
        `${v4} socket wildcard 0 return`,
        `${v4} ip ttl > 8 ip ttl set 8`,
        `${v4} socket wildcard 1 dup to 192.0.2.2 device "lo" drop`,
        `${v4} socket transparent <= 1 return`,
        `${v4} dup to 192.0.2.2 device "lo" drop`,
        "ip daddr 192.0.2.1 icmp type destination-unreachable ip ttl > 8 ip ttl set 8",
        'ip daddr 192.0.2.1 icmp type destination-unreachable dup to 192.0.2.2 device "lo"',
        "}",
        "}",
        "table ip6 tandem_handover {",
        "chain detour {",
        "type filter hook prerouting priority mangle + 2; policy accept;",
        "ip6 daddr 2001:db8::1 ip6 hoplimit <= 1 return",
        "ip6 daddr 2001:db8::1 meta mark 0x00000007 return",
        "ip6 daddr 2001:db8::1 tcp dport 443 return",
        `${v6} socket wildcard 0 return`,
        `${v6} ip6 hoplimit > 8 ip6 hoplimit set 8`,
        `${v6} socket wildcard 1 dup to fe80::2 device "lo" drop`,
        `${v6} socket transparent <= 1 return`,
        `${v6} dup to fe80::2 device "lo" drop`,
        "ip6 daddr 2001:db8::1 icmpv6 type <= parameter-problem ip6 hoplimit > 8 ip6 hoplimit set 8",
        'ip6 daddr 2001:db8::1 icmpv6 type <= parameter-problem dup to fe80::2 device "lo"',
        "}",
        "}",
        "table arp tandem_handover {",
        "chain hear {",
        "type filter hook input priority filter; policy accept;",
        "arp daddr ip 192.0.2.3 drop",
        "}",
        "chain say {",
        "type filter hook output priority filter; policy accept;",
        "arp saddr ip 192.0.2.3 arp saddr ip set 192.0.2.4",
        "}",
        "}",
      ].join("\n"),
    );
    assert.equal(detours.set(nothing), undefined);
    assert.equal(listing(), "");
  });

  test("a state that the kernel refuses changes nothing and says why", () => {
    const good = { address: ip("192.0.2.1"), to: ip("192.0.2.2"), linkIndex: lo, forwarded };
    assert.equal(detours.set({ detours: [good], silences: [] }), undefined);
    const before = hasNft ? listing() : "";
    const tooLong = { ...good, address: new Uint8Array(200) };
    const failure = detours.set({ detours: [good, tooLong], silences: [] });
    assert.match(failure?.message ?? "", /^nf_tables: E[A-Z]+/);
    if (hasNft) assert.equal(listing(), before);
    assert.equal(detours.set(nothing), undefined);
  });

  test("what another process has written goes, the second time as well", {
    skip: hasNft ? false : "no nft here to look with",
  }, () => {
    const detour = { address: ip("192.0.2.1"), to: ip("192.0.2.2"), linkIndex: lo, forwarded };
    for (let time = 1; time <= 2; time++) {
      const process = new KernelDetours();
      assert.equal(process.set({ detours: [detour], silences: [] }), undefined);
      assert.notEqual(listing(), "");
      process.close(); // it has died
      assert.equal(detours.clear(), undefined);
      assert.equal(listing(), "", `time ${time}`);
    }
  });

  test("open connections of an address are counted up to the bound, listeners by name are found", async () => {
    const addresses = [ip("127.0.0.9"), ip("2001:db8::9")];
    for (const address of addresses)
      assert.equal(
        routing.addAddress({ linkIndex: lo, ip: address, prefixLength: address.length * 8, nodad: true }),
        undefined,
      );
    assert.equal(detours.connections(addresses, 100), 0);
    const everywhere = net.createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => everywhere.listen(0, "::", resolve));
    const { port } = everywhere.address() as net.AddressInfo;
    const clients = ["127.0.0.9", "127.0.0.9", "2001:db8::9", "127.0.0.1"].map((host) => net.connect({ host, port }));
    await Promise.all(clients.map((client) => new Promise((resolve) => client.once("connect", resolve))));
    // On this machine the clients' own ends have these addresses, too: a client to itself speaks from the same one.
    const own = clients.filter((client) => ["127.0.0.9", "2001:db8::9"].includes(client.localAddress ?? "")).length;
    assert.equal(detours.connections(addresses, 100), 3 + own);
    assert.equal(detours.connections(addresses, 2), 2);
    assert.deepEqual(detours.listeners(addresses), []);
    const byName = net.createServer();
    await new Promise<void>((resolve) => byName.listen(0, "127.0.0.9", resolve));
    assert.deepEqual(detours.listeners(addresses), [ip("127.0.0.9")]);
    for (const client of clients) client.destroy();
    await new Promise((resolve) => everywhere.close(resolve));
    await new Promise((resolve) => byName.close(resolve));
  });

  test("connections that have ended are forgotten, and no others", async () => {
    const own = ip("127.0.0.9");
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, "::", resolve));
    const { port } = server.address() as net.AddressInfo;
    /** The server's end is the first to close, so that its minute begins; or it stays open. */
    const connect = async (host: string, isEnded: boolean): Promise<net.Socket> => {
      const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
      const client = net.connect({ host, port });
      const socket = await accepted;
      if (isEnded) socket.end();
      client.resume();
      if (isEnded) await new Promise((resolve) => client.once("close", resolve));
      return client;
    };
    await connect("127.0.0.9", true);
    await connect("127.0.0.9", true);
    await connect("127.0.0.1", true);
    const open = await connect("127.0.0.9", false);
    const ended = (): number => {
      const states = readFileSync("/proc/self/net/tcp6", "latin1").split("\n");
      return states.filter((line) => line.includes(" 06 ")).length;
    };
    assert.equal(ended(), 3);
    const before = detours.connections([own], 100);
    assert.equal(detours.forgetEnded([own]), undefined);
    assert.equal(ended(), 1, "of another address");
    assert.equal(detours.connections([own], 100), before);
    open.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test("the end", () => {
    routing.close();
    detours.close();
  });
});
