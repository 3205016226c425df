/** A router's adverts as packets, one for each destination: authenticated, signed, with their IP header where there is one. */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { VrrpInstance } from "../conf/keepalived/config.ts";
import { encodeIpv4, IPV4_HEADER_BYTES } from "../wire/ipv4.ts";
import {
  type Advert,
  AUTH_AH,
  AUTH_NONE,
  AUTH_PASSWORD,
  advertChecksum,
  encodeAdvert,
  PASSWORD_BYTES,
  VRRP_PROTOCOL,
} from "../wire/vrrp/advert.ts";
import { encodeAh } from "../wire/vrrp/ah.ts";
import { encodeTrailer, sequenceAt, TRAILER_BYTES, writeChecksum } from "../wire/vrrp/hmac-trailer.ts";
import type { Renewal } from "./ports.ts";

/** TOS of an advert: internetwork control (RFC 791), as keepalived sends it. */
const TOS_CONTROL = 0xc0;
const NO_PASSWORD = new Uint8Array(PASSWORD_BYTES);
const EMPTY = new Uint8Array(0);

/** One packet and where it goes: IPv4 with its header, IPv6 without. */
export interface AdvertPacket {
  readonly bytes: Bytes;
  readonly destination: IpAddress;
}

export interface PacketRequest {
  readonly priority: number;
  readonly source: IpAddress;
  /** Of an authentication header, when there is one. */
  readonly ahSequence: number;
  /** What goes behind the message. */
  readonly trailer: (message: Bytes) => Bytes;
  /** IP identification of the next packet. */
  readonly nextId: () => number;
}

/** The adverts that `settings` ask for. */
export function advertPackets(settings: VrrpInstance, request: PacketRequest): AdvertPacket[] {
  const { unicast, unicastPeers, multicastGroup, version, family, v3ChecksumAsV2 } = settings;
  const destinations = unicast ? unicastPeers.map(({ address }) => address) : [multicastGroup];
  const advert = describeAdvert(settings, request.priority);
  const bare = version === 2 || (family === 4 && v3ChecksumAsV2);
  let trailer: Bytes | undefined;
  return destinations.map((destination) => {
    const envelope = { source: request.source, destination };
    const isOld = unicast && version === 3 && family === 4 && settings.unicastChecksum === "old";
    const summed = isOld ? { ...envelope, destination: multicastGroup } : envelope;
    const message = encodeAdvert(advert, bare ? undefined : summed);
    trailer ??= request.trailer(message);
    const signed = trailer.length === 0 ? message : concatBytes([message, trailer]);
    if (family === 4) return { bytes: wrap(settings, request, signed, destination), destination };
    if (trailer.length > 0) sumUp(signed, envelope);
    return { bytes: signed, destination };
  });
}

function describeAdvert(settings: VrrpInstance, priority: number): Advert {
  const { version, virtualRouterId, advertIntervalMs, authentication, addresses } = settings;
  const isAh = authentication?.type === "AH";
  return {
    version,
    vrid: virtualRouterId,
    priority,
    intervalCs: Math.round(advertIntervalMs / 10),
    authType: authentication === undefined ? AUTH_NONE : isAh ? AUTH_AH : AUTH_PASSWORD,
    // The key of an authentication header stays at home.
    password: version !== 2 ? EMPTY : isAh ? NO_PASSWORD : (authentication?.password ?? NO_PASSWORD),
    addresses: addresses.map(({ address }) => address),
  };
}

function wrap(settings: VrrpInstance, request: PacketRequest, message: Bytes, destination: IpAddress): Bytes {
  const { unicast, unicastTtl, authentication } = settings;
  const ttl = unicast ? (unicastTtl ?? 255) : 255;
  const fields = { source: request.source, destination, ttl, tos: TOS_CONTROL, id: request.nextId() };
  if (authentication?.type !== "AH") return encodeIpv4({ ...fields, protocol: VRRP_PROTOCOL }, message);
  const { password } = authentication;
  return encodeAh(fields, request.ahSequence, message, { password, isUnicast: unicast });
}

/** IPv6 sums up the whole payload: keepalived leaves it to the kernel, which knows no trailers. */
function sumUp(signed: Bytes, envelope: { readonly source: IpAddress; readonly destination: IpAddress }): void {
  writeChecksum(signed, 0);
  writeChecksum(signed, advertChecksum(signed, envelope));
}

/** An advert that was signed long ago, signed now: what is kept for the crash guard would be stale when it is needed. */
export function renew(packet: AdvertPacket, renewal: Renewal, wallMs: number): AdvertPacket {
  const { version, vrid, source, key } = renewal;
  const start = source.length === 4 ? IPV4_HEADER_BYTES : 0;
  const bytes = packet.bytes.slice();
  const signed = bytes.subarray(start);
  const message = signed.subarray(0, signed.length - TRAILER_BYTES);
  const trailer = encodeTrailer(message, { version, vrid, source }, key.id, key.bytes, sequenceAt(wallMs));
  signed.set(trailer, message.length);
  if (source.length === 16) sumUp(signed, { source, destination: packet.destination });
  return { bytes, destination: packet.destination };
}
