/** Preloaded into every process of a node under test (`--import`): faults that the kernel has no signal for, on signals that nothing else uses. */

/** The event loop stands still, with a full processor. */
process.on("SIGPWR", () => {
  for (;;);
});

/** V8's heap is used up. */
process.on("SIGURG", () => {
  const hoard: object[] = [];
  for (;;) hoard.push({ at: hoard.length, more: [hoard.length] });
});
