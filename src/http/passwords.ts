/**
 * Stored passwords: what nginx calls encrypted, in the formats that it knows itself, and all others by crypt(3).
 * Counterpart in nginx: ngx_crypt.c.
 */
import { decodeBase64, encodeBase64 } from "../base/base64.ts";
import { type Bytes, concatBytes, fromLatin1, latin1 } from "../base/bytes.ts";
import { md5 } from "../base/hash-md5.ts";
import { sha1 } from "../base/hash-sha1.ts";
import type { Crypt, Crypted } from "../io/crypt.ts";

const APR1 = "$apr1$";
const PLAIN = "{PLAIN}";
const SSHA = "{SSHA}";
const SHA = "{SHA}";
const SHA1_BYTES = 20;
const APR1_ROUNDS = 1000;
const APR1_SALT = 8;

/** The password as it would be stored if it were the one that is stored. Texts of one character a byte, without NUL. */
export function encrypt(password: string, stored: string, crypt: Crypt): Crypted {
  if (stored.startsWith(APR1)) return done(apr1(fromLatin1(password), stored));
  if (stored.startsWith(PLAIN)) return done(PLAIN + password);
  if (stored.startsWith(SSHA)) return done(saltedSha(fromLatin1(password), stored));
  if (stored.startsWith(SHA)) return done(SHA + encodeBase64(sha1(fromLatin1(password))));
  return crypt.hash(password, stored);
}

function done(value: string): Crypted {
  return { ok: true, value };
}

/** The salt stands behind the digest. Without a whole digest there is none. */
function saltedSha(password: Bytes, stored: string): string {
  const decoded = decodeBase64(stored.slice(SSHA.length));
  const salt = decoded === undefined ? new Uint8Array() : decoded.subarray(SHA1_BYTES);
  return SSHA + encodeBase64(concatBytes([sha1(concatBytes([password, salt])), salt]));
}

/** Apache's variant of the MD5 method of crypt(3): another magic, otherwise the same. */
function apr1(password: Bytes, stored: string): string {
  const [saltText = ""] = stored.slice(APR1.length, APR1.length + APR1_SALT).split("$", 1);
  const salt = fromLatin1(saltText);
  const inner = md5(concatBytes([password, salt, password]));
  const parts = [password, fromLatin1(APR1), salt];
  for (let left = password.length; left > 0; left -= 16) parts.push(inner.subarray(0, Math.min(16, left)));
  const zero = new Uint8Array(1);
  for (let bits = password.length; bits > 0; bits >>= 1) parts.push((bits & 1) === 1 ? zero : password.subarray(0, 1));
  let digest = md5(concatBytes(parts));
  for (let round = 0; round < APR1_ROUNDS; round++) {
    const isOdd = (round & 1) === 1;
    const pieces = [isOdd ? password : digest];
    if (round % 3 !== 0) pieces.push(salt);
    if (round % 7 !== 0) pieces.push(password);
    pieces.push(isOdd ? digest : password);
    digest = md5(concatBytes(pieces));
  }
  return `${APR1}${saltText}$${apr1Digits(digest)}`;
}

const DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Which bytes of the digest become four digits together, the highest first. */
const APR1_ORDER = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
] as const;

function apr1Digits(digest: Bytes): string {
  let text = "";
  for (const [high, middle, low] of APR1_ORDER)
    text += digits(((digest[high] as number) << 16) | ((digest[middle] as number) << 8) | (digest[low] as number), 4);
  return text + digits(digest[11] as number, 2);
}

/** The lowest six bits first. */
function digits(value: number, count: number): string {
  let text = "";
  for (let i = 0; i < count; i++) text += DIGITS.charAt((value >> (6 * i)) & 63);
  return text;
}

/** True when both are the same; takes as long for a near miss as for any other text of that length. */
export function isSameSecret(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/** What C sees of a text: up to its first NUL. */
export function untilNul(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

const LF = 0x0a;
const CR = 0x0d;
const HASH = 0x23;
const COLON = 0x3a;
/** More of a stored password is not looked at. nginx: NGX_HTTP_AUTH_BUF_SIZE. */
export const MAX_STORED = 2048;

/**
 * Looks for a user in lines `name:password[:comment]`, given piece by piece. A line that is a mere beginning of the name takes
 * the next line with it, as in nginx.
 */
export class PasswordSearch {
  private readonly wanted: Bytes;
  private state: "name" | "password" | "skip" = "name";
  private matched = 0;
  private stored = "";

  constructor(user: string) {
    this.wanted = fromLatin1(`${user}:`);
  }

  /** The next bytes of the file. True when the answer is there: no more bytes are needed. */
  add(bytes: Bytes): boolean {
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (this.state === "name") this.compare(byte);
      else if (this.state === "skip") {
        if (byte !== LF) continue;
        this.state = "name";
        this.matched = 0;
      } else if (this.state === "password") return this.collect(bytes, i);
    }
    return false;
  }

  private compare(byte: number): void {
    if (this.matched === 0) {
      if (byte === LF) return;
      if (byte === HASH || byte === CR) {
        this.state = "skip";
        return;
      }
    }
    if (byte !== this.wanted[this.matched]) this.state = "skip";
    else if (++this.matched === this.wanted.length) this.state = "password";
  }

  private collect(bytes: Bytes, start: number): boolean {
    let end = start;
    const limit = Math.min(bytes.length, start + MAX_STORED - this.stored.length);
    while (end < limit && bytes[end] !== LF && bytes[end] !== CR && bytes[end] !== COLON) end++;
    this.stored += latin1(bytes, start, end);
    return end < bytes.length || this.stored.length === MAX_STORED;
  }

  /** The stored password; undefined when the user is not there. */
  get result(): string | undefined {
    return this.state === "password" ? this.stored : undefined;
  }
}
