// lane: waits
/** `use_vmac` on a real segment: with the real keepalived on either side, on links that come and go, after crashes, with a partner. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { missingForLab, SegmentLab, until, untilTaken } from "./support/segment-lab.ts";

const skip = missingForLab() ?? false;
const skipWithoutKeepalived = missingForLab(["keepalived"]) ?? false;

/** The link that each address belongs on; the last byte of the address is the VRID. */
const LINKS: Readonly<Record<string, string>> = {
  "192.168.50.51": "vrrp.51",
  "192.168.50.52": "vmac52",
  "2001:db8:50::53": "vrrp.53",
  "192.168.50.54": "vrrp.54",
  "192.168.50.55": "vrrp.55",
  "2001:db8:50::55": "vrrp6.55",
};

const VRIDS = [51, 52, 53, 54, 55];

function instance(vrid: number, priority: number, body: string, addresses: string): string {
  return `vrrp_instance VI_${vrid} {
  interface eth0
  virtual_router_id ${vrid}
  priority ${priority}
${body}
  virtual_ipaddress {
    ${addresses}
  }
}`;
}

/** Every way to use a virtual MAC address: alone, named and sent from the base, IPv6, unicast, for addresses of the other family. */
function config(self: number, priority: number): string {
  return [
    `global_defs {\n  router_id lab-${self}\n}`,
    instance(51, priority, "  advert_int 1\n  use_vmac", "192.168.50.51/24"),
    instance(52, priority, "  advert_int 1\n  use_vmac vmac52 02:11:22:33:44\n  vmac_xmit_base", "192.168.50.52"),
    instance(53, priority, "  version 3\n  advert_int 0.3\n  use_vmac", "fe80::53\n    2001:db8:50::53/64"),
    instance(
      54,
      priority,
      `  version 3\n  advert_int 0.3\n  use_vmac\n  vmac_xmit_base\n  unicast_src_ip 192.168.50.${self}
  unicast_peer {\n    192.168.50.${267 - self}\n  }`,
      "192.168.50.54",
    ),
    instance(
      55,
      priority,
      "  advert_int 1\n  use_vmac\n  use_vmac_addr\n  virtual_ipaddress_excluded {\n    2001:db8:50::55/64\n  }",
      "192.168.50.55",
    ),
  ].join("\n");
}

function holdsOn(lab: SegmentLab, host: string, address: string, link: string): boolean {
  return new RegExp(`\\d+: ${link}\\s.* ${address}/`).test(lab.ip(host, "-o", "addr", "show"));
}

function all(lab: SegmentLab, host: string): boolean {
  return Object.entries(LINKS).every(([address, link]) => holdsOn(lab, host, address, link));
}

function none(lab: SegmentLab, host: string): boolean {
  const shown = lab.ip(host, "-o", "addr", "show");
  return Object.keys(LINKS).every((address) => !shown.includes(` ${address}/`));
}

/** Of each virtual link, by name. */
function macvlanIndexes(lab: SegmentLab, host: string): ReadonlyMap<string, string> {
  const shown = lab.ip(host, "-o", "link", "show", "type", "macvlan");
  return new Map([...shown.matchAll(/^(\d+): ([^@]+)@/gm)].map(([, index, name]) => [name as string, index as string]));
}

function macvlans(lab: SegmentLab, host: string): readonly string[] {
  return [...macvlanIndexes(lab, host).keys()].sort();
}

/** Reads or writes a file under /proc/sys/net of a host. */
function sysctl(lab: SegmentLab, host: string, name: string, value?: string): string {
  const order = value === undefined ? `cat /proc/sys/net/${name}` : `echo ${value} > /proc/sys/net/${name}`;
  return spawnSync("ip", ["netns", "exec", lab.namespace(host), "sh", "-c", order], { encoding: "utf8" }).stdout.trim();
}

/** Where the switch has seen a MAC address last. */
function portOf(lab: SegmentLab, mac: string): string | undefined {
  const { stdout } = spawnSync("bridge", ["-netns", lab.namespace("switch"), "fdb", "show", "br", "br0"], {
    encoding: "utf8",
  });
  return new RegExp(`^${mac} dev (\\S+) `, "m").exec(stdout)?.[1];
}

/** What host c believes, which believes every gratuitous ARP. */
function neighbour(lab: SegmentLab, address: string): string | undefined {
  return / lladdr (\S+)/.exec(lab.ip("c", "neigh", "show", address))?.[1];
}

/** Host b has been left as it was. */
function isClean(lab: SegmentLab, host: string): boolean {
  const rules = spawnSync("ip", ["netns", "exec", lab.namespace(host), "nft", "list", "tables"], { encoding: "utf8" });
  return (
    macvlans(lab, host).length === 0 &&
    sysctl(lab, host, "ipv4/conf/eth0/arp_ignore") === "0" &&
    !rules.stdout.includes("tandem")
  );
}

