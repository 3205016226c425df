/** How V8 is to work in a worker: options of node. */
export const V8_OPTIONS = [
  // A worker's garbage is young: a small space for it stays in the processor's cache, and each collection takes a fraction of a
  // millisecond (docs/performance.md). To wake threads for it would take longer.
  "--max-semi-space-size=1",
  "--no-parallel-scavenge",
  // A client must not hold a worker by a text that a pattern of the configuration backtracks on without end: after some ten thousand
  // steps V8 goes on with an engine that takes linear time. It knows no look-around and no references. (PCRE gives up: 500.)
  "--enable-experimental-regexp-engine-on-excessive-backtracks",
];
