// lane: waits
/** BFD on a real segment: Tandem with itself, with keepalived and with FRR's bfdd, and what VRRP makes of it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Frr, missingFrr } from "./support/frr.ts";
import { missingForLab, SegmentLab, until } from "./support/segment-lab.ts";

const skip = missingForLab() ?? false;
const skipKeepalived = missingForLab(["keepalived"]) ?? false;
const skipFrr = missingForLab() ?? missingFrr() ?? false;

const VIRTUAL = "192.168.50.130";

/** Hosts a and b with an IPv6 address each: fd00::133, fd00::134. */
function pair(): SegmentLab {
  const lab = new SegmentLab(["a", "b"]);
  for (const [host, last] of [
    ["a", 133],
    ["b", 134],
  ] as const)
    lab.ip(host, "addr", "add", `fd00::${last}/64`, "dev", "eth0", "nodad");
  return lab;
}

/**
 * A node whose router follows a session of each family with the other one; every keyword of bfd_instance is in use. A machine
 * that runs many tests does not schedule everybody in time, so it takes 200 and 300 ms to be gone.
 */
function config(self: number, priority: number, changes: { four?: string; six?: string; track?: string } = {}): string {
  const other = 267 - self;
  return `bfd_instance four {
  neighbor_ip 192.168.50.${other}
  source_ip 192.168.50.${self}
  min_rx 20
  min_tx 20
  multiplier 10
${changes.four ?? ""}
}
bfd_instance six {
  neighbour_ip fd00::${other}
  source_ip fd00::${self}
  idle_tx 1500
  multiplier 30
  hoplimit 255
  max_hops 0
  weight 7
${changes.six ?? ""}
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 33
  priority ${priority}
  version 3
  advert_int 0.5
  track_bfd {
    ${changes.track ?? "four weight 20 reverse\n    six"}
  }
  virtual_ipaddress {
    ${VIRTUAL}
  }
}
`;
}

