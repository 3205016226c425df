// lane: waits
/**
 * A running Tandem on a real segment: what it does with crafted adverts (the rows that were measured with keepalived), and
 * what the death or the hanging of its VRRP process costs.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { examplePassword, ip } from "../src/vrrp/example.ts";
import { type Advert, advertChecksum, encodeAdvert } from "../src/wire/vrrp/advert.ts";
import { missingForLab, SegmentLab, until } from "./support/segment-lab.ts";
import { monotonicMs, Station } from "./support/station.ts";

const skip = missingForLab() ?? false;

const rival: Advert = {
  version: 2,
  vrid: 33,
  priority: 200,
  intervalCs: 100,
  authType: 1,
  password: examplePassword("1111")?.password ?? new Uint8Array(8),
  addresses: [ip("192.168.50.130")],
};

function craft(changes: Partial<Advert>): Uint8Array {
  return encodeAdvert({ ...rival, ...changes }, undefined);
}

/** Changes one byte and puts the checksum right again. */
function bend(at: number, value: number, length = 20): Uint8Array {
  const message = craft({}).slice(0, length);
  message[at] = value;
  message[6] = 0;
  message[7] = 0;
  const checksum = advertChecksum(message, undefined);
  message[6] = checksum >> 8;
  message[7] = checksum & 0xff;
  return message;
}

const wrong = craft({});
wrong[7] = (wrong[7] as number) ^ 1;

