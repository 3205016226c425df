/** Random bytes for services. */
import { fillRandom } from "../os/random.ts";

const RANDOM_POOL_BYTES = 4096;

/** Random bytes in small pieces without a system call for each. */
export function randomSource(): (sizeBytes: number) => Uint8Array {
  const pool = new Uint8Array(RANDOM_POOL_BYTES);
  let used = pool.length;
  return (sizeBytes) => {
    if (used + sizeBytes > pool.length) {
      fillRandom(pool);
      used = 0;
    }
    used += sizeBytes;
    return pool.slice(used - sizeBytes, used);
  };
}
