/**
 * Preloaded into a server's processes (`node --expose-gc --import …?FOLDER`): writes what is left on the JavaScript heap behind a collection,
 * in bytes, to FOLDER/heap-PID, again and again.
 */
import { renameSync, writeFileSync } from "node:fs";
import { getHeapStatistics } from "node:v8";

const INTERVAL_MS = 1_000;
const folder = decodeURIComponent(new URL(import.meta.url).search.slice(1));
const { gc } = globalThis as { gc?: () => void };

setInterval(() => {
  gc?.();
  try {
    const file = `${folder}/heap-${process.pid}`;
    // Whoever reads sees a whole number.
    writeFileSync(`${file}.new`, String(getHeapStatistics().used_heap_size));
    renameSync(`${file}.new`, file);
  } catch {
    // The folder is removed before the last process has gone.
  }
}, INTERVAL_MS).unref();