const ROWS: readonly [string, Uint8Array, RegExp, { ttl?: number; source?: Uint8Array }?][] = [
  ["lower priority", craft({ priority: 90 }), /with lower priority 90, ours 100, forcing new election/],
  [
    "the same priority, lower address",
    craft({ priority: 100 }),
    /forcing new election/,
    { source: ip("192.168.50.132") },
  ],
  ["priority 0", craft({ priority: 0 }), /Master received priority 0 message/],
  ["wrong password", craft({ password: new Uint8Array(8).fill(0x32) }), /received an invalid passwd!/],
  ["no authentication", craft({ authType: 0 }), /received a 0 auth, expecting 1!/],
  ["bad checksum", wrong, /Invalid VRRPv2 checksum/],
  ["TTL 64", craft({}), /invalid TTL\/HL\. Received 64 and expect 255/, { ttl: 64 }],
  ["other address", craft({ addresses: [ip("192.168.50.131")] }), /ip address associated with VRID 33 not present/],
  [
    "two addresses",
    craft({ addresses: [ip("192.168.50.130"), ip("192.168.50.131")] }),
    /unexpected ip number count 2, expected 1!/,
  ],
  ["other interval", craft({ intervalCs: 200 }), /advertisement interval mismatch mine=1 sec rcv'd=2 sec/],
  [
    "version 3",
    craft({ version: 3, authType: 0, password: new Uint8Array(0) }),
    /wrong version\. Received 3 and expect 2/,
  ],
  ["cut", bend(0, 0x21, 12), /vrrp packet too short, length 32 and expect 40/],
  ["lying count", bend(3, 5), /vrrp packet too short, length 40 and expect 56/],
  ["type 2", bend(0, 0x22), /Invalid packet type\. 2 and expect 1/],
];

const PASS = "  authentication {\n    auth_type PASS\n    auth_pass 1111\n  }";
function config(more: string, priority = 100): string {
  return `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 33
  priority ${priority}
${more}
  virtual_ipaddress {
    192.168.50.130
  }
}
`;
}

describe("a running node", { concurrency: true, skip }, () => {
  test("stays active through every crafted advert that must not count, and says why", async () => {
    const lab = new SegmentLab(["a", "b"]);
    const station = new Station(lab, "b");
    try {
      const a = lab.start("tandem", "a", config(`  advert_int 1\n${PASS}`));
      await until("active", () => lab.holds("a", "192.168.50.130") && station.isReady);
      for (const [name, message, says, how] of ROWS) {
        const before = a.log().length;
        station.inject(message, how);
        await until(`${name}: ${says}`, () => says.test(a.log().slice(before)), 3000);
        assert.doesNotMatch(a.log().slice(before), /Entering BACKUP STATE/, name);
      }
      station.inject(craft({ vrid: 34 }));
      station.inject(craft({}), { source: ip("192.168.50.133") });
      await sleep(200);
      assert.ok(lab.holds("a", "192.168.50.130"));
      for (const priority of [100, 255]) {
        station.inject(craft({ priority }));
        await until(`priority ${priority} from a higher address wins`, () => !lab.holds("a", "192.168.50.130"), 2000);
        await until("and it is back when nothing follows", () => lab.holds("a", "192.168.50.130"), 6000);
      }
      assert.ok(
        station.heard.every((heard) => heard.reason === undefined),
        "everything it sends is well-formed",
      );
    } finally {
      await station.close();
      await lab.close();
    }
  });

  test("whose VRRP process dies or hangs says goodbye at once, and its partner waits only the skew time", async (t) => {
    const lab = new SegmentLab(["a", "b", "c"]);
    const station = new Station(lab, "c");
    const v3 = "  version 3\n  advert_int 0.5";
    // Skew times of a backup with priority 254: 3.9 ms. Whatever is above that is ours, and the machine's.
    try {
      const a = lab.start("tandem", "a", config(v3, 254));
      await until("a is active", () => lab.holds("a", "192.168.50.130") && station.isReady);
      const b = lab.start("tandem", "b", config(v3, 250));
      await until("b is backup", () => b.log().includes("Entering BACKUP STATE"));
      for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
        await until("a is active", () => lab.holds("a", "192.168.50.130") && !lab.holds("b", "192.168.50.130"));
        await sleep(1200);
        station.heard.length = 0;
        const atMs = monotonicMs();
        process.kill(Number(readFileSync(a.vrrpPidFile, "latin1")), signal);
        await until(
          `b takes over after ${signal}`,
          () => station.heard.some(({ from }) => from === "192.168.50.134"),
          5000,
        );
        const goodbye = station.heard.find(({ priority }) => priority === 0);
        const takeover = station.heard.find(({ from }) => from === "192.168.50.134");
        assert.ok(goodbye !== undefined && takeover !== undefined);
        t.diagnostic(
          `${signal}: priority 0 after ${(goodbye.atMs - atMs).toFixed(1)} ms, take-over ${(takeover.atMs - goodbye.atMs).toFixed(1)} ms later`,
        );
        assert.ok(takeover.atMs > goodbye.atMs);
        // Without the guard: three intervals, 1500 ms.
        assert.ok(takeover.atMs - goodbye.atMs < 750, "the skew time, not the down interval");
        assert.ok(goodbye.atMs - atMs < (signal === "SIGKILL" ? 500 : 2500));
        await until("a lets go", () => !lab.holds("a", "192.168.50.130"), 3000);
      }
      assert.match(a.log(), /VRRP process hangs: silent for 1000 ms, killing it/);
    } finally {
      await station.close();
      await lab.close();
    }
  });

  test("an address that somebody removes comes back, a link that goes down is a fault at once", async () => {
    const lab = new SegmentLab(["a"]);
    try {
      const a = lab.start("tandem", "a", config("  version 3\n  advert_int 0.1"));
      await until("active", () => lab.holds("a", "192.168.50.130"));
      lab.ip("a", "addr", "del", "192.168.50.130/32", "dev", "eth0");
      await until("the address is back", () => lab.holds("a", "192.168.50.130"), 2000);
      await until("and says so", () => a.log().includes("was removed by somebody else, setting it again"), 2000);
      lab.ip("a", "link", "set", "eth0", "down");
      await until("fault", () => a.log().includes("Entering FAULT STATE"), 2000);
      assert.ok(!lab.holds("a", "192.168.50.130"));
      lab.ip("a", "link", "set", "eth0", "up");
      await until("active again", () => lab.holds("a", "192.168.50.130"), 4000);
    } finally {
      await lab.close();
    }
  });
});
