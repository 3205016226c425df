/**
 * Which received adverts count. The order of the checks, and what is said about each, is keepalived's
 * (vrrp_check_packet); RFC 9568 §7.1 asks for the same checks. A dropped advert is as good as none: a list of addresses
 * that differs between two nodes makes both of them active, and the log must say so.
 */
import type { Bytes } from "../base/bytes.ts";
import { equalBytes } from "../base/bytes.ts";
import { sameSecret } from "../base/hmac.ts";
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
  type Envelope,
  PRIORITY_OWNER,
  TYPE_ADVERTISEMENT,
} from "../wire/vrrp/advert.ts";
import type { AuthenticationHeader } from "../wire/vrrp/ah.ts";
import { TRAILER_BYTES } from "../wire/vrrp/hmac-trailer.ts";
import type { AdvertSecurity, Refusal } from "./security.ts";

/** A packet of protocol 112, taken apart by its IP header. */
export interface ReceivedAdvert {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** TTL or hop limit. */
  readonly hopLimit: number;
  /** IPv4 identification; 0: the sender numbers nothing; undefined: IPv6. */
  readonly id?: number;
  /** Bytes in front of the message, which keepalived counts in what it says: 0 for IPv6. */
  readonly headerBytes: number;
  /** The VRRP message, perhaps with a trailer behind it. */
  readonly message: Bytes;
  /** See `OnAdvertPacket`. */
  readonly hasWaited?: boolean;
  /** Of a packet of protocol 51. */
  readonly ah?: { readonly header: AuthenticationHeader; readonly packet: Bytes; readonly ipHeaderBytes: number };
}

/** What a receiver remembers of earlier adverts, and the time. */
export interface Memory {
  /** Who sent the last advert that passed (for skip_check_adv_addr). */
  readonly lastSource: IpAddress | undefined;
  readonly security: AdvertSecurity;
  /** Milliseconds since the epoch: trailers are good for a while. */
  readonly wallMs: number;
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
  "owner",
] as const;
export type DropReason = (typeof DROP_REASONS)[number] | Refusal["reason"];

