/**
 * Which received adverts count. The order of the checks, and what is said about each, is keepalived's
 * (vrrp_check_packet); RFC 9568 §7.1 asks for the same checks. A dropped advert is as good as none: a list of addresses
 * that differs between two nodes makes both of them active, and the log must say so.
 */
import type { Bytes } from "../base/bytes.ts";
import { equalBytes } from "../base/bytes.ts";
import { type IpAddress, printIp } from "../base/ip.ts";
import type { VrrpInstance } from "../conf/keepalived/config.ts";
import {
  ADVERT_HEADER_BYTES,
  type AdvertHeader,
  AUTH_AH,
  AUTH_NONE,
  AUTH_PASSWORD,
  advertAddresses,
  advertBytes,
  advertChecksum,
  advertPassword,
  decodeAdvertHeader,
  TYPE_ADVERTISEMENT,
} from "../wire/vrrp/advert.ts";

/** A packet of protocol 112, taken apart by its IP header. */
export interface ReceivedAdvert {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** TTL or hop limit. */
  readonly hopLimit: number;
  /** Bytes of the IP header, which keepalived counts in its messages: 0 for IPv6. */
  readonly headerBytes: number;
  /** The VRRP message, perhaps with link-layer padding behind it. */
  readonly message: Bytes;
}

