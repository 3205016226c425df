/**
 * The files that SIGUSR1, SIGUSR2 and the JSON signal make keepalived write, in its formats: exporters and scripts read
 * them. Pure text; the program that got the signal writes it.
 */
import { hostname } from "node:os";
import { latin1 } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { KeepalivedConfig, Track, VirtualAddress, VrrpInstance } from "../conf/keepalived/config.ts";
import type { RouterReport } from "../vrrp/report.ts";
import { ROLE_NAMES, type Role } from "../vrrp/state.ts";
import { downIntervalMs } from "../vrrp/timing.ts";
import type { ProcessReport } from "./vrrp-messages.ts";

/** keepalived's numbers of states. */
const STATE_NUMBERS: Readonly<Record<Role, number>> = { init: 0, backup: 1, active: 2, fault: 3 };
const SCOPES: Readonly<Record<number, string>> = { 0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere" };

interface Pair {
  readonly instance: VrrpInstance;
  readonly router: RouterReport;
}

function pairs(config: KeepalivedConfig, report: ProcessReport): Pair[] {
  return config.instances.flatMap((instance) => {
    const router = report.routers.find(({ name }) => name === instance.name);
    return router === undefined ? [] : [{ instance, router }];
  });
}

function printAddress(address: VirtualAddress, isSet: boolean): string {
  const bits = address.address.length * 8;
  const prefix = address.prefixLength === bits ? "" : `/${address.prefixLength}`;
  const words = [`${printIp(address.address)}${prefix}`];
  if (address.interface !== undefined) words.push(`dev ${address.interface}`);
  words.push(`scope ${SCOPES[address.scope] ?? address.scope}`);
  if (address.label !== undefined) words.push(`label ${address.label}`);
  if (address.preferredLifetimeS === 0) words.push("deprecated");
  if (isSet) words.push("set");
  return words.join(" ");
}

function password({ authentication }: VrrpInstance): string {
  return authentication === undefined ? "" : latin1(authentication.password).replace(/\0+$/, "");
}

/** Seconds with microseconds, as keepalived prints instants. */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(6);
}

/** `Mon Nov 23 07:55:17 2026`, local time. */
export function printCtime(ms: number): string {
  const time = new Date(ms);
  const [day, month] = time.toString().split(" ");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0"));
  return `${day} ${month} ${String(time.getDate()).padStart(2)} ${clock.join(":")} ${time.getFullYear()}`;
}

/** SIGUSR2: `/tmp/keepalived.stats`. */
export function printStatistics(config: KeepalivedConfig, report: ProcessReport): string {
  return pairs(config, report)
    .map(({ instance, router: { counters, drops } }) => {
      const count = (value: number | undefined): number => value ?? 0;
      return `VRRP Instance: ${instance.name}
  Advertisements:
    Received: ${count(counters.advertsReceived)}
    Sent: ${count(counters.advertsSent)}
  Became master: ${count(counters.becameActive)}
  Released master: ${count(counters.releasedActive)}
  Packet Errors:
    Length: ${count(drops.length)}
    TTL: ${count(drops.hopLimit)}
    Invalid Type: ${count(drops.type)}
    Advertisement Interval: ${count(drops.interval)}
    Address List: ${count(drops.addressList)}
  Authentication Errors:
    Invalid Type: ${count(drops.authUnknown)}
    Type Mismatch: ${count(drops.authMismatch)}
    Failure: ${count(drops.authFailure)}
${instance.authHmac === undefined ? "" : extensionErrors(drops)}  Priority Zero:
    Received: ${count(counters.priorityZeroReceived)}
    Sent: ${count(counters.priorityZeroSent)}
`;
    })
    .join("");
}

/** keepalived 2.4 has these lines; before it there was no such trailer. */
function extensionErrors(drops: RouterReport["drops"]): string {
  return `  Authentication Extension Errors:
    Missing: ${drops.authMissing ?? 0}
    Malformed: ${drops.authMalformed ?? 0}
    Unknown Key: ${drops.authUnknownKey ?? 0}
    Invalid HMAC: ${drops.authInvalidHmac ?? 0}
    Stale: ${drops.authStale ?? 0}
    Replay: ${drops.authReplay ?? 0}
`;
}