describe("virtual MAC addresses", { concurrency: true }, () => {
  for (const [first, second] of [
    ["tandem", "keepalived"],
    ["keepalived", "tandem"],
    ["tandem", "tandem"],
  ] as const)
    test(`${first} of priority 100 and ${second} of priority 90 pass on addresses together with their MAC address`, {
      skip: skipWithoutKeepalived,
    }, async () => {
      const lab = new SegmentLab(["a", "b", "c"]);
      sysctl(lab, "c", "ipv4/conf/eth0/arp_accept", "1");
      try {
        const b = lab.start(second, "b", config(134, 90));
        await until("the only node takes everything", () => all(lab, "b"));
        assert.equal(neighbour(lab, "192.168.50.51"), "00:00:5e:00:01:33");
        assert.equal(portOf(lab, "00:00:5e:00:01:33"), "pb");
        let a = lab.start(first, "a", config(133, 100));
        await until("the better node takes everything over", () => all(lab, "a") && none(lab, "b"));
        await until("the switch knows", () => portOf(lab, "00:00:5e:00:01:33") === "pa");
        assert.equal(neighbour(lab, "192.168.50.51"), "00:00:5e:00:01:33");
        assert.equal(neighbour(lab, "192.168.50.52"), "02:11:22:33:44:34");
        await until("all of it", () =>
          ["02:11:22:33:44:34", "00:00:5e:00:02:35"].every((mac) => portOf(lab, mac) === "pa"),
        );

        await a.stop();
        await until("a graceful stop hands everything over", () => all(lab, "b") && none(lab, "a"), 3000);
        await until("which was asked for", () => b.log().includes("Backup received priority 0 advertisement"));
        assert.deepEqual(macvlans(lab, "a"), []);
        if (first === "tandem") assert.ok(isClean(lab, "a"), "nothing is left");

        a = lab.start(first, "a", config(133, 100));
        await until("the better node takes everything back", () => all(lab, "a") && none(lab, "b"));
        const said = b.log().length;
        const before = macvlanIndexes(lab, "a");
        process.kill(Number(readFileSync(a.vrrpPidFile, "latin1")), "SIGKILL");
        if (first === "tandem") await untilTaken(b, VRIDS, said);
        await until("the better node has everything again", () => all(lab, "a") && none(lab, "b"), 20_000);
        // A link that is left is used again: others are there because the guard has removed these.
        if (first === "tandem")
          for (const [name, index] of macvlanIndexes(lab, "a")) assert.notEqual(index, before.get(name), name);
        for (const daemon of [a, b])
          assert.doesNotMatch(
            daemon.log(),
            /checksum|mismatch|not present|too short|too long|cannot|Unable to create/i,
          );
      } finally {
        await lab.close();
      }
    });

  test("what a killed node has left behind is found again, mended, and gone at the end", { skip }, async () => {
    const lab = new SegmentLab(["a"]);
    try {
      sysctl(lab, "a", "ipv4/conf/all/rp_filter", "1");
      const first = lab.start("tandem", "a", config(133, 100));
      await until("it has everything", () => all(lab, "a"));
      assert.equal(sysctl(lab, "a", "ipv4/conf/all/rp_filter"), "0");
      assert.equal(sysctl(lab, "a", "ipv4/conf/eth0/rp_filter"), "1");
      assert.equal(sysctl(lab, "a", "ipv4/conf/vrrp.51/rp_filter"), "0");
      const left = macvlans(lab, "a");
      process.kill(first.process.pid as number, "SIGSTOP");
      process.kill(Number(readFileSync(first.vrrpPidFile, "latin1")), "SIGKILL");
      await first.stop("SIGKILL");
      assert.deepEqual(macvlans(lab, "a"), left, "nobody was there to take it away");
      assert.ok(all(lab, "a"));
      lab.ip("a", "link", "set", "vmac52", "address", "02:11:22:33:44:99");
      const index = / vrrp\.51@/.exec(lab.ip("a", "-o", "link", "show"))?.index;
      const second = lab.start("tandem", "a", config(133, 100));
      await until("it begins without them", () => none(lab, "a"));
      await until("and has everything again", () => all(lab, "a"));
      assert.match(second.log(), /\(VI_51\) Found matching interface vrrp\.51/);
      assert.match(second.log(), /\(VI_52\) Update old VMAC interface vmac52 due to wrong MAC/);
      assert.match(lab.ip("a", "link", "show", "vmac52"), /02:11:22:33:44:34/);
      assert.equal(/ vrrp\.51@/.exec(lab.ip("a", "-o", "link", "show"))?.index, index);
      await second.stop();
      assert.deepEqual(macvlans(lab, "a"), []);
      assert.equal(lab.ip("a", "-o", "-6", "addr", "show", "dev", "eth0").split("\n").length, 2, "its own address");
    } finally {
      await lab.close();
    }
  });

  test("a link that somebody removes is made anew; one whose base comes and goes follows it", { skip }, async () => {
    const lab = new SegmentLab(["a"]);
    const text = `global_defs {\n  dynamic_interfaces allow_if_changes\n}\n${instance(
      51,
      100,
      "  version 3\n  advert_int 0.1\n  use_vmac",
      "192.168.50.51",
    )}`;
    const holds = () => holdsOn(lab, "a", "192.168.50.51", "vrrp.51");
    try {
      const a = lab.start("tandem", "a", text);
      await until("it is active", holds);
      lab.ip("a", "link", "del", "vrrp.51");
      await until("the link is there again, with its address", holds);
      await until("which is said", () => a.log().match(/Success creating VMAC interface vrrp\.51/g)?.length === 2);
      lab.ip("a", "link", "del", "eth0");
      await until("without the base it is in fault", () => a.log().includes("Entering FAULT STATE"));
      assert.deepEqual(macvlans(lab, "a"), []);
      const fabric = lab.namespace("switch");
      lab.ip("a", "link", "add", "eth0", "type", "veth", "peer", "name", "pa", "netns", fabric);
      spawnSync("ip", ["-n", fabric, "link", "set", "pa", "master", "br0", "up"]);
      lab.ip("a", "addr", "add", "192.168.50.133/24", "dev", "eth0");
      lab.ip("a", "link", "set", "eth0", "up");
      await until("with a new base it is active again", holds);
      await a.stop();
      assert.ok(isClean(lab, "a"));
    } finally {
      await lab.close();
    }
  });

  test("somebody else's link of that name is left alone, and the instance says so", { skip }, async () => {
    const lab = new SegmentLab(["a"]);
    try {
      const a = lab.start("tandem", "a", instance(51, 100, "  use_vmac vmac51", "192.168.50.51"));
      await until("it is active", () => holdsOn(lab, "a", "192.168.50.51", "vmac51"));
      await a.stop();
      const b = lab.start("tandem", "a", instance(51, 100, "  use_vmac", "192.168.50.51"));
      await until("it is active again", () => holdsOn(lab, "a", "192.168.50.51", "vrrp.51"));
      process.kill(b.process.pid as number, "SIGSTOP");
      process.kill(Number(readFileSync(b.vrrpPidFile, "latin1")), "SIGKILL");
      await b.stop("SIGKILL");
      const c = lab.start("tandem", "a", instance(51, 100, "  use_vmac vmac51", "192.168.50.51"));
      await until("a link with its MAC address and another name makes way", () =>
        holdsOn(lab, "a", "192.168.50.51", "vmac51"),
      );
      assert.deepEqual(macvlans(lab, "a"), ["vmac51"]);
      await c.stop();
      lab.ip("a", "link", "add", "vrrp.51", "type", "veth", "peer", "name", "vrrp1.51");
      const d = lab.start("tandem", "a", instance(51, 100, "  use_vmac", "192.168.50.51"));
      await until("another name is free", () => holdsOn(lab, "a", "192.168.50.51", "vrrp2.51"));
      await d.stop();
      assert.match(lab.ip("a", "link", "show", "vrrp.51"), /vrrp\.51@vrrp1\.51/);
    } finally {
      await lab.close();
    }
  });

  test("a reload makes and removes links without touching the others", { skip }, async () => {
    const lab = new SegmentLab(["a"]);
    const body = (more: string) => `  version 3\n  advert_int 0.1\n  use_vmac\n${more}`;
    const one = (more: string, addresses = "192.168.50.51") => instance(51, 100, body(more), addresses);
    try {
      const a = lab.start("tandem", "a", one(""));
      await until("it is active", () => holdsOn(lab, "a", "192.168.50.51", "vrrp.51"));
      const reload = (text: string) => {
        lab.write(a, text);
        a.process.kill("SIGHUP");
      };
      reload(`${one("  use_vmac_addr\n  virtual_ipaddress_excluded {\n    2001:db8:50::51/64\n  }")}
${instance(52, 100, body(""), "192.168.50.52")}`);
      await until("the new ones are there", () =>
        [
          ["192.168.50.51", "vrrp.51"],
          ["2001:db8:50::51", "vrrp6.51"],
          ["192.168.50.52", "vrrp.52"],
        ].every(([address = "", link = ""]) => holdsOn(lab, "a", address, link)),
      );
      reload(one(""));
      await until("they are gone again", () => macvlans(lab, "a").join() === "vrrp.51");
      assert.ok(holdsOn(lab, "a", "192.168.50.51", "vrrp.51"));
      // What the routers say travels further than what they do.
      await until("which is said", () => a.log().includes("Success removing interface vrrp.52"));
      assert.equal(a.log().match(/\(VI_51\) Entering MASTER STATE/g)?.length, 1);
      reload(instance(51, 100, "  version 3\n  advert_int 0.1", "192.168.50.51"));
      await until("without use_vmac it is on the base", () => lab.holds("a", "192.168.50.51"));
      assert.deepEqual(macvlans(lab, "a"), []);
      await a.stop();
      assert.ok(isClean(lab, "a"));
    } finally {
      await lab.close();
    }
  });
});
