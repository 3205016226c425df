/**
 * Preloaded into a server's processes (`node --expose-gc --import …?FOLDER`): writes what is left on the JavaScript heap behind a collection,
 * in bytes, to FOLDER/heap-PID, again and again.
 */
import { writeFileSync } from "node:fs";
import { getHeapStatistics } from "node:v8";

const INTERVAL_MS = 1_000;
const folder = decodeURIComponent(new URL(import.meta.url).search.slice(1));
const { gc } = globalThis as { gc?: () => void };

setInterval(() => {
  gc?.();
  try {
    writeFileSync(`${folder}/heap-${process.pid}`, String(getHeapStatistics().used_heap_size));
  } catch {
    // The folder is removed before the last process has gone.
  }
}, INTERVAL_MS).unref();