/** The JSON signal: `/tmp/keepalived.json`, an array (version 1) or an object with the array `vrrp` (version 2). */
export function printJson(config: KeepalivedConfig, report: ProcessReport): string {
  const routers = pairs(config, report).map(({ instance, router }) => ({
    data: jsonData(instance, router),
    stats: { ...jsonStatistics(router), ...(instance.authHmac === undefined ? {} : jsonExtension(router)) },
  }));
  return JSON.stringify(config.globals.dumpFiles.jsonVersion === 2 ? { vrrp: routers } : routers);
}

function jsonData(instance: VrrpInstance, router: RouterReport): Record<string, unknown> {
  const { announce, notifies } = instance;
  const isActive = router.role === "active";
  const scripts = {
    ...(notifies.master === undefined ? {} : { script_master: `'${notifies.master.text}'` }),
    ...(notifies.backup === undefined ? {} : { script_backup: `'${notifies.backup.text}'` }),
    ...(notifies.fault === undefined ? {} : { script_fault: `'${notifies.fault.text}'` }),
    ...(notifies.stop === undefined ? {} : { script_stop: `'${notifies.stop.text}'` }),
    ...(notifies.any === undefined ? {} : { script: `'${notifies.any.text}'` }),
  };
  return {
    iname: instance.name,
    dont_track_primary: instance.trackPrimary ? 0 : 1,
    skip_check_adv_addr: instance.skipCheckAdvertAddresses ? 1 : 0,
    strict_mode: instance.strict ? 1 : 0,
    vmac_ifname: instance.virtualLink?.name ?? "",
    ifp_ifname: instance.virtualLink?.name ?? instance.interface ?? "",
    master_priority: isActive ? 0 : (router.activeRouter?.priority ?? 0),
    last_transition: router.sinceMs / 1000,
    garp_delay: announce.delayMs / 1000,
    garp_refresh: announce.refreshMs / 1000,
    garp_rep: announce.repeat,
    garp_refresh_rep: announce.refreshRepeat,
    garp_lower_prio_delay: announce.lowerPriorityDelayMs / 1000,
    garp_lower_prio_rep: announce.lowerPriorityRepeat,
    lower_prio_no_advert: instance.lowerPriorityNoAdvert ? 1 : 0,
    higher_prio_send_advert: instance.higherPrioritySendAdvert ? 1 : 0,
    vrid: instance.virtualRouterId,
    base_priority: instance.priority,
    effective_priority: router.effectivePriority,
    vipset: isActive,
    promote_secondaries: instance.promoteSecondaries,
    adver_int: instance.advertIntervalMs / 1000,
    master_adver_int: router.activeIntervalMs / 1000,
    accept: instance.accept ? 1 : 0,
    nopreempt: instance.nopreempt,
    preempt_delay: instance.preemptDelayMs / 1000,
    state: STATE_NUMBERS[router.role],
    wantstate: STATE_NUMBERS[router.role],
    version: instance.version,
    smtp_alert: instance.smtpAlert,
    notify_deleted: instance.notifies.deleted !== false,
    ...scripts,
    ...(instance.addresses.length === 0 ? {} : { vips: instance.addresses.map((a) => printAddress(a, isActive)) }),
    ...(instance.excludedAddresses.length === 0
      ? {}
      : { evips: instance.excludedAddresses.map((a) => printAddress(a, isActive)) }),
    auth_type: instance.authentication === undefined ? 0 : instance.authentication.type === "AH" ? 2 : 1,
    ...(instance.authentication === undefined ? {} : { auth_data: password(instance) }),
  };
}

function jsonStatistics({ counters, drops }: RouterReport): Record<string, number> {
  return {
    advert_rcvd: counters.advertsReceived ?? 0,
    advert_sent: counters.advertsSent ?? 0,
    become_master: counters.becameActive ?? 0,
    release_master: counters.releasedActive ?? 0,
    packet_len_err: drops.length ?? 0,
    advert_interval_err: drops.interval ?? 0,
    ip_ttl_err: drops.hopLimit ?? 0,
    invalid_type_rcvd: drops.type ?? 0,
    addr_list_err: drops.addressList ?? 0,
    invalid_authtype: drops.authUnknown ?? 0,
    authtype_mismatch: drops.authMismatch ?? 0,
    auth_failure: drops.authFailure ?? 0,
    pri_zero_rcvd: counters.priorityZeroReceived ?? 0,
    pri_zero_sent: counters.priorityZeroSent ?? 0,
  };
}