describe("BFD", { concurrency: true }, () => {
  for (const [first, second, why] of [
    ["tandem", "tandem", skip],
    ["tandem", "keepalived", skipKeepalived],
  ] as const)
    test(`${first} and ${second} keep sessions of both families, and priorities follow them`, {
      skip: why,
    }, async () => {
      const lab = pair();
      try {
        const a = lab.start(first, "a", config(133, 100));
        await until("alone it is active", () => lab.holds("a", VIRTUAL));
        assert.doesNotMatch(a.log(), /Entering Up state/);
        let b = lab.start(second, "b", config(134, 90));
        for (const daemon of [a, b])
          for (const name of ["four", "six"])
            await until(`${name} is up`, () => daemon.log().includes(`(${name}) Entering Up state`));
        for (const [daemon, priority] of [
          [a, 100],
          [b, 90],
        ] as const) {
          await until("the weights count", () => daemon.log().includes(`to ${priority - 13}`));
          assert.match(daemon.log(), /VRRP_Instance\(VI_1\) Tracked BFD instance four is UP/);
          await until("intervals are agreed upon", () => daemon.log().includes("Detection time is 200000 us"));
          assert.match(daemon.log(), /Detection time is 300000 us/);
        }

        lab.setPlugged("a", false);
        for (const daemon of [a, b]) {
          await until("a silence is noticed", () => /\(four\) Expired after \d+ ms/.test(daemon.log()), 3000);
          await until("by both sessions", () => /\(six\) Expired after \d+ ms/.test(daemon.log()), 3000);
        }
        await until("priorities are what they were", () => a.log().includes("to 100") && b.log().includes("to 90"));
        const ups = (daemon: typeof a): number => daemon.log().split("(four) Entering Up state").length - 1;
        const before = [ups(a), ups(b)] as const;
        lab.setPlugged("a", true);
        await until("and the sessions come back", () => ups(a) > before[0] && ups(b) > before[1], 10_000);

        const seen = a.log().length;
        process.kill(b.process.pid as number, "SIGKILL");
        await b.stop("SIGKILL");
        if (second === "tandem")
          await until("a stop after its parent's death is no failure", () => a.log().includes("Administratively Down"));
        else await until("a death is one", () => a.log().slice(seen).includes("(four) Expired after"), 5000);
        b = lab.start(second, "b", config(134, 90));
        await until("a new life finds the old session", () => b.log().includes("(four) Entering Up state"), 10_000);
      } finally {
        await lab.close();
      }
    });

  test("keepalived does not take Tandem's stop for a failure, nor its reload", { skip: skipKeepalived }, async () => {
    const lab = pair();
    // Slow enough for a keepalived without real-time priority on a busy machine.
    const four = "  min_rx 200\n  min_tx 200\n  multiplier 10";
    const watched = config(134, 90, { four, track: "four weight 0" });
    try {
      const a = lab.start("tandem", "a", config(133, 100, { four, track: "four weight 1" }));
      const b = lab.start("keepalived", "b", watched);
      await until("both are up", () => b.log().includes("Tracked BFD instance four is UP"));
      await until("a is active", () => lab.holds("a", VIRTUAL));
      a.process.kill("SIGHUP");
      await until("it reloads", () => a.log().includes("Reload finished"));
      await sleep(500);
      await a.stop();
      await until("b takes over", () => lab.holds("b", VIRTUAL), 5000);
      assert.doesNotMatch(b.log(), /Tracked BFD instance four is DOWN/);
    } finally {
      await lab.close();
    }
  });

  test("a tracked session without a weight is a fault until it is up, and when it is down", { skip }, async () => {
    const lab = pair();
    const meek = { track: "four weight 0" };
    try {
      const a = lab.start("tandem", "a", config(133, 100, meek));
      await until("fault", () => a.log().includes("Entering FAULT STATE"));
      const b = lab.start("tandem", "b", config(134, 90, { four: "  passive", track: "four weight 1" }));
      await until("the passive neighbour answers", () => b.log().includes("(four) Entering Up state"), 5000);
      await until("a is active", () => lab.holds("a", VIRTUAL) && !lab.holds("b", VIRTUAL), 10_000);
      lab.setPlugged("b", false);
      await until("fault again", () => !lab.holds("a", VIRTUAL), 3000);
      lab.setPlugged("b", true);
      await until("well again", () => lab.holds("a", VIRTUAL) && !lab.holds("b", VIRTUAL), 10_000);
    } finally {
      await lab.close();
    }
  });

  test("a backup waits no longer for the adverts of a router that BFD has lost", { skip }, async (t) => {
    const lab = pair();
    const slow = (text: string): string => text.replace("advert_int 0.5", "advert_int 4");
    try {
      const a = lab.start("tandem", "a", slow(config(133, 100, { track: "four weight 1" })));
      await until("a is active", () => lab.holds("a", VIRTUAL), 45_000);
      const b = lab.start("tandem", "b", slow(config(134, 90, { track: "four weight 1" })));
      await until("they know each other", () => b.log().includes("Tracked BFD instance four is UP"));
      await until("b has heard an advert", () => a.log().length > 0 && b.log().includes("Entering BACKUP STATE"));
      await sleep(4500);
      const atMs = performance.now();
      lab.setPlugged("a", false);
      await until("b takes over", () => lab.holds("b", VIRTUAL), 5000); // three adverts would be twelve seconds
      t.diagnostic(`taken over after ${Math.round(performance.now() - atMs)} ms`);
      assert.match(b.log(), /the active router 192\.168\.50\.133 is not heard by BFD any more, taking over/);
      lab.setPlugged("a", true);
      await until("the better one wins when both hear each other", () => !lab.holds("b", VIRTUAL), 15_000);
      assert.ok(lab.holds("a", VIRTUAL));
    } finally {
      await lab.close();
    }
  });

  test("FRR's bfdd is a neighbour like any other, in both families", { skip: skipFrr }, async () => {
    const lab = pair();
    const peers = ["192.168.50.133", "fd00::133"].flatMap((peer) => [
      `peer ${peer}`,
      " receive-interval 30",
      " transmit-interval 40",
      " detect-multiplier 3",
      "!",
    ]);
    const a = lab.start("tandem", "a", config(133, 100, { four: "  min_tx 50\n  min_rx 60" }));
    let frr: Frr | undefined;
    try {
      frr = await Frr.start(lab, "b", peers);
      const bfdd = frr;
      const status = (): string =>
        bfdd
          .peers()
          .map((peer) => peer.status)
          .join();
      await until("both sessions are up", () => status() === "up,up", 20_000);
      for (const name of ["four", "six"])
        await until(`${name} is up`, () => a.log().includes(`(${name}) Entering Up state`));
      const four = bfdd.peers().find(({ peer }) => peer === "192.168.50.133");
      assert.equal(four?.["remote-transmit-interval"], 50);
      assert.equal(four?.["remote-receive-interval"], 60);
      assert.equal(four?.["remote-detect-multiplier"], 10);
      await until("our detection time", () => a.log().includes("Detection time is 180000 us"));
      await sleep(1000);
      assert.equal(status(), "up,up");

      bfdd.configure("bfd", "peer 192.168.50.133", "shutdown");
      await until(
        "its shutdown is heard",
        () => a.log().includes("(four) Entering Down state (Local diagnostic - Neighbor Signaled Session Down"),
        5000,
      );
      assert.doesNotMatch(a.log(), /Tracked BFD instance four is DOWN/);
      bfdd.configure("bfd", "peer 192.168.50.133", "no shutdown");
      await until("and forgotten", () => status() === "up,up", 10_000);

      lab.setPlugged("b", false);
      await until("its silence is noticed", () => /\(four\) Expired after \d+ ms/.test(a.log()), 3000);
      await until("and ours", () => status() === "down,down", 3000);
      lab.setPlugged("b", true);
      await until("both are back", () => status() === "up,up", 10_000);
      await a.stop();
      await until("our stop is heard", () => status() === "down,down", 5000);
      assert.deepEqual(
        bfdd.peers().map((peer) => peer["remote-diagnostic"]),
        ["administratively down", "administratively down"],
      );
    } finally {
      await frr?.stop();
      await lab.close();
    }
  });
});
