/** brotli(3), the encoder that the node binary carries, or that it is linked with. */
import { hasNative, native } from "./native.ts";

/** What a configuration is told that asks for brotli where there is none. */
export const LACKS_BROTLI =
  "needs the brotli encoder of node, which this node does not export (BrotliEncoderCompressStream)";

// Parameters.
export const BROTLI_PARAM_QUALITY = 1;
export const BROTLI_PARAM_LGWIN = 2;
// Operations.
export const BROTLI_PROCESS = 0;
export const BROTLI_FLUSH = 1;
export const BROTLI_FINISH = 2;

/** Addresses are numbers; all but `create` return 0 when they fail or the answer is no. */
export interface Brotli {
  create(allocate: number, free: number, opaque: number): number;
  setParameter(encoder: number, parameter: number, value: number): number;
  /** Counts and pointers are read and written where the addresses lead. */
  compress(
    encoder: number,
    operation: number,
    availableIn: number,
    nextIn: number,
    availableOut: number,
    nextOut: number,
    totalOut: number,
  ): number;
  hasMoreOutput(encoder: number): number;
  destroy(encoder: number): void;
}

/** The functions; undefined when the program has none. */
export function openBrotli(): Brotli | undefined {
  if (!hasNative("BrotliEncoderCompressStream") || !hasNative("BrotliEncoderHasMoreOutput")) return undefined;
  return {
    create: native("uint64_t BrotliEncoderCreateInstance(uint64_t alloc, uint64_t free, uint64_t opaque)"),
    setParameter: native("int BrotliEncoderSetParameter(uint64_t encoder, int parameter, uint32_t value)"),
    compress: native(
      "int BrotliEncoderCompressStream(uint64_t encoder, int op, uint64_t available_in, uint64_t next_in, uint64_t available_out, uint64_t next_out, uint64_t total_out)",
    ),
    hasMoreOutput: native("int BrotliEncoderHasMoreOutput(uint64_t encoder)"),
    destroy: native("void BrotliEncoderDestroyInstance(uint64_t encoder)"),
  };
}