function jsonExtension({ drops }: RouterReport): Record<string, number> {
  return {
    auth_ext_missing: drops.authMissing ?? 0,
    auth_ext_malformed: drops.authMalformed ?? 0,
    auth_ext_unknown_key: drops.authUnknownKey ?? 0,
    auth_ext_invalid_hmac: drops.authInvalidHmac ?? 0,
    auth_ext_stale: drops.authStale ?? 0,
    auth_ext_replay: drops.authReplay ?? 0,
  };
}

/** What every dump begins with. */
export function globalLines({ globals }: KeepalivedConfig): string[] {
  return [
    "------< Global definitions >------",
    ` Network namespace = ${globals.netNamespace ?? "(default)"}`,
    ` Network namespace ipvs = ${globals.netNamespaceIpvs?.name ?? "(main namespace)"}`,
    ` Router ID = ${globals.routerId ?? hostname()}`,
    ` Script security ${globals.enableScriptSecurity ? "enabled" : "disabled"}`,
  ];
}

/** SIGUSR1: `/tmp/keepalived.data`. `nowMs` is the wall clock. */
export function printData(config: KeepalivedConfig, report: ProcessReport, nowMs: number): string {
  const lines = [...globalLines(config), "------< VRRP Topology >------"];
  for (const { instance, router } of pairs(config, report)) lines.push(...instanceLines(instance, router, nowMs));
  if (config.scripts.length > 0) lines.push("------< VRRP Scripts >------", ...scriptLines(config, report));
  if (report.groups.length > 0) lines.push("------< VRRP Sync groups >------");
  for (const { name, role, members } of report.groups) {
    lines.push(` VRRP Sync Group = ${name}, ${ROLE_NAMES[role]}`, "   VRRP member instances :");
    for (const member of members) lines.push(`     ${member}`);
    lines.push(...trackedBfdLines(config.syncGroups.find((group) => group.name === name)?.tracks.bfds ?? []));
  }
  if (config.bfds.length > 0) lines.push("------< VRRP Track BFDs >------", ...bfdLines(config, report));
  return `${lines.join("\n")}\n`;
}

function trackedBfdLines(tracks: readonly Track[]): string[] {
  if (tracks.length === 0) return [];
  const line = ({ name, weight, weightReverse }: Track): string =>
    `     ${name}: weight ${weight}${weightReverse ? " reverse" : ""}`;
  return ["   Tracked BFDs :", ...tracks.map(line)];
}

function bfdLines(config: KeepalivedConfig, report: ProcessReport): string[] {
  return config.bfds.flatMap(({ name, weight, weightReverse }) => [
    ` VRRP Track BFD = ${name}`,
    `   Weight = ${weight}${weightReverse ? " reverse" : ""}`,
    `   Bfd is ${report.bfds.find((session) => session.name === name)?.state === "Up" ? "up" : "down"}`,
    "   Tracking VRRP instances :",
    ...config.instances.flatMap((instance) => {
      const group = config.syncGroups.find((one) => one.name === instance.syncGroup);
      const tracks = [...instance.tracks.bfds, ...(group?.tracks.bfds ?? [])].filter((track) => track.name === name);
      return tracks.map(
        (track) => `     ${instance.name}, weight ${track.weight}${track.weightReverse ? " reverse" : ""}`,
      );
    }),
  ]);
}

function scriptLines(config: KeepalivedConfig, report: ProcessReport): string[] {
  return config.scripts.flatMap((script) => {
    const health = report.scripts.find(({ name }) => name === script.name)?.health ?? "unknown";
    const state = { unknown: "INIT", up: "GOOD", down: "FAILED" }[health];
    return [
      ` VRRP Script = ${script.name}`,
      `   Command = '${script.command.text}'`,
      `   Interval = ${script.intervalMs / 1000} sec`,
      `   Timeout = ${script.timeoutMs / 1000} sec`,
      `   Weight = ${script.weight}${script.weightReverse ? " reverse" : ""}`,
      `   Rise = ${script.rise}`,
      `   Fall = ${script.fall}`,
      `   Status = ${state}`,
    ];
  });
}

function authenticationLines(instance: VrrpInstance): string[] {
  const { authentication, authHmac } = instance;
  const lines: string[] = [];
  if (authentication?.type === "PASS")
    lines.push("   Authentication type = SIMPLE_PASSWORD", `   Password = ${password(instance)}`);
  if (authentication?.type === "AH") lines.push("   Authentication type = IPSEC_AH");
  if (authHmac === undefined) return lines;
  const { keys, activeKey, mode, antiReplay, windowS } = authHmac;
  lines.push("   Authentication extension = HMAC-SHA256-128");
  lines.push(`     Keys = ${keys.length}, active key id = ${activeKey.id}`, `     Mode = ${mode}`);
  lines.push(`     Anti replay = ${antiReplay}${antiReplay === "time" ? `, window = ${windowS} sec` : ""}`);
  return lines;
}

