/**
 * Which links an instance makes and what is on them: names are given to those without, and addresses move to the link that is made for
 * them. keepalived: vrrp_complete_instance, create_vmac_name.
 */
import { equalBytes } from "../../base/bytes.ts";
import { printIp } from "../../base/ip.ts";
import type { AddressDraft } from "./addresses.ts";
import type { VirtualLink } from "./config.ts";
import type { ConfigDraft, InstanceDraft } from "./drafts.ts";
import type { Machine } from "./machine.ts";
import type { Report } from "./report.ts";
import { MAX_LINK_NAME, virtualMac } from "./virtual-links.ts";

const DEFAULT_PREFIX = "vrrp";

/** What becomes of one instance's links. */
export interface AssignedLinks {
  readonly virtualLink: VirtualLink | undefined;
  readonly addressLinks: readonly VirtualLink[];
  /** The link that adverts are heard on. */
  readonly advertInterface: string | undefined;
  /** They leave by the interface underneath. */
  readonly sendsFromBase: boolean;
  /** The link of an address: one of ours, or what was written. */
  interfaceOf(address: AddressDraft): string | undefined;
}

/** Gives out the links of all instances, in the order of the file. */
export class LinkAssignment {
  readonly #config: ConfigDraft;
  readonly #machine: Machine | undefined;
  readonly #taken = new Set<string>();

  constructor(config: ConfigDraft, machine: Machine | undefined) {
    this.#config = config;
    this.#machine = machine;
    for (const { vmac, ipvlan, interface: name } of config.instances)
      for (const used of [vmac?.name, ipvlan?.name, name]) if (used !== undefined) this.#taken.add(used);
  }

  assign(draft: InstanceDraft, strict: boolean, report: Report): AssignedLinks {
    const { vmac, ipvlan, interface: base } = draft;
    const family = draft.family ?? 4;
    const warn = (message: string): void => report("warn", `(${draft.name}) ${message}`);
    const own = base === undefined ? undefined : this.#ownLink(draft, base, family, strict, report);
    if (draft.promoteSecondaries === true && own !== undefined)
      warn("promote_secondaries is automatically set for vmacs - ignoring");
    let sendsFromBase = draft.sendsFromBase === true;
    if (sendsFromBase && strict && vmac !== undefined) {
      warn("xmit_base is incompatible with strict mode - resetting");
      sendsFromBase = false;
    }
    if (sendsFromBase && vmac === undefined) {
      warn("vmac_xmit_base is only valid with a vmac");
      sendsFromBase = false;
    }
    const links: VirtualLink[] = [];
    const places = new Map<AddressDraft, string | undefined>();
    for (const address of [...draft.addresses, ...draft.excludedAddresses])
      places.set(address, this.#place(draft, address, vmac === undefined ? undefined : own, links, warn));
    return {
      virtualLink:
        own === undefined
          ? undefined
          : Object.freeze({ ...own, carriesAdverts: ipvlan !== undefined || !(sendsFromBase || isUnicast(draft)) }),
      addressLinks: Object.freeze(links.map((link) => Object.freeze(link))),
      // What is sent to a node itself comes in on the interface that has its address.
      advertInterface: own === undefined || (isUnicast(draft) && ipvlan === undefined) ? base : own.name,
      sendsFromBase: sendsFromBase && !isUnicast(draft),
      interfaceOf: (address) => places.get(address) ?? address.interface ?? base,
    };
  }

  #ownLink(
    draft: InstanceDraft,
    base: string,
    family: 4 | 6,
    strict: boolean,
    report: Report,
  ): VirtualLink | undefined {
    const { vmac, ipvlan, virtualRouterId: vrid = 0 } = draft;
    if (vmac !== undefined && strict && vmac.mac !== undefined) {
      report("warn", `(${draft.name}): cannot specify MAC address with strict mode - clearing`);
      delete vmac.mac;
    }
    if (ipvlan !== undefined) {
      if (family === 4 && ipvlan.address === undefined)
        report(
          "error",
          `(${draft.name}) IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state`,
        );
    } else if (vmac === undefined) return undefined;
    const name = (ipvlan ?? vmac)?.name ?? this.#freeName(this.#config.globals.vmacPrefix, vrid, family);
    this.#taken.add(name);
    return {
      name,
      kind: ipvlan === undefined ? "macvlan" : "ipvlan",
      base,
      family,
      mac: ipvlan === undefined ? macOf(draft, family) : new Uint8Array(0),
      ipvlanType: ipvlan?.type ?? "bridge",
      address: ipvlan?.address,
      carriesAdverts: true,
      group: (ipvlan ?? vmac)?.group,
      forcesNotification: vmac?.notifies === true,
    };
  }

