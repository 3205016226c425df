/** The machine that a check runs on, asked through Node and the firewall's own tools. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { printIp } from "../base/ip.ts";
import { openRouting } from "../os/routing.ts";
import type { FileFact, FirewallFact, InterfaceFact, NodeFacts } from "./facts.ts";
import { parseIptables } from "./iptables.ts";
import { parseNftables } from "./nftables.ts";
import { firewallOf } from "./packet-filter.ts";

const SEARCH = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
const TOOL_TIMEOUT_MS = 3000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Asks the machine. What can't be found out (no rights, no tool) is left out. */
export function nodeFacts(): NodeFacts {
  return {
    hostName: hostname(),
    interfaces: interfaces(),
    file: fileFact,
    firewall: readFirewall(),
    nginxPath: SEARCH.split(":")
      .filter((folder) => folder.startsWith("/"))
      .map((folder) => path.join(folder, "nginx"))
      .find((candidate) => fileFact(candidate)?.isExecutable === true),
  };
}

/** All links with their addresses, as the kernel has them. */
function interfaces(): readonly InterfaceFact[] {
  const routing = openRouting();
  try {
    const addresses = routing.addresses();
    return routing.links().map(({ index, name, isRunning }) => ({
      name,
      isRunning,
      addresses: addresses.filter(({ linkIndex }) => linkIndex === index).map(({ ip }) => printIp(ip)),
    }));
  } finally {
    routing.close();
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
