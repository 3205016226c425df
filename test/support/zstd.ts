/** The judge of what we compress with zstd, for tests: older versions of node have no decoder. */
import assert from "node:assert/strict";
import { addressOf, hasNative, native, systemLibrary } from "../../src/os/ffi/native.ts";

/** Unpacks with the streaming decoder of the library. `isWhole`: the stream must have its end, or must not; `sizeBytes`: of the result, at most. */
export function unpackZstd(packed: Buffer, isWhole: boolean, sizeBytes: number): Buffer {
  const find = hasNative("ZSTD_decompressStream") ? native : systemLibrary("libzstd.so.1");
  assert.ok(find !== undefined);
  const create = find<() => number>("uint64_t ZSTD_createDStream()");
  const run = find<(stream: number, output: number, input: number) => number>(
    "long ZSTD_decompressStream(uint64_t stream, uint64_t output, uint64_t input)",
  );
  const free = find<(stream: number) => number>("long ZSTD_freeDStream(uint64_t stream)");
  const source = new Uint8Array(packed.length + 1);
  source.set(packed);
  const target = new Uint8Array(sizeBytes + 1);
  const buffers = new BigUint64Array(6);
  const place = addressOf(new Uint8Array(buffers.buffer));
  buffers.set([
    BigInt(addressOf(target)),
    BigInt(target.length),
    0n,
    BigInt(addressOf(source)),
    BigInt(packed.length),
    0n,
  ]);
  const stream = create();
  let left = 1;
  for (let before = -1n; buffers[5] !== before && left > 0; ) {
    before = buffers[5] as bigint;
    left = run(stream, place, place + 24);
    assert.ok(left >= 0, `${left}`);
  }
  free(stream);
  assert.equal(left === 0, isWhole);
  return Buffer.from(target.subarray(0, Number(buffers[2])));
}
