// lane: waits
/** The keepalived half as a program: daemon, pid files, signals, reload, dumps, scripts, pipes, and the death of the parent. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { StatusDocument } from "../src/admin/status.ts";
import { missingForLab, SegmentLab, until } from "./support/segment-lab.ts";
import { Station } from "./support/station.ts";

const skip = missingForLab() ?? false;
const root = fileURLToPath(new URL("../../", import.meta.url));
const VIP = "192.168.50.130";

function config(more: { globals?: string; instance?: string; addresses?: string; before?: string } = {}): string {
  return `global_defs {
  router_id lab
  script_user root
${more.globals ?? ""}
}
${more.before ?? ""}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 33
  priority 100
  version 3
  advert_int 0.1
${more.instance ?? ""}
  virtual_ipaddress {
    ${more.addresses ?? VIP}
  }
}
`;
}

/** The longest time between two adverts of this host. */
function longestGapMs(station: Station): number {
  const own = station.heard.filter(({ priority }) => priority !== 0);
  return Math.max(...own.slice(1).map(({ atMs }, i) => atMs - (own[i]?.atMs ?? 0)));
}

describe("the keepalived half", { concurrency: true, skip }, () => {
  test("reloads without missing an advert, and takes new addresses over", async (t) => {
    const lab = new SegmentLab(["a", "b"]);
    const station = new Station(lab, "b");
    try {
      const a = lab.start("tandem", "a", config());
      await until("active", () => lab.holds("a", VIP) && station.isReady);
      await sleep(300);
      station.heard.length = 0;
      const file = path.join(lab.folder, "a0.conf");
      writeFileSync(file, config({ addresses: `${VIP}\n    192.168.50.140` }));
      for (let i = 0; i < 3; i++) {
        process.kill(Number(readFileSync(a.pidFile, "latin1")), "SIGHUP");
        await sleep(300);
      }
      await until("the new address is there", () => lab.holds("a", "192.168.50.140"));
      assert.doesNotMatch(a.log(), /Entering BACKUP STATE(?! \(init\))/);
      t.diagnostic(`longest interval between 100 ms adverts: ${longestGapMs(station).toFixed(1)} ms`);
      assert.ok(longestGapMs(station) < 300, "a backup would still wait");
      writeFileSync(file, "vrrp_instance VI_1 {\n  vrf red\n}\n");
      process.kill(Number(readFileSync(a.pidFile, "latin1")), "SIGHUP");
      await until("the bad file is refused", () => a.log().includes("Reload refused"));
      assert.ok(lab.holds("a", "192.168.50.140"));
    } finally {
      await station.close();
      await lab.close();
    }
  });

  test("writes keepalived's dumps, answers tandem status, and tells pipes and scripts", async () => {
    const lab = new SegmentLab(["a"]);
    const { folder } = lab;
    try {
      writeFileSync(`${folder}/notify.sh`, `#!/bin/sh\necho "$@" >> ${folder}/notify.log\n`, { mode: 0o755 });
      const globals = `  state_dump_file ${folder}/data
  stats_dump_file ${folder}/stats
  json_dump_file ${folder}/json
  vrrp_notify_fifo ${folder}/fifo`;
      const before = `vrrp_script chk {\n  script "/usr/bin/test ! -e ${folder}/broken"\n  interval 1\n  weight -20\n}`;
      const instance = `  track_script {\n    chk\n  }\n  notify ${folder}/notify.sh`;
      const a = lab.start("tandem", "a", config({ globals, before, instance }));
      await until("active", () => lab.holds("a", VIP));
      const parent = Number(readFileSync(a.pidFile, "latin1"));
      for (const signal of ["SIGUSR1", "SIGUSR2"] as const) process.kill(parent, signal);
      process.kill(parent, 36);
      await until("dumps", () => ["data", "stats", "json"].every((name) => existsSync(`${folder}/${name}`)));
      await sleep(100);
      assert.match(readFileSync(`${folder}/data`, "latin1"), /^ VRRP Instance = VI_1\n {3}VRRP Version = 3\n/m);
      assert.match(
        readFileSync(`${folder}/stats`, "latin1"),
        /^VRRP Instance: VI_1\n {2}Advertisements:\n {4}Received: 0\n/,
      );
      const [json] = JSON.parse(readFileSync(`${folder}/json`, "latin1"));
      assert.deepEqual(
        [json.data.iname, json.data.state, json.data.vips, json.stats.become_master],
        ["VI_1", 2, [`${VIP} dev eth0 scope global set`], 1],
      );

      const status = (): StatusDocument => {
        const asked = spawnSync(path.join(root, "bin/tandem"), ["status", "--json", "--socket", a.statusSocket]);
        return JSON.parse(asked.stdout.toString("utf8"));
      };
      const [router] = status().vrrp?.routers ?? [];
      assert.equal(router?.role, "MASTER");
      assert.deepEqual(router?.heldAddresses, [`${VIP}/32`]);
      writeFileSync(`${folder}/broken`, "");
      await until("the failed check shows", () => status().vrrp?.routers[0]?.effectivePriority === 80);
      assert.deepEqual(
        status().vrrp?.checks.map(({ name, ok, lastResult }) => ({ name, ok, lastResult })),
        [{ name: "chk", ok: false, lastResult: "exited with status 1" }],
      );
      await a.stop();
      const told = () => (existsSync(`${folder}/notify.log`) ? readFileSync(`${folder}/notify.log`, "latin1") : "");
      await until("scripts", () => told().includes("STOP"));
      assert.deepEqual(told().trim().split("\n").sort(), [
        "INSTANCE VI_1 BACKUP 100",
        "INSTANCE VI_1 MASTER 100",
        "INSTANCE VI_1 STOP 80",
      ]);
      assert.equal(existsSync(a.pidFile), false);
      assert.equal(existsSync(a.vrrpPidFile), false);
      assert.equal(existsSync(a.statusSocket), false);
    } finally {
      await lab.close();
    }
  });

  test("leaves gracefully when the parent dies, and nothing of it stays", async () => {
    const lab = new SegmentLab(["a", "b"]);
    const station = new Station(lab, "b");
    try {
      const a = lab.start("tandem", "a", config());
      await until("active", () => lab.holds("a", VIP) && station.isReady);
      const child = Number(readFileSync(a.vrrpPidFile, "latin1"));
      await a.stop("SIGKILL");
      await until("priority 0", () => station.heard.some(({ priority }) => priority === 0), 2000);
      await until("the address is gone", () => !lab.holds("a", VIP), 2000);
      await until("the child is gone", () => !existsSync(`/proc/${child}`), 2000);
    } finally {
      await station.close();
      await lab.close();
    }
  });

  test("becomes a daemon that is ready when the command returns, and refuses to run twice", async () => {
    const lab = new SegmentLab(["a"]);
    const file = (name: string) => path.join(lab.folder, name);
    const command = [
      ...["netns", "exec", lab.namespace("a"), path.join(root, "bin/keepalived"), "-f", file("conf"), "-G"],
      ...["-p", file("pid"), "-r", file("vrrp"), "--status-socket", file("sock")],
    ];
    const start = () => spawnSync("ip", command, { encoding: "utf8" });
    try {
      writeFileSync(file("conf"), config());
      const first = start();
      assert.deepEqual([first.status, first.stderr], [0, ""]);
      const pid = Number(readFileSync(file("pid"), "latin1"));
      assert.equal(readFileSync(`/proc/${pid}/comm`, "latin1"), "keepalived\n");
      await until("active", () => lab.holds("a", VIP));
      const second = start();
      assert.equal(second.status, 1);
      assert.match(second.stderr, /daemon is already running/);
      process.kill(pid, "SIGTERM");
      await until("gone", () => !existsSync(`/proc/${pid}`));
      assert.equal(lab.holds("a", VIP), false);
      rmSync(file("conf"));
      writeFileSync(file("conf"), "vrrp_instance VI_1 {\n  vrf red\n}\n");
      const refused = start();
      assert.notEqual(refused.status, 0);
      assert.match(refused.stderr, /'vrf' is refused/);
    } finally {
      await lab.close();
    }
  });
});

// By itself: beside others the moment would be missed.
test("ends when it is told to while it is still starting", { skip }, async () => {
  const lab = new SegmentLab(["a"]);
  try {
    const a = lab.start("tandem", "a", config());
    await until("the VRRP process is being started", () => a.log().includes("Starting VRRP child process"));
    a.process.kill("SIGTERM");
    await until("gone", () => a.process.exitCode !== null || a.process.signalCode !== null, 4000);
    assert.doesNotMatch(a.log(), /does not stop/);
    assert.equal(lab.holds("a", VIP), false);
  } finally {
    await lab.close();
  }
});
