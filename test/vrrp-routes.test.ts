// lane: waits
/** Routes, rules and static items in the kernel: set, repaired, exchanged by a reload, taken away by a stop, by the guard, by a successor. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { missingForLab, SegmentLab, until } from "./support/segment-lab.ts";

const skip = missingForLab() ?? false;
const skipWithoutKeepalived = missingForLab(["keepalived"]) ?? false;

const TIMING = "  interface eth0\n  virtual_router_id 51\n  version 3\n  advert_int 0.1";

function instance(routes: readonly string[], rules: readonly string[] = [], more = ""): string {
  return `vrrp_instance VI_1 {
${TIMING}
${more}
  virtual_ipaddress {
    192.168.50.130
    192.168.70.1/24
  }
  virtual_ipaddress_excluded {
    2001:db8:70::1/64
  }
  virtual_routes {
    ${routes.join("\n    ")}
  }
  virtual_rules {
    ${rules.join("\n    ")}
  }
}`;
}

/** Every option that a kernel without further modules knows. */
const ROUTES = [
  "10.1.0.0/16 via 192.168.50.1 dev eth0",
  "10.2.0.0/16 dev eth0 src 192.168.50.130 table 1000 scope link metric 7",
  "blackhole 10.3.0.0/16 no_track",
  "unreachable 10.4.0.0/16 table 100 no_track",
  "10.5.0.0/16 via 10.99.0.1 dev eth0 onlink tos 0x10 protocol 77 no_track",
  "10.6.0.0/16 dev eth0 mtu lock 1400 advmss 1200 rtt 400ms rttvar 300ms window 5000 cwnd lock 9 ssthresh 8",
  "10.7.0.0/16 dev eth0 reordering 5 hoplimit 33 initcwnd 11 initrwnd 12 rto_min 250ms features ecn quickack 1 congctl cubic",
  "10.8.0.0/16 no_track nexthop via 192.168.50.1 dev eth0 weight 3 nexthop via 192.168.50.2 dev eth0",
  "10.9.0.0/16 dev eth0 fastopen_no_cookie 1 append",
  "2001:db8:1::/48 via 2001:db8:70::2 dev eth0 metric 5 pref high",
  "2001:db8:2::/48 dev eth0 expires 1000",
  "inet6 default via 2001:db8:70::2 dev eth0 table 100",
];

const RULES = [
  "from 10.1.0.0/16 table 100 priority 1001",
  "not from 10.2.0.0/16 to 10.3.0.0/16 tos 0x10 fwmark 0x5/0xff lookup 1000 priority 1002",
  "iif eth0 oif lo blackhole priority 1003",
  "from all goto 2000 priority 1004",
  "from 10.4.0.0/16 table 100 suppress_prefixlength 8 suppress_ifgroup 5 priority 1005",
  "ipproto tcp sport 80-90 dport 100-200 uidrange 0-100 table 100 priority 1006",
  "from 2001:db8::/32 table 100 priority 1007",
  "inet6 iif eth0 prohibit priority 1008",
  "from 10.5.0.0/16 table 100 tunnel-id 5 protocol 9 no_track priority 1009",
];

function lines(lab: SegmentLab, ...args: readonly string[]): readonly string[] {
  const shown = lab
    .ip("a", ...args)
    .replace(/ +/g, " ")
    .replace(/ expires \d+sec/g, " expires");
  return shown.split("\n").map((line) => line.trim());
}

/** Everything that is not the kernel's own. */
function items(lab: SegmentLab): readonly string[] {
  const routes = ["-4", "-6"].flatMap((family) => lines(lab, "-d", family, "route", "show", "table", "all"));
  const rules = ["-4", "-6"].flatMap((family) => lines(lab, family, "rule", "show"));
  const isOwn = (line: string): boolean =>
    line !== "" && !/ proto kernel |^anycast |^multicast |^(0|32766|32767):/.test(line);
  return [...routes, ...rules].filter(isOwn).sort();
}

