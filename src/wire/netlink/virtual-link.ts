/**
 * Links on top of other links in rtnetlink: macvlan and ipvlan (linux/if_link.h), and the settings of a link's IPv4 and IPv6 that are
 * asked for with it (IFLA_AF_SPEC).
 */
import type { Bytes } from "../../base/bytes.ts";
import { AF_INET, AF_INET6 } from "./address.ts";
import {
  type Attributes,
  attribute,
  attributeText,
  attributeU8,
  attributeU32,
  nested,
  nestedIn,
  textIn,
  u32In,
} from "./attributes.ts";
import {
  encodeLink,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
} from "./link.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

export const IFLA_AF_SPEC = 26;
export const IFLA_GROUP = 27;

const IFLA_INET_CONF = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const ADDR_GEN_MODE_NONE = 1;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;

/** Frames between macvlans of one base are dropped. */
export const MACVLAN_MODE_PRIVATE = 1;
export const IPVLAN_MODE_L2 = 0;
export const IPVLAN_FLAGS = { bridge: 0, private: 1, vepa: 2 } as const;

/** Settings of a link's IPv4, numbered as in linux/ip.h (IPV4_DEVCONF_*, counted from 1). */
export const IPV4_CONF = {
  rpFilter: 8,
  arpFilter: 13,
  arpIgnore: 19,
  promoteSecondaries: 20,
  acceptLocal: 23,
} as const;
export type Ipv4Conf = { readonly [K in keyof typeof IPV4_CONF]?: number };

/** A new link, or other properties of one (`index`). */
export interface VirtualLinkMessage {
  /** Of one that is there already: `name` and `baseIndex` stay as they are. */
  readonly index?: number;
  readonly name: string;
  readonly baseIndex: number;
  readonly group: number | undefined;
  readonly kind:
    | { readonly macvlan: { readonly mac: Bytes } }
    | { readonly ipvlan: { readonly flags: keyof typeof IPVLAN_FLAGS } };
}

function attributeU16(type: number, value: number): Bytes {
  const bytes = new Uint8Array(2);
  viewOf(bytes).setUint16(0, value, HOST_LITTLE_ENDIAN);
  return attribute(type, bytes);
}

/** The body of RTM_NEWLINK. */
export function encodeVirtualLink({ index, name, baseIndex, group, kind }: VirtualLinkMessage): Bytes {
  const isMacvlan = "macvlan" in kind;
  const data = isMacvlan
    ? [attributeU32(IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE)]
    : [
        attributeU16(IFLA_IPVLAN_MODE, IPVLAN_MODE_L2),
        attributeU16(IFLA_IPVLAN_FLAGS, IPVLAN_FLAGS[kind.ipvlan.flags]),
      ];
  const info = nested(IFLA_LINKINFO, [
    attributeText(IFLA_INFO_KIND, isMacvlan ? "macvlan" : "ipvlan"),
    nested(IFLA_INFO_DATA, data),
  ]);
  const identity = index === undefined ? [attributeU32(IFLA_LINK, baseIndex), attributeText(IFLA_IFNAME, name)] : [];
  return encodeLink(index === undefined ? {} : { index }, [
    ...identity,
    info,
    ...(group === undefined ? [] : [attributeU32(IFLA_GROUP, group)]),
    ...(isMacvlan ? [attribute(IFLA_ADDRESS, kind.macvlan.mac)] : []),
  ]);
}

/** The body of RTM_NEWLINK that changes settings of IPv4. */
export function encodeIpv4Conf(index: number, conf: Ipv4Conf): Bytes {
  const settings = Object.entries(conf).map(([name, value]) =>
    attributeU32(IPV4_CONF[name as keyof typeof IPV4_CONF], value),
  );
  return encodeLink({ index }, [nested(IFLA_AF_SPEC, [nested(AF_INET, [nested(IFLA_INET_CONF, settings)])])]);
}

/** The body of RTM_NEWLINK after which the link gets no link-local address by itself. */
export function encodeNoGeneratedAddress(index: number): Bytes {
  const mode = attributeU8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE);
  return encodeLink({ index }, [nested(IFLA_AF_SPEC, [nested(AF_INET6, [mode])])]);
}

/** The body of RTM_NEWLINK that says a link's group again, which makes the kernel tell everybody about the link. */
export function encodeLinkGroup(index: number, group: number): Bytes {
  return encodeLink({ index }, [attributeU32(IFLA_GROUP, group)]);
}

/** The kernel's number of a setting; undefined when the message doesn't have it. */
export function ipv4ConfIn(attributes: Attributes, setting: keyof typeof IPV4_CONF): number | undefined {
  const families = nestedIn(attributes, IFLA_AF_SPEC);
  const inet = families.ok ? nestedIn(families.value, AF_INET) : families;
  const conf = inet.ok ? inet.value.get(IFLA_INET_CONF) : undefined;
  const at = (IPV4_CONF[setting] - 1) * 4;
  return conf !== undefined && conf.length >= at + 4 ? viewOf(conf).getInt32(at, HOST_LITTLE_ENDIAN) : undefined;
}

/** What a link on top of another one is. */
export interface VirtualLinkInfo {
  readonly kind: string | undefined;
  readonly baseIndex: number | undefined;
  readonly group: number;
  /** MACVLAN_MODE_*; undefined of other links. */
  readonly macvlanMode: number | undefined;
  /** IPVLAN_MODE_* and IPVLAN_F_*. */
  readonly ipvlanMode: number | undefined;
  readonly ipvlanFlags: number | undefined;
}

/** Reads what `ip -d link` prints of such a link. */
export function virtualLinkInfo(attributes: Attributes): VirtualLinkInfo {
  const info = nestedIn(attributes, IFLA_LINKINFO);
  const kind = info.ok ? textIn(info.value, IFLA_INFO_KIND) : undefined;
  const read = info.ok ? nestedIn(info.value, IFLA_INFO_DATA) : info;
  const data: Attributes = read.ok ? read.value : new Map();
  const u16 = (type: number): number | undefined => {
    const value = data.get(type);
    return value?.length === 2 ? viewOf(value).getUint16(0, HOST_LITTLE_ENDIAN) : undefined;
  };
  return {
    kind,
    baseIndex: u32In(attributes, IFLA_LINK),
    group: u32In(attributes, IFLA_GROUP) ?? 0,
    macvlanMode: kind === "macvlan" ? u32In(data, IFLA_MACVLAN_MODE) : undefined,
    ipvlanMode: kind === "ipvlan" ? u16(IFLA_IPVLAN_MODE) : undefined,
    ipvlanFlags: kind === "ipvlan" ? u16(IFLA_IPVLAN_FLAGS) : undefined,
  };
}
