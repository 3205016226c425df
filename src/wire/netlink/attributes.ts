/** Netlink attributes: type, length, value, padded to 4 bytes, possibly nested (linux/netlink.h, struct nlattr). */
import { type Bytes, concatBytes, fromUtf8, utf8 } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import { align4, HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

const ATTRIBUTE_HEADER_BYTES = 4;
const NLA_F_NESTED = 0x8000;
/** The type without the flags "nested" and "network byte order". */
const NLA_TYPE_MASK = 0x3fff;

/** Values by attribute type; of a repeated type the last one, as the kernel reads them. Views of what was parsed. */
export type Attributes = ReadonlyMap<number, Bytes>;

/** One attribute with its padding. */
export function attribute(type: number, value: Bytes): Bytes {
  const length = ATTRIBUTE_HEADER_BYTES + value.length;
  const whole = new Uint8Array(align4(length));
  const view = viewOf(whole);
  view.setUint16(0, length, HOST_LITTLE_ENDIAN);
  view.setUint16(2, type, HOST_LITTLE_ENDIAN);
  whole.set(value, ATTRIBUTE_HEADER_BYTES);
  return whole;
}

/** An attribute that holds attributes. */
export function nested(type: number, parts: readonly Bytes[]): Bytes {
  return attribute(type | NLA_F_NESTED, concatBytes(parts));
}

/** An attribute of one byte. */
export function attributeU8(type: number, value: number): Bytes {
  return attribute(type, Uint8Array.of(value));
}

/** An attribute of two bytes in host order. */
export function attributeU16(type: number, value: number): Bytes {
  const bytes = new Uint8Array(2);
  viewOf(bytes).setUint16(0, value, HOST_LITTLE_ENDIAN);
  return attribute(type, bytes);
}

/** An attribute of four bytes in host order. */
export function attributeU32(type: number, value: number): Bytes {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, HOST_LITTLE_ENDIAN);
  return attribute(type, bytes);
}

/** A text with its terminating NUL. */
export function attributeText(type: number, text: string): Bytes {
  return attribute(type, fromUtf8(`${text}\0`));
}

/** The attributes that fill `bytes`. Malformed when one is shorter than its header or reaches beyond the end. */
export function decodeAttributes(bytes: Bytes): Decoded<Attributes> {
  const attributes = new Map<number, Bytes>();
  const view = viewOf(bytes);
  let offset = 0;
  while (offset < bytes.length) {
    if (bytes.length - offset < ATTRIBUTE_HEADER_BYTES) return malformed("netlink attribute cut short");
    const length = view.getUint16(offset, HOST_LITTLE_ENDIAN);
    if (length < ATTRIBUTE_HEADER_BYTES || length > bytes.length - offset)
      return malformed("netlink attribute length is wrong");
    const type = view.getUint16(offset + 2, HOST_LITTLE_ENDIAN) & NLA_TYPE_MASK;
    attributes.set(type, bytes.subarray(offset + ATTRIBUTE_HEADER_BYTES, offset + length));
    offset += align4(length);
  }
  return decoded(attributes);
}

/** The attributes inside an attribute; empty when it is missing. */
export function nestedIn(attributes: Attributes, type: number): Decoded<Attributes> {
  const value = attributes.get(type);
  return value === undefined ? decoded(new Map<number, Bytes>()) : decodeAttributes(value);
}

/** A number of four bytes; undefined when missing or of another size. */
export function u32In(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 4 ? viewOf(value).getUint32(0, HOST_LITTLE_ENDIAN) : undefined;
}

/** A number of two bytes; undefined when missing or of another size. */
export function u16In(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 2 ? viewOf(value).getUint16(0, HOST_LITTLE_ENDIAN) : undefined;
}

/** A number of one byte; undefined when missing or of another size. */
export function u8In(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 1 ? value[0] : undefined;
}

/** A text up to its NUL or the end of the attribute; undefined when missing. */
export function textIn(attributes: Attributes, type: number): string | undefined {
  const value = attributes.get(type);
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return utf8(value, 0, end < 0 ? value.length : end);
}
