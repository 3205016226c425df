/** zstd(3): the copy that the node binary carries from version 22.15 on, else the system's library. */
import { hasNative, type NativeFunctions, native, systemLibrary } from "./native.ts";

const LIBRARY = "libzstd.so.1";
/** What a configuration is told that asks for zstd where there is none. */
export const LACKS_ZSTD = `needs ${LIBRARY} on this machine, or node 22.15 or later, which carries zstd (ZSTD_compressStream2)`;

export const ZSTD_PARAMETER_LEVEL = 100;
export const ZSTD_RESET_SESSION = 1;
// What a call shall bring out.
export const ZSTD_CONTINUE = 0;
export const ZSTD_FLUSH = 1;
export const ZSTD_END = 2;

/** Contexts and buffers are addresses; results below zero are errors, negated. */
export interface Zstd {
  createContext(): number;
  setParameter(context: number, parameter: number, value: number): number;
  /** Buffers are pointer, size and position, eight bytes each. Returns at least how many bytes are still to come out. */
  compress(context: number, output: number, input: number, directive: number): number;
  reset(context: number, what: number): number;
  freeContext(context: number): number;
}

/** The functions; undefined when neither the program nor the system has them. */
export function openZstd(): Zstd | undefined {
  const find: NativeFunctions | undefined = hasNative("ZSTD_compressStream2") ? native : systemLibrary(LIBRARY);
  if (find === undefined) return undefined;
  try {
    return {
      createContext: find("uint64_t ZSTD_createCCtx()"),
      setParameter: find("long ZSTD_CCtx_setParameter(uint64_t context, int parameter, int value)"),
      compress: find("long ZSTD_compressStream2(uint64_t context, uint64_t output, uint64_t input, int directive)"),
      reset: find("long ZSTD_CCtx_reset(uint64_t context, int what)"),
      freeContext: find("long ZSTD_freeCCtx(uint64_t context)"),
    };
  } catch {
    // A library older than 1.4 lacks the functions that are stable since then.
    return undefined;
  }
}
