/** The machine that a check runs on, asked through Node and the firewall's own tools. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import path from "node:path";
import type { FileFact, FirewallFact, NodeFacts } from "./facts.ts";
import { parseIptables } from "./iptables.ts";
import { parseNftables } from "./nftables.ts";
import { firewallOf } from "./packet-filter.ts";

const SEARCH = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
const TOOL_TIMEOUT_MS = 3000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Asks the machine. What can't be found out (no rights, no tool) is left out. */
export function nodeFacts(): NodeFacts {
  const known = networkInterfaces();
  const names = new Set([...interfaceNames(), ...Object.keys(known)]);
  return {
    hostName: hostname(),
    interfaces: [...names].map((name) => ({
      name,
      addresses: (known[name] ?? []).map(({ address }) => address.replace(/%.*/, "")),
    })),
    file: fileFact,
    firewall: readFirewall(),
    nginxPath: SEARCH.split(":")
      .filter((folder) => folder.startsWith("/"))
      .map((folder) => path.join(folder, "nginx"))
      .find((candidate) => fileFact(candidate)?.isExecutable === true),
  };
}

/** All interfaces, those without an address included: os.networkInterfaces() leaves them out. */
function interfaceNames(): readonly string[] {
  try {
    return readdirSync("/sys/class/net");
  } catch {
    return []; // no sysfs: those with addresses are known all the same
  }
}

function fileFact(name: string): FileFact | undefined {
  try {
    const stat = statSync(name, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    return { isFile: stat.isFile(), isDirectory: stat.isDirectory(), isExecutable: isExecutable(name) };
  } catch {
    return undefined; // a folder on the way is closed to us: for a check that is as good as missing
  }
}

function isExecutable(name: string): boolean {
  try {
    accessSync(name, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** iptables first: nft shows its rules, too, but not what they mean. */
function readFirewall(): FirewallFact | undefined {
  const iptables = parseIptables(output("iptables-save", ["-t", "filter"]) ?? "");
  const nftables = parseNftables(output("nft", ["-j", "list", "ruleset"]) ?? "");
  const hasIptables = iptables.some(({ rules, policy }) => rules.length > 0 || policy === "drop");
  const hasNftables = nftables?.some(({ isBase }) => isBase) === true;
  if (hasIptables && hasNftables) return firewallOf("iptables", [...iptables, ...nftables]);
  if (hasIptables) return firewallOf("iptables", iptables);
  return hasNftables ? firewallOf("nft", nftables) : undefined;
}

function output(program: string, args: readonly string[]): string | undefined {
  const run = spawnSync(program, args, {
    env: { PATH: SEARCH },
    encoding: "utf8",
    timeout: TOOL_TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return run.error === undefined && run.status === 0 ? run.stdout : undefined;
}