export type Verdict =
  | {
      readonly kind: "advert";
      readonly priority: number;
      readonly intervalMs: number;
      /** Its checksum is the one of before keepalived 1.3.6: `old_unicast_checksum`. */
      readonly hasOldChecksum?: true;
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
  | "authHmac"
  | "priority"
  | "ownerIgnoresAdverts"
  | "addresses"
  | "unicast"
  | "unicastPeers"
  | "checkUnicastSource"
  | "skipCheckAdvertAddresses"
  | "v3ChecksumAsV2"
  | "unicastChecksum"
  | "multicastGroup"
>;

function drop(reason: DropReason, text: string): Verdict {
  return { kind: "drop", reason, text };
}

/** Judges a packet whose VRID is ours. */
export function judge(settings: AcceptSettings, packet: ReceivedAdvert, memory: Memory): Verdict {
  const { message } = packet;
  const { lastSource } = memory;
  const read = decodeAdvertHeader(message);
  if (!read.ok) return wrongLength(packet, ADVERT_HEADER_BYTES);
  const header = read.value;
  const addressBytes = settings.family === 4 ? 4 : 16;
  const expected = advertBytes(header.version, header.addressCount, addressBytes);
  const hasTrailer = settings.authHmac !== undefined && message.length === expected + TRAILER_BYTES;
  if (!hasTrailer && message.length !== expected) return wrongLength(packet, expected);
  const whole = message.subarray(0, expected);

  const path = checkPath(settings, packet) ?? checkVersion(settings, header);
  if (path !== undefined) return path;
  const trailer = checkTrailer(settings, packet, expected, memory);
  if (trailer.refused !== undefined) return trailer.refused;
  const wrong =
    (settings.version === 2 ? checkVersion2(settings, packet, header, whole, memory) : undefined) ??
    checkMessage(settings, packet, header, whole) ??
    checkOwner(settings);
  if (wrong !== undefined) return wrong;
  const skip = settings.skipCheckAdvertAddresses && lastSource !== undefined && equalBytes(lastSource, packet.source);
  const list = skip ? undefined : checkAddresses(settings, header, whole, addressBytes);
  if (list !== undefined) return list;

  const intervalMs = header.intervalCs * 10;
  const isAuto = settings.unicastChecksum === "auto" && hasOwnChecksum(settings);
  const isOld = isAuto && advertChecksum(whole, packet) !== 0;
  const noted = {
    ...(trailer.note === undefined ? {} : { note: trailer.note }),
    ...(isOld ? { hasOldChecksum: true as const } : {}),
  };
  const accepted = { kind: "advert", priority: header.priority, intervalMs, ...noted } as const;
  if (settings.version === 2 || intervalMs === settings.advertIntervalMs) return accepted;
  const note = `advertisement interval mismatch: mine=${settings.advertIntervalMs} ms rcv'd=${intervalMs} ms`;
  return { ...accepted, note };
}

function wrongLength(packet: ReceivedAdvert, expected: number): Verdict {
  const { headerBytes, message } = packet;
  const how = message.length < expected ? "short" : "long";
  const text = `vrrp packet too ${how}, length ${headerBytes + message.length} and expect ${headerBytes + expected}`;
  return drop("length", text);
}

/** `auth_hmac`: the trailer is judged before anything that it signs. */
function checkTrailer(
  { authHmac }: AcceptSettings,
  { message, source }: ReceivedAdvert,
  expected: number,
  { security, wallMs }: Memory,
): { readonly refused?: Verdict; readonly note?: string } {
  if (authHmac === undefined) return {};
  const bytes = message.length > expected ? message.subarray(expected) : undefined;
  const found = security.checkTrailer(authHmac, message.subarray(0, expected), bytes, source, wallMs);
  if (found === undefined) return {};
  return typeof found === "string" ? { note: found } : { refused: drop(found.reason, found.text) };
}

/** `owner_ignore_adverts`. */
function checkOwner({ ownerIgnoresAdverts, priority }: AcceptSettings): Verdict | undefined {
  if (!ownerIgnoresAdverts || priority !== PRIORITY_OWNER) return undefined;
  return drop("owner", "Dropping packet(s) since we are address owner");
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

/** The authentication of RFC 2338 §5.3.6 and the interval, which must be equal in version 2 (RFC 3768 §7.1). */
function checkVersion2(
  settings: AcceptSettings,
  packet: ReceivedAdvert,
  header: AdvertHeader,
  whole: Bytes,
  { security }: Memory,
): Verdict | undefined {
  const { authentication, advertIntervalMs } = settings;
  const wanted = authentication === undefined ? AUTH_NONE : authentication.type === "AH" ? AUTH_AH : AUTH_PASSWORD;
  if (header.authType > AUTH_AH) return drop("authUnknown", `received an unknown auth type ${header.authType}`);
  if (header.authType !== wanted)
    return drop("authMismatch", `received a ${header.authType} auth, expecting ${wanted}!`);
  if (authentication?.type === "PASS" && !sameSecret(advertPassword(whole, header, 4), authentication.password))
    return drop("authFailure", "received an invalid passwd!");
  if (authentication?.type === "AH") {
    const { ah, source } = packet;
    if (ah === undefined) return drop("authMismatch", "No AH header but auth type is AH");
    const refused = security.checkAh(ah.header, ah.packet, ah.ipHeaderBytes, source);
    if (refused !== undefined) return drop(refused.reason, refused.text);
  }
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
  // IPv6: the kernel of keepalived's node has summed up the whole payload, trailer included.
  const summed = settings.family === 6 ? packet.message : whole;
  const isOld = settings.unicastChecksum === "old" && hasOwnChecksum(settings);
  if (advertChecksum(summed, bare ? undefined : isOld ? oldEnvelope(settings, packet) : packet) === 0) return undefined;
  if (isOldChecksum(settings, packet, whole)) return undefined;
  return drop("checksum", `Invalid VRRPv${settings.version} checksum`);
}

/** Only unicast adverts of IPv4, version 3, ever had another checksum. */
function hasOwnChecksum({ unicast, version, family, v3ChecksumAsV2 }: AcceptSettings): boolean {
  return unicast && version === 3 && family === 4 && !v3ChecksumAsV2;
}

/** What keepalived summed up before 1.3.6. */
function oldEnvelope({ multicastGroup }: AcceptSettings, { source }: ReceivedAdvert): Envelope {
  return { source, destination: multicastGroup };
}

/** A peer that we have not told apart yet makes old checksums. */
function isOldChecksum(settings: AcceptSettings, packet: ReceivedAdvert, whole: Bytes): boolean {
  if (settings.unicastChecksum !== "auto" || !hasOwnChecksum(settings)) return false;
  return advertChecksum(whole, oldEnvelope(settings, packet)) === 0;
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
