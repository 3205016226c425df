/**
 * VRRP advertisements: version 2 (RFC 3768 §5, with the password of RFC 2338) and version 3 (RFC 9568 §5) for both
 * address families. keepalived's counterpart: vrrp_build_vrrp_v2, vrrp_build_vrrp_v3 and vrrp_check_packet.
 *
 *      0                   1                   2                   3
 *     |Version| Type  | Virtual Rtr ID|   Priority    |Count IP Addrs |
 *     | v2: Auth Type |  v2: seconds  |           Checksum            |
 *     |(rsvd) |  v3: centiseconds     |                               |
 *     |                   addresses, 4 or 16 bytes each               |
 *     |        v2 only: 8 bytes of password, zero when unused         |
 */
import { assert } from "../../base/assert.ts";
import type { Bytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";
import { addWords, foldChecksum, pseudoHeaderSum, readU16, writeU16 } from "../checksum.ts";

export const VRRP_PROTOCOL = 112;
/** 224.0.0.18 and ff02::12. */
export const VRRP_GROUP_4: IpAddress = Uint8Array.of(224, 0, 0, 18);
export const VRRP_GROUP_6: IpAddress = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12);
/** The only type of message there is. */
export const TYPE_ADVERTISEMENT = 1;
/** Bytes in front of the addresses. */
export const ADVERT_HEADER_BYTES = 8;
/** Bytes of a version 2 password behind the addresses; sent as zeros without authentication. */
export const PASSWORD_BYTES = 8;
/** The priority that says "I stop being the active router". */
export const PRIORITY_STOP = 0;
/** The priority of the router that owns the addresses. */
export const PRIORITY_OWNER = 255;
/** RFC 3768 and RFC 9568: the count is one byte. */
export const MAX_ADDRESSES = 255;

export const AUTH_NONE = 0;
export const AUTH_PASSWORD = 1;
export const AUTH_AH = 2;

export type VrrpVersion = 2 | 3;

/** An advertisement as it is built; the rest of a packet follows from these. */
export interface Advert {
  readonly version: VrrpVersion;
  readonly vrid: number;
  readonly priority: number;
  /** Version 2: a multiple of 100. Version 3: at most 4095. */
  readonly intervalCs: number;
  /** Version 2: AUTH_NONE, AUTH_PASSWORD or AUTH_AH; 0 in version 3. */
  readonly authType: number;
  /** Version 2: exactly PASSWORD_BYTES; empty in version 3. */
  readonly password: Bytes;
  /** All of one family, 4 or 16 bytes each. */
  readonly addresses: readonly IpAddress[];
}

/** The first eight bytes, read but not judged: a receiver judges them in its own order. */
export interface AdvertHeader {
  readonly version: number;
  readonly type: number;
  readonly vrid: number;
  readonly priority: number;
  readonly addressCount: number;
  /** Version 2 only. */
  readonly authType: number;
  readonly intervalCs: number;
  readonly checksum: number;
}

