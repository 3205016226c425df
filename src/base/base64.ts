/** Base64 (RFC 4648, sections 4 and 5), read as leniently as nginx reads it: padding may be missing, and behind it may be anything. */
import type { Bytes } from "./bytes.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const STANDARD = `${LETTERS}+/`;
const URL_SAFE = `${LETTERS}-_`;
const NONE = 0xff;

function digitsOf(alphabet: string): Uint8Array {
  const digits = new Uint8Array(256).fill(NONE);
  for (let i = 0; i < alphabet.length; i++) digits[alphabet.charCodeAt(i)] = i;
  return digits;
}

const STANDARD_DIGITS = digitsOf(STANDARD);
const URL_SAFE_DIGITS = digitsOf(URL_SAFE);

/** The bytes of a text, one character a byte; undefined when something in front of the first `=` is no digit or is left over. */
export function decodeBase64(text: string): Bytes | undefined {
  return decode(text, STANDARD_DIGITS);
}

/** The same in the alphabet for addresses: `-` and `_` instead of `+` and `/`. */
export function decodeBase64Url(text: string): Bytes | undefined {
  return decode(text, URL_SAFE_DIGITS);
}

function decode(text: string, digits: Uint8Array): Bytes | undefined {
  const padding = text.indexOf("=");
  const length = padding < 0 ? text.length : padding;
  if (length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0;
  let value = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const digit = digits[text.charCodeAt(i)] ?? NONE;
    if (digit === NONE) return undefined;
    value = ((value << 6) | digit) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = value >> bits;
  }
  return bytes;
}

/** The text of bytes, padded with `=`. */
export function encodeBase64(bytes: Bytes): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const first = bytes[i] as number;
    const second = bytes[i + 1];
    const third = bytes[i + 2];
    const value = (first << 16) | ((second ?? 0) << 8) | (third ?? 0);
    text += STANDARD.charAt(value >> 18) + STANDARD.charAt((value >> 12) & 63);
    text += second === undefined ? "=" : STANDARD.charAt((value >> 6) & 63);
    text += third === undefined ? "=" : STANDARD.charAt(value & 63);
  }
  return text;
}
