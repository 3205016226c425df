/** Writes the files that keepalived's dump signals ask for. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { printBfdData } from "./keepalived-bfd-dump.ts";
import { printData, printJson, printStatistics } from "./keepalived-dumps.ts";
import type { VrrpSupervisor } from "./vrrp-supervisor.ts";

export type Dump = "data" | "stats" | "json";

/** keepalived's places; a configured path that ends with `/` is a folder. */
const FILES: Readonly<Record<Dump, string>> = {
  data: "keepalived.data",
  stats: "keepalived.stats",
  json: "keepalived.json",
};

function dumpPath(configured: string | undefined, dump: Dump): string {
  if (configured === undefined) return `/tmp/${FILES[dump]}`;
  return configured.endsWith("/") ? configured + FILES[dump] : configured;
}

/** `keepalived.data` → `keepalived_bfd.data`: each of keepalived's processes writes a file of its own. */
function partPath(file: string, part: "bfd" | "check"): string {
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}_${part}${ext}`);
}

/** Writes what the virtual servers have printed; a sentence when that fails. */
export function dumpServers(text: string | undefined, { globals }: KeepalivedConfig): string | undefined {
  if (text === undefined) return "the checker process does not answer, nothing was dumped";
  try {
    writeFileSync(partPath(dumpPath(globals.dumpFiles.state, "data"), "check"), text);
    return undefined;
  } catch (error) {
    return `cannot write the dump: ${(error as Error).message}`;
  }
}

/** undefined, or a sentence: what went wrong. */
export async function dumpVrrp(supervisor: VrrpSupervisor, dump: Dump): Promise<string | undefined> {
  const report = await supervisor.report();
  if (report === undefined) return "the VRRP process does not answer, nothing was dumped";
  const { config } = supervisor;
  const { state, stats, json } = config.globals.dumpFiles;
  const configured = { data: state, stats, json }[dump];
  const print = {
    data: () => printData(config, report, Date.now()),
    stats: () => printStatistics(config, report),
    json: () => printJson(config, report),
  };
  try {
    writeFileSync(dumpPath(configured, dump), print[dump]());
    if (dump === "data" && config.bfds.length > 0)
      writeFileSync(partPath(dumpPath(configured, dump), "bfd"), printBfdData(config, report));
    return undefined;
  } catch (error) {
    return `cannot write the dump: ${(error as Error).message}`;
  }
}