function interfaceLines({ virtualLink: link, interface: name, sendsFromBase }: VrrpInstance): string[] {
  if (link === undefined) return [`   Interface = ${name ?? ""}`];
  const on = `${link.kind === "macvlan" ? "vmac" : "ipvlan"} on ${link.base}`;
  const use =
    link.kind === "macvlan"
      ? `VMAC, i/f name ${link.name}, is_up = true, xmit_base = ${sendsFromBase}`
      : `IPVLAN, i/f ${link.name}, is_up = true, type ${link.ipvlanType}`;
  return [`   Use ${use}`, `   Interface = ${link.name}, ${on}${sendsFromBase ? ", xmit base i/f" : ""}`];
}

function instanceLines(instance: VrrpInstance, router: RouterReport, nowMs: number): string[] {
  const { announce, advertIntervalMs, addresses, excludedAddresses } = instance;
  const isActive = router.role === "active";
  const role = ROLE_NAMES[router.role];
  const downUs = Math.round(downIntervalMs(instance, router.effectivePriority, router.activeIntervalMs) * 1000);
  const interval = instance.version === 2 ? `${advertIntervalMs / 1000} sec` : `${advertIntervalMs} milli-sec`;
  const timeoutMs = nowMs + (router.deadlineInMs ?? 0);
  const lines = [
    ` VRRP Instance = ${instance.name}`,
    `   VRRP Version = ${instance.version}`,
    ...(instance.syncGroup === undefined ? [] : [`   Sync group = ${instance.syncGroup}`]),
    ...(instance.family === 6 ? ["   Using Native IPv6"] : []),
    `   State = ${role}`,
    `   Wantstate = ${role}`,
    `   Number of interface and track script faults = ${router.faults.length}`,
    `   Last transition = ${seconds(router.sinceMs)} (${printCtime(router.sinceMs)})`,
    ...(router.deadlineInMs === undefined
      ? []
      : [`   Read timeout = ${seconds(timeoutMs)} (${printCtime(timeoutMs)})`]),
    `   Master down timer = ${downUs} usecs`,
    ...interfaceLines(instance),
    ...(router.source === undefined ? [] : [`   Using src_ip = ${router.source}`]),
    ...(instance.unicast ? [] : [`   Multicast address ${printIp(instance.multicastGroup)}`]),
    ...(isActive || router.activeRouter === undefined
      ? []
      : [`   Master router = ${router.activeRouter.address}`, `   Master priority = ${router.activeRouter.priority}`]),
    `   Gratuitous ARP delay = ${announce.delayMs / 1000}`,
    `   Gratuitous ARP repeat = ${announce.repeat}`,
    `   Gratuitous ARP refresh = ${announce.refreshMs / 1000}`,
    `   Gratuitous ARP refresh repeat = ${announce.refreshRepeat}`,
    `   Gratuitous ARP lower priority delay = ${announce.lowerPriorityDelayMs / 1000}`,
    `   Gratuitous ARP lower priority repeat = ${announce.lowerPriorityRepeat}`,
    `   Down timer adverts = ${instance.downTimerAdverts}`,
    `   Send advert after receive lower priority advert = ${!instance.lowerPriorityNoAdvert}`,
    `   Send advert after receive higher priority advert = ${instance.higherPrioritySendAdvert}`,
    `   Virtual Router ID = ${instance.virtualRouterId}`,
    `   Priority = ${instance.priority}`,
    `   Effective priority = ${router.effectivePriority}`,
    `   Advert interval = ${interval}`,
    `   Accept = ${instance.accept ? "enabled" : "disabled"}`,
    `   Preempt = ${instance.nopreempt ? "disabled" : "enabled"}`,
    ...authenticationLines(instance),
  ];
  for (const [title, list] of [
    ["Virtual IP", addresses],
    ["Virtual IP Excluded", excludedAddresses],
  ] as const) {
    if (list.length === 0) continue;
    lines.push(`   ${title} (${list.length}):`, ...list.map((address) => `     ${printAddress(address, isActive)}`));
  }
  lines.push(...trackedBfdLines(instance.tracks.bfds));
  return lines;
}
