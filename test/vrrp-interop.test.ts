// lane: measures
/** Tandem and the real keepalived on one segment, in either role: versions 2 and 3, both families, multicast and unicast, AH, strict. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CHECKOUT } from "./support/lab.ts";
import { type Daemon, missingForLab, SegmentLab, until, untilTaken } from "./support/segment-lab.ts";

const skip = missingForLab(["keepalived"]) ?? false;

/** One router of each kind; the address's last byte is its VRID. */
const ADDRESSES = [
  "192.168.50.33",
  "192.168.50.34",
  "192.168.50.35",
  "2001:db8:50::36",
  "192.168.50.37",
  "192.168.50.38",
  "192.168.50.39",
  "192.168.50.40",
  "192.168.50.41",
];

const VRIDS = ADDRESSES.map((_, i) => 33 + i);

const AH = "  authentication {\n    auth_type AH\n    auth_pass secret12\n  }";

function config(self: number, priority: number, globals = ""): string {
  const instance = (vrid: number, body: string, address: string) => `vrrp_instance VI_${vrid} {
  interface eth0
  virtual_router_id ${vrid}
  priority ${priority}
${body}
  virtual_ipaddress {
    ${address}
  }
}`;
  return [
    `global_defs {\n  router_id lab-${self}\n${globals}\n}`,
    instance(33, "  advert_int 1\n  authentication {\n    auth_type PASS\n    auth_pass 1111\n  }", "192.168.50.33"),
    instance(34, "  advert_int 1", "192.168.50.34"),
    instance(35, "  version 3\n  advert_int 0.3", "192.168.50.35/24"),
    instance(36, "  version 3\n  advert_int 0.3", "fe80::36\n    2001:db8:50::36/64"),
    instance(
      37,
      `  advert_int 1\n  unicast_src_ip 192.168.50.${self}\n  unicast_peer {\n    192.168.50.${267 - self}\n  }`,
      "192.168.50.37",
    ),
    instance(
      38,
      `  version 3\n  advert_int 0.3\n  unicast_src_ip 192.168.50.${self}\n  unicast_peer {\n    192.168.50.${267 - self}\n  }`,
      "192.168.50.38",
    ),
    instance(39, `  advert_int 1\n${AH}`, "192.168.50.39"),
    instance(
      40,
      `  advert_int 1\n${AH}\n  unicast_src_ip 192.168.50.${self}\n  unicast_peer {\n    192.168.50.${267 - self}\n  }`,
      "192.168.50.40",
    ),
    instance(41, "  version 3\n  advert_int 0.3\n  strict_mode\n  accept", "192.168.50.41"),
  ].join("\n");
}

const KEY = "  peer_key a-secret-of-this-test";

/** `tandem NAME` for the node of this daemon. */
function tell(daemon: Daemon, ...args: readonly string[]): Promise<{ status: number | null; output: string }> {
  const child = spawn(path.join(CHECKOUT, "bin/tandem"), [...args, "--socket", daemon.statusSocket]);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (output += part));
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, output })));
}

