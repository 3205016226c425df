/**
 * Which adverts are genuine and fresh: the authentication header of version 2, and the signed trailer of `auth_hmac`. Numbers
 * that only grow keep old packets from being sent again; they are what this remembers. keepalived's counterparts:
 * vrrp_in_chk_ipsecah in vrrp.c, vrrp_auth_hmac.c.
 */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import { sameSecret } from "../base/hmac.ts";
import { type IpAddress, printIp } from "../base/ip.ts";
import type { AuthHmac, VrrpInstance } from "../conf/keepalived/config.ts";
import { VRRP_PROTOCOL } from "../wire/vrrp/advert.ts";
import { type AuthenticationHeader, ahCheck } from "../wire/vrrp/ah.ts";
import { ageS, decodeTrailer, encodeTrailer, isLater, sequenceAt, trailerCode } from "../wire/vrrp/hmac-trailer.ts";

export type SecuritySettings = Pick<
  VrrpInstance,
  "version" | "virtualRouterId" | "authentication" | "authHmac" | "unicast" | "unicastPeers"
>;

/** Why an advert is not genuine, or not fresh; a counter each. */
export const SECURITY_REASONS = [
  "authFailure",
  "unicastSource",
  "authMissing",
  "authMalformed",
  "authUnknownKey",
  "authInvalidHmac",
  "authStale",
  "authReplay",
] as const;

export interface Refusal {
  readonly reason: (typeof SECURITY_REASONS)[number];
  /** keepalived's words. */
  readonly text: string;
}

/** keepalived stops counting here: the number has 32 bits. */
const MAX_AH_SEQUENCE = 0xffff_fffd;
/**
 * How far ahead of the last advert the one is numbered that the crash guard keeps: others will have heard that many more when
 * it is needed. Two thirds of a day at the quickest interval of version 2.
 */
const AH_LEAP = 0x1_0000;
/** Senders of a group that are remembered, the last one first; more only speak at once when there is a quarrel. */
const MAX_SENDERS = 4;

/** What one router remembers. */
export class AdvertSecurity {
  #settings: SecuritySettings;
  /** Of the last authentication header that was sent or accepted: all routers of a group count together. */
  #ahSequence = 0;
  #ahGuarded = 0;
  /** Of our last trailer. */
  #sent = 0n;
  readonly #heard = new Map<string, bigint>();

  constructor(settings: SecuritySettings) {
    this.#settings = settings;
  }

  /** Other settings of the same router; what is remembered stays. */
  reload(settings: SecuritySettings): void {
    this.#settings = settings;
  }

  /** A number for our next advert in an authentication header. */
  nextAhSequence(): number {
    this.#ahSequence = this.#ahSequence >= MAX_AH_SEQUENCE ? 1 : this.#ahSequence + 1;
    return this.#ahSequence;
  }

