/**
 * `node dist/bench/compression.js`: what it costs to compress a body of 64 KB JSON at gzip's level 1, in CPU time of this
 * process: zlib called directly as our workers do, node's synchronous function, its streams, and our stand-in.
 */
import { promisify } from "node:util";
import { createGzip, gzipSync } from "node:zlib";
import { FINISH, type Gzip } from "../src/io/compression.ts";
import { NativeCompression } from "../src/os/compression.ts";
import { NodeCompression } from "../src/os/compression-node.ts";
import { openZlib } from "../src/os/ffi/zlib.ts";
import { jsonText } from "./server.ts";

const PIECE_BYTES = 32 * 1024;
const ROUNDS = 1000;
const SETTINGS = { level: 1, windowBits: 15, memoryLevel: 8 };

function compress(compression: Gzip, body: Buffer): number {
  const deflater = compression.deflater(SETTINGS);
  if (deflater === undefined) throw new Error("no memory");
  let total = 0;
  for (let at = 0; at < body.length; ) {
    const end = Math.min(body.length, at + PIECE_BYTES);
    do {
      total += deflater.run(body, at, end, end === body.length ? FINISH : 0);
      at += deflater.taken;
    } while (deflater.isFull || at < end);
  }
  deflater.release();
  return total;
}

const stream = promisify((body: Buffer, done: (error: Error | null, total: number) => void) => {
  let total = 0;
  const gzip = createGzip({ level: SETTINGS.level, windowBits: SETTINGS.windowBits, memLevel: SETTINGS.memoryLevel });
  gzip.on("data", (data: Buffer) => (total += data.length));
  gzip.on("end", () => done(null, total));
  for (let at = 0; at < body.length; at += PIECE_BYTES) gzip.write(body.subarray(at, at + PIECE_BYTES));
  gzip.end();
});

async function measure(name: string, one: () => number | Promise<number>): Promise<void> {
  for (let i = 0; i < ROUNDS / 10; i++) await one();
  const before = process.cpuUsage();
  let total = 0;
  for (let i = 0; i < ROUNDS; i++) total = await one();
  const { user, system } = process.cpuUsage(before);
  const shown = `${((user + system) / ROUNDS).toFixed(0)} µs (${(user / ROUNDS).toFixed(0)} user)`;
  console.log(`${name.padEnd(28)} ${shown.padEnd(24)} ${total} bytes`);
}

const body = Buffer.from(jsonText());
const zlib = openZlib();
if (zlib !== undefined) {
  const compression = new NativeCompression(zlib);
  await measure(`zlib ${zlib.version()}, called directly`, () => compress(compression, body));
}
const { level, windowBits, memoryLevel: memLevel } = SETTINGS;
await measure("gzipSync, whole body", () => gzipSync(body, { level, windowBits, memLevel }).length);
await measure("createGzip, a stream", () => stream(body));
await measure("stand-in: deflateRawSync", () => compress(new NodeCompression(), body));
