/** How V8 is to work in a worker: options of node, which refuses those that it does not know. */
export const V8_OPTIONS = [
  // A worker's garbage is young: a small space for it stays in the processor's cache, and each collection takes a fraction of a
  // millisecond (docs/performance.md). To wake threads for it would take longer.
  "--max-semi-space-size=1",
  "--no-parallel-scavenge",
];