  /** A number for an advert that will be sent when we can't any more. */
  guardedAhSequence(): number {
    this.#ahGuarded = this.#ahSequence;
    return Math.min(MAX_AH_SEQUENCE, this.#ahSequence + AH_LEAP);
  }

  /** The advert that the crash guard keeps will soon be an old one. */
  get isGuardOld(): boolean {
    return this.#ahSequence - this.#ahGuarded > AH_LEAP / 2 || this.#ahSequence < this.#ahGuarded;
  }

  /** What goes behind a message of ours: nothing, or its trailer, which is the same for all destinations of an advert. */
  trailer(message: Bytes, source: IpAddress, wallMs: number): Bytes {
    const { authHmac, version, virtualRouterId: vrid } = this.#settings;
    if (authHmac === undefined || authHmac.mode === "receive-only") return new Uint8Array(0);
    const { id, bytes } = authHmac.activeKey;
    return encodeTrailer(message, { version, vrid, source }, id, bytes, this.#nextSequence(authHmac, wallMs));
  }

  #nextSequence({ antiReplay, windowS }: AuthHmac, wallMs: number): bigint {
    const now = sequenceAt(wallMs);
    // A clock that was put back: receivers go by theirs, and forget us when their window has passed.
    const isStranded = antiReplay === "time" && -ageS(this.#sent, wallMs) > windowS;
    this.#sent = isLater(now, this.#sent) || isStranded ? now : BigInt.asUintN(64, this.#sent + 1n);
    return this.#sent;
  }

  /** Judges a packet of protocol 51 whose VRRP message names our router. `packet` begins with its IP header. */
  checkAh(header: AuthenticationHeader, packet: Bytes, headerBytes: number, source: IpAddress): Refusal | undefined {
    const { authentication, unicast } = this.#settings;
    const refuse = (text: string): Refusal => ({ reason: "authFailure", text });
    const password = authentication?.password ?? new Uint8Array(0);
    if (header.nextHeader !== VRRP_PROTOCOL) return refuse("IPSEC-AH : another protocol inside");
    if (!sameSecret(header.check, ahCheck(packet, headerBytes, { password, isUnicast: unicast })))
      return refuse("IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !");
    if (!equalBytes(header.spi, source))
      return refuse(`IPSEC AH : invalid IPSEC SPI value. ${printIp(header.spi)} and expect ${printIp(source)}`);
    if (header.sequence <= this.#ahSequence) {
      const seen = `sequence number ${header.sequence} already processed`;
      return refuse(`IPSEC-AH : ${seen}. Packet dropped. Local(${this.#ahSequence})`);
    }
    this.#ahSequence = header.sequence;
    return undefined;
  }

  /** Judges the trailer of a message; undefined bytes: it has none. A string is a warning about one that is good. */
  checkTrailer(
    authHmac: AuthHmac,
    message: Bytes,
    bytes: Bytes | undefined,
    source: IpAddress,
    wallMs: number,
  ): Refusal | string | undefined {
    if (bytes === undefined)
      return authHmac.mode === "enforce"
        ? { reason: "authMissing", text: "missing authentication trailer" }
        : undefined;
    const { unicast, unicastPeers, version, virtualRouterId: vrid } = this.#settings;
    if (unicast && !unicastPeers.some(({ address }) => equalBytes(address, source)))
      return { reason: "unicastSource", text: `unicast source address ${printIp(source)} not a unicast peer` };
    const read = decodeTrailer(bytes);
    if (!read.ok) return { reason: "authMalformed", text: "malformed authentication trailer" };
    const { keyId, sequence, code } = read.value;
    const { antiReplay, windowS, keys } = authHmac;
    const skewS = ageS(sequence, wallMs);
    // Before the costly part: an old packet must not cost more than a look at it.
    if (antiReplay === "time" && Math.abs(skewS) > windowS) {
      const skew = `clock skew ${skewS} sec exceeds window ${windowS} sec`;
      return { reason: "authStale", text: `stale authentication trailer, ${skew}` };
    }
    const key = keys.find(({ id }) => id === keyId);
    if (key === undefined) return { reason: "authUnknownKey", text: `unknown authentication key id ${keyId}` };
    if (!sameSecret(code, trailerCode(message, bytes, { version, vrid, source }, key.bytes)))
      return { reason: "authInvalidHmac", text: "invalid authentication HMAC" };
    if (!this.#isFresh(authHmac, source, sequence, wallMs))
      return { reason: "authReplay", text: "replayed authentication trailer" };
    if (antiReplay === "monotonic" || Math.abs(skewS) <= Math.floor(windowS / 2)) return undefined;
    return `authentication clock skew ${skewS} sec from ${printIp(source)} approaching window ${windowS} sec`;
  }

  /** Remembers the number of a sender; false when it has not grown. */
  #isFresh({ antiReplay, windowS }: AuthHmac, source: IpAddress, sequence: bigint, wallMs: number): boolean {
    const name = printIp(source);
    const last = this.#heard.get(name);
    // What is outside the window only orders packets that the window refuses anyway.
    const counts = last !== undefined && (antiReplay === "monotonic" || Math.abs(ageS(last, wallMs)) <= windowS);
    if (counts && !isLater(sequence, last)) return false;
    this.#heard.delete(name);
    this.#heard.set(name, sequence);
    const max = this.#settings.unicast ? this.#settings.unicastPeers.length : MAX_SENDERS;
    for (const [oldest] of this.#heard) {
      if (this.#heard.size <= max) break;
      this.#heard.delete(oldest);
    }
    return true;
  }
}
