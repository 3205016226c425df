/**
 * Keywords of `vrrp_instance` for links of its own: `use_vmac` (macvlan with the virtual router's MAC address), `use_ipvlan`, and what
 * belongs to them. keepalived: vrrp_parser.c; what they mean together is in complete-virtual-links.ts.
 */
import type { Bytes } from "../../base/bytes.ts";
import { type IpAddress, parseIp } from "../../base/ip.ts";
import type { VirtualLink } from "./config.ts";
import type { InstanceDraft } from "./drafts.ts";
import type { Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { IprouteNames } from "./iproute-names.ts";
import { readInteger } from "./numbers.ts";
import { keyword, slotsOf } from "./slots.ts";
import type { TrackContext } from "./tracks.ts";

/** IFNAMSIZ without its zero. */
export const MAX_LINK_NAME = 15;
const MAC_BYTES = 6;
/** RFC 9568 7.3: behind these comes 1 for IPv4 or 2 for IPv6, and the VRID. */
const RFC_PREFIX = [0x00, 0x00, 0x5e, 0x00] as const;
const MAX_EXTRA_SECONDS = 86_400;

/** `use_vmac`. */
export interface VmacDraft {
  name?: string;
  mac?: Bytes;
  /** Five octets were written: the VRID is the sixth. */
  takesVrid?: boolean;
  group?: number;
  notifies?: boolean;
}

/** `use_ipvlan`. */
export interface IpvlanDraft {
  name?: string;
  address?: { readonly address: IpAddress; readonly prefixLength: number };
  type?: VirtualLink["ipvlanType"];
  group?: number;
}

/** The MAC address of a virtual router (RFC 9568 7.3). */
export function virtualMac(family: 4 | 6, vrid: number): Bytes {
  return Uint8Array.of(...RFC_PREFIX, family === 4 ? 1 : 2, vrid);
}

const slots = slotsOf<InstanceDraft>();

/** The keywords; names of links must not be those of other links or of earlier instances. */
export function virtualLinkKeywords(context: TrackContext): Keywords<InstanceDraft> {
  return {
    use_vmac: keyword(
      {
        syntax: "[[name] NAME] [MAC] [netlink_notify_msg] [group GROUP]",
        default: "vrrp.VRID, 00:00:5e:00:01:VRID (IPv6: 02)",
        doc: "Adverts and addresses are on a macvlan link of their own, with the virtual router's MAC address.",
      },
      (draft, line, scope) => readVmac(draft, line, scope, context),
    ),
    use_vmac_addr: slots.flag("usesVmacForAddresses", {
      doc: "Addresses on other interfaces, or of the other family, are on macvlan links, too.",
    }),
    vmac_xmit_base: slots.flag("sendsFromBase", {
      doc: "With use_vmac: adverts leave by the interface itself, with its own MAC address.",
    }),
    use_ipvlan: keyword(
      {
        syntax: "[[name] NAME] [ADDRESS] [bridge|private|vepa] [group GROUP]",
        default: "vrrp.VRID, bridge",
        doc: "Adverts are sent from an ipvlan link with this address, which IPv4 needs.",
      },
      (draft, line, scope) => readIpvlan(draft, line, scope, context),
    ),
    garp_extra_if: extraGarp("Seconds between messages on other links than that of the adverts; 0: none."),
    vmac_garp_intvl: extraGarp("Old spelling of garp_extra_if."),
  };
}

/** The name if it may be one: a sentence otherwise. */
function nameProblem(name: string, kind: "VMAC" | "IPVLAN"): string | undefined {
  if (kind === "IPVLAN")
    return name.length > MAX_LINK_NAME ? `IPVLAN interface name '${name}' too long - ignoring` : undefined;
  const isBad = name === "" || name.length > MAX_LINK_NAME || name === "." || name === ".." || /[/:\s]/.test(name);
  return isBad ? `VMAC interface name '${name}' too long or invalid characters - ignoring` : undefined;
}

/** Settles the name, unless it is no name, another instance's, or that of a link of another kind. */
function takeName(
  draft: InstanceDraft,
  link: { name?: string },
  name: string,
  kind: "VMAC" | "IPVLAN",
  { config, machine }: TrackContext,
): string | undefined {
  const problem = nameProblem(name, kind);
  if (problem !== undefined) return kind === "VMAC" ? problem : `(${draft.name}) ${problem}`;
  const other = config.instances.find(({ vmac, ipvlan }) => vmac?.name === name || ipvlan?.name === name);
  if (other !== undefined)
    return `(${draft.name}) VRRP instance ${other.name} is already using ${name} - ignoring name`;
  const isThere = machine !== undefined && machine.interfaceState(name) !== "absent";
  const [wanted, what] = kind === "VMAC" ? ["macvlan", "a private macvlan"] : ["ipvlan", "an l2 ipvlan"];
  if (isThere && machine?.virtualLinkKind(name) !== wanted)
    return `(${draft.name}) interface ${name} already exists and is not ${what}; ignoring ${kind.toLowerCase()} if_name`;
  link.name = name;
  return undefined;
}

function readGroup(text: string | undefined, { reader }: TrackContext): number | undefined {
  return text === undefined ? undefined : new IprouteNames(reader).number("group", text);
}

/** Six octets, or five, whatever else follows; a sentence when it is none that may be used. */
function readMac(text: string): { readonly mac: Bytes; readonly takesVrid: boolean } | string {
  if (/[^0-9a-fA-F:]/.test(text)) return `VMAC invalid MAC address ${text}`;
  const octets = text.split(":").slice(0, MAC_BYTES);
  const takesVrid = octets.length < MAC_BYTES || octets[MAC_BYTES - 1] === "";
  const count = takesVrid ? MAC_BYTES - 1 : MAC_BYTES;
  const mac = new Uint8Array(MAC_BYTES);
  for (let i = 0; i < count; i++) {
    const octet = octets[i];
    if (octet === undefined || !/^[0-9a-fA-F]{1,2}$/.test(octet)) return `VMAC invalid MAC address ${text} - ignored`;
    mac[i] = Number.parseInt(octet, 16);
  }
  if (((mac[0] as number) & 1) !== 0) return `VMAC MAC address is multicast ${text} - ignoring`;
  const isRfc = RFC_PREFIX.every((octet, i) => mac[i] === octet) && (mac[4] === 1 || mac[4] === 2);
  return isRfc ? `VMAC MAC address not allowed to be RFC5798 address (${text}) - ignoring` : { mac, takesVrid };
}

function readVmac(draft: InstanceDraft, line: Line, scope: Interpreter, context: TrackContext): void {
  draft.vmac ??= {};
  const { vmac } = draft;
  const warn = (message: string | undefined): void => {
    if (message !== undefined) scope.report("warn", message, line.position);
  };
  // keepalived looks at no more than a name and a MAC address.
  let places = 2;
  for (let at = 1; at < line.words.length && places > 0; at++) {
    const word = line.words[at] as string;
    if (word === "netlink_notify_msg") vmac.notifies = true;
    else if (word === "group" && line.words[at + 1] !== undefined) {
      const group = readGroup(line.words[++at], context);
      if (group === undefined) warn(`VMAC group ${line.words[at]} not found`);
      else vmac.group = group;
    } else {
      places--;
      if (!word.includes(":")) {
        const name = word === "name" ? (line.words[++at] ?? word) : word;
        warn(
          vmac.name === undefined
            ? takeName(draft, vmac, name, "VMAC", context)
            : "VMAC interface name already specified",
        );
      } else if (vmac.mac !== undefined) warn("VMAC interface address already specified");
      else {
        const read = readMac(word);
        if (typeof read === "string") warn(read);
        else Object.assign(vmac, read);
      }
    }
  }
}

const IPVLAN_TYPES: ReadonlySet<string> = new Set(["bridge", "private", "vepa"]);

function readIpvlan(draft: InstanceDraft, line: Line, scope: Interpreter, context: TrackContext): void {
  const warn = (message: string): void => scope.report("warn", `(${draft.name}) ${message}`, line.position);
  if (draft.ipvlan !== undefined) {
    warn("use_ipvlan already specified");
    return;
  }
  const ipvlan: IpvlanDraft = {};
  draft.ipvlan = ipvlan;
  for (let at = 1; at < line.words.length; at++) {
    const word = line.words[at] as string;
    if (IPVLAN_TYPES.has(word)) {
      if (ipvlan.type !== undefined) warn(`ipvlan type already specified - ignoring '${word}'`);
      else ipvlan.type = word as VirtualLink["ipvlanType"];
    } else if (word === "group" && line.words[at + 1] !== undefined) {
      const group = readGroup(line.words[++at], context);
      if (group !== undefined) ipvlan.group = group;
      else scope.report("warn", `ipvlan group ${line.words[at]} not found`, line.position);
    } else if (isAddress(word)) takeAddress(draft, ipvlan, word, warn);
    else if (ipvlan.name !== undefined) warn(`IPVLAN interface already specified - ignoring '${word}'`);
    else {
      const name = word === "name" ? (line.words[++at] ?? word) : word;
      const problem = takeName(draft, ipvlan, name, "IPVLAN", context);
      if (problem !== undefined) scope.report("warn", problem, line.position);
    }
  }
}

function isAddress(word: string): boolean {
  return parseIp(word.split("/")[0] as string) !== undefined;
}

function takeAddress(draft: InstanceDraft, ipvlan: IpvlanDraft, word: string, warn: (message: string) => void): void {
  const [host = "", prefix] = word.split("/");
  const address = parseIp(host) as IpAddress;
  if (ipvlan.address !== undefined) {
    warn(`ipvlan address already specified - ignoring '${word}'`);
    return;
  }
  const family = address.length === 4 ? 4 : 6;
  draft.family ??= family;
  if (draft.family !== family) {
    warn(`ipvlan address[${word}] MUST match vrrp instance family !!! Skipping...`);
    return;
  }
  const max = address.length * 8;
  const read = prefix === undefined ? undefined : readInteger(prefix, 1, max);
  ipvlan.address = { address, prefixLength: read?.ok === true ? read.value : max };
  draft.sourceAddress ??= address;
}

function extraGarp(doc: string): Keyword<InstanceDraft> {
  return keyword({ syntax: "[all] 0…86400", default: "vrrp_garp_extra_if", doc }, (draft, line, scope) => {
    const extra = readExtraGarp(line, scope, 0, `(${draft.name}): `);
    if (extra !== undefined) draft.extraGarp = extra;
  });
}

/** `[all] SECONDS`, as in an instance and in global_defs; undefined when it is wrong, which has then been reported. */
export function readExtraGarp(
  line: Line,
  scope: Interpreter,
  min: number,
  who: string,
): { readonly intervalMs: number; readonly isEverywhere: boolean } | undefined {
  const [name = "", ...words] = line.words;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  if (name.includes("vmac_garp_intvl"))
    warn(`Keyword "${name}" is deprecated - please use "${name.replace("vmac_garp_intvl", "garp_extra_if")}"`);
  let seconds: number | undefined;
  for (const word of words) {
    if (word === "all") continue;
    const read = readInteger(word, min, MAX_EXTRA_SECONDS);
    if (!read.ok) {
      warn(read.reason);
      warn(`${who}${name} '${word}' invalid - ignoring`);
      return undefined;
    }
    seconds = read.value;
  }
  if (seconds !== undefined) return { intervalMs: seconds * 1000, isEverywhere: words.includes("all") };
  warn(`${who}${name} specified without time - ignoring`);
  return undefined;
}
