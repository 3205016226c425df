// lane: measures (whether a router waits for its delay; six labs at once)
/**
 * Tandem with keepalived and with FRR's vrrpd, row by row (test/support/interop-matrix.ts), in both roles. With TANDEM_WRITE_INTEROP=1 what
 * came of it is written into docs/compatibility.md.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Frr, missingFrr } from "../support/frr.ts";
import {
  type Cell,
  PEERS,
  type Peer,
  printTable,
  ROWS,
  type Row,
  tableOf,
  withTable,
} from "../support/interop-matrix.ts";
import { CHECKOUT } from "../support/lab.ts";
import { missingForLab, SegmentLab, until } from "../support/segment-lab.ts";

const DOCUMENT = path.join(CHECKOUT, "docs/compatibility.md");
const skip: Readonly<Record<Peer, string | false>> = {
  keepalived: missingForLab(["keepalived"]) ?? false,
  frr: missingForLab() ?? missingFrr("vrrpd") ?? false,
};
/** Labs at the same time: most of the time is waiting. */
const CONCURRENCY = 6;
const VRID = 33;
type Program = "tandem" | Peer;

/** A router of a row on a host. */
interface Player {
  /** It has all addresses; it has none of them. */
  holds(): boolean;
  isWithout(): boolean;
  /** It runs and waits. */
  isBackup(): boolean;
  stop(): Promise<void>;
  log(): string;
}

function addressesOf({ words: { family }, isGroup }: Row): readonly string[] {
  if (family === 6) return ["fe80::50", "2001:db8:50::130"];
  return isGroup ? ["192.168.50.130", "192.168.50.131"] : ["192.168.50.130"];
}

/** Sources for unicast: the hosts' addresses, or for IPv6 those that are added to them. */
function sourceOf({ words: { family } }: Row, host: "a" | "b"): string {
  const last = host === "a" ? 133 : 134;
  return family === 4 ? `192.168.50.${last}` : `fd00:50::${last}`;
}

function keepalivedText(row: Row, host: "a" | "b", isStronger: boolean, program: Program): string {
  const { words, priorities, stronger, keepalived, isGroup } = row;
  const unicast = words.isUnicast
    ? [`unicast_src_ip ${sourceOf(row, host)}`, "unicast_peer {", sourceOf(row, host === "a" ? "b" : "a"), "}"]
    : [];
  const instance = (name: string, vrid: number, addresses: readonly string[]): readonly string[] => [
    `vrrp_instance ${name} {`,
    "interface eth0",
    `virtual_router_id ${vrid}`,
    `priority ${priorities[isStronger ? 0 : 1]}`,
    ...words.lines,
    ...unicast,
    ...(isStronger ? stronger : []),
    ...(program === "keepalived" ? keepalived : []),
    "virtual_ipaddress {",
    ...addresses.map((address) => `${address}/${words.family === 4 ? 24 : 64}`),
    "}",
    "}",
  ];
  const addresses = addressesOf(row);
  const body = isGroup
    ? [
        ...instance("V1", VRID, addresses.slice(0, 1)),
        ...instance("V2", VRID + 1, addresses.slice(1)),
        "vrrp_sync_group G {",
        "group {",
        "V1",
        "V2",
        "}",
        "}",
      ]
    : instance("V1", VRID, addresses);
  return `${body.join("\n")}\n`;
}

async function startPlayer(
  lab: SegmentLab,
  program: Program,
  host: "a" | "b",
  row: Row,
  isStronger: boolean,
): Promise<Player> {
  if (program === "frr") return startFrr(lab, host, row, isStronger);
  const daemon = lab.start(program, host, keepalivedText(row, host, isStronger, program));
  const addresses = addressesOf(row);
  return {
    holds: () => addresses.every((address) => lab.holdsAnywhere(host, address)),
    isWithout: () => addresses.every((address) => !lab.holdsAnywhere(host, address)),
    isBackup: () => daemon.log().includes("Entering BACKUP STATE"),
    stop: () => daemon.stop(),
    log: () => (program === "tandem" ? daemon.log() : ""),
  };
}

/** FRR works through a macvlan with the virtual MAC and the addresses, which somebody else has to make. */
async function startFrr(lab: SegmentLab, host: "a" | "b", row: Row, isStronger: boolean): Promise<Player> {
  const { words, priorities, frr: more } = row;
  const isIpv4 = words.family === 4;
  const link = `vrrp${words.family}-1`;
  if (!lab.ip(host, "-o", "link", "show").includes(link)) {
    lab.ip(host, "link", "add", link, "link", "eth0", "type", "macvlan", "mode", "bridge");
    lab.ip(host, "link", "set", link, "addrgenmode", "random");
    lab.ip(host, "link", "set", link, "address", `00:00:5e:00:0${isIpv4 ? 1 : 2}:${VRID.toString(16)}`);
    for (const address of addressesOf(row))
      lab.ip(host, "addr", "add", `${address}/${isIpv4 ? 24 : 64}`, "dev", link, ...(isIpv4 ? [] : ["nodad"]));
    lab.ip(host, "link", "set", link, "up");
  }
  const frr = await Frr.startVrrp(lab, host, [
    `vrrp ${VRID} version ${words.version}`,
    `vrrp ${VRID} priority ${priorities[isStronger ? 0 : 1]}`,
    `vrrp ${VRID} advertisement-interval ${words.version === 2 ? 1000 : 200}`,
    ...(isStronger && Array.isArray(more) ? (more as readonly string[]) : []),
    ...addressesOf(row).map((address) => `vrrp ${VRID} ${isIpv4 ? "ip" : "ipv6"} ${address}`),
  ]);
  const status = (): string | undefined => frr.vrrpStatus(VRID, words.family);
  return {
    holds: () => status() === "Master",
    isWithout: () => status() !== "Master",
    isBackup: () => status() === "Backup",
    stop: () => frr.stop(),
    log: () => "",
  };
}

