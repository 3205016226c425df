/** What keepalived's BFD process writes on SIGUSR1, `/tmp/keepalived_bfd.data`, as far as it is not about its own insides. */

import { printIp } from "../base/ip.ts";
import type { BfdReport } from "../bfd/report.ts";
import type { BfdInstance, KeepalivedConfig } from "../conf/keepalived/config.ts";
import { printCtime, seconds } from "./keepalived-dumps.ts";
import type { ProcessReport } from "./vrrp-messages.ts";

/** All sessions with their configuration and their state. */
export function printBfdData(config: KeepalivedConfig, report: ProcessReport): string {
  const lines = ["------< BFD Data >------", "------< BFD Topology >------"];
  for (const instance of config.bfds) {
    lines.push(...configurationLines(instance));
    const session = report.bfds.find(({ name }) => name === instance.name);
    if (session !== undefined) lines.push(...stateLines(session));
  }
  return `${lines.join("\n")}\n`;
}

function configurationLines(instance: BfdInstance): string[] {
  const { where } = instance;
  const isForChecker = where.has("checker") || !where.has("vrrp");
  const isForVrrp = where.has("vrrp") || !where.has("checker");
  return [
    ` BFD Instance = ${instance.name}`,
    `   Neighbor IP = ${printIp(instance.neighbor)}`,
    ...(instance.source === undefined ? [] : [`   Source IP = ${printIp(instance.source)}`]),
    `   Required min RX interval = ${instance.minRxUs} us`,
    `   Desired min TX interval = ${instance.minTxUs} us`,
    `   Desired idle TX interval = ${instance.idleTxUs} us`,
    `   Detection multiplier = ${instance.multiplier}`,
    `   ${instance.neighbor.length === 4 ? "TTL" : "hoplimit"} = ${instance.ttl}`,
    `   max_hops = ${instance.maxHops}`,
    `   passive = ${instance.passive}`,
    `   send event to VRRP process = ${isForVrrp ? "Yes" : "No"}`,
    `   send event to checker process = ${isForChecker ? "Yes" : "No"}`,
  ];
}

function stateLines(session: BfdReport): string[] {
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const { lastSeenMs } = session;
  return [
    `   send error = ${session.hasSendError}`,
    `   local state = ${session.state}`,
    `   remote state = ${session.remoteState}`,
    `   local discriminator = ${hex(session.localDiscriminator)}`,
    `   remote discriminator = ${hex(session.remoteDiscriminator)}`,
    `   local diag = ${session.localDiagnostic}`,
    `   remote diag = ${session.remoteDiagnostic}`,
    `   remote min tx intv = ${session.remoteMinTxUs} us`,
    `   remote min rx intv = ${session.remoteMinRxUs} us`,
    "   local demand = 0",
    `   remote demand = ${session.remoteDemand ? 1 : 0}`,
    `   remote detect multiplier = ${session.remoteMultiplier}`,
    `   ${session.isPolling ? "" : "!"}poll, !final`,
    `   local tx intv = ${session.localTxUs} us`,
    `   remote tx intv = ${session.remoteTxUs} us`,
    `   local detection time = ${session.localDetectionUs} us`,
    `   remote detection time = ${session.remoteDetectionUs} us`,
    lastSeenMs === undefined
      ? "   last_seen = [never]"
      : `   last seen = ${seconds(lastSeenMs)} (${printCtime(lastSeenMs)})`,
  ];
}