// Side by side, each in namespaces of its own: most of the time is waiting.
describe("interoperation", { concurrency: true }, () => {
  for (const [first, second] of [
    ["tandem", "keepalived"],
    ["keepalived", "tandem"],
    ["tandem", "tandem"],
  ] as const)
    test(`${first} of priority 100 and ${second} of priority 90 share the routers of all kinds`, { skip }, async () => {
      const lab = new SegmentLab(["a", "b"]);
      const all = (host: string) => lab.holdsAll(host, ADDRESSES);
      const none = (host: string) => lab.holdsNone(host, ADDRESSES);
      try {
        const b = lab.start(second, "b", config(134, 90));
        await until("the only node takes everything", () => all("b"));
        let a = lab.start(first, "a", config(133, 100));
        await until("the better node takes everything over", () => all("a") && none("b"));

        await a.stop();
        await until("a graceful stop hands everything over", () => all("b") && none("a"), 3000);
        assert.match(b.log(), /Backup received priority 0 advertisement/);

        a = lab.start(first, "a", config(133, 100));
        await until("the better node takes everything back", () => all("a") && none("b"));
        const said = b.log().length;
        process.kill(Number(readFileSync(a.vrrpPidFile, "latin1")), "SIGKILL");
        if (first === "tandem") await untilTaken(b, VRIDS, said);
        await until("the better node has everything again", () => all("a") && none("b"), 20_000);
        for (const daemon of [a, b])
          assert.doesNotMatch(daemon.log(), /checksum|mismatch|not present|too short|too long|invalid IPSEC/i);
      } finally {
        await lab.close();
      }
    });

  test("a sinking priority hands over, a recovered one takes back; a nopreempt node waits", { skip }, async () => {
    const lab = new SegmentLab(["a", "b"]);
    const body = (priority: number, more: string) => `global_defs {
    script_user root
  }
  vrrp_script chk {
    script "/usr/bin/test ! -e ${lab.folder}/broken"
    interval 1
    weight -20
  }
  vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 33
    priority ${priority}
    version 3
    advert_int 0.2
  ${more}
    virtual_ipaddress {
      192.168.50.130
    }
  }
  `;
    const holds = (host: string) => lab.holds(host, "192.168.50.130");
    try {
      const a = lab.start("tandem", "a", body(100, "  track_script {\n    chk\n  }"));
      await until("a takes over", () => holds("a"));
      const b = lab.start("keepalived", "b", body(90, ""));
      await until("b is there", () => b.log().includes("Entering BACKUP STATE"));
      writeFileSync(`${lab.folder}/broken`, "");
      await until("b outranks a", () => holds("b") && !holds("a"), 6000);
      // What it says comes by way of its supervisor, the address does not.
      await until("a says why", () => a.log().includes("Changing effective priority from 100 to 80"));
      rmSync(`${lab.folder}/broken`);
      await until("a outranks b", () => holds("a") && !holds("b"), 6000);

      await b.stop();
      const meek = lab.start("tandem", "b", body(200, "  state BACKUP\n  nopreempt"));
      await until("it is backup", () => meek.log().includes("Entering BACKUP STATE"));
      await sleep(1500);
      assert.ok(holds("a") && !holds("b"), "priority 200 with nopreempt does not take over");
      await a.stop();
      await until("but it does when the other one stops", () => holds("b"), 2000);
    } finally {
      await lab.close();
    }
  });

  test("signed adverts: every kind of router hands over and takes back, and strangers are not heard", {
    skip,
  }, async () => {
    const lab = new SegmentLab(["a", "b", "c"]);
    const secret = path.join(lab.folder, "secret");
    writeFileSync(secret, `hex:${"a5".repeat(32)}\n`, { mode: 0o600 });
    const block = (active: number): string => `  auth_hmac {
    key 1 0123456789abcdef0123456789abcdef
    key 2 file:${secret}
    active_key ${active}
  }`;
    const signed = (self: number, priority: number, active: number): string =>
      config(self, priority)
        .replaceAll(/ {2}authentication \{[^}]*\}/g, "")
        .replaceAll("  priority", `${block(active)}\n  priority`);
    const all = (host: string) => lab.holdsAll(host, ADDRESSES);
    const none = (host: string) => lab.holdsNone(host, ADDRESSES);
    try {
      const b = lab.start("tandem", "b", signed(134, 90, 1));
      await until("the only node takes everything", () => all("b"));
      let a = lab.start("tandem", "a", signed(133, 100, 2));
      await until("the better node takes everything over", () => all("a") && none("b"));
      await a.stop();
      await until("a graceful stop hands everything over", () => all("b") && none("a"), 3000);
      a = lab.start("tandem", "a", signed(133, 100, 2));
      await until("the better node takes everything back", () => all("a") && none("b"));
      await sleep(6000); // what the guard keeps was signed longer ago than the window of 5 s
      const said = b.log().length;
      process.kill(Number(readFileSync(a.vrrpPidFile, "latin1")), "SIGKILL");
      await untilTaken(b, VRIDS, said);
      await until("the better node has everything again", () => all("a") && none("b"), 20_000);
      const stranger = lab.start("tandem", "c", config(135, 200).replaceAll(/ {2}authentication \{[^}]*\}/g, ""));
      await until("a stranger without a key", () => stranger.log().includes("Entering MASTER STATE"));
      await until("is not heard", () => a.log().includes("missing authentication trailer"));
      assert.match(stranger.log(), /vrrp packet too long/);
      await sleep(1000);
      assert.ok(all("a") && none("b"));
      for (const daemon of [a, b])
        assert.doesNotMatch(daemon.log(), /stale|replayed|invalid|malformed|unknown auth|checksum/);
    } finally {
      await lab.close();
    }
  });

  test("a peer's old checksums of unicast adverts are found out and answered", { skip }, async () => {
    const lab = new SegmentLab(["a", "b"]);
    const one = (self: number, priority: number, more: string) =>
      `vrrp_instance VI_1 {\n  interface eth0\n  virtual_router_id 38\n  priority ${priority}\n  version 3\n  advert_int 0.3
  unicast_src_ip 192.168.50.${self}\n  unicast_peer {\n    192.168.50.${267 - self}\n  }\n${more}
  virtual_ipaddress {\n    192.168.50.38\n  }\n}\n`;
    const holds = (host: string) => lab.holds(host, "192.168.50.38");
    try {
      const b = lab.start("keepalived", "b", one(134, 100, "  old_unicast_checksum"));
      await until("keepalived has it", () => holds("b"));
      const a = lab.start("tandem", "a", one(133, 90, ""));
      await until("it is understood", () => a.log().includes("Setting unicast VRRPv3 checksum to old version"));
      await sleep(2000);
      assert.ok(holds("b") && !holds("a"));
      await b.stop();
      await until("a takes over", () => holds("a"), 2000);
      const again = lab.start("keepalived", "b", one(134, 80, "  old_unicast_checksum"));
      await until("keepalived is there", () => again.log().includes("Entering BACKUP STATE"));
      await sleep(2000);
      assert.ok(holds("a") && !holds("b"), "and understands ours");
      assert.doesNotMatch(a.log() + again.log(), /Invalid VRRPv3 checksum/);
    } finally {
      await lab.close();
    }
  });

  for (const second of ["keepalived", "tandem"] as const)
    test(`tandem hands the routers of all kinds over to ${second} when it is told to, and takes them back`, {
      skip,
    }, async () => {
      const lab = new SegmentLab(["a", "b"]);
      const all = (host: string) => lab.holdsAll(host, ADDRESSES);
      const none = (host: string) => lab.holdsNone(host, ADDRESSES);
      try {
        const a = lab.start("tandem", "a", config(133, 100, KEY));
        await until("it has everything", () => all("a"));
        const b = lab.start(second, "b", config(134, 90, KEY));
        await sleep(3500); // whoever speaks the peer channel is known by then
        const given = await tell(a, "handover");
        assert.equal(given.status, 0, given.output);
        await until("everything has moved", () => all("b") && none("a"), 1000);
        const lines = given.output.trim().split("\n");
        assert.equal(lines.length, ADDRESSES.length, given.output);
        for (const line of lines)
          assert.match(
            line,
            second === "tandem"
              ? /^VI_\d\d: handed over to lab-134 \(.*\); open connections go on here$/
              : /^VI_\d\d: handed over to \S+; the partner speaks no peer channel .* cannot pass their packets on$/,
          );
        assert.doesNotMatch(b.log(), /priority 0/);
        await sleep(2000);
        assert.ok(all("b") && none("a"), "it stands back");
        const back = second === "tandem" ? await tell(b, "handover") : await tell(a, "drain", "--undo");
        assert.equal(back.status, 0, back.output);
        await until("everything is back", () => all("a") && none("b"));
        const refused = await tell(a, "handover", "VI_99");
        assert.deepEqual([refused.status, refused.output], [1, "VI_99: not handed over: there is no such instance\n"]);
      } finally {
        await lab.close();
      }
    });
});
