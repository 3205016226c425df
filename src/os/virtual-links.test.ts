import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseIp, printIp } from "../base/ip.ts";
import { NLM_F_CREATE } from "../wire/netlink/message.ts";
import {
  decodeNeighbour,
  encodeNeighbour,
  encodeNeighbourRequest,
  NUD_STALE,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from "../wire/netlink/neighbour.ts";
import { openLinkBuilder } from "./link-builder.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import { inPrivateNetwork } from "./private-network.cases.ts";
import { openRouting } from "./routing.ts";
import { KernelVirtualLinks } from "./virtual-links.ts";

const mac = Uint8Array.of(0, 0, 0x5e, 0, 1, 51);
const common = { kind: "macvlan", mac, ipvlanType: "bridge", group: undefined } as const;

inPrivateNetwork(import.meta.url, () => {
  const [routing, builder, links] = [openRouting(), openLinkBuilder(), new KernelVirtualLinks()];
  const index = (name: string): number => routing.link(name)?.index ?? assert.fail(`no link ${name}`);
  const sysctl = (name: string): string => readFileSync(`/proc/sys/net/${name}`, "latin1").trim();
  assert.equal(builder.createVethPair("eth0", "far"), undefined);
  for (const name of ["eth0", "far"]) routing.setLinkUp(index(name), true);

  test("a macvlan is made, found, mended and removed, with the settings that it needs", () => {
    const settings = { ...common, name: "vrrp.51", baseIndex: index("eth0"), family: 4 } as const;
    assert.equal(links.create(settings), undefined);
    assert.equal(links.create(settings)?.message, "create macvlan vrrp.51: EEXIST");
    const found = links.found().find(({ name }) => name === "vrrp.51");
    assert.deepEqual(found, {
      index: index("vrrp.51"),
      name: "vrrp.51",
      kind: "macvlan",
      baseIndex: index("eth0"),
      mac,
      isOurKind: true,
      ipvlanType: undefined,
    });
    assert.equal(links.found().find(({ name }) => name === "eth0")?.isOurKind, false);
    assert.equal(links.update(found.index, { ...settings, mac: Uint8Array.of(2, 0, 0, 0, 0, 1) }), undefined);
    assert.deepEqual(routing.link("vrrp.51")?.mac, Uint8Array.of(2, 0, 0, 0, 0, 1));
    assert.equal(links.prepare(found.index, settings), undefined);
    assert.ok(routing.link("vrrp.51")?.isUp);
    for (const [name, value] of [
      ["arp_ignore", "1"],
      ["accept_local", "1"],
      ["rp_filter", "0"],
      ["promote_secondaries", "1"],
    ])
      assert.equal(sysctl(`ipv4/conf/vrrp.51/${name}`), value, name);
    assert.equal(sysctl("ipv6/conf/vrrp.51/disable_ipv6"), "1");
    assert.equal(links.announceLink(settings.baseIndex), undefined);
    assert.equal(links.remove(found.index), undefined);
    assert.equal(routing.link("vrrp.51"), undefined);
  });

  test("a link of IPv6 makes no address by itself", () => {
    const settings = { ...common, name: "vrrp6.51", baseIndex: index("eth0"), family: 6 } as const;
    assert.equal(links.create(settings), undefined);
    assert.equal(links.prepare(index("vrrp6.51"), settings), undefined);
    assert.equal(sysctl("ipv6/conf/vrrp6.51/addr_gen_mode"), "1");
    assert.equal(sysctl("ipv6/conf/vrrp6.51/disable_ipv6"), "0");
    assert.deepEqual(routing.addresses(index("vrrp6.51")), []);
    assert.equal(links.remove(index("vrrp6.51")), undefined);
  });

  test("a base's ARP settings are read and written", () => {
    assert.deepEqual(links.arpSettings(index("eth0")), { arpIgnore: 0, arpFilter: 0 });
    assert.equal(links.setArpSettings(index("eth0"), { arpIgnore: 1, arpFilter: 1 }), undefined);
    assert.equal(sysctl("ipv4/conf/eth0/arp_ignore") + sysctl("ipv4/conf/eth0/arp_filter"), "11");
    assert.deepEqual(links.arpSettings(index("eth0")), { arpIgnore: 1, arpFilter: 1 });
    assert.equal(links.arpSettings(9999), undefined);
  });

  test("neighbours of one link are forgotten, those of others are not", () => {
    const settings = { ...common, name: "vrrp6.51", baseIndex: index("eth0"), family: 6 } as const;
    assert.equal(links.create(settings), undefined);
    assert.equal(links.prepare(index("vrrp6.51"), settings), undefined);
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    const add = (name: string, text: string): void => {
      const neighbour = { linkIndex: index(name), ip: parseIp(text) ?? assert.fail(text), mac, flags: 0, type: 0 };
      const body = encodeNeighbour({ ...neighbour, state: NUD_STALE });
      assert.ok(socket.change(RTM_NEWNEIGH, NLM_F_CREATE, body).errno === 0, text);
    };
    const left = (): string[] =>
      socket.dump(RTM_GETNEIGH, RTM_NEWNEIGH, encodeNeighbourRequest()).flatMap((body) => {
        const found = decodeNeighbour(body);
        return found.ok && found.value.state === NUD_STALE ? [printIp(found.value.ip)] : [];
      });
    for (const text of ["2001:db8::2", "192.0.2.2"]) add("vrrp6.51", text);
    add("eth0", "2001:db8::3");
    assert.deepEqual(left().sort(), ["192.0.2.2", "2001:db8::2", "2001:db8::3"]);
    assert.equal(links.forgetNeighbours(index("vrrp6.51")), undefined);
    assert.deepEqual(left(), ["2001:db8::3"]);
    socket.close();
    assert.equal(links.remove(index("vrrp6.51")), undefined);
  });

  const nft = (): string => spawnSync("nft", ["list", "ruleset"], { encoding: "utf8" }).stdout ?? "";
  const hasNft = spawnSync("nft", ["--version"]).status === 0;
  test("reports about groups leave by the base, and the base alone answers for its address", {
    skip: hasNft ? false : "nft is not installed",
  }, () => {
    const hides = Uint8Array.of(0xfe, 0x80, ...new Array(13).fill(0), 1);
    const quiet = { name: "vrrp.51", baseIndex: index("eth0"), hides };
    assert.equal(links.quieten([quiet]), undefined);
    const rules = nft();
    assert.match(rules, /oifname "vrrp\.51" meta l4proto igmp dup to ip daddr device "eth0" drop/);
    assert.match(rules, /oifname "vrrp\.51" icmpv6 type mld2-listener-report dup to ip6 daddr device "eth0" drop/);
    assert.match(rules, /oifname "vrrp\.51" icmpv6 type nd-router-solicit drop/);
    assert.match(rules, /oifname "vrrp\.51" icmpv6 type nd-neighbor-advert .*drop/);
    assert.equal(links.quieten([]), undefined);
    assert.doesNotMatch(nft(), /tandem_vmac/);
  });
});