/** The whole story of a row. The weaker router is on host a, the stronger one on b, whose address is the higher. */
async function play(row: Row, stronger: Program, weaker: Program): Promise<void> {
  const lab = new SegmentLab(["a", "b"]);
  const players: Player[] = [];
  const start = async (program: Program, host: "a" | "b", isStronger: boolean): Promise<Player> => {
    const player = await startPlayer(lab, program, host, row, isStronger);
    players.push(player);
    return player;
  };
  try {
    if (row.words.family === 6)
      for (const host of ["a", "b"] as const)
        lab.ip(host, "addr", "add", `${sourceOf(row, host)}/64`, "dev", "eth0", "nodad");
    await sleep(row.words.family === 6 ? 2000 : 0); // until link-local addresses are no longer tentative
    let weak = await start(weaker, "a", false);
    await until("the only router takes everything", weak.holds);
    let strong = await start(stronger, "b", true);
    const moved = (): boolean => strong.holds() && weak.isWithout();
    if (row.preemption === "never") {
      await until("it waits", strong.isBackup);
      await sleep(2000);
      assert.ok(weak.holds() && strong.isWithout(), "the router that is active stays so");
      if (row.priorities[0] === row.priorities[1]) {
        lab.setPlugged("b", false);
        await until("alone, it takes over", strong.holds);
        lab.setPlugged("b", true);
        await until("of two equal ones the higher address wins", moved);
      }
      await weak.stop();
      await until("when it stops, the other one follows", strong.holds);
      weak = await start(weaker, "a", false);
      await until("it is back", weak.isBackup);
      await sleep(1500);
      assert.ok(moved(), "the router that is active stays so");
    } else {
      if (row.preemption === "later") {
        await until("it waits", strong.isBackup);
        await sleep(1200);
        assert.ok(weak.holds() && strong.isWithout(), "not before the delay is over");
      }
      await until("the better router takes over", moved);
      await strong.stop();
      await until("a graceful stop hands over", weak.holds);
      strong = await start(stronger, "b", true);
      await until("the better router takes everything back", moved);
    }
    for (const { log } of players)
      assert.doesNotMatch(log(), /checksum|mismatch|not present|too short|too long|invalid|unexpected|authentication/i);
  } finally {
    await Promise.all(players.map((player) => player.stop()));
    await lab.close();
  }
}

const works = new Map<string, boolean>();

describe("interoperation", { concurrency: CONCURRENCY }, () => {
  for (const row of ROWS)
    for (const peer of PEERS) {
      if (peer === "frr" && "not" in row.frr) continue;
      const isWeakerOnly = peer === "frr" && "weakerOnly" in row.frr;
      for (const [stronger, weaker] of [
        ["tandem", peer],
        ...(isWeakerOnly ? [] : [[peer, "tandem"] as const]),
      ] as readonly (readonly [Program, Program])[])
        test(`${row.name}: ${stronger} is the better router, ${weaker} the other`, { skip: skip[peer] }, async () => {
          const key = `${row.name} ${peer}`;
          works.set(key, false);
          await play(row, stronger, weaker);
          works.set(`${key} ${stronger}`, true);
          works.set(key, works.get(`${key} tandem`) === true && (isWeakerOnly || works.get(`${key} ${peer}`) === true));
        });
    }
});

/** `2.2.7` of what a program says about itself. */
function versionOf(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return /\bv?(\d+\.\d+(\.\d+)?)/.exec(stdout + stderr)?.[1] ?? "?";
}

after(() => {
  if (process.env["TANDEM_WRITE_INTEROP"] !== "1") return;
  const cellOf = (row: Row, peer: Peer): Cell => {
    if (peer === "frr" && !Array.isArray(row.frr)) return row.frr as Cell;
    return works.get(`${row.name} ${peer}`) === true ? { works: true } : { not: "fails" };
  };
  const versions = {
    keepalived: versionOf("keepalived", ["--version"]),
    frr: versionOf("/usr/lib/frr/vrrpd", ["--version"]),
  };
  writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, "utf8"), printTable(versions, cellOf)));
});

test("the table in the documentation has the rows of the matrix, and none that fails", () => {
  const table = tableOf(readFileSync(DOCUMENT, "utf8"));
  const cellOf = (row: Row, peer: Peer): Cell =>
    peer === "frr" && !Array.isArray(row.frr) ? (row.frr as Cell) : { works: true };
  const [head = "", ...rows] = table.split("\n");
  assert.match(head, /^\| routers \| with keepalived \d\S+ \| with FRR's vrrpd \d\S+ \|$/);
  const [, ...expected] = printTable({ keepalived: "", frr: "" }, cellOf).trim().split("\n");
  assert.deepEqual(rows, expected);
});
