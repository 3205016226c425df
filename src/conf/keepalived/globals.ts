/** Keywords of `global_defs`. keepalived: global_parser.c. */
import { command, readUser } from "./commands.ts";
import type { FifoDraft, GlobalsDraft } from "./drafts.ts";
import { flapDampingKeyword } from "./flap-damping.ts";
import { flightKeywords } from "./flight.ts";
import { foreign } from "./foreign-globals.ts";
import { includeCheck } from "./include-check.ts";
import type { Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { lvsGlobals } from "./lvs/globals.ts";
import type { Machine } from "./machine.ts";
import { mailKeywords } from "./mail.ts";
import { readInteger } from "./numbers.ts";
import { peerKeywords } from "./peer.ts";
import { processKeywords } from "./process-globals.ts";
import { reloadKeywords } from "./reload.ts";
import { addressOf, keyword, number, slotsOf } from "./slots.ts";
import { readExtraGarp } from "./virtual-links.ts";

const slots = slotsOf<GlobalsDraft>();
/** Seconds that fit keepalived's microseconds in 32 bits. */
const MAX_SECONDS = 4294;
const MAX_DECIMAL_SECONDS = 4294.967295;
const MAX_COUNT = 0xffff_ffff;

/** `vrrp_KEY 'x' invalid - ignoring` and its relatives. */
const invalid = (name: string) => (text: string) => `${name} '${text}' invalid - ignoring`;
const atLeastOne = (name: string) => (value: number) =>
  value > 0 ? undefined : { message: `${name} must be greater than 0, setting to 1`, value: 1 };

function extraGarp(doc: string): Keyword<GlobalsDraft> {
  return keyword({ syntax: "[all] 1…86400", default: "none", doc }, (draft, line, scope) => {
    const extra = readExtraGarp(line, scope, 1, "");
    if (extra !== undefined) draft.extraGarp = extra;
  });
}

/** The defaults of all instances. */
const instanceDefaults: Keywords<GlobalsDraft> = {
  vrrp_version: slots.integer("version", {
    min: 2,
    max: 3,
    default: "2",
    doc: "VRRP version of instances that don't say; IPv6 is always version 3.",
    invalid: () => "VRRP Error: Version must be either 2 or 3",
  }),
  vrrp_mcast_group4: keyword(
    { syntax: "ADDRESS", default: "224.0.0.18", doc: "Multicast group of IPv4 adverts." },
    (draft, line, scope) => multicastGroup(draft, line, scope, 4),
  ),
  vrrp_mcast_group6: keyword(
    { syntax: "ADDRESS", default: "ff02::12", doc: "Multicast group of IPv6 adverts." },
    (draft, line, scope) => multicastGroup(draft, line, scope, 6),
  ),
  vrrp_garp_master_delay: slots.wholeSeconds("garpDelayMs", {
    min: 0,
    max: MAX_SECONDS,
    default: "5",
    doc: "Seconds after becoming active until gratuitous ARP is sent a second time; 0: never.",
    invalid: invalid("vrrp_garp_master_delay"),
  }),
  vrrp_garp_master_repeat: slots.integer("garpRepeat", {
    min: 0,
    max: MAX_COUNT,
    default: "5",
    doc: "Gratuitous ARP messages per address and burst.",
    invalid: invalid("vrrp_garp_master_repeat"),
    mend: atLeastOne("vrrp_garp_master_repeat"),
  }),
  vrrp_garp_master_refresh: slots.wholeSeconds("garpRefreshMs", {
    min: 0,
    max: MAX_SECONDS,
    default: "0",
    doc: "Seconds between bursts for as long as the instance is active; 0: none.",
    invalid: (text) => `Invalid vrrp_garp_master_refresh '${text}' - ignoring`,
  }),
  vrrp_garp_master_refresh_repeat: slots.integer("garpRefreshRepeat", {
    min: 0,
    max: MAX_COUNT,
    default: "1",
    doc: "Messages per refreshing burst.",
    invalid: invalid("vrrp_garp_master_refresh_repeat"),
    mend: atLeastOne("vrrp_garp_master_refresh_repeat"),
  }),
  vrrp_garp_lower_prio_delay: slots.wholeSeconds("garpLowerPriorityDelayMs", {
    min: 0,
    max: MAX_SECONDS,
    default: "vrrp_garp_master_delay",
    doc: "As vrrp_garp_master_delay, after an advert of lower priority was heard.",
    invalid: invalid("vrrp_garp_lower_prio_delay"),
  }),
  vrrp_garp_lower_prio_repeat: slots.integer("garpLowerPriorityRepeat", {
    min: 0,
    max: MAX_COUNT,
    default: "vrrp_garp_master_repeat",
    doc: "Messages after an advert of lower priority was heard; 0: none.",
    invalid: (text) => `Invalid vrrp_garp_lower_prio_repeat '${text}'`,
  }),
  vrrp_garp_interval: slots.seconds("garpIntervalMs", {
    min: 0.000001,
    max: MAX_DECIMAL_SECONDS,
    default: "0",
    doc: "Seconds between two gratuitous ARP messages on one interface.",
    invalid: (text) => `vrrp_garp_interval '${text}' is invalid`,
  }),
  vrrp_gna_interval: slots.seconds("gnaIntervalMs", {
    min: 0.000001,
    max: MAX_DECIMAL_SECONDS,
    default: "0",
    doc: "Seconds between two unsolicited neighbour advertisements on one interface.",
    invalid: (text) => `vrrp_gna_interval '${text}' is invalid`,
  }),
  vrrp_garp_extra_if: extraGarp("Seconds between messages on other links than that of the adverts."),
  vrrp_vmac_garp_intvl: extraGarp("Old spelling of vrrp_garp_extra_if."),
  default_interface: slots.text("defaultInterface", {
    syntax: "NAME",
    default: "eth0",
    doc: "The link of static addresses without one.",
    missing: "default_interface requires interface name",
  }),
  vmac_prefix: slots.text("vmacPrefix", {
    syntax: "TEXT",
    default: "vrrp",
    doc: "Links of use_vmac are called TEXT.VRID.",
  }),
  vmac_addr_prefix: slots.text("vmacAddressPrefix", {
    syntax: "TEXT",
    default: "vmac_prefix",
    doc: "The same for links of single addresses.",
  }),
  vrrp_min_garp: slots.toggle("minGarp", {
    doc: "One gratuitous ARP message instead of bursts, where nothing else is configured.",
    invalid: () => "Invalid value for vrrp_min_garp specified",
  }),
  vrrp_down_timer_adverts: slots.integer("downTimerAdverts", {
    min: 1,
    max: 100,
    default: "3",
    doc: "Adverts that may be missed before a backup takes over.",
    invalid: (text) => `Invalid vrrp_down_timer_adverts [1:100] '${text}'`,
  }),
  vrrp_lower_prio_no_advert: slots.toggle("lowerPriorityNoAdvert", {
    default: "off",
    doc: "An active router does not answer an advert of lower priority.",
    invalid: () => "Invalid value for vrrp_lower_prio_no_advert specified",
  }),
  vrrp_higher_prio_send_advert: slots.toggle("higherPrioritySendAdvert", {
    default: "off",
    doc: "An active router answers an advert of higher priority once before it yields.",
    invalid: () => "Invalid value for vrrp_higher_prio_send_advert specified",
  }),
  vrrp_check_unicast_src: slots.flag("checkUnicastSource", {
    doc: "Unicast adverts are accepted from configured peers only.",
  }),
  vrrp_skip_check_adv_addr: slots.toggle("skipCheckAdvertAddresses", {
    default: "off",
    doc: "The address list of an advert is not compared again while the sender stays the same.",
  }),
  v3_checksum_as_v2: slots.toggle("v3ChecksumAsV2", {
    default: "off",
    doc: "IPv4 version 3 adverts have no pseudo-header in their checksum.",
  }),
  vrrp_strict: slots.toggle("strict", {
    default: "off",
    doc: "What the RFC does not know is cleared: authentication, preempt_delay, other timers; no_accept is the default.",
  }),
  vrrp_owner_ignore_adverts: slots.toggle("ownerIgnoresAdverts", {
    default: "off",
    doc: "An owner of the addresses (priority 255) listens to nobody.",
  }),
  vrrp_rx_bufs_policy: keyword(
    { syntax: "MTU|ADVERT|BYTES", default: "the system's size", doc: "Receive buffer of an instance." },
    readReceivePolicy,
  ),
  vrrp_rx_bufs_multiplier: keyword(
    { syntax: `1…${MAX_COUNT}`, default: "3", doc: "Packets that the receive buffer of an instance holds." },
    (draft, line, scope) => {
      if (line.words.length !== 2) {
        scope.report("warn", "Invalid vrrp_rx_bufs_multiplier", line.position);
        return;
      }
      const bad = (text: string): string => `Invalid vrrp_rx_bufs_multiplier ${text}`;
      const value = number(line, scope, { min: 1, max: MAX_COUNT, invalid: bad }, draft);
      if (value !== undefined) draft.receiveMultiplier = value;
    },
  ),
};

/** keepalived takes every word that is no policy for a size, but always reads the first one. */
function readReceivePolicy(draft: GlobalsDraft, line: Line, scope: Interpreter): void {
  const warn = (message: string): void => scope.report("warn", message, line.position);
  const [, ...words] = line.words;
  if (words.length === 0) warn("vrrp_rx_bufs_policy missing");
  let bytes: number | undefined;
  for (const word of words) {
    if (word === "MTU" || word === "ADVERT") continue;
    const read = readInteger(words[0] as string, 0, MAX_COUNT);
    if (read.ok) bytes = read.value;
    else {
      warn(read.reason);
      warn(`Invalid vrrp_rx_bufs_policy ${word}`);
    }
  }
  const [isMtu, isAdvert] = [words.includes("MTU"), words.includes("ADVERT")];
  if (bytes !== undefined && (isMtu || isAdvert))
    warn("Cannot set vrrp_rx_bufs_policy size and policy, ignoring policy");
  else if (isMtu && isAdvert) warn("Cannot set both vrrp_rx_bufs_policy MTU and ADVERT, ignoring ADVERT");
  if (bytes !== undefined) draft.receivePolicy = { bytes };
  else if (isMtu || isAdvert) draft.receivePolicy = isMtu ? "MTU" : "ADVERT";
}

function multicastGroup(draft: GlobalsDraft, line: Line, scope: Interpreter, family: 4 | 6): void {
  const read = addressOf(line, scope);
  if (read === undefined) return;
  const name = `vrrp_mcast_group${family}`;
  const { text, address } = read;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  if (address === undefined) {
    warn(`Can't parse ${name} [${text}]. Skipping`);
    return;
  }
  if (address.length !== (family === 4 ? 4 : 16)) {
    warn(`${name} [${text}] is not IPv${family}. Skipping`);
    return;
  }
  const [first = 0, second = 0] = address;
  if (family === 4 ? first >> 4 !== 14 : first !== 0xff) {
    warn(`${name} [${text}] is not multicast. Skipping`);
    return;
  }
  if (family === 6 && (second & 15) !== 2) warn(`${name} [${text}] should be link-local multicast.`);
  if (family === 4) draft.multicastGroup4 = address;
  else draft.multicastGroup6 = address;
}

/** Bits as `S_I…` names them, without the prefix. */
const UMASK_BITS: Readonly<Record<string, number>> = {
  IXOTH: 0o001,
  IWOTH: 0o002,
  IROTH: 0o004,
  IRWXO: 0o007,
  IXGRP: 0o010,
  IWGRP: 0o020,
  IRGRP: 0o040,
  IRWXG: 0o070,
  IXUSR: 0o100,
  IWUSR: 0o200,
  IRUSR: 0o400,
  IRWXU: 0o700,
};

function readUmask(draft: GlobalsDraft, line: Line, scope: Interpreter): void {
  const text = scope.word(line, 1);
  if (text === undefined) return;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  if (/^[0-9]/.test(text)) {
    const value = /^0[0-7]*$/.test(text) ? Number.parseInt(text, 8) : Number(text);
    if (!Number.isInteger(value) || value > 0o777) {
      warn(`invalid umask value ${text}`);
      return;
    }
    draft.umask = value;
    return;
  }
  let mask = 0;
  for (const name of line.words
    .slice(1)
    .join(" ")
    .split(/[\s|]+/)) {
    const bit = UMASK_BITS[name];
    if (bit === undefined) {
      warn(`Unknown umask bit ${name}`);
      return;
    }
    mask |= bit;
  }
  draft.umask = mask;
}

function fifo(
  key: "notifyFifo" | "vrrpNotifyFifo" | "lvsNotifyFifo",
  name: string,
  doc: string,
): Keyword<GlobalsDraft> {
  return keyword({ syntax: "PATH [USER [GROUP]]", doc }, (draft, line, scope) => {
    const path = line.words[1];
    if (path === undefined) return scope.report("warn", `No ${name} name specified`, line.position);
    if (draft[key] !== undefined)
      return scope.report("warn", `${name} already specified - ignoring ${path}`, line.position);
    const user = readUser(line.words.slice(2));
    if (!scope.mayRun(user, line.position)) return;
    const found: FifoDraft = { path, user, at: line.position };
    draft[key] = found;
  });
}

/** What is run or written to at the edges of the daemon's life. */
const scripts: Keywords<GlobalsDraft> = {
  enable_script_security: slots.flag("enableScriptSecurity", {
    doc: "Scripts that root runs must not be writable by anybody else, on their whole path.",
  }),
  startup_script: command("startupScript", {
    doc: "Run once before anything else starts.",
    already: () => "startup script already specified",
    missing: "startup script missing",
    dropped: "Invalid startup script",
  }),
  startup_script_timeout: scriptTimeout("startupScriptTimeoutMs", "startup"),
  shutdown_script: command("shutdownScript", {
    doc: "Run once after everything has ended.",
    already: () => "shutdown script already specified",
    missing: "shutdown script missing",
    dropped: "Invalid shutdown script",
  }),
  shutdown_script_timeout: scriptTimeout("shutdownScriptTimeoutMs", "shutdown"),
  notify_fifo: fifo("notifyFifo", "notify_fifo", "A named pipe that gets a line for every change of state."),
  notify_fifo_script: command("notifyFifoScript", {
    doc: "Started to read the pipe; gets its path as last argument.",
    already: (text) => `notify_fifo_script already specified - ignoring ${text}`,
    missing: "No notify_fifo_script specified",
  }),
  vrrp_notify_fifo: fifo("vrrpNotifyFifo", "vrrp_notify_fifo", "As notify_fifo, for VRRP only."),
  vrrp_notify_fifo_script: command("vrrpNotifyFifoScript", {
    doc: "As notify_fifo_script, for VRRP only.",
    already: (text) => `vrrp_notify_fifo_script already specified - ignoring ${text}`,
    missing: "No vrrp_notify_fifo_script specified",
  }),
  lvs_notify_fifo: fifo("lvsNotifyFifo", "lvs_notify_fifo", "As notify_fifo, for virtual and real servers only."),
  lvs_notify_fifo_script: command("lvsNotifyFifoScript", {
    doc: "As notify_fifo_script, for virtual and real servers only.",
    already: (text) => `lvs_notify_fifo_script already specified - ignoring ${text}`,
    missing: "No lvs_notify_fifo_script specified",
  }),
  fifo_write_vrrp_states_on_reload: slots.flag("writeStatesToFifoOnReload", {
    doc: "After a reload all states are written to the pipes again.",
  }),
  vrrp_notify_priority_changes: slots.toggle("notifyPriorityChanges", {
    default: "off",
    doc: "Changes of priority are written to the pipes, too.",
    // keepalived calls it global.
    invalid: (text) => `Invalid value '${text}' for global vrrp_notify_priority_changes specified`,
  }),
};

function scriptTimeout(key: "startupScriptTimeoutMs" | "shutdownScriptTimeoutMs", name: string): Keyword<GlobalsDraft> {
  return slots.wholeSeconds(key, {
    min: 1,
    max: 1000,
    default: "10",
    doc: `Seconds that the ${name} script may take.`,
    invalid: (text) => `${name}_script_timeout '${text}' must be in [1, 1000] - ignoring`,
  });
}

/** Files and names. */
const general: Keywords<GlobalsDraft> = {
  router_id: slots.text("routerId", {
    syntax: "NAME",
    default: "the host name",
    doc: "Name of this node in messages.",
    missing: "routerid name missing - ignoring",
  }),
  vrrp_delay_after_boot: slots.seconds("delayAfterBootMs", {
    min: 0.001,
    max: MAX_DECIMAL_SECONDS,
    default: "0",
    doc: "Seconds after the start of the machine that all instances wait; the longer one of this and vrrp_startup_delay counts.",
    invalid: (text) => `vrrp_delay_after_boot '${text}' is invalid`,
  }),
  vrrp_startup_delay: slots.seconds("startupDelayMs", {
    min: 0.001,
    max: MAX_DECIMAL_SECONDS,
    default: "0",
    doc: "Seconds that all instances wait after the start.",
    invalid: (text) => `vrrp_startup_delay '${text}' is invalid`,
  }),
  dynamic_interfaces: keyword(
    { syntax: "[allow_if_changes]", doc: "Interfaces may be missing at first, or come back." },
    (draft, line, scope) => {
      draft.dynamicInterfaces = true;
      if (line.words[1] === "allow_if_changes") draft.allowInterfaceChanges = true;
      else if (line.words[1] !== undefined)
        scope.report("warn", `Unknown dynamic_interfaces option '${line.words[1]}'`, line.position);
    },
  ),
  disable_local_igmp: slots.flag("disableLocalIgmp", { doc: "No IGMP reports for 224.0.0.0/24." }),
  log_unknown_vrids: slots.flag("logUnknownVrids", { doc: "Adverts of foreign virtual router ids are logged." }),
  state_dump_file: slots.text("stateDumpFile", {
    syntax: "PATH",
    doc: "What SIGUSR1 writes.",
    default: "/tmp/keepalived.data",
  }),
  stats_dump_file: slots.text("statsDumpFile", {
    syntax: "PATH",
    doc: "What SIGUSR2 writes.",
    default: "/tmp/keepalived.stats",
  }),
  json_dump_file: slots.text("jsonDumpFile", {
    syntax: "PATH",
    doc: "What the JSON signal writes.",
    default: "/tmp/keepalived.json",
  }),
  json_version: slots.integer("jsonVersion", { min: 1, max: 2, default: "1", doc: "Form of the JSON file." }),
};

/** Who scripts run as; an account that does not exist is told at once. */
function scriptUser(machine: Machine | undefined): Keyword<GlobalsDraft> {
  const about = {
    syntax: "USER [GROUP]",
    default: "keepalived_script, else root",
    doc: "Who scripts run as, where they don't say.",
  };
  return keyword(about, (draft, line, scope) => {
    const user = readUser(line.words.slice(1));
    if (user === undefined) {
      scope.report("warn", "No script username specified", line.position);
      return;
    }
    draft.scriptUser = user;
    if (machine === undefined) return;
    if (!machine.hasUser(user.user) || (user.group !== undefined && !machine.hasGroup(user.group)))
      scope.report("warn", "Error setting global script uid/gid", line.position);
  });
}

/** All keywords of `global_defs`. */
export function globalKeywords(machine: Machine | undefined): Keywords<GlobalsDraft> {
  return {
    ...general,
    ...processKeywords(machine),
    umask: keyword({ syntax: "MASK|BIT…", default: "0177", doc: "Mask of files that are made." }, readUmask),
    script_user: scriptUser(machine),
    ...scripts,
    ...mailKeywords,
    ...instanceDefaults,
    ...peerKeywords,
    ...lvsGlobals,
    ...flightKeywords,
    flap_damping: flapDampingKeyword<GlobalsDraft>(),
    include_check: includeCheck,
    ...reloadKeywords,
    ...foreign,
  };
}
