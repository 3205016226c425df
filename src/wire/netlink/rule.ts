/** Rules of policy routing in rtnetlink: struct fib_rule_hdr and its FRA_* attributes (linux/fib_rules.h). */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import type { IpRule } from "../../base/ip-route.ts";
import { AF_INET, AF_INET6 } from "./address.ts";
import { attribute, attributeText, attributeU8, attributeU32 } from "./attributes.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;

const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_FLOW = 11;
const FRA_TUN_ID = 12;
const FRA_SUPPRESS_IFGROUP = 13;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_UID_RANGE = 20;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const FRA_DPORT_RANGE = 24;
const FIB_RULE_INVERT = 2;
const ACTION_TABLE = 1;

type Range = readonly [first: number, last: number];

/** The body of RTM_NEWRULE or RTM_DELRULE. */
export function encodeRule(rule: IpRule): Bytes {
  const table = rule.action === ACTION_TABLE && !rule.isL3mdev ? rule.table : 0;
  const header = Uint8Array.of(
    rule.family === 4 ? AF_INET : AF_INET6,
    rule.destination?.prefixLength ?? 0,
    rule.source?.prefixLength ?? 0,
    rule.typeOfService,
    table < 256 ? table : 0,
    0,
    0,
    rule.action,
    ...[0, 0, 0, 0],
  );
  viewOf(header).setUint32(8, rule.isInverted ? FIB_RULE_INVERT : 0, HOST_LITTLE_ENDIAN);
  const parts: Bytes[] = [header];
  const number = (type: number, value: number | undefined): void => {
    if (value !== undefined) parts.push(attributeU32(type, value));
  };
  const byte = (type: number, value: number | undefined): void => {
    if (value !== undefined) parts.push(attributeU8(type, value));
  };
  if (table >= 256) number(FRA_TABLE, table);
  if (rule.source?.address !== undefined) parts.push(attribute(FRA_SRC, rule.source.address));
  if (rule.destination?.address !== undefined) parts.push(attribute(FRA_DST, rule.destination.address));
  number(FRA_PRIORITY, rule.priority);
  number(FRA_FWMARK, rule.mark);
  number(FRA_FWMASK, rule.markMask);
  if (rule.realms !== 0) number(FRA_FLOW, rule.realms);
  number(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength);
  number(FRA_SUPPRESS_IFGROUP, rule.suppressGroup);
  if (rule.inputInterface !== undefined) parts.push(attributeText(FRA_IIFNAME, rule.inputInterface));
  if (rule.outputInterface !== undefined) parts.push(attributeText(FRA_OIFNAME, rule.outputInterface));
  if (rule.tunnelId !== undefined) parts.push(attribute(FRA_TUN_ID, bigEndian(rule.tunnelId)));
  if (rule.users !== undefined) parts.push(attribute(FRA_UID_RANGE, pair(rule.users, 4)));
  if (rule.isL3mdev) byte(FRA_L3MDEV, 1);
  byte(FRA_PROTOCOL, rule.protocol);
  byte(FRA_IP_PROTO, rule.ipProtocol);
  if (rule.sourcePorts !== undefined) parts.push(attribute(FRA_SPORT_RANGE, pair(rule.sourcePorts, 2)));
  if (rule.destinationPorts !== undefined) parts.push(attribute(FRA_DPORT_RANGE, pair(rule.destinationPorts, 2)));
  number(FRA_GOTO, rule.target);
  return concatBytes(parts);
}

function bigEndian(value: number): Bytes {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, BigInt(value));
  return bytes;
}

/** Two numbers of so many bytes in host order. */
function pair([first, last]: Range, sizeBytes: 2 | 4): Bytes {
  const bytes = new Uint8Array(2 * sizeBytes);
  const view = viewOf(bytes);
  if (sizeBytes === 2) {
    view.setUint16(0, first, HOST_LITTLE_ENDIAN);
    view.setUint16(2, last, HOST_LITTLE_ENDIAN);
  } else {
    view.setUint32(0, first, HOST_LITTLE_ENDIAN);
    view.setUint32(4, last, HOST_LITTLE_ENDIAN);
  }
  return bytes;
}
