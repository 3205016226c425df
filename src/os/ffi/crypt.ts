/** crypt_r(3): in libcrypt, or in the C library itself where that is musl. */
import { hasNative, native, systemLibrary } from "./native.ts";

/** Of old glibc and libxcrypt, and of a libxcrypt without the functions of old. */
const LIBRARIES = ["libcrypt.so.1", "libcrypt.so.2"];
const PROTOTYPE = "str crypt_r(const uint8_t *password, const uint8_t *setting, uint64_t data)";

/** More than `sizeof(struct crypt_data)` of any library: 131,232 in old glibc, 32,768 in libxcrypt, 260 in musl. */
export const CRYPT_DATA_BYTES = 132 * 1024;

/** Both texts end with NUL; `data` is zeroed memory. null when it has failed. */
export type CryptR = (password: Uint8Array, setting: Uint8Array, data: number) => string | null;

/** The function of this machine; undefined when it has none. */
export function findCryptR(): CryptR | undefined {
  if (hasNative("crypt_r")) return native<CryptR>(PROTOTYPE);
  for (const name of LIBRARIES) {
    try {
      const find = systemLibrary(name);
      if (find !== undefined) return find<CryptR>(PROTOTYPE);
    } catch {
      // It is there without this function.
    }
  }
  return undefined;
}
