/** The crypt port on crypt_r(3) of this machine. */
import { fromLatin1 } from "../base/bytes.ts";
import type { Crypt, Crypted } from "../io/crypt.ts";
import type { Memory } from "../io/memory.ts";
import { CRYPT_DATA_BYTES, type CryptR, findCryptR } from "./ffi/crypt.ts";
import { errno } from "./ffi/native.ts";
import { allocateMemory } from "./memory.ts";

const NO_LIBRARY: Crypted = { ok: false, errno: 0 };

/** Looks for the library, and takes memory, when the first password comes. */
export class SystemCrypt implements Crypt {
  private readonly find: () => CryptR | undefined;
  /** null: there is none. */
  private function: CryptR | null | undefined = undefined;
  private data: Memory | undefined = undefined;

  constructor(find: () => CryptR | undefined = findCryptR) {
    this.find = find;
  }

  hash(password: string, setting: string): Crypted {
    this.function ??= this.find() ?? null;
    if (this.function === null) return NO_LIBRARY;
    this.data ??= allocateMemory(CRYPT_DATA_BYTES);
    const { bytes, address } = this.data;
    const secret = fromLatin1(`${password}\0`);
    const value = this.function(secret, fromLatin1(`${setting}\0`), address);
    const error = value === null ? errno() : 0;
    // What the library has left of the password; and an old glibc must find `initialized` zero.
    bytes.fill(0);
    secret.fill(0);
    return value === null ? { ok: false, errno: error } : { ok: true, value };
  }
}
