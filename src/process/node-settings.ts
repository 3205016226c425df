/**
 * What a configuration asks of the machine besides addresses: `no_accept` (packets to virtual addresses are dropped, by
 * nftables), `promote_secondaries`, `disable_local_igmp` and what `use_vmac` needs of rp_filter (sysctl). Applied at start and reload,
 * undone at the stop.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig, VrrpInstance } from "../conf/keepalived/config.ts";
import { virtualLinksOf } from "../vrrp/links.ts";
import { PRIORITY_OWNER } from "../wire/vrrp/advert.ts";

const TABLE = "inet tandem_no_accept";

/**
 * The nftables script that drops packets to the addresses of instances with `no_accept`; undefined when there is none.
 * RFC 9568 §6.1 (Accept_Mode): the owner always accepts, and IPv6 neighbour discovery must go on. The rules need no change
 * with the role: a backup doesn't have the addresses.
 */
export function noAcceptRules(instances: readonly VrrpInstance[]): string | undefined {
  const addresses = instances
    .filter(({ accept, priority }) => !accept && priority !== PRIORITY_OWNER)
    .flatMap((instance) => [...instance.addresses, ...instance.excludedAddresses])
    .map(({ address }) => address);
  const v4 = addresses.filter(({ length }) => length === 4).map(printIp);
  const v6 = addresses.filter(({ length }) => length === 16).map(printIp);
  if (addresses.length === 0) return undefined;
  const rules: string[] = [];
  if (v4.length > 0) rules.push(`ip daddr { ${v4.join(", ")} } drop`);
  if (v6.length > 0) {
    const set = `ip6 daddr { ${v6.join(", ")} }`;
    rules.push(`${set} icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept`, `${set} drop`);
  }
  const body = rules.map((rule) => `    ${rule}`).join("\n");
  return `table ${TABLE} {\n  chain input {\n    type filter hook input priority -1; policy accept;\n${body}\n  }\n}\n`;
}

export class NodeSettings {
  readonly #log: Log;
  /** Files under /proc/sys that were changed, with what they held. */
  readonly #changed = new Map<string, string>();
  #hasTable = false;

  constructor(log: Log) {
    this.#log = log;
  }

  apply(config: KeepalivedConfig): void {
    const rules = noAcceptRules(config.instances);
    if (rules !== undefined || this.#hasTable) this.#filter(rules);
    for (const { promoteSecondaries, interface: name } of config.instances)
      if (promoteSecondaries && name !== undefined) this.#set(`net/ipv4/conf/${name}/promote_secondaries`, "1");
    if (config.instances.some((instance) => virtualLinksOf(instance).length > 0)) this.#clearReversePathFilter();
    if (config.globals.disableLocalIgmp) this.#set("net/ipv4/igmp_link_local_mcast_reports", "0");
  }

  /**
   * A link with a virtual MAC address must not filter by the reverse path, and the setting for all links outweighs its own. So that
   * nothing changes for the others, theirs are raised to that of all, which then goes.
   */
  #clearReversePathFilter(): void {
    const folder = "net/ipv4/conf";
    const filterOf = (name: string): number => {
      try {
        return Number(readFileSync(`/proc/sys/${folder}/${name}/rp_filter`, "latin1"));
      } catch {
        return Number.POSITIVE_INFINITY; // gone meanwhile
      }
    };
    const all = filterOf("all");
    if (all === 0 || !Number.isFinite(all)) return;
    for (const name of readdirSync(`/proc/sys/${folder}`))
      if (name !== "all" && filterOf(name) < all) this.#set(`${folder}/${name}/rp_filter`, `${all}`);
    this.#log.write("notice", `NOTICE: setting sysctl net.ipv4.conf.all.rp_filter from ${all} to 0`);
    this.#set(`${folder}/all/rp_filter`, "0");
  }

  #filter(rules: string | undefined): void {
    // Made and deleted first, so that deleting never fails: the old rules go and the new ones come in one transaction.
    const script = `table ${TABLE}\ndelete table ${TABLE}\n${rules ?? ""}`;
    const result = spawnSync("nft", ["-f", "-"], { input: script, encoding: "utf8" });
    this.#hasTable = rules !== undefined && result.status === 0;
    if (result.status === 0) return;
    const reason = result.error?.message ?? result.stderr.trim();
    this.#log.write("error", `no_accept: packets to the virtual addresses are NOT dropped, nft failed: ${reason}`);
  }

  #set(name: string, value: string): void {
    const file = `/proc/sys/${name}`;
    try {
      const old = readFileSync(file, "latin1").trim();
      if (old === value) return;
      writeFileSync(file, value);
      if (!this.#changed.has(file)) this.#changed.set(file, old);
    } catch (error) {
      this.#log.write("error", `cannot set ${name} to ${value}: ${(error as Error).message}`);
    }
  }

  /** Puts everything back. */
  undo(): void {
    if (this.#hasTable) this.#filter(undefined);
    // The other way round: the setting for all links is back before those of single ones are weaker.
    for (const [file, old] of [...this.#changed].reverse()) {
      try {
        writeFileSync(file, old);
      } catch {
        // The interface has gone.
      }
    }
    this.#changed.clear();
  }
}
