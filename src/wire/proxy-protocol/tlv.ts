/**
 * The fields of a PROXY protocol header of version 2 by name: `$proxy_protocol_tlv_NAME`.
 * nginx: ngx_proxy_protocol_get_tlv, with its names and log texts.
 */
import { type Bytes, fromLatin1 } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";

/** Types of fields (proxy-protocol.txt, 2.2). */
export const TLV_CRC32C = 0x03;
export const TLV_SSL = 0x20;

const NAMES: Readonly<Record<string, number>> = {
  alpn: 0x01,
  authority: 0x02,
  unique_id: 0x05,
  ssl: TLV_SSL,
  netns: 0x30,
};

/** Types of the fields inside the SSL field. */
export const SSL_NAMES: Readonly<Record<string, number>> = {
  version: 0x21,
  cn: 0x22,
  cipher: 0x23,
  sig_alg: 0x24,
  key_alg: 0x25,
};

/** The flags of the client and the result of the verification, ahead of the SSL field's own fields. */
const SSL_FIXED = 5;

/** A field and where it lies: type, length in two bytes, value. */
const TLV_FIXED = 3;

/**
 * Value of the field that `name` names: `alpn`, `authority`, `unique_id`, `ssl`, `netns`, `0xHH`, and `ssl_` with `verify` (in
 * decimal), `version`, `cn`, `cipher`, `sig_alg`, `key_alg`, `0xHH`. Undefined when there is no such field. A reason is what
 * nginx logs as an error; "" for what it keeps silent about. The variable is empty then.
 */
export function findTlv(tlvs: Bytes, name: string): Decoded<Bytes | undefined> {
  if (!name.startsWith("ssl_")) return findIn(tlvs, NAMES, name, name);
  const ssl = findType(tlvs, TLV_SSL);
  if (!ssl.ok || ssl.value === undefined) return ssl;
  if (ssl.value.length < SSL_FIXED) return malformed("");
  if (name === "ssl_verify") {
    const verify = new DataView(ssl.value.buffer, ssl.value.byteOffset).getUint32(1);
    return decoded(fromLatin1(String(verify)));
  }
  return findIn(ssl.value.subarray(SSL_FIXED), SSL_NAMES, name.slice(4), name);
}

function findIn(
  tlvs: Bytes,
  names: Readonly<Record<string, number>>,
  name: string,
  label: string,
): Decoded<Bytes | undefined> {
  if (name.startsWith("0x")) {
    if (!/^[0-9a-fA-F]+$/.test(name.slice(2))) return malformed(`invalid PROXY protocol TLV "${label}"`);
    return findType(tlvs, Number.parseInt(name.slice(2), 16));
  }
  const type = Object.hasOwn(names, name) ? names[name] : undefined;
  return type === undefined ? malformed(`unknown PROXY protocol TLV "${label}"`) : findType(tlvs, type);
}

/** Value of the first field of a type. Fields behind it are not looked at, so they may be broken. */
function findType(tlvs: Bytes, type: number): Decoded<Bytes | undefined> {
  for (let at = 0; at < tlvs.length; ) {
    if (tlvs.length - at < TLV_FIXED) return malformed("broken PROXY protocol TLV");
    const length = ((tlvs[at + 1] as number) << 8) | (tlvs[at + 2] as number);
    const start = at + TLV_FIXED;
    if (tlvs.length - start < length) return malformed("broken PROXY protocol TLV");
    if (tlvs[at] === type) return decoded(tlvs.subarray(start, start + length));
    at = start + length;
  }
  return decoded(undefined);
}

/** The bytes of a field; the value has at most 65,535. */
export function encodeTlv(type: number, value: Bytes): Bytes {
  const tlv = new Uint8Array(TLV_FIXED + value.length);
  tlv[0] = type;
  tlv[1] = value.length >> 8;
  tlv[2] = value.length & 0xff;
  tlv.set(value, TLV_FIXED);
  return tlv;
}
