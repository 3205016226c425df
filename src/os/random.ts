/** Random bytes of the kernel. node:crypto gives the same, and takes 6 ms to load. */
import { assert } from "../base/assert.ts";
import { systemError } from "./errno.ts";
import { addressOf, errno } from "./ffi/native.ts";
import { getrandom } from "./ffi/process.ts";

/** The kernel gives so many bytes without a signal coming between: getrandom(2). */
const UNINTERRUPTED_BYTES = 256;
const ON_HEAP_BYTES = 64;

/** Fills `bytes`, of which there must be more than V8 keeps on its own heap (64). Throws a `SystemError` when the kernel refuses. */
export function fillRandom(bytes: Uint8Array): void {
  assert(bytes.length > ON_HEAP_BYTES, "the bytes stay where they are");
  const address = addressOf(bytes);
  for (let at = 0; at < bytes.length; at += UNINTERRUPTED_BYTES) {
    const rest = Math.min(UNINTERRUPTED_BYTES, bytes.length - at);
    if (getrandom(address + at, rest, 0) !== rest) throw systemError("getrandom", errno());
  }
}