/** What the checksum of version 3 covers besides the message; undefined: the message alone (version 2). */
export interface Envelope {
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

/** Bytes of the message that its own header promises, for addresses of `addressBytes` (4 or 16). */
export function advertBytes(version: number, addressCount: number, addressBytes: number): number {
  return ADVERT_HEADER_BYTES + addressCount * addressBytes + (version === 2 ? PASSWORD_BYTES : 0);
}

/** The message; `envelope` (version 3) enters the checksum and is undefined with `v3_checksum_as_v2`. */
export function encodeAdvert(advert: Advert, envelope: Envelope | undefined): Bytes {
  const { version, addresses, intervalCs } = advert;
  assert(addresses.length <= MAX_ADDRESSES, "an advert holds at most 255 addresses");
  const addressBytes = addresses[0]?.length ?? 4;
  const bytes = new Uint8Array(advertBytes(version, addresses.length, addressBytes));
  bytes[0] = (version << 4) | TYPE_ADVERTISEMENT;
  bytes[1] = advert.vrid;
  bytes[2] = advert.priority;
  bytes[3] = addresses.length;
  if (version === 2) {
    assert(advert.password.length === PASSWORD_BYTES, "a version 2 password is 8 bytes");
    bytes[4] = advert.authType;
    bytes[5] = Math.floor(intervalCs / 100);
  } else {
    assert(intervalCs <= 0xfff, "a version 3 interval has 12 bits");
    writeU16(bytes, 4, intervalCs);
  }
  let at = ADVERT_HEADER_BYTES;
  for (const address of addresses) {
    bytes.set(address, at);
    at += addressBytes;
  }
  if (version === 2) bytes.set(advert.password, at);
  writeU16(bytes, 6, advertChecksum(bytes, envelope));
  return bytes;
}

/** The checksum over `message`: 0 when a received message is intact, the field's value while it holds zero. */
export function advertChecksum(message: Bytes, envelope: Envelope | undefined): number {
  const start =
    envelope === undefined ? 0 : pseudoHeaderSum(envelope.source, envelope.destination, VRRP_PROTOCOL, message.length);
  return foldChecksum(addWords(start, message));
}

/** Reads the fixed part; the only way to fail is to be shorter than that. */
export function decodeAdvertHeader(message: Bytes): Decoded<AdvertHeader> {
  if (message.length < ADVERT_HEADER_BYTES) return malformed("shorter than a VRRP header");
  const version = (message[0] as number) >> 4;
  return decoded({
    version,
    type: (message[0] as number) & 0x0f,
    vrid: message[1] as number,
    priority: message[2] as number,
    addressCount: message[3] as number,
    authType: version === 2 ? (message[4] as number) : AUTH_NONE,
    intervalCs: version === 2 ? (message[5] as number) * 100 : readU16(message, 4) & 0x0fff,
    checksum: readU16(message, 6),
  });
}

/** The addresses of a message that is at least `advertBytes` long. */
export function advertAddresses(message: Bytes, header: AdvertHeader, addressBytes: number): IpAddress[] {
  const addresses: IpAddress[] = [];
  for (let i = 0, at = ADVERT_HEADER_BYTES; i < header.addressCount; i++, at += addressBytes)
    addresses.push(message.slice(at, at + addressBytes));
  return addresses;
}

/** The eight password bytes of a version 2 message that is at least `advertBytes` long. */
export function advertPassword(message: Bytes, header: AdvertHeader, addressBytes: number): Bytes {
  const at = ADVERT_HEADER_BYTES + header.addressCount * addressBytes;
  return message.slice(at, at + PASSWORD_BYTES);
}

/** Reads a message without expectations of its receiver: for monitors and tests. `vrrp/accept.ts` judges for a router. */
export function decodeAdvert(message: Bytes, envelope: Envelope): Decoded<Advert> {
  const read = decodeAdvertHeader(message);
  if (!read.ok) return read;
  const header = read.value;
  const { version, addressCount } = header;
  if (version !== 2 && version !== 3) return malformed(`unknown version ${version}`);
  const addressBytes = version === 2 ? 4 : envelope.source.length;
  const expected = advertBytes(version, addressCount, addressBytes);
  if (message.length < expected) return malformed(`${message.length} bytes where ${expected} are promised`);
  if (header.type !== TYPE_ADVERTISEMENT) return malformed(`unknown type ${header.type}`);
  const whole = message.subarray(0, expected);
  if (advertChecksum(whole, version === 2 ? undefined : envelope) !== 0) return malformed("wrong checksum");
  return decoded({
    version,
    vrid: header.vrid,
    priority: header.priority,
    intervalCs: header.intervalCs,
    authType: header.authType,
    password: version === 2 ? advertPassword(whole, header, addressBytes) : new Uint8Array(0),
    addresses: advertAddresses(whole, header, addressBytes),
  });
}