describe("routes and rules", { concurrency: true }, () => {
  test("each option is in the kernel what it is with keepalived, and gone with the address", {
    skip: skipWithoutKeepalived,
  }, async () => {
    const lab = new SegmentLab(["a"]);
    // These keepalived 2.2.7 does not read, though its manual has them.
    const isOurs = (line: string): boolean => line.startsWith("inet6");
    const config = instance(
      ROUTES.filter((line) => !isOurs(line)),
      RULES.filter((line) => !isOurs(line)),
    );
    try {
      const theirs = lab.start("keepalived", "a", config);
      await until("keepalived is active", () => items(lab).length >= 18);
      await until("to the last rule", () => items(lab).some((line) => line.startsWith("1009:")));
      const expected = items(lab);
      await theirs.stop();
      assert.deepEqual(items(lab), []);
      const ours = lab.start("tandem", "a", config);
      await until("tandem is active", () => items(lab).length === expected.length);
      assert.deepEqual(items(lab), expected);
      await ours.stop();
      assert.deepEqual(items(lab), []);
      assert.doesNotMatch(ours.log(), /cannot/);
    } finally {
      await lab.close();
    }
  });

  test("what somebody deletes is restored, and a link that comes back brings its routes back", { skip }, async () => {
    const lab = new SegmentLab(["a"]);
    try {
      const a = lab.start("tandem", "a", instance(ROUTES, RULES));
      await until("all is set", () => items(lab).length === ROUTES.length + RULES.length + 2);
      const all = items(lab);
      lab.ip("a", "route", "del", "10.1.0.0/16");
      lab.ip("a", "rule", "del", "priority", "1002");
      await until("they are back", () => items(lab).join() === all.join());
      await until("which is said", () => a.log().includes("(VI_1) Restoring deleted route 10.1.0.0/16 via"));
      assert.match(a.log(), /\(VI_1\) Restoring deleted rule not from 10\.2\.0\.0\/16/);
      assert.equal(a.log().match(/Entering BACKUP STATE/g)?.length, 1);
      lab.ip("a", "link", "set", "eth0", "down");
      await until("without the link nothing is left", () => !items(lab).some((line) => line.startsWith("100")));
      lab.ip("a", "link", "set", "eth0", "up");
      await until("and all returns", () => items(lab).join() === all.join());
    } finally {
      await lab.close();
    }
  });

  test("a reload exchanges them, the guard takes them away, and so does a successor of a killed node", {
    skip,
  }, async () => {
    const lab = new SegmentLab(["a"]);
    const first = instance(
      ["10.1.0.0/16 dev eth0", "10.2.0.0/16 dev eth0"],
      ["from 10.1.0.0/16 table 100 priority 1001"],
    );
    const second = instance(
      ["10.2.0.0/16 dev eth0", "10.3.0.0/16 dev eth0"],
      ["from 10.3.0.0/16 table 100 priority 1001"],
    );
    const destinations = () => items(lab).map((line) => /(10\.\d)\.0\.0/.exec(line)?.[1]);
    try {
      let a = lab.start("tandem", "a", first);
      await until("the first ones", () => destinations().join() === "10.1,10.1,10.2");
      lab.write(a, second);
      a.process.kill("SIGHUP");
      await until("the second ones", () => destinations().join() === "10.3,10.2,10.3");
      await until("the same router", () => a.log().includes("Reload finished") && a.log().includes("MASTER STATE"));
      assert.equal(a.log().match(/Entering MASTER STATE/g)?.length, 1);
      process.kill(Number(readFileSync(a.vrrpPidFile, "latin1")), "SIGKILL");
      await until("the guard", () => a.log().includes("0 priority sent, VIPs removed"));
      assert.deepEqual(items(lab), []);
      await until("they are set again", () => destinations().length === 3);
      process.kill(a.process.pid as number, "SIGSTOP");
      process.kill(Number(readFileSync(a.vrrpPidFile, "latin1")), "SIGKILL");
      await a.stop("SIGKILL");
      assert.equal(items(lab).length, 3, "nobody was there");
      a = lab.start("tandem", "a", second.replace("advert_int 0.1", "advert_int 5"));
      await until("the next start does it", () => items(lab).length === 0);
    } finally {
      await lab.close();
    }
  });

  test("static items are there from the start to the end, are restored, and instances depend on their links", {
    skip,
  }, async () => {
    const lab = new SegmentLab(["a"]);
    lab.ip("a", "link", "add", "eth1", "type", "veth", "peer", "name", "far1");
    for (const name of ["eth1", "far1"]) lab.ip("a", "link", "set", name, "up");
    const statics = (more: string) => `track_group G {
  group {
    VI_1
  }
}
static_ipaddress {
  192.168.60.1/24 dev eth1 track_group G
}
static_routes {
  10.1.0.0/16 via 192.168.60.2 dev eth1 track_group G
  ${more}
}
static_rules {
  from 10.1.0.0/16 table 100 priority 1001
}
${instance([])}`;
    const has = (text: string) => lab.ip("a", "addr").includes(text) || items(lab).join("\n").includes(text);
    try {
      const a = lab.start("tandem", "a", statics(""));
      await until("they are there", () => has("192.168.60.1/24") && has("10.1.0.0/16 via") && has("1001:"));
      await until("and the instance is active", () => lab.holds("a", "192.168.50.130"));
      lab.ip("a", "addr", "del", "192.168.60.1/24", "dev", "eth1");
      lab.ip("a", "rule", "del", "priority", "1001");
      await until("restored", () => has("192.168.60.1/24") && has("10.1.0.0/16 via") && has("1001:"));
      lab.ip("a", "link", "set", "eth1", "down");
      await until("a fault", () => !lab.holds("a", "192.168.50.130"));
      await until("which is said", () => a.log().includes("Entering FAULT STATE"));
      lab.ip("a", "link", "set", "eth1", "up");
      await until("and no longer", () => lab.holds("a", "192.168.50.130") && has("10.1.0.0/16 via"));
      lab.write(a, statics("10.2.0.0/16 dev eth1").replace("10.1.0.0/16 via 192.168.60.2 dev eth1 track_group G", ""));
      a.process.kill("SIGHUP");
      await until("exchanged", () => has("10.2.0.0/16 dev") && !has("10.1.0.0/16 via"));
      process.kill(Number(readFileSync(a.vrrpPidFile, "latin1")), "SIGKILL");
      await until("the guard has released", () => a.log().includes("released in place"));
      assert.ok(has("10.2.0.0/16 dev") && has("192.168.60.1/24"), "what is static stays");
      await until("all is well again", () => lab.holds("a", "192.168.50.130"));
      await a.stop();
      assert.ok(!has("192.168.60.1/24"));
      assert.deepEqual(items(lab), []);
    } finally {
      await lab.close();
    }
  });
});
