/** Keywords of `vrrp_instance`. keepalived: vrrp_parser.c; what they mean together is in complete.ts. */
import { type IpAddress, parseIp } from "../../base/ip.ts";
import { readAddress } from "./addresses.ts";
import { hmacKeywords, hmacOf } from "./auth-hmac.ts";
import type { InstanceDraft } from "./drafts.ts";
import { flapDampingKeyword } from "./flap-damping.ts";
import type { Draft, Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { instanceNotifyKeywords, notifyKeywords } from "./notifies.ts";
import { readDecimal, readInteger } from "./numbers.ts";
import { readRoute } from "./routes.ts";
import { readRule } from "./rules.ts";
import { addressOf, allRefused, allWithoutEffect, keyword, NO_SYNC_DAEMON, number, slotsOf } from "./slots.ts";
import { splitBrainKeywords } from "./split-brain.ts";
import { type TrackContext, trackKeywords } from "./tracks.ts";
import { virtualLinkKeywords } from "./virtual-links.ts";

const slots = slotsOf<InstanceDraft>();
const MAX_SECONDS = 4294;
const MAX_COUNT = 0xffff_ffff;
const MAX_OTHER_PRIORITY = 254;
/** IFNAMSIZ without its zero. */
const MAX_INTERFACE_NAME = 15;
/** Of an instance that says nothing, or nothing valid. */
export const DEFAULT_PRIORITY = 100;

/** All keywords of `vrrp_instance`. */
export function instanceKeywords(context: TrackContext): Keywords<InstanceDraft> {
  return {
    ...election,
    ...timing,
    ...announcing,
    interface: keyword({ syntax: "NAME", doc: "Where adverts are sent and addresses are set." }, (draft, line, scope) =>
      readInterface(draft, line, scope, context),
    ),
    ...sources,
    unicast_peer: keyword(
      {
        syntax: "{ ADDRESS [min_ttl N] [max_ttl N] }",
        doc: "Adverts go to these addresses instead of the multicast group.",
      },
      (draft, _line, scope) => {
        draft.wantsUnicast = true;
        scope.list((line) => readPeer(draft, line, scope));
      },
    ),
    ...authenticating(context),
    virtual_ipaddress: keyword(
      {
        syntax: "{ ADDRESS[/LENGTH] [dev NAME] [label NAME] … }",
        doc: "Addresses of the active router, in its adverts.",
      },
      (draft, _line, scope) => {
        scope.list((line) => readVirtualAddress(draft, line, scope, context));
      },
    ),
    virtual_ipaddress_excluded: keyword(
      {
        syntax: "{ ADDRESS[/LENGTH] … }",
        doc: "Addresses of the active router that are not in its adverts; any family.",
      },
      (draft, _line, scope) => {
        scope.list((line) => {
          const address = readAddress(line, scope, context);
          if (address !== undefined) draft.excludedAddresses.push(address);
        });
      },
    ),
    virtual_routes: keyword(
      {
        syntax: "{ [TYPE] DESTINATION [via ADDRESS] [dev NAME] … [no_track] }",
        doc: "Routes of the active router, in the words of `ip route`.",
      },
      (draft, _line, scope) => {
        scope.list((line) => {
          const route = readRoute(line, scope, context, false);
          if (route !== undefined) draft.routes.push(route);
        });
      },
    ),
    virtual_rules: keyword(
      {
        syntax: "{ [from NETWORK] … table TABLE [priority N] … [no_track] }",
        doc: "Rules of the active router, in the words of `ip rule`.",
      },
      (draft, _line, scope) => {
        scope.list((line) => {
          const rule = readRule(line, scope, context, false);
          if (rule !== undefined) draft.rules.push(rule);
        });
      },
    ),
    no_virtual_ipaddress: slots.flag("isWithoutAddresses", { doc: "No address is meant to be there." }),
    promote_secondaries: slots.flag("promoteSecondaries", {
      doc: "When the primary address of the interface goes, a secondary takes its place.",
    }),
    track_src_ip: slots.flag("trackSourceAddress", { doc: "A source address that vanishes is a fault." }),
    dont_track_primary: slots.flag("dontTrackPrimary", { doc: "Faults of the own interface don't count." }),
    ...trackKeywords<InstanceDraft>(context),
    ...notifyKeywords<InstanceDraft>(
      ({ name }) => `(${name})`,
      (text) => `Invalid vrrp_instance smtp_alert parameter ${text}`,
      (text, { name }) => `(${name}) Invalid value '${text}' for notify_priority_changes specified`,
    ),
    ...(instanceNotifyKeywords as Keywords<InstanceDraft>),
    ...virtualLinkKeywords(context),
    kernel_rx_buf_size: slots.integer("kernelReceiveBufferBytes", {
      min: 0,
      max: MAX_COUNT,
      doc: "Receive buffer of the socket in bytes.",
      invalid: (_text, { name }) => `(${name}) invalid kernel_rx_buf_size specified`,
    }),
    ...splitBrainKeywords,
    flap_damping: flapDampingKeyword<InstanceDraft>(),
    ...refused,
  };
}

/** Whose adverts count. */
function authenticating(context: TrackContext): Keywords<InstanceDraft> {
  const hmacTable = hmacKeywords(context);
  return {
    authentication: keyword(
      {
        syntax: "{ auth_type PASS|AH … }",
        doc: "Version 2 only: a password that travels in clear, or the key of IPsec AH.",
      },
      (draft, _line, scope) => void scope.block(authenticationKeywords, draft),
      authenticationKeywords as Keywords<never>,
    ),
    auth_hmac: keyword(
      {
        syntax: "{ key … active_key … }",
        doc: "Adverts are signed and protected against replay, as of keepalived 2.4.",
      },
      (draft, _line, scope) => {
        hmacOf(draft);
        scope.block(hmacTable, draft);
      },
      hmacTable as Keywords<never>,
    ),
  };
}

/** Who wins. */
const election: Keywords<InstanceDraft> = {
  state: keyword(
    {
      syntax: "MASTER|BACKUP",
      default: "BACKUP",
      doc: "What this node would like to be; it starts as backup in any case.",
    },
    (draft, line, scope) => {
      const state = scope.word(line, 1);
      if (state === undefined) return;
      const isKnown = state === "MASTER" || state === "BACKUP";
      if (!isKnown)
        scope.report("warn", `(${draft.name}) unknown state '${state}', defaulting to BACKUP`, line.position);
      if (state === "BACKUP" && draft.state === "MASTER") {
        const message = `(${draft.name}) state previously set as MASTER - ignoring BACKUP`;
        scope.report("warn", message, line.position);
      } else draft.state = state === "MASTER" ? "MASTER" : "BACKUP";
    },
  ),
  virtual_router_id: slots.integer("virtualRouterId", {
    min: 1,
    max: 255,
    doc: "Number of the virtual router, the same on all nodes.",
    invalid: (text, { name }) => `(${name}): VRID '${text}' not valid - must be between 1 & 255`,
  }),
  priority: keyword(
    { syntax: "1…255", default: "100", doc: "The highest wins; 255 owns the addresses." },
    (draft, line, scope) => {
      const about = {
        min: 1,
        max: 255,
        invalid: () => `(${draft.name}) Priority not valid! must be between 1 & 255. Using default ${DEFAULT_PRIORITY}`,
      };
      draft.priority = number(line, scope, about, draft) ?? DEFAULT_PRIORITY;
    },
  ),
  nopreempt: slots.flag("nopreempt", { doc: "A backup does not take over from an active router of lower priority." }),
  preempt: slots.flag("nopreempt", { value: false, doc: "The opposite of nopreempt, and the default." }),
  preempt_delay: keyword(
    { syntax: "0…1000", default: "0", doc: "Seconds that a backup waits before it takes over from a lower priority." },
    (draft, line, scope) => {
      const text = scope.word(line, 1);
      if (text === undefined) return;
      const read = readDecimal(text, 0, 1000);
      if (read.ok) draft.preemptDelayMs = read.value * 1000;
      else {
        draft.preemptDelayMs = 0;
        scope.report("warn", read.reason, line.position);
        // keepalived says no more about what is no number at all.
        if (!read.reason.startsWith("invalid"))
          scope.report("warn", `(${draft.name}) Preempt_delay not valid! must be between 0-1000`, line.position);
      }
    },
  ),
  accept: slots.flag("accept", { doc: "Packets to the virtual addresses are accepted; the default." }),
  no_accept: slots.flag("accept", {
    value: false,
    doc: "Packets to the virtual addresses are dropped unless it owns them.",
  }),
  lower_prio_no_advert: slots.toggle("lowerPriorityNoAdvert", {
    default: "vrrp_lower_prio_no_advert",
    doc: "An advert of lower priority is not answered.",
    invalid: (text, { name }) => `(${name}) invalid lower_prio_no_advert ${text} specified`,
  }),
  higher_prio_send_advert: slots.toggle("higherPrioritySendAdvert", {
    default: "vrrp_higher_prio_send_advert",
    doc: "An advert of higher priority is answered once before yielding.",
    invalid: (text, { name }) => `(${name}) invalid higher_prio_send_advert ${text} specified`,
  }),
  skip_check_adv_addr: slots.toggle("skipCheckAdvertAddresses", {
    default: "vrrp_skip_check_adv_addr",
    doc: "The address list is not compared again while the sender stays the same.",
    invalid: (text, { name }) => `(${name}) invalid skip_check_adv_addr ${text} specified`,
  }),
  strict_mode: slots.toggle("strict", {
    default: "vrrp_strict",
    doc: "What the RFC does not know is cleared: authentication, preempt_delay, other timers; no_accept is the default.",
    invalid: (text, { name }) => `(${name}) invalid strict_mode ${text} specified`,
  }),
  owner_ignore_adverts: slots.toggle("ownerIgnoresAdverts", {
    default: "vrrp_owner_ignore_adverts",
    doc: "An owner of the addresses (priority 255) listens to nobody.",
    invalid: (text, { name }) => `(${name}) invalid owner_ignore_adverts ${text} specified`,
  }),
};

/** When. */
const timing: Keywords<InstanceDraft> = {
  version: keyword(
    { syntax: "2…3", default: "vrrp_version, 3 for IPv6", doc: "VRRP version." },
    (draft, line, scope) => {
      const { name } = draft;
      const about = { min: 2, max: 3, invalid: () => `(${name}): Version must be either 2 or 3` };
      const version = number(line, scope, about, draft);
      const known = draft.version ?? (draft.family === 6 ? 3 : undefined);
      if (version !== undefined && known !== undefined && version !== known) {
        const conflict = `vrrp_version ${version} conflicts with configured or deduced version ${known}`;
        scope.report("warn", `(${name}) ${conflict}; ignoring.`, line.position);
      } else if (version !== undefined) draft.version = version;
    },
  ),
  advert_int: keyword(
    {
      syntax: "0.01…255",
      default: "1",
      doc: "Seconds between adverts; whole ones in version 2, at most 40.95 in version 3.",
    },
    (draft, line, scope) => {
      const about = {
        min: 0.01,
        max: 255,
        invalid: (text: string) => `(${draft.name}) Advert interval (${text}) not valid! Must be > 0 - ignoring`,
      };
      const value = number(line, scope, about, draft, readDecimal);
      if (value !== undefined) draft.advertIntervalMs = value * 1000;
    },
  ),
  timer_expired_backup: lateBackup(
    "With nopreempt: an active router that was late for so long that one of this priority could have taken over becomes backup.",
  ),
  thread_timer_expired: lateBackup("Old spelling of timer_expired_backup."),
  down_timer_adverts: slots.integer("downTimerAdverts", {
    min: 1,
    max: 100,
    default: "vrrp_down_timer_adverts",
    doc: "Adverts that may be missed before taking over.",
    invalid: (text, { name }) => `(${name}): Invalid down_timer_adverts [1:100] '${text}'`,
  }),
};

/** `timer_expired_backup`, of keepalived 2.4. */
function lateBackup(doc: string): Keyword<InstanceDraft> {
  return keyword({ syntax: "[1…254]", default: "254 when bare", doc }, (draft, line, scope) => {
    const { name } = draft;
    const [word = "", text] = line.words;
    const warn = (message: string): void => scope.report("warn", message, line.position);
    if (word === "thread_timer_expired")
      warn(`(${name}) thread_timer_expired - please replace with keyword 'timer_expired_backup'`);
    const read =
      text === undefined ? { ok: true as const, value: MAX_OTHER_PRIORITY } : readInteger(text, 1, MAX_OTHER_PRIORITY);
    if (read.ok) draft.highestOtherPriority = read.value;
    else {
      warn(read.reason);
      const bounds = `must be between 1 & ${MAX_OTHER_PRIORITY}`;
      warn(`(${name}) timer_expired_backup highest_other_priority not valid! ${bounds}`);
    }
  });
}

const ignored = (keyword: string) => (text: string, draft: InstanceDraft) =>
  `(${draft.name}): ${keyword} '${text}' invalid - ignoring`;
const atLeastOne = (keyword: string) => (value: number, draft: InstanceDraft) =>
  value > 0 ? undefined : { message: `(${draft.name}): ${keyword} must be greater than 0, setting to 1`, value: 1 };

/** What the neighbours are told. */
const announcing: Keywords<InstanceDraft> = {
  garp_master_delay: slots.wholeSeconds("garpDelayMs", {
    min: 0,
    max: MAX_SECONDS,
    default: "vrrp_garp_master_delay",
    doc: "Seconds until gratuitous ARP is sent a second time; 0: never.",
    invalid: ignored("garp_master_delay"),
  }),
  garp_master_repeat: slots.integer("garpRepeat", {
    min: 0,
    max: MAX_COUNT,
    default: "vrrp_garp_master_repeat",
    doc: "Messages per address and burst.",
    invalid: ignored("garp_master_repeat"),
    mend: atLeastOne("garp_master_repeat"),
  }),
  garp_master_refresh: slots.wholeSeconds("garpRefreshMs", {
    min: 0,
    max: MAX_SECONDS,
    default: "vrrp_garp_master_refresh",
    doc: "Seconds between bursts while active; 0: none.",
    invalid: (text, { name }) => `(${name}): Invalid garp_master_refresh '${text}' - ignoring`,
  }),
  garp_master_refresh_repeat: slots.integer("garpRefreshRepeat", {
    min: 0,
    max: MAX_COUNT,
    default: "vrrp_garp_master_refresh_repeat",
    doc: "Messages per refreshing burst.",
    invalid: ignored("garp_master_refresh_repeat"),
    mend: atLeastOne("garp_master_refresh_repeat"),
  }),
  garp_lower_prio_delay: slots.wholeSeconds("garpLowerPriorityDelayMs", {
    min: 0,
    max: MAX_SECONDS,
    default: "garp_master_delay",
    doc: "As garp_master_delay, after an advert of lower priority.",
    invalid: ignored("garp_lower_prio_delay"),
  }),
  garp_lower_prio_repeat: slots.integer("garpLowerPriorityRepeat", {
    min: 0,
    max: MAX_COUNT,
    default: "garp_master_repeat",
    doc: "Messages after an advert of lower priority; 0: none.",
    invalid: (text, { name }) => `(${name}): Invalid garp_lower_prio_repeat '${text}'`,
  }),
};

/** Where adverts come from and go to. */
const sources: Keywords<InstanceDraft> = {
  mcast_src_ip: keyword(
    { syntax: "ADDRESS", default: "the interface's first address", doc: "Source address of adverts." },
    readSource,
  ),
  unicast_src_ip: keyword({ syntax: "ADDRESS", doc: "Source address of unicast adverts." }, (draft, line, scope) => {
    draft.wantsUnicast = true;
    readSource(draft, line, scope);
  }),
  mcast_dst_ip: keyword(
    { syntax: "ADDRESS", default: "vrrp_mcast_group4, vrrp_mcast_group6", doc: "Multicast group of this instance." },
    readDestination,
  ),
  unicast_ttl: slots.integer("unicastTtl", {
    min: 0,
    max: 255,
    default: "255",
    doc: "TTL of unicast adverts.",
    invalid: (text, { name }) => `(${name}): TTL '${text}' not valid - must be between 0 & 255`,
  }),
  check_unicast_src: keyword({ doc: "Adverts from others than the peers are dropped." }, (draft) => {
    draft.wantsUnicast = true;
    draft.checkUnicastSource = true;
  }),
  unicast_fault_no_peer: slots.flag("unicastFaultWithoutPeer", {
    doc: "Without any peer: fault, instead of falling back to multicast.",
  }),
  v3_checksum_as_v2: slots.toggle("v3ChecksumAsV2", {
    default: "v3_checksum_as_v2",
    doc: "No pseudo-header in the checksum of IPv4 version 3.",
  }),
  old_unicast_checksum: keyword(
    {
      syntax: "[never]",
      default: "as the peers do it",
      doc: "Checksums of unicast adverts of version 3 as keepalived made them before 1.3.6.",
    },
    (draft, line, scope) => {
      draft.wantsUnicast = true;
      const [, mode] = line.words;
      if (mode === undefined) draft.unicastChecksum = "old";
      else if (mode === "never") draft.unicastChecksum = "never";
      else {
        const message = `(${draft.name}) Unknown old_unicast_chksum mode ${mode} - ignoring`;
        scope.report("warn", message, line.position);
      }
    },
  ),
  native_ipv6: keyword({ doc: "IPv6; needed only by very old versions of keepalived." }, (draft, line, scope) => {
    if (draft.family === 4)
      scope.report("warn", `(${draft.name}) Cannot specify native_ipv6 with IPv4 addresses`, line.position);
    else draft.family = 6;
  }),
};

function readInterface(draft: InstanceDraft, line: Line, scope: Interpreter, context: TrackContext): void {
  const name = scope.word(line, 1);
  if (name === undefined) return;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  if (name.length > MAX_INTERFACE_NAME) {
    warn(`Interface name '${name}' too long - ignoring`);
    return;
  }
  const state = context.machine?.interfaceState(name) ?? (name === "lo" ? "loopback" : "present");
  if (state === "loopback") {
    warn(`(${draft.name}) cannot use a loopback interface (${name}) for vrrp - ignoring`);
    return;
  }
  if (state === "absent" && !context.isDynamic)
    warn(`WARNING - interface ${name} for vrrp_instance ${draft.name} doesn't exist`);
  draft.interface = name;
}

/** Settles the family with the first address of an instance; false and a message when a later one differs. */
function setFamily(draft: InstanceDraft, family: 4 | 6, text: string, line: Line, scope: Interpreter): boolean {
  draft.family ??= family;
  if (draft.family === family) return true;
  const message = `(${draft.name}): address family must match VRRP instance [${text}] - ignoring`;
  scope.report("warn", message, line.position);
  return false;
}

function familyOf(address: IpAddress): 4 | 6 {
  return address.length === 4 ? 4 : 6;
}

function readSource(draft: InstanceDraft, line: Line, scope: Interpreter): void {
  const read = addressOf(line, scope);
  if (read === undefined) return;
  const instance = `Configuration error: VRRP instance[${draft.name}]`;
  const { text, address } = read;
  if (address === undefined) {
    scope.report("warn", `${instance} malformed src address[${text}]. Skipping...`, line.position);
    return;
  }
  const family = familyOf(address);
  if (draft.family !== undefined && draft.family !== family) {
    const message = `${instance} and src address[${text}] MUST be of the same family !!! Skipping...`;
    scope.report("warn", message, line.position);
    return;
  }
  draft.family = family;
  draft.sourceAddress = address;
}

function readDestination(draft: InstanceDraft, line: Line, scope: Interpreter): void {
  const read = addressOf(line, scope);
  if (read === undefined) return;
  const warn = (message: string): void => scope.report("warn", `(${draft.name}) ${message}`, line.position);
  const { text, address } = read;
  if (address === undefined) {
    warn(`malformed mcast dest address ${text}. Skipping...`);
    return;
  }
  const family = familyOf(address);
  if (draft.family !== undefined && draft.family !== family) {
    warn(`mcast dest address ${text} MUST match VRRP instance family. Skipping...`);
    return;
  }
  const [first = 0, second = 0] = address;
  if (family === 4 ? first >> 4 !== 14 : first !== 0xff || (second & 15) !== 2) {
    warn(`mcast_dst_ip ${text} not${family === 6 ? " link-local" : ""} multicast. Skipping...`);
    return;
  }
  draft.family = family;
  draft.multicastGroup = address;
}

function readPeer(draft: InstanceDraft, line: Line, scope: Interpreter): void {
  const [text = "", ...options] = line.words;
  const address = parseIp(text);
  const instance = `Configuration error: VRRP instance[${draft.name}]`;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  if (address === undefined) {
    warn(`${instance} malformed unicast peer address[${text}]. Skipping...`);
    return;
  }
  if (draft.family !== undefined && draft.family !== familyOf(address)) {
    warn(`${instance} and unicast peer address[${text}] MUST be of the same family !!! Skipping...`);
    return;
  }
  draft.family = familyOf(address);
  const ttl: { min_ttl?: number; max_ttl?: number } = {};
  for (let at = 0; at < options.length; at += 2) {
    const name = options[at] as string;
    const value = options[at + 1];
    if (value === undefined) warn(`(${draft.name}) ${name} is missing a value`);
    else if (name !== "min_ttl" && name !== "max_ttl") warn(`(${draft.name}) unknown unicast_peer option ${name}`);
    else {
      const read = readInteger(value, 0, 255);
      if (read.ok) ttl[name] = read.value;
      else warn(read.reason);
    }
  }
  const { min_ttl: minTtl, max_ttl: maxTtl } = ttl;
  if (minTtl !== undefined && maxTtl !== undefined && minTtl > maxTtl)
    warn(`(${draft.name}) min_ttl ${minTtl} > max_ttl ${maxTtl} - all packets will be discarded`);
  draft.unicastPeers.push(Object.freeze({ address, minTtl, maxTtl, at: line.position }));
}

function readVirtualAddress(draft: InstanceDraft, line: Line, scope: Interpreter, context: TrackContext): void {
  const address = readAddress(line, scope, context);
  if (address === undefined) return;
  const [text = ""] = line.words;
  if (setFamily(draft, familyOf(address.address), text, line, scope)) draft.addresses.push(address);
}

/** Bytes of a password that count. */
export const PASSWORD_BYTES = 8;

const authenticationKeywords: Keywords<InstanceDraft & Draft> = {
  auth_type: keyword(
    { syntax: "PASS|AH", doc: "PASS: a password in clear; AH: an IPsec authentication header, IPv4 only." },
    (draft, line, scope) => {
      const type = scope.word(line, 1);
      if (type === "PASS" || type === "AH") draft.authenticationType = type;
      else if (type !== undefined)
        scope.report("warn", `(${draft.name}) unknown authentication type '${type}'`, line.position);
    },
  ),
  auth_pass: keyword({ syntax: "PASSWORD", doc: "Its first 8 bytes count." }, (draft, line, scope) => {
    const password = scope.word(line, 1);
    if (password === undefined) return;
    if (password.length > PASSWORD_BYTES)
      scope.report("warn", `Truncating auth_pass to ${PASSWORD_BYTES} characters`, line.position);
    draft.password = password;
  }),
};

const deprecatedHere: Keyword<InstanceDraft> = keyword(
  { doc: "Old place of the global linkbeat_use_polling; Tandem watches links through netlink." },
  (draft, line, scope) => {
    const message = `(${draft.name}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block`;
    scope.report("warn", message, line.position);
  },
);

const refused: Keywords<InstanceDraft> = {
  linkbeat_use_polling: deprecatedHere,
  ...allWithoutEffect("keepalived has not implemented it either", ["debug"]),
  ...allRefused(NO_SYNC_DAEMON, ["lvs_sync_daemon_interface"]),
  ...allRefused(
    "its sockets belong to a VRF device, and it has never met a kernel with one; name an interface instead",
    ["vrf"],
  ),
};
