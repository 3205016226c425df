/** Memory outside the JavaScript heap: bytes for us, an address for the kernel. It never moves and is never collected. */
import type { Bytes } from "../base/bytes.ts";

export interface Memory {
  readonly bytes: Bytes;
  /** Of `bytes[0]`; only `os/` may calculate with it. */
  readonly address: number;
}

export interface MemorySource {
  /** Zeroed pages; `sizeBytes` is rounded up to a page. Throws when the kernel has none left. */
  allocate(sizeBytes: number): Memory;
}