/** Why adverts are dropped; a counter each. */
export const DROP_REASONS = [
  "length",
  "hopLimit",
  "unicastSource",
  "version",
  "authUnknown",
  "authMismatch",
  "authFailure",
  "interval",
  "type",
  "checksum",
  "addressList",
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export type Verdict =
  | {
      readonly kind: "advert";
      readonly priority: number;
      readonly intervalMs: number;
      /** Something odd that does not make the advert invalid. */
      readonly note?: string;
    }
  | { readonly kind: "drop"; readonly reason: DropReason; readonly text: string };

/** What a receiver's settings say about adverts. */
export type AcceptSettings = Pick<
  VrrpInstance,
  | "virtualRouterId"
  | "version"
  | "family"
  | "advertIntervalMs"
  | "authentication"
  | "addresses"
  | "unicast"
  | "unicastPeers"
  | "checkUnicastSource"
  | "skipCheckAdvertAddresses"
  | "v3ChecksumAsV2"
>;

function drop(reason: DropReason, text: string): Verdict {
  return { kind: "drop", reason, text };
}

/** Judges a packet whose VRID is ours. `lastSource`: who sent the last one that passed (for skip_check_adv_addr). */
export function judge(settings: AcceptSettings, packet: ReceivedAdvert, lastSource: IpAddress | undefined): Verdict {
  const { message } = packet;
  const read = decodeAdvertHeader(message);
  if (!read.ok) return tooShort(packet, ADVERT_HEADER_BYTES);
  const header = read.value;
  const addressBytes = settings.family === 4 ? 4 : 16;
  const expected = advertBytes(header.version, header.addressCount, addressBytes);
  if (message.length < expected) return tooShort(packet, expected);
  const whole = message.subarray(0, expected);

  const wrong =
    checkPath(settings, packet) ??
    checkVersion(settings, header) ??
    (settings.version === 2 ? checkVersion2(settings, header, whole, addressBytes) : undefined) ??
    checkMessage(settings, packet, header, whole);
  if (wrong !== undefined) return wrong;
  const skip = settings.skipCheckAdvertAddresses && lastSource !== undefined && equalBytes(lastSource, packet.source);
  const list = skip ? undefined : checkAddresses(settings, header, whole, addressBytes);
  if (list !== undefined) return list;

  const intervalMs = header.intervalCs * 10;
  const accepted = { kind: "advert", priority: header.priority, intervalMs } as const;
  if (settings.version === 2 || intervalMs === settings.advertIntervalMs) return accepted;
  const note = `advertisement interval mismatch: mine=${settings.advertIntervalMs} ms rcv'd=${intervalMs} ms`;
  return { ...accepted, note };
}

function tooShort(packet: ReceivedAdvert, expected: number): Verdict {
  const { headerBytes, message } = packet;
  const text = `vrrp packet too short, length ${headerBytes + message.length} and expect ${headerBytes + expected}`;
  return drop("length", text);
}

/** RFC 9568 §5.1.1.3: a TTL of 255 proves that nobody has forwarded the packet. Unicast peers may be further away. */
function checkPath(settings: AcceptSettings, packet: ReceivedAdvert): Verdict | undefined {
  const { hopLimit, source } = packet;
  if (!settings.unicast) {
    if (hopLimit === 255) return undefined;
    return drop("hopLimit", `invalid TTL/HL. Received ${hopLimit} and expect 255`);
  }
  const peer = settings.unicastPeers.find(({ address }) => equalBytes(address, source));
  if (peer === undefined)
    return settings.checkUnicastSource
      ? drop("unicastSource", `unicast source address ${printIp(source)} not a unicast peer`)
      : undefined;
  const { minTtl = 0, maxTtl = 255 } = peer;
  if (hopLimit >= minTtl && hopLimit <= maxTtl) return undefined;
  return drop("hopLimit", `invalid TTL/HL. Received ${hopLimit} and expect ${minTtl} to ${maxTtl}`);
}

function checkVersion(settings: AcceptSettings, header: AdvertHeader): Verdict | undefined {
  if (header.version === settings.version) return undefined;
  return drop("version", `wrong version. Received ${header.version} and expect ${settings.version}`);
}

/** The password of RFC 2338 §5.3.6 and the interval, which must be equal in version 2 (RFC 3768 §7.1). */
function checkVersion2(
  settings: AcceptSettings,
  header: AdvertHeader,
  whole: Bytes,
  addressBytes: number,
): Verdict | undefined {
  const { authentication, advertIntervalMs } = settings;
  const wanted = authentication === undefined ? AUTH_NONE : AUTH_PASSWORD;
  if (header.authType > AUTH_AH) return drop("authUnknown", `received an unknown auth type ${header.authType}`);
  if (header.authType !== wanted)
    return drop("authMismatch", `received a ${header.authType} auth, expecting ${wanted}!`);
  if (authentication !== undefined && !equalBytes(advertPassword(whole, header, addressBytes), authentication.password))
    return drop("authFailure", "received an invalid passwd!");
  if (header.intervalCs * 10 === advertIntervalMs) return undefined;
  const mine = advertIntervalMs / 1000;
  const theirs = header.intervalCs / 100;
  return drop("interval", `advertisement interval mismatch mine=${mine} sec rcv'd=${theirs} sec`);
}

function checkMessage(
  settings: AcceptSettings,
  packet: ReceivedAdvert,
  header: AdvertHeader,
  whole: Bytes,
): Verdict | undefined {
  if (header.type !== TYPE_ADVERTISEMENT)
    return drop("type", `Invalid packet type. ${header.type} and expect ${TYPE_ADVERTISEMENT}`);
  const bare = settings.version === 2 || (settings.v3ChecksumAsV2 && settings.family === 4);
  if (advertChecksum(whole, bare ? undefined : packet) === 0) return undefined;
  return drop("checksum", `Invalid VRRPv${settings.version} checksum`);
}

/** Every address of ours must be in the advert, and none besides. */
function checkAddresses(
  settings: AcceptSettings,
  header: AdvertHeader,
  whole: Bytes,
  addressBytes: number,
): Verdict | undefined {
  const ours = settings.addresses;
  if (header.addressCount !== ours.length)
    return drop("addressList", `unexpected ip number count ${header.addressCount}, expected ${ours.length}!`);
  const theirs = advertAddresses(whole, header, addressBytes);
  const missing = ours.find(({ address }) => !theirs.some((other) => equalBytes(address, other)));
  if (missing === undefined) return undefined;
  const which = `associated with VRID ${settings.virtualRouterId} not present in MASTER advert : ${printIp(missing.address)}`;
  return drop("addressList", `ip address ${which}`);
}