  /** The link for an address, made if need be; undefined: what was written. */
  #place(
    draft: InstanceDraft,
    address: AddressDraft,
    own: VirtualLink | undefined,
    links: VirtualLink[],
    warn: (message: string) => void,
  ): string | undefined {
    const family = address.address.length === 4 ? 4 : 6;
    const isOnBase = address.interface === undefined || address.interface === draft.interface;
    const isOwnFamily = family === (draft.family ?? 4);
    const wantsAll = draft.usesVmacForAddresses === true && !(isOnBase && isOwnFamily);
    let wantsLink = wantsAll;
    if (address.useVmac) {
      const max = address.address.length * 8;
      const text = `${printIp(address.address)}${address.prefixLength === max ? "" : `/${address.prefixLength}`}`;
      if (isOnBase && isOwnFamily && own !== undefined)
        warn(`use_vmac specified for VIP/eVIP ${text} and vrrp instance`);
      else if (wantsAll) warn(`use_vmac_addr specified and use_vmac specified for VIP/eVIP ${text}`);
      else wantsLink = true;
    }
    if (isOnBase && isOwnFamily && own !== undefined) return own.name;
    const base = address.interface ?? draft.interface;
    if (!wantsLink || base === undefined) return undefined;
    const mac = macOf(draft, family);
    const known = links.find((link) => link.kind === "macvlan" && link.base === base && equalBytes(link.mac, mac));
    if (known !== undefined) return known.name;
    const { vmacAddressPrefix, vmacPrefix } = this.#config.globals;
    const name = this.#freeName(vmacAddressPrefix ?? vmacPrefix, draft.virtualRouterId ?? 0, family);
    this.#taken.add(name);
    links.push({
      name,
      kind: "macvlan",
      base,
      family,
      mac,
      ipvlanType: "bridge",
      address: undefined,
      carriesAdverts: false,
      group: draft.vmac?.group,
      forcesNotification: false,
    });
    return name;
  }

  /** PREFIX.VRID, or the first PREFIXn.VRID that nobody has; IPv6 tries 6 first. A link of a predecessor may be taken over. */
  #freeName(prefix = DEFAULT_PREFIX, vrid: number, family: 4 | 6): string {
    const numbers = ["", ...(family === 6 ? ["6"] : [])];
    for (let n = 1; numbers.length < MAX_NAMES; n++) if (family === 4 || n !== 6) numbers.push(`${n}`);
    const names = numbers.map((number) => {
      const tail = `${number}.${vrid}`;
      return `${prefix.slice(0, MAX_LINK_NAME - tail.length)}${tail}`;
    });
    const isFree = (name: string): boolean =>
      !this.#taken.has(name) &&
      (this.#machine === undefined ||
        this.#machine.interfaceState(name) === "absent" ||
        this.#machine.virtualLinkKind(name) !== undefined);
    return names.find(isFree) ?? (names[0] as string);
  }
}
/** Tries; more instances than that can't share a VRID. */
const MAX_NAMES = 512;

function isUnicast({ unicastPeers }: InstanceDraft): boolean {
  return unicastPeers.length > 0;
}

function macOf({ vmac, virtualRouterId = 0 }: InstanceDraft, family: 4 | 6): Uint8Array {
  if (vmac?.mac === undefined) return virtualMac(family, virtualRouterId);
  const mac = vmac.mac.slice();
  if (vmac.takesVrid === true) mac[5] = virtualRouterId;
  return mac;
}
