/** crypt(3): one-way hashes of passwords in all the ways that the machine's C library knows. */

/** What came of hashing: the text to compare, or why there is none. */
export type Crypted =
  | { readonly ok: true; readonly value: string }
  /** `errno` 0: there is no library to ask. */
  | { readonly ok: false; readonly errno: number };

export interface Crypt {
  /**
   * Hashes a password as `setting` says: its prefix names the method (`$1$`, `$2y$`, `$5$`, `$6$`, `$y$`, none for DES), and
   * a whole hash is a setting too. Both are texts with one character a byte, without NUL. Some libraries answer a setting that
   * they don't know with a text that is no hash, `*0`. Blocks as long as the method takes: up to seconds, if its cost says so.
   */
  hash(password: string, setting: string): Crypted;
}
